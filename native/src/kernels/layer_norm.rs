//! Layer normalisation of rows (Ba, Kiros and Hinton 2016). The lanes of the sums depend only on the shape.

use crate::matrix::{Matrix, for_each_row, for_each_task};
use crate::simd::vectorised;
use crate::table::kernels;

kernels! {
    Kernel layerNorm(out: matrix a: matrix weight: matrix bias: matrix statistics: matrix epsilon: number)
        layer_norm(out, a, weight, bias, statistics, epsilon);
    Kernel layerNormGradient(out: matrix a: matrix weight: matrix statistics: matrix g: matrix)
        layer_norm_gradient(out, a, weight, statistics, g);
    Kernel layerNormWeightGradient(out: matrix a: matrix statistics: matrix g: matrix)
        layer_norm_weight_gradient(out, a, statistics, g);
}

const ROWS_PER_TASK: usize = 8;
/// Columns that one task of the weight gradient sums.
const COLUMNS: usize = 256;
const LANES: usize = 8;

/// The sum over i < count of term(i), in float64.
#[inline(always)]
fn sum_over(count: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let whole = count - count % LANES;
    for first in (0..whole).step_by(LANES) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane += term(first + i);
        }
    }
    for i in whole..count {
        lanes[i - whole] += term(i);
    }
    lanes.iter().sum()
}

/// out = weight (a - mean) / sqrt(variance + epsilon) + bias; statistics = [mean, 1 / sqrt(variance + epsilon)]
pub fn layer_norm(out: Matrix, a: Matrix, weight: Matrix, bias: Matrix, statistics: Matrix, epsilon: f64) {
    let (weight, bias) = (weight.row(0), bias.row(0));
    for_each_row(a.rows, ROWS_PER_TASK, |r| {
        let n = a.columns;
        let (out, a, statistics) = (out.row_mut(r), a.row(r), statistics.row_mut(r));
        vectorised(
            #[inline(always)]
            || {
                let mean = sum_over(
                    n,
                    #[inline(always)]
                    |i| a[i] as f64,
                ) / n as f64;
                let variance = sum_over(
                    n,
                    #[inline(always)]
                    |i| {
                        let distance = a[i] as f64 - mean;
                        distance * distance
                    },
                ) / n as f64;
                let (mean, scale) = (mean as f32, (1.0 / (variance + epsilon).sqrt()) as f32);
                for i in 0..n {
                    out[i] = weight[i].mul_add((a[i] - mean) * scale, bias[i]);
                }
                statistics[0] = mean;
                statistics[1] = scale;
            },
        )
    });
}

/// With h = (a - mean) scale and d = g weight: out += scale (d - mean(d) - h mean(d h))
pub fn layer_norm_gradient(out: Matrix, a: Matrix, weight: Matrix, statistics: Matrix, g: Matrix) {
    let weight = weight.row(0);
    for_each_row(a.rows, ROWS_PER_TASK, |r| {
        let n = a.columns;
        let (out, a, g, statistics) = (out.row_mut(r), a.row(r), g.row(r), statistics.row(r));
        let (mean, scale) = (statistics[0], statistics[1]);
        vectorised(
            #[inline(always)]
            || {
                let sum = sum_over(
                    n,
                    #[inline(always)]
                    |i| (g[i] * weight[i]) as f64,
                );
                let product = sum_over(
                    n,
                    #[inline(always)]
                    |i| ((g[i] * weight[i]) as f64) * ((a[i] - mean) * scale) as f64,
                );
                let (sum, product) = ((sum / n as f64) as f32, (product / n as f64) as f32);
                for i in 0..n {
                    let h = (a[i] - mean) * scale;
                    out[i] = scale.mul_add(g[i] * weight[i] - sum - h * product, out[i]);
                }
            },
        )
    });
}

/// out[0, c] += sum over r of g (a - mean) scale
pub fn layer_norm_weight_gradient(out: Matrix, a: Matrix, statistics: Matrix, g: Matrix) {
    for_each_task(a.columns.div_ceil(COLUMNS), |task| {
        let first = task * COLUMNS;
        let count = COLUMNS.min(a.columns - first);
        let out = out.get_mut(0, first, count);
        vectorised(
            #[inline(always)]
            || {
                let mut sums = [0.0f64; COLUMNS];
                for r in 0..a.rows {
                    let statistics = statistics.row(r);
                    let (mean, scale) = (statistics[0], statistics[1]);
                    for ((sum, &a), &g) in sums.iter_mut().zip(a.get(r, first, count)).zip(g.get(r, first, count)) {
                        *sum += g as f64 * ((a - mean) * scale) as f64;
                    }
                }
                for (o, &sum) in out.iter_mut().zip(&sums) {
                    *o = (*o as f64 + sum) as f32;
                }
            },
        )
    });
}
