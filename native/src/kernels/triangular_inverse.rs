//! A sparse approximate inverse M of a sparse unit lower triangle L (SANSA, Spisak et al. 2023): from M = 2I - L, steps of minimal
//! residuals, m += alpha r with r = e - L m and alpha = r.Lr / |Lr|^2, column by column, after which only the entries of the
//! largest magnitude of the whole matrix are kept; or by substitution, of which the largest entries are kept. The diagonals, all ones, are not stored. No more than the residuals of a
//! column per thread exist at a time. Sums are accumulated in float64.

use crate::Answer;
use crate::kernels::largest_entries::Cut;
use crate::kernels::neighbours::Rows;
use crate::sparse::Sparse;
use crate::table::kernels;
use rayon::prelude::*;
use std::sync::Mutex;

kernels! {
    Question triangularInverse(l: batch entries: number scans: number rounds: number exact: maybe_number) {
            let exact = exact.is_some_and(|is| is != 0.0);
            Answer::rows(triangular_inverse(&l, entries as usize, scans as usize, rounds as usize, exact), 0)
        };
}

const COLUMNS_PER_TASK: usize = 64;
/// Columns that are changed before the number of entries is checked.
const COLUMNS_AT_ONCE: usize = 128;

/// The entries of a column below the diagonal.
#[derive(Default)]
struct Column {
    rows: Vec<u32>,
    values: Vec<f32>,
}

/// Sums by row, and the rows that have one.
struct Sums {
    of: Vec<f64>,
    is_met: Vec<bool>,
    met: Vec<u32>,
}

impl Sums {
    fn new(rows: usize) -> Self {
        Self { of: vec![0.0; rows], is_met: vec![false; rows], met: Vec::new() }
    }

    #[inline(always)]
    fn add(&mut self, row: u32, value: f64) {
        let at = row as usize;
        self.of[at] += value;
        if !self.is_met[at] {
            self.is_met[at] = true;
            self.met.push(row);
        }
    }

    fn clear(&mut self) {
        for &row in &self.met {
            self.of[row as usize] = 0.0;
            self.is_met[row as usize] = false;
        }
        self.met.clear();
    }
}

/// The residual r of a column, and L r.
struct Scratch {
    residual: Sums,
    product: Sums,
}

struct Inverse<'a> {
    l: &'a Sparse,
    columns: Vec<Column>,
    /// |r|^2 of each column; NaN = to be computed.
    norms: Vec<f64>,
    entries: usize,
    scratch: Mutex<Vec<Scratch>>,
}

pub fn triangular_inverse(l: &Sparse, entries: usize, scans: usize, rounds: usize, exact: bool) -> Rows {
    let n = l.rows;
    let start = |column: usize| {
        let at = l.entries(column);
        Column { rows: l.indices[at.clone()].to_vec(), values: at.map(|entry| -l.value(entry)).collect() }
    };
    let columns = (0..n).map(|column| if exact { Column::default() } else { start(column) }).collect();
    let mut inverse = Inverse { l, columns, norms: vec![f64::NAN; n], entries, scratch: Mutex::default() };
    if exact {
        inverse.replace(&(0..n).collect::<Vec<_>>(), Inverse::substituted);
    } else {
        inverse.approximate(scans, rounds);
    }
    let mut rows = Rows { offsets: vec![0], indices: Vec::new(), values: Vec::new() };
    for column in inverse.columns {
        rows.indices.extend(column.rows);
        rows.values.extend(column.values);
        rows.offsets.push(rows.indices.len() as u32);
    }
    rows
}

