//! Sums of sparse rows: applies a sparse item-item matrix to histories, reading only the rows of their items.

use crate::matrix::{Matrix, for_each_row};
use crate::sparse::Sparse;
use crate::table::kernels;
use std::sync::Mutex;

kernels! {
    Kernel sumChainedRows(out: matrix input: batch first: batch second: batch) sum_chained_rows(out, &input, &first, &second);
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

/// out = (input first) second: each row reads only the rows of `second` for which its sum of rows of `first` has an entry
pub fn sum_chained_rows(out: Matrix, input: &Sparse, first: &Sparse, second: &Sparse) {
    let left: Mutex<Vec<Vec<f32>>> = Mutex::default();
    for_each_row(input.rows, ROWS_PER_TASK, |row| {
        let taken = left.lock().unwrap().pop();
        let mut middle = taken.unwrap_or_else(|| vec![0.0; first.columns]);
        let mut met: Vec<u32> = Vec::new();
        for entry in input.entries(row) {
            let factor = input.value(entry);
            for term in first.entries(input.indices[entry] as usize) {
                let column = first.indices[term];
                let sum = &mut middle[column as usize];
                if *sum == 0.0 {
                    met.push(column);
                }
                *sum += factor * first.value(term);
            }
        }
        let sums = out.row_mut(row);
        sums.fill(0.0);
        for column in met {
            // A sum that was 0 in between was met twice.
            let factor = std::mem::take(&mut middle[column as usize]);
            for term in second.entries(column as usize) {
                sums[second.indices[term] as usize] += factor * second.value(term);
            }
        }
        left.lock().unwrap().push(middle);
    });
}
