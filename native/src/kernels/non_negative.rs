//! Coordinate descent for non-negative least squares, the half-iteration of NMF: the rows are independent, so 32 of them are stored
//! side by side in vectors and updated together, coordinate by coordinate.

use crate::matrix::{Matrix, for_each_task};
use crate::simd::arch;
use crate::table::kernels;
use pulp::{Simd, WithSimd};

kernels! {
    Kernel nonNegativeIterations(factors: matrix gram: matrix products: matrix l1: number l2: number iterations: number
        tolerance: number violation: maybe_matrix)
        non_negative_iterations(factors, &Iterations {
            gram, products, l1: l1 as f32, l2: l2 as f32, iterations: iterations as u32, tolerance: tolerance as f32, violation,
        });
}

/// Rows side by side.
const SIDE: usize = 32;
/// Number of accumulators that are used in turn to hide the latency of additions.
const CHAINS: usize = 4;

/// See NonNegativeIterations in src/compute/solvers/solvers.ts.
pub struct Iterations {
    pub gram: Matrix,
    pub products: Matrix,
    pub l1: f32,
    pub l2: f32,
    pub iterations: u32,
    pub tolerance: f32,
    pub violation: Option<Matrix>,
}

pub fn non_negative_iterations(factors: Matrix, job: &Iterations) {
    let k = factors.columns;
    let mut gram = Vec::with_capacity(k * k);
    for t in 0..k {
        gram.extend_from_slice(job.gram.row(t));
        gram[t * k + t] += job.l2;
    }
    for_each_task(factors.rows.div_ceil(SIDE), |task| {
        let rows = (task * SIDE, SIDE.min(factors.rows - task * SIDE));
        arch().dispatch(Task { factors, job, gram: &gram, rows });
    });
}

struct Task<'a> {
    factors: Matrix,
    job: &'a Iterations,
    /// With l2 on the diagonal: [k, k].
    gram: &'a [f32],
    /// The first row, and how many.
    rows: (usize, usize),
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 2>(simd),
            8 => self.run::<S, 4>(simd),
            4 => self.run::<S, 8>(simd),
            2 => self.run::<S, 16>(simd),
            _ => self.run::<S, 32>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const WIDE: usize>(self, simd: S) {
        let Self { factors, job, gram, rows: (first, count) } = self;
        let k = factors.columns;
        // Column t of both: [k][SIDE]; missing rows are 0 and remain 0.
        let mut w = vec![0.0f32; k * SIDE];
        let mut b = vec![0.0f32; k * SIDE];
        for r in 0..count {
            let (from, products) = (factors.row(first + r), job.products.row(first + r));
            for t in 0..k {
                w[t * SIDE + r] = from[t];
                b[t * SIDE + r] = products[t] - job.l1;
            }
        }
        let mut begun = [0.0f32; SIDE];
        let mut last = [0.0f32; SIDE];
        let mut done = [false; SIDE];
        done[count..].fill(true);
        for iteration in 0..job.iterations {
            let mut violation = [0.0f32; SIDE];
            for t in 0..k {
                let sums = products_of::<S, WIDE>(simd, &gram[t * k..(t + 1) * k], &w);
                let curvature = gram[t * k + t];
                let inverse = if curvature == 0.0 { 0.0 } else { 1.0 / curvature };
                let (own, b) = (&mut w[t * SIDE..(t + 1) * SIDE], &b[t * SIDE..(t + 1) * SIDE]);
                for r in 0..SIDE {
                    let gradient = sums[r] - b[r];
                    // At 0, only a gradient that points into the feasible region counts as a violation. Not min and max, which would lose a NaN.
                    let projected = if own[r] == 0.0 && gradient > 0.0 { 0.0 } else { gradient };
                    violation[r] += projected.abs();
                    let moved = own[r] - gradient * inverse;
                    let moved = if moved <= 0.0 { 0.0 } else { moved };
                    own[r] = if done[r] { own[r] } else { moved };
                }
            }
            for r in 0..SIDE {
                if done[r] {
                    continue;
                }
                last[r] = violation[r];
                if iteration == 0 {
                    begun[r] = violation[r];
                }
                done[r] = violation[r] <= job.tolerance * begun[r];
            }
            if done.iter().all(|&done| done) {
                break;
            }
        }
        for r in 0..count {
            for (t, to) in factors.row_mut(first + r).iter_mut().enumerate() {
                *to = w[t * SIDE + r];
            }
            if let Some(violation) = job.violation {
                violation.row_mut(first + r)[0] = last[r];
            }
        }
    }
}

/// The sum over t of gram[t] w[t] [SIDE].
#[inline(always)]
fn products_of<S: Simd, const WIDE: usize>(simd: S, gram: &[f32], w: &[f32]) -> [f32; SIDE] {
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; CHAINS];
    let (whole, rest) = gram.as_chunks::<CHAINS>();
    for (factors, w) in whole.iter().zip(w.chunks_exact(CHAINS * SIDE)) {
        for ((&factor, sums), w) in factors.iter().zip(&mut sums).zip(w.chunks_exact(SIDE)) {
            add(simd, factor, w, sums);
        }
    }
    for ((&factor, sums), w) in rest.iter().zip(&mut sums).zip(w[whole.len() * CHAINS * SIDE..].chunks_exact(SIDE)) {
        add(simd, factor, w, sums);
    }
    let mut total = [0.0f32; SIDE];
    for v in 0..WIDE {
        let pairs = (simd.add_f32s(sums[0][v], sums[1][v]), simd.add_f32s(sums[2][v], sums[3][v]));
        let to = total[v * S::F32_LANES..].as_mut_ptr().cast::<S::f32s>();
        unsafe { to.write_unaligned(simd.add_f32s(pairs.0, pairs.1)) };
    }
    total
}

/// sums += factor * w
#[inline(always)]
fn add<S: Simd, const WIDE: usize>(simd: S, factor: f32, w: &[f32], sums: &mut [S::f32s; WIDE]) {
    let factor = simd.splat_f32s(factor);
    for (v, sum) in sums.iter_mut().enumerate() {
        let w = unsafe { w.as_ptr().add(v * S::F32_LANES).cast::<S::f32s>().read_unaligned() };
        *sum = simd.mul_add_f32s(factor, w, *sum);
    }
}
