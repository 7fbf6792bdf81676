//! A call of a kernel as encoded by JavaScript (src/compute/engines/native.ts): a sequence of numbers, and lists.

use crate::element::Element;
use crate::matrix::{Floats, Matrix, Numbers};
use crate::memory::Block;
use crate::philox::{Dropout, Key, Position};
use crate::sparse::Sparse;
use crate::{NativeEngine, refused, view};
use napi::bindgen_prelude::{Result, Uint32Array};
use std::sync::Arc;

/// Reads a call's arguments in order. Each kind of argument has a function, named as in src/compute/kernel.ts.
pub struct Call<'a> {
    engine: &'a NativeEngine,
    numbers: &'a [f64],
    lists: &'a [Uint32Array],
}

impl<'a> Call<'a> {
    pub fn new(engine: &'a NativeEngine, numbers: &'a [f64], lists: &'a [Uint32Array]) -> Self {
        Self { engine, numbers, lists }
    }

    fn take<const N: usize>(&mut self) -> Result<[f64; N]> {
        let Some((first, rest)) = self.numbers.split_first_chunk::<N>() else {
            return Err(refused("the call ends early"));
        };
        self.numbers = rest;
        Ok(*first)
    }

    fn block(&mut self) -> Result<(Block, [f64; 5])> {
        let numbers = self.take::<5>()?;
        Ok((self.engine.block(numbers[0])?, numbers))
    }

    pub fn number(&mut self) -> Result<f64> {
        self.take::<1>().map(|[number]| number)
    }

    pub fn maybe_number(&mut self) -> Result<Option<f64>> {
        self.number().map(|number| (!number.is_nan()).then_some(number))
    }

    pub fn maybe_matrix(&mut self) -> Result<Option<Matrix>> {
        if self.numbers.first().is_some_and(|number| number.is_nan()) {
            return self.take::<5>().map(|_| None);
        }
        self.matrix().map(Some)
    }

    pub fn matrix(&mut self) -> Result<Matrix> {
        let (block, numbers) = self.block()?;
        view(block, numbers)
    }

    pub fn int8(&mut self) -> Result<Matrix<i8>> {
        let (block, numbers) = self.block()?;
        view(block, numbers)
    }

    pub fn float32_or_bfloat16(&mut self) -> Result<Floats> {
        let (block, numbers) = self.block()?;
        match block.element {
            Element::Bfloat16 => view(block, numbers).map(Floats::Bfloat16),
            _ => view(block, numbers).map(Floats::Float32),
        }
    }

    pub fn float32_or_bfloat16_or_int8(&mut self) -> Result<Numbers> {
        let (block, numbers) = self.block()?;
        match block.element {
            Element::Float32 => view(block, numbers).map(Numbers::Float32),
            Element::Bfloat16 => view(block, numbers).map(Numbers::Bfloat16),
            Element::Int8 => view(block, numbers).map(Numbers::Int8),
        }
    }

    pub fn maybe_batch(&mut self) -> Result<Option<Arc<Sparse>>> {
        self.maybe_number()?.map(|number| self.engine.batch(number as u32)).transpose()
    }

    pub fn batch(&mut self) -> Result<Arc<Sparse>> {
        self.maybe_batch()?.ok_or_else(|| refused("a sparse batch is missing"))
    }

    pub fn maybe_list(&mut self) -> Result<Option<Vec<u32>>> {
        let Some(number) = self.maybe_number()? else { return Ok(None) };
        let list = self.lists.get(number as usize).ok_or_else(|| refused("a list is missing"))?;
        Ok(Some(list.to_vec()))
    }

    pub fn list(&mut self) -> Result<Vec<u32>> {
        self.maybe_list()?.ok_or_else(|| refused("a list is missing"))
    }

    pub fn floats(&mut self) -> Result<Vec<f32>> {
        Ok(self.list()?.into_iter().map(f32::from_bits).collect())
    }
}

/// A boolean option.
pub fn is_set(option: Option<f64>) -> bool {
    option.is_some_and(|value| value != 0.0)
}

pub fn key(seed: f64, step: f64, stream: f64) -> Key {
    Key { seed: seed as u64, step: step as u32, stream: stream as u32 }
}

pub fn position(first: Option<f64>, row_stride: Option<f64>) -> Position {
    Position { first: first.unwrap_or(0.0) as usize, row_stride: row_stride.map(|stride| stride as usize) }
}

pub fn dropout(rate: f64, key: Key) -> Dropout {
    let threshold = (rate * 4_294_967_296.0) as u32;
    Dropout { threshold, scale: 1.0 / (1.0 - rate), key }
}
