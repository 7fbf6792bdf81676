// What the kernels of every engine demand of their arguments, in one place, so that all engines refuse the same things
// with the same words. Each function is named after its kernel and throws a RangeError that names the kernel and shapes.

import type { RandomKey } from "../core/philox.js";
import { checkRandomKey } from "../core/philox.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type {
  AdamStep,
  CoarseLayer,
  CompositeMixture,
  Dropout,
  GradientNorm,
  GradientTensor,
  MatmulOptions,
  SparseRowSumOptions,
} from "./engine.js";
import type {
  AlsHalfSweep,
  ElasticNet,
  NonNegativeSweeps,
  Similarity,
  TangentNetwork,
} from "./solvers/solvers.js";
import type { SparseTensor, Tensor } from "./tensor.js";

interface Shaped {
  readonly rows: number;
  readonly columns: number;
}

/** Rows, or columns, of a tensor or a sparse batch: the kernels, and the arrays of a sparse batch, name them by 32 bits. */
export const MOST_ROWS = 2 ** 32 - 1;
/** Numbers in a dense tensor: what the longest typed array of every supported Node can hold, so that it can be read. */
export const MOST_NUMBERS = 2 ** 32;

const shape = ({ rows, columns }: Shaped) => `[${rows}, ${columns}]`;

function fail(kernel: string, problem: string): never {
  throw new RangeError(`${kernel}: ${problem}`);
}

/** All of the named tensors must have the shape of the first. */
function same(kernel: string, tensors: Record<string, Shaped>): void {
  const [first, ...others] = Object.entries(tensors);
  for (const [name, tensor] of others)
    if (tensor.rows !== first[1].rows || tensor.columns !== first[1].columns)
      fail(kernel, `${first[0]} is ${shape(first[1])} but ${name} is ${shape(tensor)}`);
}

function is(kernel: string, name: string, tensor: Shaped, rows: number, columns: number): void {
  if (tensor.rows !== rows || tensor.columns !== columns)
    fail(kernel, `${name} is ${shape(tensor)} where ${shape({ rows, columns })} is needed`);
}

function checkDropout(kernel: string, dropout: Dropout | undefined): void {
  if (dropout === undefined) return;
  shapes.rate(kernel, dropout.rate);
  checkRandomKey(dropout.key);
}

function checkIndices(kernel: string, name: string, indices: Uint32Array, bound: number): void {
  for (const index of indices) if (index >= bound) fail(kernel, `${name} ${index} is outside [0, ${bound})`);
}

/** Rows of a gradient: distinct, in order, and there. */
function checkAscending(kernel: string, rows: Uint32Array, bound: number): void {
  for (let r = 0; r < rows.length; r++)
    if (rows[r] >= bound || (r > 0 && rows[r] <= rows[r - 1]))
      fail(kernel, `touched rows must ascend within [0, ${bound})`);
}

function range(kernel: string, from: number, to: number, bound: number): void {
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= bound))
    fail(kernel, `[${from}, ${to}) is no part of [0, ${bound})`);
}

function positive(kernel: string, name: string, count: number): void {
  if (!(Number.isInteger(count) && count >= 1 && count < 2 ** 32))
    fail(kernel, `${count} is no number of ${name}`);
}

