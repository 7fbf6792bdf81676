//! Elastic nets of one column on all others, non-negative, by coordinate descent on the Gram matrix. Each column is solved
//! by one thread, on a working set that grows until no coordinate outside of it wants a weight. Sums run in float64.

use crate::kernels::neighbours::{Rows, keep_largest};
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use std::sync::Mutex;

/// Members that a working set starts with; later it may double.
const FIRST: usize = 32;
/// While outsiders still wait for a place, the set need not be solved better than this.
const ROUGH: f64 = 1e-3;
/// A slope below this share of what it is the difference of is rounding.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Copy)]
pub struct ElasticNet {
    pub l1: f64,
    pub l2: f64,
    pub tolerance: f64,
    pub max_sweeps: usize,
    /// How many weights are kept.
    pub k: usize,
}

/// The weights of one column, and whether they are within the tolerance.
type Solution = (Vec<(u32, f32)>, bool);

/// The weights for the columns [from, to), and how many of those are not within the tolerance.
pub fn elastic_net(gram: Matrix, options: ElasticNet, from: usize, to: usize) -> (Rows, usize) {
    let solutions: Vec<Mutex<Solution>> = (from..to).map(|_| Mutex::default()).collect();
    for_each_task(to - from, |task| {
        let (mut weights, converged) = Column::new(gram, options, from + task).solve();
        keep_largest(&mut weights, options.k);
        *solutions[task].lock().unwrap() = (weights, converged);
    });
    let solutions = solutions.into_iter().map(|solution| solution.into_inner().unwrap());
    let (lists, converged): (Vec<_>, Vec<_>) = solutions.unzip();
    (Rows::from_lists(&lists), converged.iter().filter(|&&converged| !converged).count())
}

struct Column {
    gram: Matrix,
    options: ElasticNet,
    /// X^T y for the target y; 0 at the target itself.
    q: Vec<f32>,
    /// ||y||^2
    norm: f64,
    /// The columns that can ever get a weight: G and w are not negative, so one needs q > l1.
    candidates: Vec<u32>,
    /// The working set, its weights, and its part of the Gram matrix [set, set].
    set: Vec<u32>,
    weights: Vec<f64>,
    inner: Vec<f32>,
    in_set: Vec<bool>,
    /// G w
    product: Vec<f64>,
}

impl Column {
    fn new(gram: Matrix, options: ElasticNet, target: usize) -> Self {
        let n = gram.columns;
        let mut q = gram.row(target).to_vec();
        let norm = q[target] as f64;
        q[target] = 0.0;
        let candidates = (0..n as u32).filter(|&i| q[i as usize] as f64 > options.l1).collect();
        let (set, weights, inner) = Default::default();
        Self { gram, options, q, norm, candidates, set, weights, inner, in_set: vec![false; n], product: vec![0.0; n] }
    }

    fn solve(mut self) -> Solution {
        let ElasticNet { tolerance, max_sweeps, .. } = self.options;
        let mut converged = self.candidates.is_empty();
        let mut wanted = tolerance;
        let mut sweeps = 0;
        while !converged && sweeps < max_sweeps {
            if self.grow() {
                sweeps += 1;
                self.descend(ROUGH.max(tolerance), max_sweeps);
            } else {
                sweeps += self.descend(wanted, max_sweeps - sweeps);
                wanted *= 0.1;
            }
            self.multiply();
            converged = self.gap() <= tolerance * self.norm;
        }
        let entries = self.set.iter().zip(&self.weights).filter(|(_, w)| **w > 0.0);
        (entries.map(|(&i, &w)| (i, w as f32)).collect(), converged)
    }

    /// What is left of q_i once G w is taken away.
    #[inline(always)]
    fn slope(&self, i: usize) -> f64 {
        self.q[i] as f64 - self.product[i]
    }

    /// Takes the outsiders in that gain most, and whoever has no weight out; whether there were any outsiders.
    fn grow(&mut self) -> bool {
        let ElasticNet { l1, l2, .. } = self.options;
        // By what the best weight of that coordinate alone would lower the objective.
        let gain = |i: usize| {
            let excess = self.slope(i) - l1;
            let size = self.gram.row(i)[i] as f64 + l2;
            if excess > ROUNDING * self.q[i] as f64 { (excess * excess / size) as f32 } else { 0.0 }
        };
        let outside = self.candidates.iter().filter(|&&i| !self.in_set[i as usize]);
        let mut outsiders: Vec<(u32, f32)> =
            outside.map(|&i| (i, gain(i as usize))).filter(|&(_, gain)| gain > 0.0).collect();
        if outsiders.is_empty() {
            return false;
        }
        keep_largest(&mut outsiders, FIRST.max(self.set.len()));
        let former = std::mem::take(&mut self.set);
        let weights = std::mem::take(&mut self.weights);
        for (i, weight) in former.into_iter().zip(weights) {
            self.in_set[i as usize] = weight > 0.0;
            if weight > 0.0 {
                self.set.push(i);
                self.weights.push(weight);
            }
        }
        for (i, _) in outsiders {
            self.in_set[i as usize] = true;
            self.set.push(i);
            self.weights.push(0.0);
        }
        self.inner.clear();
        for &i in &self.set {
            let row = self.gram.row(i as usize);
            self.inner.extend(self.set.iter().map(|&j| row[j as usize]));
        }
        true
    }

    /// Sweeps over the working set until no weight changes by more than `tolerance` of the largest; how many.
    fn descend(&mut self, tolerance: f64, most: usize) -> usize {
        let n = self.set.len();
        let ElasticNet { l1, l2, .. } = self.options;
        let mut product = vec![0.0f64; n];
        for (p, &weight) in self.weights.iter().enumerate() {
            if weight != 0.0 {
                add(&mut product, &self.inner[p * n..(p + 1) * n], weight);
            }
        }
        for sweep in 1..=most {
            let (mut largest, mut change) = (0.0f64, 0.0f64);
            for p in 0..n {
                let row = &self.inner[p * n..(p + 1) * n];
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
                return sweep;
            }
        }
        most.max(1)
    }

    /// product = G w
    fn multiply(&mut self) {
        self.product.fill(0.0);
        for (&i, &weight) in self.set.iter().zip(&self.weights) {
            if weight != 0.0 {
                add(&mut self.product, self.gram.row(i as usize), weight);
            }
        }
    }

    /// How far the objective is above its minimum at most: the duality gap as scikit-learn has it (_cd_fast.pyx).
    fn gap(&self) -> f64 {
        let ElasticNet { l1, l2, .. } = self.options;
        let (mut wq, mut wgw, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
        let mut dual = 0.0f64;
        for (&i, &weight) in self.set.iter().zip(&self.weights) {
            let i = i as usize;
            wq += weight * self.q[i] as f64;
            wgw += weight * self.product[i];
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
