//! Log densities of diagonal Gaussians, without the constant -1/2 ln 2 pi per dimension: of one Gaussian per row, and of many
//! Gaussians at many points as one matrix product.

use crate::matrix::{Matrix, for_each_piece, for_each_row};
use crate::simd::{LANES, SUM_BLOCK, exp, ln, sum_block, vectorised};
use crate::table::kernels;

kernels! {
    Kernel gaussianLogDensity(out: matrix x: matrix mean: matrix log_variance: matrix)
        gaussian_log_density(out, x, mean, log_variance);
    Kernel gaussianLogDensityGradient(x_gradient: matrix mean_gradient: matrix log_variance_gradient: matrix
        x: matrix mean: matrix log_variance: matrix g: matrix)
        gaussian_log_density_gradient([x_gradient, mean_gradient, log_variance_gradient], x, mean, log_variance, g);
    Kernel densityFactors(out: matrix mean: matrix log_variance: matrix) density_factors(out, mean, log_variance);
    Kernel densityFactorsGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix log_variance: matrix g: matrix)
        density_factors_gradient(mean_gradient, log_variance_gradient, mean, log_variance, g);
    Kernel densityPowers(out: matrix x: matrix) density_powers(out, x);
    Kernel densityPowersGradient(out: matrix x: matrix g: matrix) density_powers_gradient(out, x, g);
    Kernel logMeanExp(out: matrix a: matrix) log_mean_exp(out, a);
}

const ROWS_PER_TASK: usize = 4;

/// out[r, 0] = -1/2 sum of log_variance + (x - mean)^2 exp(-log_variance)
pub fn gaussian_log_density(out: Matrix, x: Matrix, mean: Matrix, log_variance: Matrix) {
    for_each_row(x.rows, 16, |r| {
        let (x, mean, log_variance) = (x.row(r), mean.row(r), log_variance.row(r));
        let sum = vectorised(
            #[inline(always)]
            || {
                let mut lanes = [0.0f64; 8];
                for ((x, mean), log_variance) in x.chunks(8).zip(mean.chunks(8)).zip(log_variance.chunks(8)) {
                    for (((lane, &x), &m), &l) in lanes.iter_mut().zip(x).zip(mean).zip(log_variance) {
                        let distance = (x - m) as f64;
                        *lane += l as f64 + distance * distance * exp(-l) as f64;
                    }
                }
                lanes.iter().sum::<f64>()
            },
        );
        out.row_mut(r)[0] = (-0.5 * sum) as f32;
    });
}

/// With pull = g[r] (x - mean) exp(-log_variance): x_gradient -= pull; mean_gradient += pull;
/// log_variance_gradient += (pull (x - mean) - g[r]) / 2
pub fn gaussian_log_density_gradient(
    [x_gradient, mean_gradient, log_variance_gradient]: [Matrix; 3],
    x: Matrix,
    mean: Matrix,
    log_variance: Matrix,
    g: Matrix,
) {
    for_each_piece(x.rows, x.columns, |r, c, n| {
        let (dx, dm) = (x_gradient.get_mut(r, c, n), mean_gradient.get_mut(r, c, n));
        let dl = log_variance_gradient.get_mut(r, c, n);
        let (x, mean, log_variance) = (x.get(r, c, n), mean.get(r, c, n), log_variance.get(r, c, n));
        let upstream = g.row(r)[0];
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    let distance = x[i] - mean[i];
                    let pull = upstream * distance * exp(-log_variance[i]);
                    dx[i] -= pull;
                    dm[i] += pull;
                    dl[i] = 0.5f32.mul_add(pull.mul_add(distance, -upstream), dl[i]);
                }
            },
        )
    });
}

/// out[r] = [-w / 2 | mean w | -1/2 sum of log_variance + mean^2 w], w = exp(-log_variance)
pub fn density_factors(out: Matrix, mean: Matrix, log_variance: Matrix) {
    let columns = mean.columns;
    for_each_row(mean.rows, ROWS_PER_TASK, |r| {
        let (mean, log_variance) = (mean.row(r), log_variance.row(r));
        let (squares, rest) = out.row_mut(r).split_at_mut(columns);
        let (linear, constant) = rest.split_at_mut(columns);
        constant[0] = vectorised(
            #[inline(always)]
            || {
                for i in 0..columns {
                    let precision = exp(-log_variance[i]);
                    squares[i] = -0.5 * precision;
                    linear[i] = mean[i] * precision;
                }
                let mut lanes = [0.0f64; 8];
                for from in (0..columns).step_by(8) {
                    for (lane, i) in (from..columns.min(from + 8)).enumerate() {
                        lanes[lane] += log_variance[i] as f64 + mean[i] as f64 * linear[i] as f64;
                    }
                }
                (-0.5 * lanes.iter().sum::<f64>()) as f32
            },
        );
    });
}

