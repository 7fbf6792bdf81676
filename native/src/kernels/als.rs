//! The half-sweep of alternating least squares: every row has its own symmetric system; popular rows come first. The solution is
//! exact, by Cholesky, where the rank-n update of a row's matrix and the factorisation use one small product in registers; or
//! approximate, by a few steps of conjugate gradients for eight rows at a time, so that the Gram matrix is read once for all.

use crate::matrix::{Matrix, for_each_task};
use crate::simd::{LANES, arch};
use crate::sparse::Sparse;
use crate::table::kernels;
use pulp::{Simd, WithSimd};
use std::sync::Mutex;

kernels! {
    Kernel alsHalfSweep(factors: matrix interactions: batch fixed: matrix gram: matrix gram_weight: number
        outer_constant: number outer_slope: number target_constant: number target_slope: number
        ridge: floats prior: maybe_matrix rows: maybe_list steps: maybe_number objective: maybe_matrix
        covariances: maybe_matrix posterior: maybe_matrix)
        half_sweep(factors, &interactions, &Sweep {
            fixed, gram, gram_weight: gram_weight as f32,
            outer: EntryWeight { constant: outer_constant as f32, slope: outer_slope as f32 },
            target: EntryWeight { constant: target_constant as f32, slope: target_slope as f32 },
            ridge, prior, rows, steps: steps.map(|steps| steps as u32), objective, covariances, posterior,
        });
}

/// Entries of a row that are packed and multiplied at a time: two panels of them fit into the L1 cache.
const CHUNK: usize = 128;
/// Rows that are factored before the rest of the matrix is updated.
const BLOCK: usize = 16;
/// Rows whose conjugate gradients are computed together.
const GROUP: usize = 8;
/// Distance, in entries, at which rows of the fixed side are prefetched.
const AHEAD: usize = 8;
/// A pivot of at most this share of its diagonal is rounding error: that coordinate is undetermined (same constant in als.ts).
const NEGLIGIBLE: f32 = 1.0 / 4_194_304.0;
/// Conjugate gradients stop when the squared residual is below this (benfred/implicit).
const SOLVED: f32 = 1e-20;

/// The weight of an entry with value r: constant + slope r.
#[derive(Clone, Copy)]
pub struct EntryWeight {
    pub constant: f32,
    pub slope: f32,
}

/// See AlsHalfSweep in src/compute/solvers/solvers.ts. `ridge` has one number, or one per row.
pub struct Sweep {
    pub fixed: Matrix,
    pub gram: Matrix,
    pub gram_weight: f32,
    pub outer: EntryWeight,
    pub target: EntryWeight,
    pub ridge: Vec<f32>,
    pub prior: Option<Matrix>,
    pub rows: Option<Vec<u32>>,
    pub steps: Option<u32>,
    pub objective: Option<Matrix>,
    pub covariances: Option<Matrix>,
    pub posterior: Option<Matrix>,
}

pub fn half_sweep(factors: Matrix, interactions: &Sparse, sweep: &Sweep) {
    let k = factors.columns;
    if k == 0 {
        return;
    }
    let mut order = sweep.rows.clone().unwrap_or_else(|| (0..factors.rows as u32).collect());
    order.sort_by_key(|&row| std::cmp::Reverse(interactions.entries(row as usize).len()));
    let job = Job { factors, interactions, sweep, k, padded: k.next_multiple_of(LANES) };
    let per_task = if sweep.steps.is_some() { GROUP } else { 1 };
    let system = if sweep.steps.is_some() { job.packed_gram() } else { job.base() };
    let scratch: Vec<Mutex<Vec<f32>>> = (0..rayon::current_num_threads()).map(|_| Mutex::default()).collect();
    for_each_task(order.len().div_ceil(per_task), |task| {
        let rows = &order[task * per_task..order.len().min((task + 1) * per_task)];
        // A thread runs one task at a time, so its scratch is free.
        let mut scratch = scratch[rayon::current_thread_index().unwrap_or(0)].lock().unwrap();
        arch().dispatch(Task { job: &job, system: &system, rows, scratch: &mut scratch });
    });
}

struct Job<'a> {
    factors: Matrix,
    interactions: &'a Sparse,
    sweep: &'a Sweep,
    k: usize,
    /// k, rounded up to whole panels of LANES columns.
    padded: usize,
}

