//! Philox 4x32-10 (Salmon et al., SC'11), the twin of src/core/philox.ts: a counter-based generator, whose words are a function of
//! (seed, step, stream, element). Sixteen blocks are computed side by side, so that it vectorises.

use crate::matrix::{Matrix, flatten};
use crate::simd::{cos_sin_of_turn, ln, vectorised};

const BLOCKS: usize = 16;
/// Number of words computed at a time.
pub const BATCH: usize = 4 * BLOCKS;

/// key = the seed's halves, counter = (element / 4, 0, step, stream).
#[derive(Clone, Copy, PartialEq)]
pub struct Key {
    pub seed: u64,
    pub step: u32,
    pub stream: u32,
}

/// The threshold and the scale of dropout.
#[derive(Clone, Copy, PartialEq)]
pub struct Dropout {
    /// An entry is kept if its word is at least this.
    pub threshold: u32,
    /// 1 / (1 - rate)
    pub scale: f64,
    pub key: Key,
}

/// The position of a piece within a dense matrix: element (r, c) of the piece is element `first + r * row_stride + c`.
#[derive(Clone, Copy)]
pub struct Position {
    pub first: usize,
    /// None = the columns of the piece.
    pub row_stride: Option<usize>,
}

impl Position {
    /// Matrices of the same shape, flattened if all rows are contiguous, and the row stride.
    pub fn flatten<const N: usize>(&self, matrices: [Matrix; N]) -> ([Matrix; N], usize) {
        let columns = matrices[0].columns;
        match self.row_stride {
            Some(stride) if stride != columns => (matrices, stride),
            _ => {
                let matrices = flatten(matrices);
                (matrices, matrices[0].columns)
            }
        }
    }
}

#[inline(always)]
fn batch(key: Key, first_block: u32) -> [u32; BATCH] {
    blocks(key, std::array::from_fn(|lane| first_block.wrapping_add(lane as u32)))
}

/// The words of arbitrary blocks.
#[inline(always)]
fn blocks(key: Key, mut c0: [u32; BLOCKS]) -> [u32; BATCH] {
    let mut c1 = [0u32; BLOCKS];
    let mut c2 = [key.step; BLOCKS];
    let mut c3 = [key.stream; BLOCKS];
    let mut k0 = key.seed as u32;
    let mut k1 = (key.seed >> 32) as u32;
    for _ in 0..10 {
        for lane in 0..BLOCKS {
            let product0 = 0xd251_1f53u64 * c0[lane] as u64;
            let product1 = 0xcd9e_8d57u64 * c2[lane] as u64;
            c0[lane] = (product1 >> 32) as u32 ^ c1[lane] ^ k0;
            c1[lane] = product1 as u32;
            c2[lane] = (product0 >> 32) as u32 ^ c3[lane] ^ k1;
            c3[lane] = product0 as u32;
        }
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    let mut words = [0u32; BATCH];
    for lane in 0..BLOCKS {
        words[4 * lane] = c0[lane];
        words[4 * lane + 1] = c1[lane];
        words[4 * lane + 2] = c2[lane];
        words[4 * lane + 3] = c3[lane];
    }
    words
}

/// Calls `take(from, words)` for the words of the elements [first, first + count), `from` counted from 0. Inside
/// `vectorised` only.
#[inline(always)]
pub fn for_words(key: Key, first: usize, count: usize, mut take: impl FnMut(usize, &[u32])) {
    let mut done = 0;
    while done < count {
        let element = first + done;
        let skip = element % 4;
        let words = batch(key, (element / 4) as u32);
        let usable = (BATCH - skip).min(count - done);
        take(done, &words[skip..skip + usable]);
        done += usable;
    }
}

/// Calls `take(from, words)` for the words of elements at any positions, `from` counted from 0. Inside `vectorised` only.
#[inline(always)]
pub fn for_words_at(key: Key, positions: &[u32], mut take: impl FnMut(usize, &[u32])) {
    for (n, positions) in positions.chunks(BLOCKS).enumerate() {
        let words = blocks(key, std::array::from_fn(|lane| positions.get(lane).map_or(0, |&position| position / 4)));
        let chosen: [u32; BLOCKS] = std::array::from_fn(|lane| {
            let word = positions.get(lane).map_or(0, |&position| position % 4);
            words[4 * lane + word as usize]
        });
        take(n * BLOCKS, &chosen[..positions.len()]);
    }
}

/// A word as a number in (0, 1).
#[inline(always)]
fn uniform(word: u32) -> f64 {
    (((word >> 9) as i32) as f64 + 0.5) * (1.0 / 8_388_608.0)
}

/// The normals of 16 blocks.
#[inline(always)]
pub fn normal_batch(key: Key, first_block: u32) -> [f32; BATCH] {
    let words = batch(key, first_block);
    let mut radius = [0.0f64; BATCH / 2];
    let mut turn = [0.0f64; BATCH / 2];
    for pair in 0..BATCH / 2 {
        radius[pair] = uniform(words[2 * pair]);
        turn[pair] = uniform(words[2 * pair + 1]);
    }
    let mut first = [0.0f32; BATCH / 2];
    let mut second = [0.0f32; BATCH / 2];
    for pair in 0..BATCH / 2 {
        let r = (-2.0 * ln(radius[pair])).sqrt();
        let (cos, sin) = cos_sin_of_turn(turn[pair]);
        first[pair] = (r * cos) as f32;
        second[pair] = (r * sin) as f32;
    }
    let mut normals = [0.0f32; BATCH];
    for pair in 0..BATCH / 2 {
        normals[2 * pair] = first[pair];
        normals[2 * pair + 1] = second[pair];
    }
    normals
}

/// Standard normals for the elements [first, first + out.len()), by Box-Muller.
pub fn fill_normals(key: Key, first: usize, out: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            let mut done = 0;
            while done < out.len() {
                let element = first + done;
                let skip = element % 4;
                let normals = normal_batch(key, (element / 4) as u32);
                let usable = (BATCH - skip).min(out.len() - done);
                out[done..done + usable].copy_from_slice(&normals[skip..skip + usable]);
                done += usable;
            }
        },
    )
}