impl Inverse<'_> {
    fn approximate(&mut self, scans: usize, rounds: usize) {
        let n = self.l.rows;
        self.drop_smallest();
        for scan in 1..=scans {
            // The worst columns first; at the end all that are not exact.
            let least = 10f64.powi(-(scan as i32 + 1).min(7));
            self.renew_norms();
            let large = |&column: &usize| (self.norms[column] / n as f64).sqrt() > least;
            let chosen: Vec<usize> = (0..n).filter(large).collect();
            self.replace(&chosen, Self::improved);
        }
        for _ in 0..rounds {
            self.renew_norms();
            let mut worst: Vec<usize> = (0..n).collect();
            let size = |column: usize| self.norms[column] / (n - column) as f64;
            let count = (self.entries + n).div_ceil(n.max(1)).min(n);
            if count < n {
                worst.select_nth_unstable_by(count, |&a, &b| size(b).total_cmp(&size(a)).then(a.cmp(&b)));
            }
            worst.truncate(count);
            worst.sort_unstable();
            self.replace(&worst, Self::improved);
        }
    }

    fn scratch(&self) -> Scratch {
        let n = self.l.rows;
        let taken = self.scratch.lock().unwrap().pop();
        taken.unwrap_or_else(|| Scratch { residual: Sums::new(n), product: Sums::new(n) })
    }

    /// r = e - L m; 0 on the diagonal.
    fn residual(&self, column: usize, r: &mut Sums) {
        let l = self.l;
        for entry in l.entries(column) {
            r.add(l.indices[entry], -(l.value(entry) as f64));
        }
        let Column { rows, values } = &self.columns[column];
        for (&row, &value) in rows.iter().zip(values) {
            r.add(row, -(value as f64));
            for entry in l.entries(row as usize) {
                r.add(l.indices[entry], -(value as f64 * l.value(entry) as f64));
            }
        }
    }

    fn renew_norms(&mut self) {
        let mut norms = std::mem::take(&mut self.norms);
        norms.par_chunks_mut(COLUMNS_PER_TASK).enumerate().for_each(|(task, norms)| {
            let mut scratch = self.scratch();
            for (at, norm) in norms.iter_mut().enumerate().filter(|(_, norm)| norm.is_nan()) {
                let r = &mut scratch.residual;
                self.residual(task * COLUMNS_PER_TASK + at, r);
                *norm = r.met.iter().map(|&row| r.of[row as usize].powi(2)).sum();
                r.clear();
            }
            self.scratch.lock().unwrap().push(scratch);
        });
        self.norms = norms;
    }

    /// Replaces each of the chosen columns, then keeps the largest entries.
    fn replace(&mut self, chosen: &[usize], better: impl Fn(&Self, usize) -> Column + Sync) {
        for some in chosen.chunks(COLUMNS_AT_ONCE) {
            let improved: Vec<Column> = some.par_iter().map(|&column| better(self, column)).collect();
            for (&column, better) in some.iter().zip(improved) {
                self.columns[column] = better;
                self.norms[column] = f64::NAN;
            }
            if self.columns.iter().map(|column| column.rows.len()).sum::<usize>() > 2 * self.entries {
                self.drop_smallest();
            }
        }
        self.drop_smallest();
    }

    /// The column of the exact inverse.
    fn substituted(&self, column: usize) -> Column {
        let mut scratch = self.scratch();
        let m = &mut scratch.residual;
        for entry in self.l.entries(column) {
            m.add(self.l.indices[entry], -(self.l.value(entry) as f64));
        }
        for row in column + 1..self.l.rows {
            if m.is_met[row] {
                let value = m.of[row];
                for entry in self.l.entries(row) {
                    m.add(self.l.indices[entry], -(value * self.l.value(entry) as f64));
                }
            }
        }
        m.met.sort_unstable();
        let value = |&row: &u32| m.of[row as usize] as f32;
        let rows: Vec<u32> = m.met.iter().copied().filter(|row| value(row) != 0.0).collect();
        let values = rows.iter().map(value).collect();
        m.clear();
        self.scratch.lock().unwrap().push(scratch);
        Column { rows, values }
    }

    /// The column after a step of the minimal residual.
    fn improved(&self, column: usize) -> Column {
        let mut scratch = self.scratch();
        let Scratch { residual: r, product: p } = &mut scratch;
        self.residual(column, r);
        for &row in &r.met {
            let value = r.of[row as usize];
            p.add(row, value);
            for entry in self.l.entries(row as usize) {
                p.add(self.l.indices[entry], value * self.l.value(entry) as f64);
            }
        }
        let along: f64 = r.met.iter().map(|&row| r.of[row as usize] * p.of[row as usize]).sum();
        let squares: f64 = p.met.iter().map(|&row| p.of[row as usize].powi(2)).sum();
        let alpha = if squares > 0.0 { along / squares } else { 0.0 };
        p.clear();
        // p = m + alpha r
        let Column { rows, values } = &self.columns[column];
        rows.iter().zip(values).for_each(|(&row, &value)| p.add(row, value as f64));
        r.met.iter().for_each(|&row| p.add(row, alpha * r.of[row as usize]));
        p.met.sort_unstable();
        let value = |&row: &u32| p.of[row as usize] as f32;
        let rows: Vec<u32> = p.met.iter().copied().filter(|row| value(row) != 0.0).collect();
        let values = rows.iter().map(value).collect();
        r.clear();
        p.clear();
        self.scratch.lock().unwrap().push(scratch);
        Column { rows, values }
    }

    /// Keeps the `entries` of the largest magnitude.
    fn drop_smallest(&mut self) {
        let all: usize = self.columns.iter().map(|column| column.rows.len()).sum();
        if all <= self.entries {
            return;
        }
        let mut cut = Cut::of(self.columns.iter().map(|column| &column.values[..]), self.entries);
        for (column, norm) in self.columns.iter_mut().zip(&mut self.norms) {
            let mut kept = 0;
            for at in 0..column.rows.len() {
                if cut.keeps(column.values[at]) {
                    column.rows[kept] = column.rows[at];
                    column.values[kept] = column.values[at];
                    kept += 1;
                }
            }
            if kept < column.rows.len() {
                *norm = f64::NAN;
                column.rows.truncate(kept);
                column.values.truncate(kept);
                column.rows.shrink_to_fit();
                column.values.shrink_to_fit();
            }
        }
    }
}
