//! Elastic nets of one column on all others, non-negative, by coordinate descent on the Gram matrix. Each column is solved
//! by one thread, on a working set that grows until no coordinate outside of it needs a weight. Sums are accumulated in float64.

use crate::Answer;
use crate::kernels::neighbours::{Rows, keep_largest};
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::table::kernels;
use std::sync::Mutex;

kernels! {
    Question elasticNet(gram: matrix l1: number l2: number tolerance: number max_iterations: number k: number from: number to: number) {
            let net = ElasticNet { l1, l2, tolerance, max_iterations: max_iterations as usize, k: k as usize };
            let (rows, unfinished) = elastic_net(gram, net, from as usize, to as usize);
            Answer::rows(rows, unfinished)
        };
}

/// Initial size of a working set; in later rounds it may triple.
const FIRST: usize = 64;
/// Tolerance for solving a working set that is not complete yet.
const ROUGH: f64 = 1e-3;
/// Side of the tiles in which a matrix is mirrored.
const TILE: usize = 16;
/// A gradient below this share of its terms is rounding error.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Copy)]
pub struct ElasticNet {
    pub l1: f64,
    pub l2: f64,
    pub tolerance: f64,
    pub max_iterations: usize,
    /// Number of weights that are kept.
    pub k: usize,
}

/// The weights of one column, and whether they have reached the tolerance.
type Solution = (Vec<(u32, f32)>, bool);

/// The weights for the columns [from, to), and the number of columns that have not reached the tolerance.
pub fn elastic_net(gram: Matrix, options: ElasticNet, from: usize, to: usize) -> (Rows, usize) {
    let solutions: Vec<Mutex<Solution>> = (from..to).map(|_| Mutex::default()).collect();
    let sizes: Vec<f32> = (0..gram.columns).map(|i| gram.row(i)[i]).collect();
    // The memory is reused for the next column.
    let left: Mutex<Vec<Scratch>> = Mutex::default();
    for_each_task(to - from, |task| {
        let scratch = left.lock().unwrap().pop().unwrap_or_default();
        let ((mut weights, converged), scratch) = Column::new(gram, &sizes, options, from + task, scratch).solve();
        left.lock().unwrap().push(scratch);
        keep_largest(&mut weights, options.k);
        *solutions[task].lock().unwrap() = (weights, converged);
    });
    let solutions = solutions.into_iter().map(|solution| solution.into_inner().unwrap());
    let (lists, converged): (Vec<_>, Vec<_>) = solutions.unzip();
    (Rows::from_lists(&lists), converged.iter().filter(|&&converged| !converged).count())
}

/// The memory that grows with a working set.
#[derive(Default)]
struct Scratch {
    /// The Gram matrix's part [set, set].
    inner: Vec<f32>,
    /// The next such part, while it is built from the previous one.
    next: Vec<f32>,
    /// G w
    product: Vec<f64>,
}

struct Column<'a> {
    gram: Matrix,
    /// G's diagonal, contiguous.
    sizes: &'a [f32],
    options: ElasticNet,
    /// X^T y for the target y; 0 at the target itself.
    q: Vec<f32>,
    /// ||y||^2
    norm: f64,
    /// The columns that can get a weight: G and w are not negative, so q > l1 is necessary.
    candidates: Vec<u32>,
    /// The working set and its weights.
    set: Vec<u32>,
    weights: Vec<f64>,
    in_set: Vec<bool>,
    scratch: Scratch,
}

impl<'a> Column<'a> {
    fn new(gram: Matrix, sizes: &'a [f32], options: ElasticNet, target: usize, mut scratch: Scratch) -> Self {
        let n = gram.columns;
        let mut q = gram.row(target).to_vec();
        let norm = q[target] as f64;
        q[target] = 0.0;
        let candidates = (0..n as u32).filter(|&i| q[i as usize] as f64 > options.l1).collect();
        scratch.product.clear();
        scratch.product.resize(n, 0.0);
        let (set, weights) = Default::default();
        Self { gram, sizes, options, q, norm, candidates, set, weights, in_set: vec![false; n], scratch }
    }

