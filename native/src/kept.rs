//! The prepared entries of the sparse first layer (kernels/sparse_row_sum.rs), cached in the batch (sparse.rs).

use crate::philox::Dropout;
use std::sync::OnceLock;

#[derive(Clone, Copy, PartialEq)]
pub struct Options {
    /// Divide every row by max(its L2 norm, 1e-12), the norm taken before dropout.
    pub unit_rows: bool,
    pub dropout: Option<Dropout>,
}

/// The kept entries of a batch with their weights, shared by forward and gradient.
pub struct Kept {
    pub options: Options,
    pub by_row: Entries,
    pub by_touched_column: OnceLock<Entries>,
}

impl Kept {
    /// Bytes per entry of the batch, at most.
    pub const BYTES: usize = 16;
}

/// Runs of (index, factor), with the start of each row.
pub struct Entries {
    pub runs: Vec<(u32, u32)>,
    pub indices: Vec<u32>,
    pub factors: Vec<f32>,
}

impl Entries {
    pub fn run(&self, row: usize) -> (&[u32], &[f32]) {
        let (from, to) = self.runs[row];
        let run = from as usize..to as usize;
        (&self.indices[run.clone()], &self.factors[run])
    }
}
