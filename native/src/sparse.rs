//! A sparse batch (CSR) in the engine's memory. Data that only some kernels need is computed on first use.

use crate::kept::Kept;
use std::sync::{Arc, Mutex, OnceLock};

pub struct Sparse {
    pub rows: usize,
    pub columns: usize,
    /// [rows + 1]
    pub offsets: Vec<u32>,
    /// [entries]
    pub indices: Vec<u32>,
    /// [entries]; none = all ones
    pub values: Option<Vec<f32>>,
    pub piece: Piece,
    /// Within each row, the columns ascend.
    pub ascending: bool,
    touched: OnceLock<Vec<u32>>,
    by_touched: OnceLock<Touched>,
    by_column: OnceLock<Columns>,
    /// The most recent result of the first layer for this batch.
    pub kept: Mutex<Option<Arc<Kept>>>,
}

/// The positions of the entries in a larger batch.
#[derive(Default)]
pub struct Piece {
    /// The position of the first entry; the others are consecutive.
    pub first: usize,
    /// The position of every entry [entries], instead of `first`.
    pub positions: Option<Vec<u32>>,
    /// The sum of squares of each whole row [rows]; none = of the given rows.
    pub squares: Option<Vec<f64>>,
}

/// The entries by column, within a column by ascending row.
pub struct Columns {
    /// [columns + 1]
    pub offsets: Vec<u32>,
    /// [entries]
    pub rows: Vec<u32>,
    /// [entries]; none = all ones
    pub values: Option<Vec<f32>>,
}

/// Per word of 64 columns, which of them are touched, and how many are before the word.
pub struct Places {
    words: Vec<(u64, u32)>,
}

impl Places {
    /// The place of a touched column.
    #[inline(always)]
    pub fn of(&self, column: u32) -> u32 {
        let (word, first) = self.words[column as usize / 64];
        first + (word & ((1 << (column % 64)) - 1)).count_ones()
    }
}

/// The entries by touched column, within a column by ascending row.
pub struct Touched {
    /// [entries]: the place of each entry's column among the touched ones.
    pub slots: Vec<u32>,
    /// [touched + 1]
    pub offsets: Vec<u32>,
    /// [entries]: (row, position of the entry in the batch)
    pub entries: Vec<(u32, u32)>,
}

impl Touched {
    /// The entries of the touched column at this place.
    pub fn of(&self, slot: usize) -> &[(u32, u32)] {
        &self.entries[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }
}

impl Columns {
    /// The positions of a column's entries.
    #[inline(always)]
    pub fn entries(&self, column: usize) -> std::ops::Range<usize> {
        self.offsets[column] as usize..self.offsets[column + 1] as usize
    }

    #[inline(always)]
    pub fn value(&self, entry: usize) -> f32 {
        self.values.as_ref().map_or(1.0, |values| values[entry])
    }
}

impl Sparse {
    /// The arrays must be consistent, which compute/shapes.ts has checked; an index out of range is also rejected here.
    pub fn new(
        rows: usize,
        columns: usize,
        offsets: Vec<u32>,
        indices: Vec<u32>,
        values: Option<Vec<f32>>,
        piece: Piece,
    ) -> Result<Self, String> {
        let rises = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if offsets.len() != rows + 1 || !rises || offsets[rows] as usize != indices.len() || offsets[0] != 0 {
            return Err("sparse: the offsets are not consistent".into());
        }
        if values.as_ref().is_some_and(|values| values.len() != indices.len()) {
            return Err("sparse: the number of values does not match".into());
        }
        if piece.positions.as_ref().is_some_and(|positions| positions.len() != indices.len())
            || piece.squares.as_ref().is_some_and(|squares| squares.len() != rows)
        {
            return Err("sparse: the piece does not match".into());
        }
        if indices.iter().fold(0, |largest, &index| index.max(largest)) as usize >= columns && !indices.is_empty() {
            return Err("sparse: a column is out of range".into());
        }
        let rows_ascend = |pair: &[u32]| indices[pair[0] as usize..pair[1] as usize].is_sorted();
        let ascending = offsets.windows(2).all(rows_ascend);
        let (touched, by_touched, by_column) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self {
            rows,
            columns,
            offsets,
            indices,
            values,
            piece,
            ascending,
            touched,
            by_touched,
            by_column,
            kept: Mutex::default(),
        })
    }