    fn solve(mut self) -> (Solution, Scratch) {
        let ElasticNet { tolerance, max_iterations, .. } = self.options;
        let mut converged = self.candidates.is_empty();
        let mut wanted = tolerance;
        let mut iterations = 0;
        while !converged && iterations < max_iterations {
            if let Some(all) = self.grow() {
                iterations += 1;
                self.descend(if all { tolerance } else { ROUGH.max(tolerance) }, max_iterations);
            } else {
                iterations += self.descend(wanted, max_iterations - iterations);
                wanted *= 0.1;
            }
            self.multiply();
            converged = self.gap() <= tolerance * self.norm;
        }
        let entries = self.set.iter().zip(&self.weights).filter(|(_, w)| **w > 0.0);
        ((entries.map(|(&i, &w)| (i, w as f32)).collect(), converged), self.scratch)
    }

    /// The residual q_i - (G w)_i.
    #[inline(always)]
    fn slope(&self, i: usize) -> f64 {
        self.q[i] as f64 - self.scratch.product[i]
    }

    /// Adds the outside coordinates with the largest gain to the set, and removes members without a weight; returns whether all
    /// outside coordinates with a gain were added.
    fn grow(&mut self) -> Option<bool> {
        let ElasticNet { l1, l2, .. } = self.options;
        // The gain is the decrease of the objective by the best weight of this coordinate alone.
        let gain = |i: usize| {
            let excess = self.slope(i) - l1;
            let size = self.sizes[i] as f64 + l2;
            if excess > ROUNDING * self.q[i] as f64 { (excess * excess / size) as f32 } else { 0.0 }
        };
        let outside = self.candidates.iter().filter(|&&i| !self.in_set[i as usize]);
        let mut outsiders: Vec<(u32, f32)> =
            outside.map(|&i| (i, gain(i as usize))).filter(|&(_, gain)| gain > 0.0).collect();
        if outsiders.is_empty() {
            return None;
        }
        let room = FIRST.max(2 * self.set.len());
        let all = outsiders.len() <= room;
        keep_largest(&mut outsiders, room);
        let former = std::mem::take(&mut self.set);
        let weights = std::mem::take(&mut self.weights);
        let mut kept = Vec::with_capacity(former.len());
        for (p, (&i, &weight)) in former.iter().zip(&weights).enumerate() {
            self.in_set[i as usize] = weight > 0.0;
            if weight > 0.0 {
                kept.push(p);
                self.set.push(i);
                self.weights.push(weight);
            }
        }
        for (i, _) in outsiders {
            self.in_set[i as usize] = true;
            self.set.push(i);
            self.weights.push(0.0);
        }
        self.extend(former.len(), &kept);
        Some(all)
    }

    /// Builds the part [set, set] of the Gram matrix from the previous one, [former, former], of whose members `kept` come first in the
    /// set. Only the rows of new members are read; their columns follow by symmetry.
    fn extend(&mut self, former: usize, kept: &[usize]) {
        let (n, old) = (self.set.len(), kept.len());
        let Scratch { inner, next, .. } = &mut self.scratch;
        next.clear();
        next.resize(n * n, 0.0);
        for (row, &p) in next.chunks_exact_mut(n).zip(kept) {
            let last = &inner[p * former..(p + 1) * former];
            for (to, &q) in row.iter_mut().zip(kept) {
                *to = last[q];
            }
        }
        for (row, &i) in next.chunks_exact_mut(n).zip(&self.set).skip(old) {
            let gram = self.gram.row(i as usize);
            for (to, &j) in row.iter_mut().zip(&self.set) {
                *to = gram[j as usize];
            }
        }
        for from in (old..n).step_by(TILE) {
            for to in (0..old).step_by(TILE) {
                for p in to..old.min(to + TILE) {
                    for q in from..n.min(from + TILE) {
                        next[p * n + q] = next[q * n + p];
                    }
                }
            }
        }
        std::mem::swap(inner, next);
    }