export const shapes = {
  /** A rate of dropout. */
  rate(kernel: string, rate: number): void {
    if (!(rate >= 0 && rate < 1)) fail(kernel, `dropout rate ${rate} is outside [0, 1)`);
  },
  /** A size for zeros, empty, tensor and sparse. */
  size(kernel: string, rows: number, columns: number): void {
    for (const n of [rows, columns])
      if (!(Number.isInteger(n) && n >= 0 && n <= MOST_ROWS))
        fail(kernel, `[${rows}, ${columns}] is not a shape: both are integers from 0 to ${MOST_ROWS}`);
  },
  /** The numbers of a dense tensor. */
  dense(kernel: string, rows: number, columns: number): void {
    shapes.size(kernel, rows, columns);
    if (rows * columns > MOST_NUMBERS)
      fail(kernel, `[${rows}, ${columns}] is too large: an array holds at most ${MOST_NUMBERS} numbers`);
  },
  data(kernel: string, tensor: Shaped, data: ArrayLike<number>): void {
    if (data.length !== tensor.rows * tensor.columns)
      fail(kernel, `${data.length} numbers do not fill ${shape(tensor)}`);
  },
  /** The arrays of a CSR matrix fit together. */
  sparse(matrix: CsrMatrix): void {
    const { rows, columns, offsets, indices, values } = matrix;
    shapes.size("sparse", rows, columns);
    if (offsets.length !== rows + 1) fail("sparse", `${offsets.length} offsets for ${rows} rows`);
    if (offsets[0] !== 0) fail("sparse", `the first offset is ${offsets[0]}, not 0`);
    for (let r = 0; r < rows; r++)
      if (offsets[r] > offsets[r + 1]) fail("sparse", `the offsets of row ${r} descend`);
    if (indices.length !== offsets[rows])
      fail("sparse", `${indices.length} indices where the offsets say ${offsets[rows]}`);
    if (values && values.length !== indices.length)
      fail("sparse", `${values.length} values for ${indices.length} indices`);
    checkIndices("sparse", "column", indices, columns);
  },

  /** The tensors must have one shape: copy, addScaled, tanh, ... */
  same,
  addRow(out: Tensor, row: Tensor): void {
    is("addRow", "row", row, 1, out.columns);
  },
  sumRows(out: Tensor, a: Tensor): void {
    is("sumRows", "out", out, 1, a.columns);
  },
  scalar(kernel: string, out: Tensor): void {
    is(kernel, "out", out, 1, 1);
  },
  dropout(out: Tensor, a: Tensor, dropout: Dropout): void {
    same("dropout", { out, a });
    checkDropout("dropout", dropout);
  },
  takeRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    is("takeRows", "out", out, rows.length, a.columns);
    checkIndices("takeRows", "row", rows, a.rows);
  },
  takeColumns(out: Tensor, a: Tensor, columns: Uint32Array): void {
    is("takeColumns", "out", out, a.rows, columns.length);
    checkIndices("takeColumns", "column", columns, a.columns);
  },
  matmul(out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions): void {
    const [m, inner] = options.transposeA ? [a.columns, a.rows] : [a.rows, a.columns];
    const [inner2, n] = options.transposeB ? [b.columns, b.rows] : [b.rows, b.columns];
    const product = `${shape(a)}${options.transposeA ? "^T" : ""} ${shape(b)}${options.transposeB ? "^T" : ""}`;
    if (inner !== inner2) fail("matmul", `the inner sizes of ${product} differ`);
    if (out.rows !== m || out.columns !== n)
      fail("matmul", `out is ${shape(out)} where ${product} gives [${m}, ${n}]`);
  },
  sparseRowSum(out: Tensor, input: SparseTensor, weights: Tensor, options: SparseRowSumOptions): void {
    is("sparseRowSum", "weights", weights, input.columns, weights.columns);
    is("sparseRowSum", "out", out, input.rows, weights.columns);
    checkDropout("sparseRowSum", options.dropout);
  },
  sparseRowSumGradient(out: Tensor, input: SparseTensor, g: Tensor, options: SparseRowSumOptions): void {
    is("sparseRowSumGradient", "g", g, input.rows, g.columns);
    is("sparseRowSumGradient", "out", out, input.touched.length, g.columns);
    checkDropout("sparseRowSumGradient", options.dropout);
  },
  sumSparseRows(out: Tensor, input: SparseTensor, rows: SparseTensor): void {
    if (input.columns !== rows.rows)
      fail("sumSparseRows", `input is ${shape(input)} but rows is ${shape(rows)}`);
    is("sumSparseRows", "out", out, input.rows, rows.columns);
  },
  gaussianSample(out: Tensor, mean: Tensor, logVariance: Tensor, key: RandomKey): void {
    same("gaussianSample", { out, mean, logVariance });
    checkRandomKey(key);
  },
  gaussianSampleGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    sample: Tensor,
    g: Tensor,
  ): void {
    same("gaussianSampleGradient", { g, meanGradient, logVarianceGradient, mean, sample });
  },
  gaussianKl(out: Tensor, mean: Tensor, logVariance: Tensor): void {
    same("gaussianKl", { mean, logVariance });
    is("gaussianKl", "out", out, mean.rows, 1);
  },
  gaussianKlGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    same("gaussianKlGradient", { mean, logVariance, meanGradient, logVarianceGradient });
    is("gaussianKlGradient", "g", g, mean.rows, 1);
  },
  layerNorm(out: Tensor, a: Tensor, weight: Tensor, bias: Tensor, statistics: Tensor, epsilon: number): void {
    same("layerNorm", { out, a });
    is("layerNorm", "weight", weight, 1, a.columns);
    is("layerNorm", "bias", bias, 1, a.columns);
    is("layerNorm", "statistics", statistics, a.rows, 2);
    if (!(epsilon > 0)) fail("layerNorm", `epsilon ${epsilon} is not positive`);
  },
  layerNormGradient(out: Tensor, a: Tensor, weight: Tensor, statistics: Tensor, g: Tensor): void {
    same("layerNormGradient", { out, a, g });
    is("layerNormGradient", "weight", weight, 1, a.columns);
    is("layerNormGradient", "statistics", statistics, a.rows, 2);
  },
  layerNormWeightGradient(out: Tensor, a: Tensor, statistics: Tensor, g: Tensor): void {
    same("layerNormWeightGradient", { a, g });
    is("layerNormWeightGradient", "out", out, 1, a.columns);
    is("layerNormWeightGradient", "statistics", statistics, a.rows, 2);
  },
  /** `perRow` is the KL, or its gradient. */
  compositeKl(
    kernel: string,
    tensors: Record<string, Tensor>,
    perRow: Tensor,
    { standard, former, broad, broadLogVariance }: CompositeMixture,
  ): void {
    same(kernel, tensors);
    is(kernel, "the tensor per row", perRow, tensors.z.rows, 1);
    const weights = [standard, former, broad];
    if (!weights.every((weight) => weight >= 0) || !(weights.reduce((sum, weight) => sum + weight) > 0))
      fail(kernel, `the mixture's weights ${weights.join(", ")} are not weights`);
    if (!Number.isFinite(broadLogVariance))
      fail(kernel, `the broad log-variance ${broadLogVariance} is no number`);
  },
  clamp(kernel: string, low: number, high: number): void {
    if (!(low <= high)) fail(kernel, `the bounds ${low} and ${high} are no interval`);
  },
  addRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    is("addRows", "a", a, rows.length, out.columns);
    checkAscending("addRows", rows, out.rows);
  },
  scaleRows(out: Tensor, a: Tensor, factor: Tensor): void {
    same("scaleRows", { out, a });
    is("scaleRows", "factor", factor, a.rows, 1);
  },
  gaussianLogDensity(out: Tensor, x: Tensor, mean: Tensor, logVariance: Tensor): void {
    same("gaussianLogDensity", { x, mean, logVariance });
    is("gaussianLogDensity", "out", out, x.rows, 1);
  },
  gaussianLogDensityGradient(
    gradients: { xGradient: Tensor; meanGradient: Tensor; logVarianceGradient: Tensor },
    x: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    same("gaussianLogDensityGradient", { x, mean, logVariance, ...gradients });
    is("gaussianLogDensityGradient", "g", g, x.rows, 1);
  },
  densityFactors(out: Tensor, mean: Tensor, logVariance: Tensor): void {
    same("densityFactors", { mean, logVariance });
    is("densityFactors", "out", out, mean.rows, 2 * mean.columns + 1);
  },
  densityFactorsGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    same("densityFactorsGradient", { mean, logVariance, meanGradient, logVarianceGradient });
    is("densityFactorsGradient", "g", g, mean.rows, 2 * mean.columns + 1);
  },
  densityPowers(out: Tensor, x: Tensor): void {
    is("densityPowers", "out", out, x.rows, 2 * x.columns + 1);
  },
  densityPowersGradient(out: Tensor, x: Tensor, g: Tensor): void {
    same("densityPowersGradient", { out, x });
    is("densityPowersGradient", "g", g, x.rows, 2 * x.columns + 1);
  },
  logMeanExp(out: Tensor, a: Tensor): void {
    is("logMeanExp", "out", out, a.rows, 1);
    if (a.columns === 0) fail("logMeanExp", `a is ${shape(a)}: the mean of nothing`);
  },
  multinomialLoss(
    loss: Tensor,
    logits: Tensor,
    bias: Tensor,
    target: SparseTensor,
    statistics: Tensor,
  ): void {
    is("multinomialLoss", "loss", loss, logits.rows, 1);
    is("multinomialLoss", "bias", bias, 1, logits.columns);
    is("multinomialLoss", "target", target, logits.rows, logits.columns);
    is("multinomialLoss", "statistics", statistics, logits.rows, 2);
  },
  multinomialLossGradient(logits: Tensor, target: SparseTensor, statistics: Tensor, g: Tensor): void {
    is("multinomialLossGradient", "target", target, logits.rows, logits.columns);
    is("multinomialLossGradient", "statistics", statistics, logits.rows, 2);
    is("multinomialLossGradient", "g", g, logits.rows, 1);
  },
  bernoulliLoss(loss: Tensor, logits: Tensor, bias: Tensor, target: SparseTensor): void {
    is("bernoulliLoss", "loss", loss, logits.rows, 1);
    is("bernoulliLoss", "bias", bias, 1, logits.columns);
    is("bernoulliLoss", "target", target, logits.rows, logits.columns);
  },
  bernoulliLossGradient(logits: Tensor, target: SparseTensor, g: Tensor): void {
    is("bernoulliLossGradient", "target", target, logits.rows, logits.columns);
    is("bernoulliLossGradient", "g", g, logits.rows, 1);
  },
  adam(
    value: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: GradientTensor,
    step: AdamStep,
    norm: GradientNorm | undefined,
  ): void {
    same("adam", { value, m, v });
    switch (gradient.kind) {
      case "dense":
        same("adam", { value, gradient: gradient.tensor });
        break;
      case "rows": {
        const { tensor, touched } = gradient;
        is("adam", "gradient", tensor, touched.length, value.columns);
        checkAscending("adam", touched, value.rows);
        break;
      }
      default:
        gradient satisfies never;
    }
    if (!(Number.isInteger(step.update) && step.update >= 1))
      fail("adam", `update ${step.update} is not an integer from 1`);
    if (norm) is("adam", "the gradient's squares", norm.squares, 1, 1);
  },
  alsHalfSweep(factors: Tensor, interactions: SparseTensor, sweep: AlsHalfSweep): void {
    const kernel = "alsHalfSweep";
    const { rows, columns: k } = factors;
    const { fixed, gram, gramWeight, outer, target, ridge, prior, steps, objective } = sweep;
    const { covariances, posterior } = sweep;
    is(kernel, "interactions", interactions, rows, fixed.rows);
    is(kernel, "fixed", fixed, interactions.columns, k);
    is(kernel, "gram", gram, k, k);
    if (prior) is(kernel, "prior", prior, rows, k);
    if (objective) is(kernel, "objective", objective, rows, 1);
    if (covariances) is(kernel, "covariances", covariances, interactions.columns, (k * (k + 1)) / 2);
    if (posterior) is(kernel, "posterior", posterior, rows, (k * (k + 1)) / 2);
    if (steps !== undefined && (covariances || posterior))
      fail(kernel, "covariances need exact solutions, not steps");
    if (sweep.rows) checkAscending(kernel, sweep.rows, rows);
    if (typeof ridge !== "number" && ridge.length !== rows)
      fail(kernel, `${ridge.length} ridges for ${rows} rows`);
    if (!(typeof ridge === "number" ? ridge >= 0 : ridge.every((one) => one >= 0)))
      fail(kernel, "a ridge is negative or no number");
    if (![gramWeight, outer.constant, outer.slope, target.constant, target.slope].every(Number.isFinite))
      fail(kernel, "a weight is no number");
    if (steps !== undefined && !(Number.isInteger(steps) && steps >= 1))
      fail(kernel, `${steps} is no number of steps`);
  },
  nonNegativeSweeps(factors: Tensor, sweep: NonNegativeSweeps): void {
    const kernel = "nonNegativeSweeps";
    const { gram, products, l1, l2, sweeps, tolerance, violation } = sweep;
    is(kernel, "gram", gram, factors.columns, factors.columns);
    is(kernel, "products", products, factors.rows, factors.columns);
    if (violation) is(kernel, "violation", violation, factors.rows, 1);
    if (![l1, l2, tolerance].every((number) => number >= 0))
      fail(kernel, `one of l1 ${l1}, l2 ${l2} and tolerance ${tolerance} is negative or no number`);
    if (!(Number.isInteger(sweeps) && sweeps >= 1)) fail(kernel, `${sweeps} is no number of sweeps`);
  },
  neighbours(x: SparseTensor, similarity: Similarity, from: number, to: number): void {
    const kernel = "neighbours";
    range(kernel, from, to, x.columns);
    for (const side of ["left", "right"] as const)
      if (similarity[side].length !== x.columns)
        fail(kernel, `${side} has ${similarity[side].length} numbers for ${x.columns} columns`);
    if (!(similarity.shrink >= 0)) fail(kernel, `shrink ${similarity.shrink} is negative or no number`);
    positive(kernel, "neighbours", similarity.k);
  },
  elasticNet(gram: Tensor, net: ElasticNet, from: number, to: number): void {
    const kernel = "elasticNet";
    is(kernel, "gram", gram, gram.columns, gram.columns);
    range(kernel, from, to, gram.columns);
    for (const name of ["l1", "l2", "tolerance"] as const)
      if (!(net[name] >= 0)) fail(kernel, `${name} ${net[name]} is negative or no number`);
    positive(kernel, "sweeps", net.maxSweeps);
    positive(kernel, "weights", net.k);
  },
  topK(scores: Tensor, k: number, without: SparseTensor | undefined): void {
    if (!(Number.isInteger(k) && k >= 0)) fail("topK", `k = ${k} is not a non-negative integer`);
    if (without) is("topK", "without", without, scores.rows, scores.columns);
  },
  coarse(coarse: Tensor, weights: Tensor, columns: number): void {
    is("bestProducts", "coarse", coarse, weights.rows, columns);
  },
  bestProducts(
    a: Tensor,
    { weights, bias }: CoarseLayer,
    k: number,
    without: SparseTensor | undefined,
  ): void {
    is("bestProducts", "a", a, a.rows, weights.columns);
    is("bestProducts", "bias", bias, 1, weights.rows);
    if (!(Number.isInteger(k) && k >= 0)) fail("bestProducts", `k = ${k} is not a non-negative integer`);
    if (without) is("bestProducts", "without", without, a.rows, weights.rows);
  },
  gram(out: Tensor, x: SparseTensor, weights: Tensor | undefined): void {
    is("gram", "out", out, x.columns, x.columns);
    if (weights) is("gram", "weights", weights, 1, x.rows);
  },
  sparseProduct(out: Tensor, a: SparseTensor, b: SparseTensor): void {
    if (a.columns !== b.columns) fail("sparseProduct", `a has ${a.columns} columns, b has ${b.columns}`);
    is("sparseProduct", "out", out, a.rows, b.rows);
  },
  sweep(a: Tensor, first: number, count: number): void {
    is("sweep", "a", a, a.rows, a.rows);
    if (!(Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 1))
      fail("sweep", `${first} .. ${first} + ${count} are no pivots`);
    if (first + count > a.rows)
      fail("sweep", `pivots up to ${first + count} of a matrix with ${a.rows} rows`);
  },
  expandLower(a: Tensor, rows: Tensor, columns: Tensor): void {
    is("expandLower", "a", a, a.rows, a.rows);
    is("expandLower", "rows", rows, 1, a.rows);
    is("expandLower", "columns", columns, 1, a.rows);
  },
  tangentKernel(a: Tensor, rows: Tensor, columns: Tensor, { depth }: TangentNetwork): void {
    is("tangentKernel", "rows", rows, 1, a.rows);
    is("tangentKernel", "columns", columns, 1, a.columns);
    if (!(Number.isInteger(depth) && depth >= 0))
      fail("tangentKernel", `depth ${depth} is not a number of layers`);
  },
  /** Only a tensor that the engine handed out may be released, never a view of one. */
  release(tensor: Tensor): void {
    const { storage, offset, rows, columns, rowStride } = tensor;
    if (offset !== 0 || rowStride !== columns || rows * columns !== storage.length)
      throw new Error(`release: ${shape(tensor)} is a view; release the tensor that it was made of`);
  },
};

/** What using a tensor or sparse batch after its release throws, and releasing it twice. */
export function releasedError(kernel: string): Error {
  return new Error(`${kernel}: the tensor was released`);
}

/** What using a closed engine throws. */
export function closedError(): Error {
  return new Error("the engine is closed");
}

/** What a tensor or sparse batch of another engine throws. */
export function foreignError(): Error {
  return new Error("the tensor belongs to another engine");
}

/**
 * The number of elements to allocate for a block of `length`: four sizes per power of two, so that batches of ever
 * changing size share a few reusable blocks (at most a quarter is wasted) instead of leaving one behind for every size.
 */
export function sizeClass(length: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, length))) - 2);
  return Math.ceil(length / step) * step;
}
