//! The one-sample KL to RecVAE's composite prior (Shenbin et al. 2020, section 3.3), a separate mixture in every coordinate:
//! log q(z | x) - log sum over k of w_k N(z; mu_k, sigma_k^2), without the constant of every log density.

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{exp, ln, vectorised};
use crate::table::kernels;

kernels! {
    Kernel compositeKl(out: matrix
        z: matrix mean: matrix log_variance: matrix former_mean: matrix former_log_variance: matrix
        standard: number former: number broad: number broad_log_variance: number)
        composite_kl(
            out,
            Inputs { z, mean, log_variance, former_mean, former_log_variance },
            mixture([standard, former, broad], broad_log_variance),
        );
    Kernel compositeKlGradient(z_gradient: matrix mean_gradient: matrix log_variance_gradient: matrix
        z: matrix mean: matrix log_variance: matrix former_mean: matrix former_log_variance: matrix
        standard: number former: number broad: number broad_log_variance: number g: matrix)
        composite_kl_gradient(
            z_gradient, mean_gradient, log_variance_gradient,
            Inputs { z, mean, log_variance, former_mean, former_log_variance },
            mixture([standard, former, broad], broad_log_variance),
            g,
        );
}

fn mixture(weights: [f64; 3], broad_log_variance: f64) -> Mixture {
    Mixture { log_weights: weights.map(|weight| weight.ln() as f32), broad_log_variance: broad_log_variance as f32 }
}

const ROWS_PER_TASK: usize = 8;
const LANES: usize = 8;

/// The weights of the standard normal, the former posterior and the wide normal.
#[derive(Clone, Copy)]
pub struct Mixture {
    pub log_weights: [f32; 3],
    pub broad_log_variance: f32,
}

/// All [rows, latent].
#[derive(Clone, Copy)]
pub struct Inputs {
    pub z: Matrix,
    pub mean: Matrix,
    pub log_variance: Matrix,
    pub former_mean: Matrix,
    pub former_log_variance: Matrix,
}

/// Per component: its weighted density at z relative to the largest one, and 1 / variance.
struct Parts {
    shares: [f32; 3],
    precisions: [f32; 3],
    largest: f32,
}

impl Mixture {
    #[inline(always)]
    fn parts(&self, z: f32, former_mean: f32, former_log_variance: f32) -> Parts {
        let precisions = [1.0, exp(-former_log_variance), exp(-self.broad_log_variance)];
        let distance = z - former_mean;
        let logs = [
            self.log_weights[0] - 0.5 * z * z,
            self.log_weights[1] - 0.5 * (distance * distance).mul_add(precisions[1], former_log_variance),
            self.log_weights[2] - 0.5 * (z * z).mul_add(precisions[2], self.broad_log_variance),
        ];
        let largest = if logs[0] > logs[1] { logs[0] } else { logs[1] };
        let largest = if logs[2] > largest { logs[2] } else { largest };
        Parts {
            shares: logs.map(
                #[inline(always)]
                |log| exp(log - largest),
            ),
            precisions,
            largest,
        }
    }
}

/// out[r, 0] = sum of log q(z) - log p(z)
pub fn composite_kl(out: Matrix, at: Inputs, mixture: Mixture) {
    for_each_row(at.z.rows, ROWS_PER_TASK, |r| {
        let (z, mean, log_variance) = (at.z.row(r), at.mean.row(r), at.log_variance.row(r));
        let (former_mean, former_log_variance) = (at.former_mean.row(r), at.former_log_variance.row(r));
        let sum = vectorised(
            #[inline(always)]
            || {
                let mut lanes = [0.0f64; LANES];
                for first in (0..z.len()).step_by(LANES) {
                    for i in first..z.len().min(first + LANES) {
                        let distance = z[i] - mean[i];
                        let log_q = -0.5 * (distance * distance).mul_add(exp(-log_variance[i]), log_variance[i]);
                        let parts = mixture.parts(z[i], former_mean[i], former_log_variance[i]);
                        let total = parts.shares.iter().map(|&share| share as f64).sum::<f64>();
                        lanes[i - first] += log_q as f64 - (parts.largest as f64 + ln(total));
                    }
                }
                lanes.iter().sum::<f64>()
            },
        );
        out.row_mut(r)[0] = sum as f32;
    });
}

/// Adds to the gradients with respect to z, mean and log-variance.
pub fn composite_kl_gradient(dz: Matrix, dm: Matrix, dl: Matrix, at: Inputs, mixture: Mixture, g: Matrix) {
    for_each_row(at.z.rows, ROWS_PER_TASK, |r| {
        let upstream = g.row(r)[0];
        let (dz, dm, dl) = (dz.row_mut(r), dm.row_mut(r), dl.row_mut(r));
        let (z, mean, log_variance) = (at.z.row(r), at.mean.row(r), at.log_variance.row(r));
        let (former_mean, former_log_variance) = (at.former_mean.row(r), at.former_log_variance.row(r));
        vectorised(
            #[inline(always)]
            || {
                for i in 0..z.len() {
                    let distance = z[i] - mean[i];
                    let pull = distance * exp(-log_variance[i]);
                    let Parts { shares, precisions, .. } = mixture.parts(z[i], former_mean[i], former_log_variance[i]);
                    // -d log p / d z: the gradients of the components, weighted by their responsibilities.
                    let prior_pull = (shares[0] * z[i]
                        + shares[1] * ((z[i] - former_mean[i]) * precisions[1])
                        + shares[2] * (z[i] * precisions[2]))
                        / (shares[0] + shares[1] + shares[2]);
                    dz[i] = upstream.mul_add(prior_pull - pull, dz[i]);
                    dm[i] = upstream.mul_add(pull, dm[i]);
                    dl[i] = (0.5 * upstream).mul_add(distance.mul_add(pull, -1.0), dl[i]);
                }
            },
        )
    });
}