struct Task<'a> {
    job: &'a Job<'a>,
    system: &'a [f32],
    rows: &'a [u32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { job, system, rows, scratch } = self;
        match job.sweep.steps {
            // A closure here would not be compiled for the wide vectors.
            None => {
                for &row in rows {
                    job.solve(simd, row as usize, system, scratch);
                }
            }
            Some(steps) => job.descend(rows, steps, simd, system, scratch),
        }
    }
}

/// Parts of the given lengths, with undefined contents.
#[inline(always)]
fn parts<const N: usize>(scratch: &mut Vec<f32>, lengths: [usize; N]) -> [&mut [f32]; N] {
    let total = lengths.iter().sum();
    if scratch.len() < total {
        scratch.resize(total, 0.0);
    }
    let mut rest = &mut scratch[..total];
    lengths.map(|length| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(length);
        rest = after;
        part
    })
}

impl Job<'_> {
    #[inline(always)]
    fn ridge(&self, row: usize) -> f32 {
        self.sweep.ridge[if self.sweep.ridge.len() == 1 { 0 } else { row }]
    }

    #[inline(always)]
    fn weight(&self, weight: EntryWeight, entry: usize) -> f32 {
        weight.slope.mul_add(self.interactions.value(entry), weight.constant)
    }

    /// y of an entry.
    #[inline(always)]
    fn fixed(&self, entry: usize) -> &[f32] {
        self.sweep.fixed.row(self.interactions.indices[entry] as usize)
    }

    #[inline(always)]
    fn report(&self, row: usize, value: f64) {
        if let Some(objective) = self.sweep.objective {
            objective.row_mut(row)[0] = value as f32;
        }
    }

    /// gramWeight G [padded, padded], with ones on the diagonal of the padding.
    fn base(&self) -> Vec<f32> {
        let mut base = vec![0.0; self.padded * self.padded];
        for (p, row) in base.chunks_exact_mut(self.padded).enumerate() {
            if p < self.k {
                for (to, &from) in row.iter_mut().zip(self.sweep.gram.row(p)) {
                    *to = self.sweep.gram_weight * from;
                }
            } else {
                row[p] = 1.0;
            }
        }
        base
    }

    /// gramWeight G in panels of LANES columns: [padded / LANES][padded][LANES].
    fn packed_gram(&self) -> Vec<f32> {
        let mut packed = vec![0.0; self.padded * self.padded];
        for p in 0..self.k {
            for (c, &from) in self.sweep.gram.row(p).iter().enumerate() {
                packed[place(c, self.padded) + p * LANES] = self.sweep.gram_weight * from;
            }
        }
        packed
    }

    // Exactly.

    #[inline(always)]
    fn solve<S: Simd>(&self, simd: S, row: usize, base: &[f32], scratch: &mut Vec<f32>) {
        let (k, n) = (self.k, self.padded);
        let uniform = self.interactions.values.is_none() || self.sweep.outer.slope == 0.0;
        let [a, b, x, diagonal, inverse, panels, weighted] =
            parts(scratch, [n * n, n, n, n, n, n * CHUNK, if uniform { 0 } else { n * CHUNK }]);
        for p in 0..n {
            let from = p / LANES * LANES;
            a[p * n + from..(p + 1) * n].copy_from_slice(&base[p * n + from..(p + 1) * n]);
        }
        let ridge = self.ridge(row);
        for p in 0..k {
            a[p * n + p] += ridge;
        }
        b.fill(0.0);
        let mut constant = 0.0f64;
        if let Some(prior) = self.sweep.prior {
            for (b, &mean) in b.iter_mut().zip(prior.row(row)) {
                *b = ridge * mean;
                constant += (ridge * mean * mean) as f64;
            }
        }

        let entries = self.interactions.entries(row);
        let scale = if uniform && !entries.is_empty() { self.weight(self.sweep.outer, entries.start) } else { 1.0 };
        for first in entries.clone().step_by(CHUNK) {
            let depth = CHUNK.min(entries.end - first);
            for e in 0..depth {
                if first + e + AHEAD < entries.end {
                    prefetch(self.fixed(first + e + AHEAD));
                }
                let y = self.fixed(first + e);
                add(&mut b[..k], y, self.weight(self.sweep.target, first + e));
                pack(panels, y, e, 1.0);
                if let Some(covariances) = self.sweep.covariances {
                    let covariance = covariances.row(self.interactions.indices[first + e] as usize);
                    add_packed(a, n, k, covariance, self.weight(self.sweep.outer, first + e));
                }
                if !uniform {
                    pack(weighted, y, e, self.weight(self.sweep.outer, first + e));
                }
            }
            let right = panels.as_ptr();
            let left = if uniform { right } else { weighted.as_ptr() };
            unsafe {
                add_product(
                    simd,
                    (0, n),
                    depth,
                    LANES,
                    #[inline(always)]
                    |c| left.wrapping_add(place(c, CHUNK)),
                    #[inline(always)]
                    |c| right.wrapping_add(place(c, CHUNK)),
                    a.as_mut_ptr(),
                    scale,
                );
            }
        }

        factor(simd, a, n, diagonal, inverse);
        x.copy_from_slice(b);
        substitute(simd, a, n, inverse, x);
        self.factors.row_mut(row).copy_from_slice(&x[..k]);
        // A x = b, so x'Ax - 2 b'x = -b'x.
        self.report(row, constant - dot(simd, b, x) as f64);
        if let Some(posterior) = self.sweep.posterior {
            // Row p of A^-1 is the solution for the p-th unit vector.
            let mut rest = posterior.row_mut(row);
            for p in 0..k {
                x.fill(0.0);
                x[p] = 1.0;
                substitute(simd, a, n, inverse, x);
                let (own, after) = rest.split_at_mut(k - p);
                own.copy_from_slice(&x[p..k]);
                rest = after;
            }
        }
    }

    // By conjugate gradients.

    #[inline(always)]
    fn descend<S: Simd>(&self, rows: &[u32], steps: u32, simd: S, gram: &[f32], scratch: &mut Vec<f32>) {
        let (k, n) = (self.k, self.padded);
        let [x, residual, direction, image, turned] = parts(scratch, [GROUP * n; 5]);
        let (mut squares, mut products) = ([0.0f32; GROUP], [0.0f64; GROUP]);
        x.fill(0.0);
        for (g, &row) in rows.iter().enumerate() {
            x[g * n..g * n + k].copy_from_slice(self.factors.row(row as usize));
        }

        // residual = b - A x; products = b'x
        self.times_gram(simd, gram, x, turned, image);
        for (g, &row) in rows.iter().enumerate() {
            let row = row as usize;
            let own = g * n..(g + 1) * n;
            let (x, residual) = (&x[own.clone()], &mut residual[own.clone()]);
            let ridge = self.ridge(row);
            for (r, (&i, &x)) in residual.iter_mut().zip(image[own.clone()].iter().zip(x)) {
                *r = -ridge.mul_add(x, i);
            }
            if let Some(prior) = self.sweep.prior {
                add(&mut residual[..k], prior.row(row), ridge);
                products[g] = (ridge * dot(simd, prior.row(row), &x[..k])) as f64;
            }
            products[g] += self.pass(
                simd,
                row,
                &x[..k],
                &mut residual[..k],
                #[inline(always)]
                |entry, y_x| self.weight(self.sweep.target, entry) - self.weight(self.sweep.outer, entry) * y_x,
            );
            squares[g] = dot(simd, residual, residual);
            direction[own].copy_from_slice(residual);
        }
        for g in rows.len()..GROUP {
            direction[g * n..(g + 1) * n].fill(0.0);
        }

        for _ in 0..steps {
            if squares.iter().all(|&square| square < SOLVED) {
                break;
            }
            self.times_gram(simd, gram, direction, turned, image);
            for (g, &row) in rows.iter().enumerate() {
                if squares[g] < SOLVED {
                    continue;
                }
                let row = row as usize;
                let own = g * n..(g + 1) * n;
                let (direction, image) = (&mut direction[own.clone()], &mut image[own.clone()]);
                let ridge = self.ridge(row);
                add(image, direction, ridge);
                let mut b_direction = self.pass(
                    simd,
                    row,
                    &direction[..k],
                    &mut image[..k],
                    #[inline(always)]
                    |entry, y_d| self.weight(self.sweep.outer, entry) * y_d,
                );
                if let Some(prior) = self.sweep.prior {
                    b_direction += (ridge * dot(simd, prior.row(row), &direction[..k])) as f64;
                }
                let length = squares[g] / dot(simd, direction, image);
                products[g] += length as f64 * b_direction;
                add(&mut x[own.clone()], direction, length);
                add(&mut residual[own.clone()], image, -length);
                let square = dot(simd, &residual[own.clone()], &residual[own.clone()]);
                let ratio = square / squares[g];
                squares[g] = square;
                for (d, &r) in direction.iter_mut().zip(&residual[own]) {
                    *d = ratio.mul_add(*d, r);
                }
            }
        }

        for (g, &row) in rows.iter().enumerate() {
            let row = row as usize;
            let own = g * n..(g + 1) * n;
            self.factors.row_mut(row).copy_from_slice(&x[g * n..g * n + k]);
            // A x = b - residual, so x'Ax - 2 b'x = -(b + residual)'x.
            let prior = self.sweep.prior.map_or(0.0, |prior| dot(simd, prior.row(row), prior.row(row)));
            let constant = (self.ridge(row) * prior) as f64;
            self.report(row, constant - products[g] - dot(simd, &residual[own.clone()], &x[own]) as f64);
        }
    }

    /// out = gramWeight a G for the group's rows a [GROUP, padded].
    #[inline(always)]
    fn times_gram<S: Simd>(&self, simd: S, gram: &[f32], a: &[f32], turned: &mut [f32], out: &mut [f32]) {
        let n = self.padded;
        for g in 0..GROUP {
            for (c, &value) in a[g * n..(g + 1) * n].iter().enumerate() {
                turned[c * GROUP + g] = value;
            }
        }
        out.fill(0.0);
        unsafe {
            add_rows(
                simd,
                GROUP,
                (0, n),
                n,
                (turned.as_ptr(), GROUP),
                LANES,
                #[inline(always)]
                |c| gram.as_ptr().wrapping_add(place(c, n)),
                out.as_mut_ptr(),
                n,
                1.0,
            );
        }
    }

    /// out += sum over the row's entries of coefficient(entry, y'p) y; the sum of target y'p.
    #[inline(always)]
    fn pass<S: Simd>(
        &self,
        simd: S,
        row: usize,
        p: &[f32],
        out: &mut [f32],
        coefficient: impl Fn(usize, f32) -> f32,
    ) -> f64 {
        const AT_ONCE: usize = 4;
        let mut total = 0.0f64;
        let entries = self.interactions.entries(row);
        let whole = entries.end - (entries.end - entries.start) % AT_ONCE;
        for first in (entries.start..whole).step_by(AT_ONCE) {
            let mut y: [&[f32]; AT_ONCE] = [&[]; AT_ONCE];
            for (e, y) in y.iter_mut().enumerate() {
                if first + e + AHEAD < entries.end {
                    prefetch(self.fixed(first + e + AHEAD));
                }
                *y = self.fixed(first + e);
            }
            let products = dots(simd, y, p);
            let mut factors = [0.0; AT_ONCE];
            for (e, factor) in factors.iter_mut().enumerate() {
                total += (self.weight(self.sweep.target, first + e) * products[e]) as f64;
                *factor = coefficient(first + e, products[e]);
            }
            add_all(simd, out, y, factors);
        }
        for entry in whole..entries.end {
            let y = self.fixed(entry);
            let [product] = dots(simd, [y], p);
            total += (self.weight(self.sweep.target, entry) * product) as f64;
            add(out, y, coefficient(entry, product));
        }
        total
    }
}

