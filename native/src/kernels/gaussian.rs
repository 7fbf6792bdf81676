//! The diagonal Gaussian posterior: reparameterised samples and KL to the standard normal.

use crate::calls;
use crate::matrix::{Matrix, for_each_piece, for_each_row};
use crate::philox::{Key, Position, fill_normals};
use crate::simd::{exp, vectorised};
use crate::table::kernels;

kernels! {
    Kernel gaussianSample(out: matrix mean: matrix log_variance: matrix seed: number step: number stream: number
        first: maybe_number row_stride: maybe_number)
        gaussian_sample(out, mean, log_variance, calls::key(seed, step, stream), calls::position(first, row_stride));
    Kernel gaussianSampleGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix sample: matrix g: matrix)
        gaussian_sample_gradient(mean_gradient, log_variance_gradient, mean, sample, g);
    Kernel gaussianKl(out: matrix mean: matrix log_variance: matrix) gaussian_kl(out, mean, log_variance);
    Kernel gaussianKlGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix log_variance: matrix g: matrix)
        gaussian_kl_gradient(mean_gradient, log_variance_gradient, mean, log_variance, g);
}

/// Elements whose noise is generated at a time.
const CHUNK: usize = 512;

/// Calls `body(row, column, noise)` for chunks of a matrix [rows, columns].
fn for_each_noise(
    rows: usize,
    columns: usize,
    key: Key,
    position: Position,
    body: impl Fn(usize, usize, &[f32]) + Sync,
) {
    let stride = position.row_stride.unwrap_or(columns);
    for_each_piece(rows, columns, |r, c, n| {
        let mut noise = [0.0f32; CHUNK];
        for from in (0..n).step_by(CHUNK) {
            let noise = &mut noise[..CHUNK.min(n - from)];
            fill_normals(key, position.first + r * stride + c + from, noise);
            body(r, c + from, noise);
        }
    });
}

/// out = mean + exp(log_variance / 2) noise
pub fn gaussian_sample(out: Matrix, mean: Matrix, log_variance: Matrix, key: Key, position: Position) {
    for_each_noise(out.rows, out.columns, key, position, |r, c, noise| {
        let n = noise.len();
        let (out, mean, log_variance) = (out.get_mut(r, c, n), mean.get(r, c, n), log_variance.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    out[i] = exp(0.5 * log_variance[i]).mul_add(noise[i], mean[i]);
                }
            },
        )
    });
}

/// mean_gradient += g; log_variance_gradient += g (sample - mean) / 2
pub fn gaussian_sample_gradient(
    mean_gradient: Matrix,
    log_variance_gradient: Matrix,
    mean: Matrix,
    sample: Matrix,
    g: Matrix,
) {
    for_each_piece(g.rows, g.columns, |r, c, n| {
        let (dm, dl) = (mean_gradient.get_mut(r, c, n), log_variance_gradient.get_mut(r, c, n));
        let (mean, sample, g) = (mean.get(r, c, n), sample.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    dm[i] += g[i];
                    dl[i] = (0.5 * g[i]).mul_add(sample[i] - mean[i], dl[i]);
                }
            },
        )
    });
}

/// out[r, 0] = 1/2 sum of exp(log_variance) + mean^2 - 1 - log_variance
pub fn gaussian_kl(out: Matrix, mean: Matrix, log_variance: Matrix) {
    for_each_row(mean.rows, 16, |r| {
        let (mean, log_variance) = (mean.row(r), log_variance.row(r));
        let sum = vectorised(
            #[inline(always)]
            || {
                let mut lanes = [0.0f64; 8];
                for (mean, log_variance) in mean.chunks(8).zip(log_variance.chunks(8)) {
                    for ((lane, &m), &l) in lanes.iter_mut().zip(mean).zip(log_variance) {
                        *lane += exp(l) as f64 + m as f64 * m as f64 - 1.0 - l as f64;
                    }
                }
                lanes.iter().sum::<f64>()
            },
        );
        out.row_mut(r)[0] = (0.5 * sum) as f32;
    });
}

/// mean_gradient += g[r] mean; log_variance_gradient += g[r] (exp(log_variance) - 1) / 2
pub fn gaussian_kl_gradient(
    mean_gradient: Matrix,
    log_variance_gradient: Matrix,
    mean: Matrix,
    log_variance: Matrix,
    g: Matrix,
) {
    for_each_piece(mean.rows, mean.columns, |r, c, n| {
        let (dm, dl) = (mean_gradient.get_mut(r, c, n), log_variance_gradient.get_mut(r, c, n));
        let (mean, log_variance) = (mean.get(r, c, n), log_variance.get(r, c, n));
        let upstream = g.row(r)[0];
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    dm[i] = upstream.mul_add(mean[i], dm[i]);
                    dl[i] = (0.5 * upstream).mul_add(exp(log_variance[i]) - 1.0, dl[i]);
                }
            },
        )
    });
}