    /// Iterates over the working set until no weight changes by more than `tolerance` of the largest; returns the number of iterations.
    fn descend(&mut self, tolerance: f64, most: usize) -> usize {
        let n = self.set.len();
        let ElasticNet { l1, l2, .. } = self.options;
        let mut product = vec![0.0f64; n];
        for (p, &weight) in self.weights.iter().enumerate() {
            if weight != 0.0 {
                add(&mut product, &self.scratch.inner[p * n..(p + 1) * n], weight);
            }
        }
        for iteration in 1..=most {
            let (mut largest, mut change) = (0.0f64, 0.0f64);
            for p in 0..n {
                let row = &self.scratch.inner[p * n..(p + 1) * n];
                let (size, before) = (row[p] as f64, self.weights[p]);
                let slope = self.q[self.set[p] as usize] as f64 - product[p] + size * before;
                let after = (slope - l1).max(0.0) / (size + l2);
                if after != before {
                    self.weights[p] = after;
                    add(&mut product, row, after - before);
                }
                largest = largest.max(after);
                change = change.max((after - before).abs());
            }
            if change <= tolerance * largest {
                return iteration;
            }
        }
        most.max(1)
    }

    /// product = G w, four rows of G at a time, which reads and writes the product a quarter as often.
    fn multiply(&mut self) {
        let product = &mut self.scratch.product;
        product.fill(0.0);
        let entries = self.set.iter().zip(&self.weights).filter(|(_, weight)| **weight != 0.0);
        let rows: Vec<(&[f32], f64)> = entries.map(|(&i, &weight)| (self.gram.row(i as usize), weight)).collect();
        let fours = rows.chunks_exact(4);
        fours.remainder().iter().for_each(|&(row, weight)| add(product, row, weight));
        fours.for_each(|four| add_four(product, four));
    }

    /// An upper bound of the distance from the minimum: the duality gap as in scikit-learn (_cd_fast.pyx).
    fn gap(&self) -> f64 {
        let ElasticNet { l1, l2, .. } = self.options;
        let (mut wq, mut wgw, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
        let mut dual = 0.0f64;
        for (&i, &weight) in self.set.iter().zip(&self.weights) {
            let i = i as usize;
            wq += weight * self.q[i] as f64;
            wgw += weight * self.scratch.product[i];
            sum += weight;
            squares += weight * weight;
            dual = dual.max(self.slope(i) - l2 * weight);
        }
        for &i in self.candidates.iter().filter(|&&i| !self.in_set[i as usize]) {
            dual = dual.max(self.slope(i as usize));
        }
        let residual = self.norm + wgw - 2.0 * wq;
        let scale = if dual > l1 { l1 / dual } else { 1.0 };
        let ends = if dual > l1 { 0.5 * (residual + residual * scale * scale) } else { residual };
        ends + l1 * sum - scale * self.norm + scale * wq + 0.5 * l2 * (1.0 + scale * scale) * squares
    }
}

/// out += factor * a
fn add(out: &mut [f64], a: &[f32], factor: f64) {
    vectorised(
        #[inline(always)]
        || {
            for (o, &a) in out.iter_mut().zip(a) {
                *o = (a as f64).mul_add(factor, *o);
            }
        },
    );
}

/// out += the four rows, each multiplied by its factor
fn add_four(out: &mut [f64], rows: &[(&[f32], f64)]) {
    let &[(a, fa), (b, fb), (c, fc), (d, fd)] = rows else { return };
    vectorised(
        #[inline(always)]
        || {
            for ((((o, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let one = (b as f64).mul_add(fb, (a as f64).mul_add(fa, *o));
                *o = (d as f64).mul_add(fd, (c as f64).mul_add(fc, one));
            }
        },
    );
}