/// a [n, n] += factor * a symmetric matrix [k, k], of which the upper triangle is packed row by row.
#[inline(always)]
fn add_packed(a: &mut [f32], n: usize, k: usize, packed: &[f32], factor: f32) {
    let mut rest = packed;
    for p in 0..k {
        let (own, after) = rest.split_at(k - p);
        add(&mut a[p * n + p..p * n + k], own, factor);
        rest = after;
    }
}

/// out += factor * a
#[inline(always)]
fn add(out: &mut [f32], a: &[f32], factor: f32) {
    for (o, &a) in out.iter_mut().zip(a) {
        *o = a.mul_add(factor, *o);
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    dots(simd, [a], b)[0]
}

/// y'p of every y, which is at least as long as p. Written so that the compiler vectorises the loops.
#[inline(always)]
fn dots<S: Simd, const N: usize>(simd: S, y: [&[f32]; N], p: &[f32]) -> [f32; N] {
    let mut sums = [simd.splat_f32s(0.0); N];
    let (whole, rest) = S::as_simd_f32s(p);
    for (c, &p) in whole.iter().enumerate() {
        for (sum, y) in sums.iter_mut().zip(&y) {
            *sum = simd.mul_add_f32s(S::as_simd_f32s(y).0[c], p, *sum);
        }
    }
    if !rest.is_empty() {
        let first = whole.len() * S::F32_LANES;
        let p = simd.partial_load_f32s(rest);
        for (sum, y) in sums.iter_mut().zip(&y) {
            *sum = simd.mul_add_f32s(simd.partial_load_f32s(&y[first..first + rest.len()]), p, *sum);
        }
    }
    let mut products = [0.0; N];
    for (product, sum) in products.iter_mut().zip(sums) {
        *product = simd.reduce_sum_f32s(sum);
    }
    products
}

/// out += the sum of factors y
#[inline(always)]
fn add_all<S: Simd, const N: usize>(simd: S, out: &mut [f32], y: [&[f32]; N], factors: [f32; N]) {
    let (whole, rest) = S::as_mut_simd_f32s(out);
    let mut all = [simd.splat_f32s(0.0); N];
    for (all, factor) in all.iter_mut().zip(factors) {
        *all = simd.splat_f32s(factor);
    }
    for (c, out) in whole.iter_mut().enumerate() {
        let mut sum = *out;
        for (y, &factor) in y.iter().zip(&all) {
            sum = simd.mul_add_f32s(factor, S::as_simd_f32s(y).0[c], sum);
        }
        *out = sum;
    }
    let first = whole.len() * S::F32_LANES;
    for (y, factor) in y.iter().zip(factors) {
        add(rest, &y[first..], factor);
    }
}

/// Prefetches a row that will be needed soon.
#[inline(always)]
fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// The start of column c in panels of LANES columns, `depth` deep: [columns / LANES][depth][LANES].
#[inline(always)]
fn place(c: usize, depth: usize) -> usize {
    c / LANES * (depth * LANES) + c % LANES
}

/// Copies factor y to position `e` of panels [columns / LANES][CHUNK][LANES].
#[inline(always)]
fn pack(panels: &mut [f32], y: &[f32], e: usize, factor: f32) {
    let (whole, rest) = y.as_chunks::<LANES>();
    for (panel, from) in panels.chunks_exact_mut(CHUNK * LANES).zip(whole) {
        let to = &mut panel[e * LANES..(e + 1) * LANES];
        for (to, &from) in to.iter_mut().zip(from) {
            *to = factor * from;
        }
    }
    if !rest.is_empty() {
        let at = whole.len() * CHUNK * LANES + e * LANES;
        let to = &mut panels[at..at + LANES];
        to.fill(0.0);
        for (to, &from) in to.iter_mut().zip(rest) {
            *to = factor * from;
        }
    }
}

/// a = R'R, where R overwrites the upper triangle of a [n, n] except for the diagonal, whose inverses are written to `inverse`: 0
/// for an undetermined coordinate.
#[inline(always)]
fn factor<S: Simd>(simd: S, a: &mut [f32], n: usize, diagonal: &mut [f32], inverse: &mut [f32]) {
    for p in 0..n {
        diagonal[p] = a[p * n + p];
    }
    let at = a.as_mut_ptr();
    for first in (0..n).step_by(BLOCK) {
        for p in first..first + BLOCK {
            // Update row p by the rows above it in the block.
            if p > first {
                let above = unsafe { at.add(first * n) };
                unsafe {
                    add_rows(
                        simd,
                        1,
                        (first, n),
                        p - first,
                        (above.add(p).cast_const(), n),
                        n,
                        #[inline(always)]
                        |c| above.wrapping_add(c).cast_const(),
                        at.add(p * n),
                        n,
                        -1.0,
                    );
                }
            }
            let row = unsafe { std::slice::from_raw_parts_mut(at.add(p * n), n) };
            let pivot = row[p];
            // A NaN is not such a pivot: it must remain NaN.
            inverse[p] = if pivot <= NEGLIGIBLE * diagonal[p] { 0.0 } else { 1.0 / pivot.sqrt() };
            for value in &mut row[first..] {
                *value *= inverse[p];
            }
        }
        let block = unsafe { at.add(first * n).cast_const() };
        unsafe {
            add_product(
                simd,
                (first + BLOCK, n),
                BLOCK,
                n,
                #[inline(always)]
                |c| block.wrapping_add(c),
                #[inline(always)]
                |c| block.wrapping_add(c),
                at,
                -1.0,
            );
        }
    }
}

/// x = (R'R)^-1 x
#[inline(always)]
fn substitute<S: Simd>(simd: S, r: &[f32], n: usize, inverse: &[f32], x: &mut [f32]) {
    for p in 0..n {
        x[p] *= inverse[p];
        let (head, tail) = x.split_at_mut(p + 1);
        add(tail, &r[p * n + p + 1..(p + 1) * n], -head[p]);
    }
    for p in (0..n).rev() {
        let below = dot(simd, &r[p * n + p + 1..(p + 1) * n], &x[p + 1..]);
        x[p] = (x[p] - below) * inverse[p];
    }
}

/// The upper triangle of rows and columns [from, to) of out [to, to] += scale * sum over e of left_e right_e'. left(c) of consecutive
/// e are `step` elements apart, and the neighbours of c are adjacent; likewise right(c).
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn add_product<S: Simd>(
    simd: S,
    (from, to): (usize, usize),
    depth: usize,
    step: usize,
    left: impl Fn(usize) -> *const f32,
    right: impl Fn(usize) -> *const f32 + Copy,
    out: *mut f32,
    scale: f32,
) {
    let rows = GROUP;
    for i in (from..to).step_by(rows) {
        let columns = (i / S::F32_LANES * S::F32_LANES, to);
        unsafe { add_rows(simd, rows, columns, depth, (left(i), step), step, right, out.add(i * to), to, scale) };
    }
}

/// `rows` (8 or 1) rows of out, columns [from, to), += scale * left' right.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn add_rows<S: Simd>(
    simd: S,
    rows: usize,
    (from, to): (usize, usize),
    depth: usize,
    left: (*const f32, usize),
    step: usize,
    right: impl Fn(usize) -> *const f32 + Copy,
    out: *mut f32,
    out_step: usize,
    scale: f32,
) {
    let lanes = S::F32_LANES;
    let mut c = from;
    unsafe {
        if rows == 1 {
            while c + 4 * lanes <= to {
                tile::<S, 1, 4>(simd, depth, left, step, right, c, out, out_step, scale);
                c += 4 * lanes;
            }
            while c < to {
                tile::<S, 1, 1>(simd, depth, left, step, right, c, out, out_step, scale);
                c += lanes;
            }
        } else if lanes == 8 {
            // More does not fit into 16 registers.
            while c < to {
                tile::<S, 8, 1>(simd, depth, left, step, right, c, out, out_step, scale);
                c += lanes;
            }
        } else {
            while c + 2 * lanes <= to {
                tile::<S, 8, 2>(simd, depth, left, step, right, c, out, out_step, scale);
                c += 2 * lanes;
            }
            while c < to {
                tile::<S, 8, 1>(simd, depth, left, step, right, c, out, out_step, scale);
                c += lanes;
            }
        }
    }
}