    pub fn by_column(&self) -> &Columns {
        self.by_column.get_or_init(|| {
            let mut offsets = vec![0u32; self.columns + 1];
            self.indices.iter().for_each(|&column| offsets[column as usize + 1] += 1);
            (0..self.columns).for_each(|column| offsets[column + 1] += offsets[column]);
            let mut next = offsets.clone();
            let mut rows = vec![0u32; self.indices.len()];
            let mut values = self.values.as_ref().map(|values| vec![0.0f32; values.len()]);
            for row in 0..self.rows {
                for entry in self.entries(row) {
                    let place = &mut next[self.indices[entry] as usize];
                    rows[*place as usize] = row as u32;
                    if let Some(values) = &mut values {
                        values[*place as usize] = self.value(entry);
                    }
                    *place += 1;
                }
            }
            Columns { offsets, rows, values }
        })
    }

    /// The distinct columns with an entry, ascending.
    pub fn touched(&self) -> &[u32] {
        self.touched.get_or_init(|| {
            // A bit per column: with a large catalogue, bytes would not fit into the caches.
            let mut seen = vec![0u64; self.columns.div_ceil(64)];
            self.indices.iter().for_each(|&column| seen[column as usize / 64] |= 1 << (column % 64));
            let mut touched = Vec::with_capacity(seen.iter().map(|word| word.count_ones() as usize).sum());
            for (at, mut word) in seen.into_iter().enumerate() {
                while word != 0 {
                    touched.push((64 * at) as u32 + word.trailing_zeros());
                    word &= word - 1;
                }
            }
            touched
        })
    }

    /// The places of columns among the touched ones.
    pub fn places(&self) -> Places {
        let mut words = vec![(0u64, 0u32); self.columns.div_ceil(64)];
        for &column in self.touched() {
            words[column as usize / 64].0 |= 1 << (column % 64);
        }
        let mut before = 0;
        for (word, first) in &mut words {
            *first = before;
            before += word.count_ones();
        }
        Places { words }
    }

    pub fn by_touched(&self) -> &Touched {
        self.by_touched.get_or_init(|| {
            let touched = self.touched();
            let places = self.places();
            let slots: Vec<u32> = self.indices.iter().map(|&column| places.of(column)).collect();
            let mut offsets = vec![0u32; touched.len() + 1];
            slots.iter().for_each(|&slot| offsets[slot as usize + 1] += 1);
            (0..touched.len()).for_each(|slot| offsets[slot + 1] += offsets[slot]);
            let mut next = offsets.clone();
            let mut entries = vec![(0, 0); slots.len()];
            for row in 0..self.rows {
                for entry in self.entries(row) {
                    let place = &mut next[slots[entry] as usize];
                    entries[*place as usize] = (row as u32, entry as u32);
                    *place += 1;
                }
            }
            Touched { slots, offsets, entries }
        })
    }

    /// The positions of a row's entries.
    #[inline(always)]
    pub fn entries(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    #[inline(always)]
    pub fn value(&self, entry: usize) -> f32 {
        self.values.as_ref().map_or(1.0, |values| values[entry])
    }

    /// Memory in bytes, including data that kernels may compute later.
    pub fn bytes(&self) -> usize {
        let entries = self.indices.len();
        let values = if self.values.is_some() { entries } else { 0 };
        let touched = entries.min(self.columns);
        let by_column = self.columns + 1 + entries + values;
        let by_touched = 3 * entries + touched + 1;
        let positions = self.piece.positions.as_ref().map_or(0, Vec::len);
        let squares = self.piece.squares.as_ref().map_or(0, Vec::len);
        8 * squares
            + 4 * (positions + self.offsets.len() + entries + values + 2 * touched + 1 + by_column + by_touched)
            + Kept::BYTES * entries
    }
}
