//! The neural tangent kernel of an infinitely wide network with ReLU layers, from the products of its inputs (Jacot et
//! al. 2018; Cho and Saul 2009 for the two expectations). Float64 inside: near coinciding inputs the angle is an arc cosine near 1.

use crate::matrix::{Matrix, for_each_piece};
use crate::simd::vectorised;
use crate::table::kernels;
use std::f64::consts::{FRAC_PI_2, PI};

kernels! {
    Kernel tangentKernel(a: matrix rows: matrix columns: matrix scale: number bias: number depth: number)
        tangent_kernel(a, rows, columns, Network { scale, bias, depth: depth as usize });
}

/// Elements that are processed together through all layers.
const BLOCK: usize = 128;

#[derive(Clone, Copy)]
pub struct Network {
    /// S(x, y) = scale x.y + bias
    pub scale: f64,
    pub bias: f64,
    /// Hidden ReLU layers.
    pub depth: usize,
}

/// a[r, c] = x_r . y_c becomes K(x_r, y_c); rows [1, a.rows] and columns [1, a.columns] hold x_r . x_r and y_c . y_c
pub fn tangent_kernel(a: Matrix, rows: Matrix, columns: Matrix, network: Network) {
    for_each_piece(a.rows, a.columns, |row, first, count| {
        let own = rows.row(0)[row] as f64;
        let others = columns.get(0, first, count);
        let piece = a.get_mut(row, first, count);
        vectorised(
            #[inline(always)]
            || {
                for (piece, others) in piece.chunks_mut(BLOCK).zip(others.chunks(BLOCK)) {
                    through_layers(piece, own, others, network);
                }
            },
        );
    });
}

#[inline(always)]
fn through_layers(piece: &mut [f32], own: f64, others: &[f32], Network { scale, bias, depth }: Network) {
    let (mut covariance, mut kernel, mut squares) = ([0.0f64; BLOCK], [0.0f64; BLOCK], [0.0f64; BLOCK]);
    let mut square = scale * own + bias;
    for ((s, q), (&product, &other)) in covariance.iter_mut().zip(&mut squares).zip(piece.iter().zip(others)) {
        *s = scale * product as f64 + bias;
        *q = scale * other as f64 + bias;
    }
    kernel.copy_from_slice(&covariance);
    for _ in 0..depth {
        for ((s, k), q) in covariance.iter_mut().zip(&mut kernel).zip(&mut squares) {
            let root = (square * *q).sqrt();
            let cos = if root > 0.0 { (*s / root).clamp(-1.0, 1.0) } else { 0.0 };
            let angle = acos(cos);
            let sin = ((1.0 - cos) * (1.0 + cos)).sqrt();
            *s = root * (sin + (PI - angle) * cos) / PI + bias;
            *k = *s + *k * (PI - angle) / PI;
            // On the diagonal the angle is 0.
            *q += bias;
        }
        square += bias;
    }
    piece.iter_mut().zip(&kernel).for_each(|(o, &k)| *o = k as f32);
}

/// arccos x for x in [-1, 1], within 1 ulp or two (fdlibm's e_acos.c; Sun Microsystems 1993), without branches.
#[inline(always)]
fn acos(x: f64) -> f64 {
    let a = x.abs();
    let near = a < 0.5;
    let z = if near { a * a } else { 0.5 * (1.0 - a) };
    let p = z
        * (1.666_666_666_666_666_6e-1
            + z * (-3.255_658_186_224_009e-1
                + z * (2.012_125_321_348_629_3e-1
                    + z * (-4.005_553_450_067_941e-2
                        + z * (7.915_349_942_898_145e-4 + z * 3.479_331_075_960_212e-5)))));
    let q = 1.0
        + z * (-2.403_394_911_734_414
            + z * (2.020_945_760_233_505_7 + z * (-6.882_839_716_054_533e-1 + z * 7.703_815_055_590_193e-2)));
    let r = p / q;
    let root = z.sqrt();
    let positive = if near { FRAC_PI_2 - (a + a * r) } else { 2.0 * (root + root * r) };
    if x < 0.0 { PI - positive } else { positive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arc_cosine_is_the_library_s() {
        for i in -10_000..=10_000 {
            let x = i as f64 / 10_000.0;
            assert!((acos(x) - x.acos()).abs() <= 1e-15 * PI, "acos({x}) = {}", acos(x));
        }
        for x in [1.0 - 1e-12, 1.0 - 1e-15, -1.0 + 1e-14, 0.5, 0.499_999_999_999_999_94] {
            assert!((acos(x) - x.acos()).abs() <= 1e-15 * PI);
        }
    }
}
