//! The focal cross-entropy of a product of three sigmoids; see focalLoss in src/compute/kernels.ts. Every item is first treated as
//! one outside the target; the few items of the target are corrected afterwards.

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{SUM_BLOCK, exp, ln, vectorised};
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Kernel focalLoss(loss: matrix a: matrix b: matrix c: matrix target: batch alpha: number gamma: number)
        focal_loss(loss, [a, b, c], &target, Focal { alpha, gamma });
    Kernel focalLossGradient(a_gradient: matrix b_gradient: matrix c_gradient: matrix
        a: matrix b: matrix c: matrix target: batch alpha: number gamma: number g: matrix)
        focal_loss_gradient([a_gradient, b_gradient, c_gradient], [a, b, c], &target, Focal { alpha, gamma }, g);
}

const ROWS_PER_TASK: usize = 4;
/// A probability below this counts as this in a logarithm or a quotient.
const TINY: f32 = 1e-37;

#[derive(Clone, Copy)]
pub struct Focal {
    pub alpha: f64,
    pub gamma: f64,
}

/// p = sigmoid(a) sigmoid(b) sigmoid(c), 1 - p, and d log p / d logit for each of the logits.
struct Point {
    p: f32,
    rest: f32,
    slopes: [f32; 3],
}

impl Point {
    #[inline(always)]
    fn of(a: f32, b: f32, c: f32) -> Point {
        let ((sa, na), (sb, nb), (sc, nc)) = (sides(a), sides(b), sides(c));
        let rest = na + sa * (nb + sb * nc);
        Point { p: sa * sb * sc, rest: if rest < TINY { TINY } else { rest }, slopes: [na, nb, nc] }
    }
}

/// sigmoid(x) and sigmoid(-x), without cancellation; NaN gives NaN.
#[inline(always)]
fn sides(x: f32) -> (f32, f32) {
    let e = exp(-x.abs());
    let larger = 1.0 / (1.0 + e);
    if x < 0.0 { (e * larger, larger) } else { (larger, e * larger) }
}

/// base^gamma for a base in [0, 1].
#[inline(always)]
fn power(base: f32, gamma: f64) -> f32 {
    if gamma == 2.0 {
        return base * base;
    }
    let base = if base < TINY { TINY } else { base };
    exp((gamma * ln(base as f64)) as f32)
}

/// log p, accurate where p underflows.
fn log_of(logits: [f32; 3]) -> f64 {
    -logits.map(|x| (-x as f64).max(0.0) + (-(x as f64).abs()).exp().ln_1p()).iter().sum::<f64>()
}

impl Focal {
    /// The loss of an item outside the target.
    #[inline(always)]
    fn negative(self, Point { p, rest, .. }: &Point) -> f64 {
        (1.0 - self.alpha) * power(*p, self.gamma) as f64 * -ln(*rest as f64)
    }

    /// Its derivative with respect to log p.
    #[inline(always)]
    fn negative_slope(self, Point { p, rest, .. }: &Point) -> f32 {
        let bend = p / rest - (self.gamma * ln(*rest as f64)) as f32;
        (1.0 - self.alpha) as f32 * power(*p, self.gamma) * bend
    }

    /// The loss of an item of the target.
    fn positive(self, Point { rest, .. }: &Point, log: f64) -> f64 {
        self.alpha * (*rest as f64).powf(self.gamma) * -log
    }

    /// Its derivative with respect to log p.
    fn positive_slope(self, Point { p, rest, .. }: &Point, log: f64) -> f32 {
        let (p, rest) = (*p as f64, *rest as f64);
        (self.alpha * rest.powf(self.gamma) * (self.gamma * p * log / rest - 1.0)) as f32
    }
}

pub fn focal_loss(loss: Matrix, logits: [Matrix; 3], target: &Sparse, focal: Focal) {
    for_each_row(loss.rows, ROWS_PER_TASK, |r| {
        let [a, b, c] = logits.map(|of| of.row(r));
        let mut sum = 0.0f64;
        for ((a, b), c) in a.chunks(SUM_BLOCK).zip(b.chunks(SUM_BLOCK)).zip(c.chunks(SUM_BLOCK)) {
            sum += vectorised(
                #[inline(always)]
                || negatives(a, b, c, focal),
            );
        }
        for entry in target.entries(r) {
            let i = target.indices[entry] as usize;
            let point = Point::of(a[i], b[i], c[i]);
            sum += focal.positive(&point, log_of([a[i], b[i], c[i]])) - focal.negative(&point);
        }
        loss.row_mut(r)[0] = sum as f32;
    });
}

const LANES: usize = 16;

/// The loss of at most `SUM_BLOCK` items as if none were in the target.
#[inline(always)]
fn negatives(a: &[f32], b: &[f32], c: &[f32], focal: Focal) -> f64 {
    let mut lanes = [0.0f64; LANES];
    for ((a, b), c) in a.chunks(LANES).zip(b.chunks(LANES)).zip(c.chunks(LANES)) {
        for (((&a, &b), &c), lane) in a.iter().zip(b).zip(c).zip(&mut lanes) {
            *lane += focal.negative(&Point::of(a, b, c));
        }
    }
    lanes.iter().sum()
}

pub fn focal_loss_gradient(gradients: [Matrix; 3], logits: [Matrix; 3], target: &Sparse, focal: Focal, g: Matrix) {
    for_each_row(g.rows, ROWS_PER_TASK, |r| {
        let [to_a, to_b, to_c] = gradients.map(|of| of.row_mut(r));
        let [a, b, c] = logits.map(|of| of.row(r));
        let g = g.row(r)[0];
        vectorised(
            #[inline(always)]
            || {
                for (((((to_a, to_b), to_c), &a), &b), &c) in
                    to_a.iter_mut().zip(to_b.iter_mut()).zip(to_c.iter_mut()).zip(a).zip(b).zip(c)
                {
                    let point = Point::of(a, b, c);
                    let slope = g * focal.negative_slope(&point);
                    *to_a += slope * point.slopes[0];
                    *to_b += slope * point.slopes[1];
                    *to_c += slope * point.slopes[2];
                }
            },
        );
        for entry in target.entries(r) {
            let i = target.indices[entry] as usize;
            let point = Point::of(a[i], b[i], c[i]);
            let log = log_of([a[i], b[i], c[i]]);
            let change = g * (focal.positive_slope(&point, log) - focal.negative_slope(&point));
            to_a[i] += change * point.slopes[0];
            to_b[i] += change * point.slopes[1];
            to_c[i] += change * point.slopes[2];
        }
    });
}
