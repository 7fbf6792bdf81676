//! A sparse batch (CSR) in the engine's memory. Its transpose is made when the first gradient asks for it.

use std::sync::OnceLock;

pub struct Sparse {
    pub rows: usize,
    pub columns: usize,
    /// [rows + 1]
    pub offsets: Vec<u32>,
    /// [entries]
    pub indices: Vec<u32>,
    /// [entries]; none = all ones
    pub values: Option<Vec<f32>>,
    /// The distinct columns with an entry, ascending.
    pub touched: Vec<u32>,
    transposed: OnceLock<Transposed>,
}

/// The entries by touched column, within a column by ascending row.
pub struct Transposed {
    /// [touched + 1]
    pub offsets: Vec<u32>,
    /// [entries]: the row of each.
    pub rows: Vec<u32>,
    /// [entries]: where each stands in the CSR arrays.
    pub positions: Vec<u32>,
}

impl Sparse {
    /// The arrays must fit together: shapes.ts has checked them, except that an index out of range is refused here too.
    pub fn new(
        rows: usize,
        columns: usize,
        offsets: Vec<u32>,
        indices: Vec<u32>,
        values: Option<Vec<f32>>,
    ) -> Result<Self, String> {
        let ascending = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if offsets.len() != rows + 1 || !ascending || offsets[rows] as usize != indices.len() || offsets[0] != 0 {
            return Err("sparse: the offsets do not fit".into());
        }
        if values.as_ref().is_some_and(|values| values.len() != indices.len()) {
            return Err("sparse: the values do not fit".into());
        }
        let mut seen = vec![false; columns];
        for &index in &indices {
            *seen.get_mut(index as usize).ok_or("sparse: a column is out of range")? = true;
        }
        let touched = (0..columns as u32).filter(|&column| seen[column as usize]).collect();
        Ok(Self { rows, columns, offsets, indices, values, touched, transposed: OnceLock::new() })
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

    /// Bytes, the transpose included whether it is made yet or not.
    pub fn bytes(&self) -> usize {
        let entries = self.indices.len();
        let values = if self.values.is_some() { entries } else { 0 };
        4 * (self.offsets.len() + entries + values + 2 * self.touched.len() + 1 + 2 * entries)
    }

    pub fn transposed(&self) -> &Transposed {
        self.transposed.get_or_init(|| {
            let mut slot_of = vec![0u32; self.columns];
            for (slot, &column) in self.touched.iter().enumerate() {
                slot_of[column as usize] = slot as u32;
            }
            let mut offsets = vec![0u32; self.touched.len() + 1];
            for &index in &self.indices {
                offsets[slot_of[index as usize] as usize + 1] += 1;
            }
            for slot in 1..offsets.len() {
                offsets[slot] += offsets[slot - 1];
            }
            let mut cursor = offsets.clone();
            let mut rows = vec![0u32; self.indices.len()];
            let mut positions = vec![0u32; self.indices.len()];
            for row in 0..self.rows {
                for entry in self.entries(row) {
                    let next = &mut cursor[slot_of[self.indices[entry] as usize] as usize];
                    rows[*next as usize] = row as u32;
                    positions[*next as usize] = entry as u32;
                    *next += 1;
                }
            }
            Transposed { offsets, rows, positions }
        })
    }
}
