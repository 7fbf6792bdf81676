//! Symmetric int8 quantisation of the rows of a matrix, with bounds of the error (the formulas are in kernels.ts).

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{LANES, vectorised};
use crate::table::kernels;

kernels! {
    Kernel quantise(out: int8 statistics: matrix weights: matrix) quantise(out, statistics, weights);
}

const ROWS_PER_TASK: usize = 256;
/// A generous allowance for the relative rounding errors of the last steps (scale, bias, bound) and of the bounds themselves.
pub const SLACK: f32 = 1e-6;

/// out [rows, width] and statistics [rows, 3], scale, error and norm, from weights [rows, width].
pub fn quantise(out: Matrix<i8>, statistics: Matrix, weights: Matrix) {
    for_each_row(weights.rows, ROWS_PER_TASK, |row| {
        let (integers, weights) = (out.row_mut(row), weights.row(row));
        statistics.row_mut(row).copy_from_slice(&quantise_weights(weights, integers));
    });
}

/// The integers of a row of weights; returns its scale, error and norm.
pub fn quantise_weights(weights: &[f32], integers: &mut [i8]) -> [f32; 3] {
    let Quantised { scale, error, norm } = vectorised(
        #[inline(always)]
        || quantise_row(weights, 127.0, integers, |integer| integer as i8, |integer| integer as f32),
    );
    [scale, above(error + rounding(weights.len()) * (norm + error)), above(norm + error)]
}

/// An upper bound of the rounding error of a product of this width in float32, relative to the norms.
pub fn rounding(width: usize) -> f64 {
    (width + LANES) as f64 * f64::from(f32::EPSILON)
}

/// Rounded up to float32.
pub fn above(x: f64) -> f32 {
    let rounded = (x * (1.0 + f64::from(SLACK))) as f32;
    if x > 0.0 && rounded < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { rounded }
}

/// The error of an approximation by integers times a scale, and the norm of the approximation.
pub struct Quantised {
    pub scale: f32,
    pub error: f64,
    pub norm: f64,
}

#[inline(always)]
fn largest(of: &[f32]) -> f32 {
    let larger = |a: f32, x: f32| if x.abs() > a { x.abs() } else { a };
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = of.as_chunks::<LANES>();
    for of in whole {
        for l in 0..LANES {
            lanes[l] = larger(lanes[l], of[l]);
        }
    }
    lanes.iter().chain(rest).fold(0.0, |most, &x| larger(most, x))
}

/// Integers up to about `most`: of / scale, rounded. If a number is not finite, or all are too small for a scale, the error is NaN.
#[inline(always)]
pub fn quantise_row<N: Copy>(
    of: &[f32],
    most: f32,
    integers: &mut [N],
    narrow: impl Fn(i32) -> N,
    widen: impl Fn(N) -> f32,
) -> Quantised {
    // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let largest = largest(of);
    let scale = largest / most;
    let inverse = if largest > 0.0 { 1.0 / scale } else { 0.0 };
    for (integer, &x) in integers.iter_mut().zip(of) {
        let bits = x.mul_add(inverse, ROUND).to_bits() as i32;
        *integer = narrow(bits.wrapping_sub(ROUND.to_bits() as i32));
    }
    // In units of the scale, so that no square underflows. Rounding errors are covered by the allowance of `quantise`.
    let (mut errors, mut norms) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (whole, rest) = of.as_chunks::<LANES>();
    let (whole_integers, rest_integers) = integers.as_chunks::<LANES>();
    for (of, integers) in whole.iter().zip(whole_integers) {
        for l in 0..LANES {
            let integer = widen(integers[l]);
            let difference = of[l].mul_add(inverse, -integer);
            errors[l] = difference.mul_add(difference, errors[l]);
            norms[l] = integer.mul_add(integer, norms[l]);
        }
    }
    for (l, (&x, &integer)) in rest.iter().zip(rest_integers).enumerate() {
        let integer = widen(integer);
        let difference = x.mul_add(inverse, -integer);
        errors[l] = difference.mul_add(difference, errors[l]);
        norms[l] = integer.mul_add(integer, norms[l]);
    }
    let root = |squares: [f32; LANES]| squares.iter().map(|&x| x as f64).sum::<f64>().sqrt() * scale as f64;
    Quantised { scale, error: root(errors), norm: root(norms) }
}