/// The gradient of `density_factors`, added; g [rows, 2 columns + 1]
pub fn density_factors_gradient(
    mean_gradient: Matrix,
    log_variance_gradient: Matrix,
    mean: Matrix,
    log_variance: Matrix,
    g: Matrix,
) {
    let columns = mean.columns;
    for_each_row(mean.rows, ROWS_PER_TASK, |r| {
        let (dm, dl) = (mean_gradient.row_mut(r), log_variance_gradient.row_mut(r));
        let (mean, log_variance) = (mean.row(r), log_variance.row(r));
        let (squares, rest) = g.row(r).split_at(columns);
        let (linear, constant) = rest.split_at(columns);
        let constant = constant[0];
        vectorised(
            #[inline(always)]
            || {
                for i in 0..columns {
                    let (m, precision) = (mean[i], exp(-log_variance[i]));
                    dm[i] = precision.mul_add(linear[i] - constant * m, dm[i]);
                    let spread = (constant * m - 2.0 * linear[i]).mul_add(m, squares[i]);
                    dl[i] = 0.5f32.mul_add(precision.mul_add(spread, -constant), dl[i]);
                }
            },
        )
    });
}

/// out[r] = [x^2 | x | 1]
pub fn density_powers(out: Matrix, x: Matrix) {
    let columns = x.columns;
    for_each_row(x.rows, ROWS_PER_TASK, |r| {
        let x = x.row(r);
        let (squares, rest) = out.row_mut(r).split_at_mut(columns);
        for (square, &x) in squares.iter_mut().zip(x) {
            *square = x * x;
        }
        rest[..columns].copy_from_slice(x);
        rest[columns] = 1.0;
    });
}

/// out += 2 x g_square + g_linear; g [rows, 2 columns + 1]
pub fn density_powers_gradient(out: Matrix, x: Matrix, g: Matrix) {
    let columns = x.columns;
    for_each_row(x.rows, ROWS_PER_TASK, |r| {
        let (out, x) = (out.row_mut(r), x.row(r));
        let (squares, linear) = g.row(r).split_at(columns);
        for (((o, &x), &square), &linear) in out.iter_mut().zip(x).zip(squares).zip(linear) {
            *o += (2.0 * x).mul_add(square, linear);
        }
    });
}

/// Smaller shares of a mixture are set to 0: a thousand of them are below the rounding error of their sum in float32. In a mixture of
/// many components most shares are so small that their products with other small numbers would be subnormal, which is many times
/// slower on most processors.
const LEAST_SHARE: f32 = 1.0 / (1u64 << 40) as f32;

/// out[r, 0] = log of the mean of exp(a[r]), max-subtracted; a = softmax(a[r]), which is its gradient, shares below
/// 2^-40 being 0
pub fn log_mean_exp(out: Matrix, a: Matrix) {
    for_each_row(a.rows, ROWS_PER_TASK, |r| {
        let row = a.row_mut(r);
        let (largest, sum) = vectorised(
            #[inline(always)]
            || {
                let mut lanes = [f32::NEG_INFINITY; LANES];
                for chunk in row.chunks(LANES) {
                    for (lane, &x) in lanes.iter_mut().zip(chunk) {
                        *lane = if x > *lane { x } else { *lane };
                    }
                }
                let largest = lanes.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
                let mut sum = 0.0f64;
                for block in row.chunks_mut(SUM_BLOCK) {
                    for x in block.iter_mut() {
                        *x = exp(*x - largest);
                    }
                    sum += sum_block(block);
                }
                let share = (1.0 / sum) as f32;
                for x in row.iter_mut() {
                    let of_all = *x * share;
                    *x = if of_all < LEAST_SHARE { 0.0 } else { of_all };
                }
                (largest, sum)
            },
        );
        let mean = sum / a.columns as f64;
        out.row_mut(r)[0] = if sum.is_finite() { (largest as f64 + ln(mean)) as f32 } else { f32::NAN };
    });
}