/// ROWS rows and WIDE vectors of columns starting at `c`, kept in registers along the whole depth.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn tile<S: Simd, const ROWS: usize, const WIDE: usize>(
    simd: S,
    depth: usize,
    (mut left, left_step): (*const f32, usize),
    right_step: usize,
    right: impl Fn(usize) -> *const f32,
    c: usize,
    out: *mut f32,
    out_step: usize,
    scale: f32,
) {
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; ROWS];
    let mut at = [std::ptr::null::<f32>(); WIDE];
    for (w, at) in at.iter_mut().enumerate() {
        *at = right(c + w * S::F32_LANES);
    }
    for _ in 0..depth {
        unsafe {
            let mut y = [simd.splat_f32s(0.0); WIDE];
            for (y, at) in y.iter_mut().zip(&at) {
                *y = at.cast::<S::f32s>().read_unaligned();
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let factor = simd.splat_f32s(*left.add(i));
                for (sum, &y) in sums.iter_mut().zip(&y) {
                    *sum = simd.mul_add_f32s(factor, y, *sum);
                }
            }
        }
        left = left.wrapping_add(left_step);
        for at in &mut at {
            *at = at.wrapping_add(right_step);
        }
    }
    let scale = simd.splat_f32s(scale);
    for (i, sums) in sums.iter().enumerate() {
        for (w, &sum) in sums.iter().enumerate() {
            unsafe {
                let to = out.add(i * out_step + c + w * S::F32_LANES).cast::<S::f32s>();
                to.write_unaligned(simd.mul_add_f32s(scale, sum, to.read_unaligned()));
            }
        }
    }
}
