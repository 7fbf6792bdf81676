//! Sums of sparse rows: applies a sparse item-item matrix to histories, reading only the rows of their items.

use crate::matrix::{Matrix, for_each_row};
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Kernel sumSparseRows(out: matrix input: batch rows: batch) sum_sparse_rows(out, &input, &rows);
}

const ROWS_PER_TASK: usize = 4;

/// out[r] = sum over the entries (r, i) of input of input_ri * rows[i], in their order
pub fn sum_sparse_rows(out: Matrix, input: &Sparse, rows: &Sparse) {
    for_each_row(input.rows, ROWS_PER_TASK, |row| {
        let sums = out.row_mut(row);
        sums.fill(0.0);
        for entry in input.entries(row) {
            let factor = input.value(entry);
            let terms = rows.entries(input.indices[entry] as usize);
            match &rows.values {
                None => rows.indices[terms].iter().for_each(|&column| sums[column as usize] += factor),
                Some(values) => {
                    for (&column, &value) in rows.indices[terms.clone()].iter().zip(&values[terms]) {
                        sums[column as usize] += factor * value;
                    }
                }
            }
        }
    });
}
