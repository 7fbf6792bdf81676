// What every engine fulfils. An engine is a queue: a call to a kernel returns at once, and its effect is visible to
// the kernels called after it, in order. Only `read`, `topK` and `finished` wait, and they are asynchronous. So the
// reference engine may compute on the spot, the native one hands the work to its own thread (the event loop never
// blocks), and a GPU can join without a change upstairs.
//
// Kernels write into tensors that the caller owns (destination first), so that a training step reuses its memory:
// `release` gives a tensor's memory back to the engine, whose `empty` prefers released blocks of the same size class.
// Shapes are checked at the call (shapes.ts: RangeError names kernel and shapes; asynchronous methods reject with it).
// `out` must not overlap an input unless said.
// "+=" kernels accumulate. Sums run over blocks of fixed size in fixed order: the number of threads changes no bit.

import type { RandomKey } from "../core/philox.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { Solvers } from "./solvers/solvers.js";
import type { FloatArray, Precision, SparseTensor, Tensor } from "./tensor.js";

export type { RandomKey };

/** Keep an entry where its random word >= floor(rate * 2^32), and scale it by 1 / (1 - rate). Rate in [0, 1). */
export interface Dropout {
  readonly rate: number;
  readonly key: RandomKey;
}

export interface MatmulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  /** out += instead of out =. */
  accumulate?: boolean;
}

export interface SparseRowSumOptions {
  /** "l2": every row is divided by max(its L2 norm, 1e-12), the norm taken before dropout. Default "none". */
  rowScale?: "l2" | "none";
  dropout?: Dropout;
}

/** RecVAE's composite prior, per coordinate: weights (summing to 1) of N(0, 1), of a former posterior, and of N(0, exp(broadLogVariance)). */
export interface CompositeMixture {
  readonly standard: number;
  readonly former: number;
  readonly broad: number;
  readonly broadLogVariance: number;
}

/** One Adam step (Kingma and Ba 2015, algorithm 1), fused over a parameter. */
export interface AdamStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** The number of this update, from 1: for the bias correction. */
  readonly update: number;
  /** L2 term inside the gradient: g += decay * value. */
  readonly decay: number;
  /** Decay beside the gradient (AdamW, Loshchilov and Hutter 2019): value -= learningRate * weightDecay * value, first. Default 0. */
  readonly weightDecay?: number;
}

/** One AdaDelta step (Zeiler 2012, algorithm 1), fused over a parameter. */
export interface AdaDeltaStep {
  readonly rho: number;
  readonly epsilon: number;
  /** L2 term inside the gradient: g += decay * value. */
  readonly decay: number;
}

/** Divides a gradient by (||g||_2 + epsilon) before anything else is done with it. */
export interface GradientNorm {
  /** [1, 1]: the sum of the gradient's squares, computed by then. */
  readonly squares: Tensor;
  readonly epsilon: number;
}

/** A gradient: dense, or the rows `touched` of a sparse first layer (every other row is zero). */
export type GradientTensor =
  | { readonly kind: "dense"; readonly tensor: Tensor }
  | { readonly kind: "rows"; readonly tensor: Tensor; readonly touched: Uint32Array };

/** Per row, the k best columns: items[row * k + rank], best first; equal scores by ascending column. */
export interface TopK {
  readonly rows: number;
  /** Columns of the result: min(k, catalogue). */
  readonly k: number;
  /** [rows, k]. Ranks beyond a row's candidates (all others excluded) hold 0xffffffff, their scores -Infinity. */
  readonly items: Uint32Array;
  /** [rows, k]. */
  readonly scores: Float32Array;
}

/** The item index that fills ranks for which a row has no candidate left. */
export const NO_ITEM = 0xffffffff;

/** Weights [items, width] with their coarse copy, and a bias [1, items]. */
export interface CoarseLayer {
  readonly weights: Tensor;
  /** What `coarse` made of the weights. */
  readonly coarse: Tensor;
  readonly bias: Tensor;
}

export interface Engine {
  readonly name: "reference" | "native";
  readonly precision: Precision;
  readonly threads: number;
  /** One line for `foldin doctor`: what runs (instruction set, version). */
  readonly description: string;
  /** Of engines on a CPU; `solversOf` (solvers/solvers-of.ts) insists on them. */
  readonly solvers?: Solvers;

  // Memory.
  /** A tensor of zeros [rows, columns]. */
  zeros(rows: number, columns: number): Tensor;
  /** A tensor [rows, columns] whose contents are undefined until written. */
  empty(rows: number, columns: number): Tensor;
  /** A tensor [rows, columns] holding a copy of `data` (row-major). */
  tensor(rows: number, columns: number, data: ArrayLike<number>): Tensor;
  /** Replaces the contents of a tensor by a copy of `data` (row-major). */
  write(out: Tensor, data: ArrayLike<number>): void;
  /** The contents, row-major and dense, once everything queued before is done. Rejects if a kernel failed before. */
  read(tensor: Tensor): Promise<FloatArray>;
  /** Gives the tensor's storage back for reuse, after what is queued. Not for views; a second release is an error. */
  release(tensor: Tensor): void;
  /** Copies a sparse batch into the engine. */
  sparse(matrix: CsrMatrix): SparseTensor;
  releaseSparse(tensor: SparseTensor): void;
  /** Resolves once everything queued before is done; rejects if a kernel failed. */
  finished(): Promise<void>;
  /** Bytes of tensor memory that the engine holds at this moment, reusable blocks included. */
  memory(): number;
  /** Frees everything. The engine cannot be used afterwards. */
  close(): Promise<void>;

  // Element-wise and reductions.
  /** out = value */
  fill(out: Tensor, value: number): void;
  /** out = a */
  copy(out: Tensor, a: Tensor): void;
  /** out += factor * a */
  addScaled(out: Tensor, a: Tensor, factor: number): void;
  /** out[r, c] += row[0, c] */
  addRow(out: Tensor, row: Tensor): void;
  /** out[0, c] += sum over r of a[r, c] */
  sumRows(out: Tensor, a: Tensor): void;
  /** out[0, 0] += factor * sum of all of a; accumulated in float64 */
  sum(out: Tensor, a: Tensor, factor: number): void;
  /** out[0, 0] += factor * sum of a^2; accumulated in float64 */
  sumOfSquares(out: Tensor, a: Tensor, factor: number): void;
  /** out = tanh(a); out may be a */
  tanh(out: Tensor, a: Tensor): void;
  /** out += g * (1 - y^2) with y = tanh(a) */
  tanhGradient(out: Tensor, y: Tensor, g: Tensor, accumulate: boolean): void;
  /** out = max(a, 0); out may be a */
  relu(out: Tensor, a: Tensor): void;
  /** out += g where y > 0, with y = relu(a) */
  reluGradient(out: Tensor, y: Tensor, g: Tensor): void;
  /** out = 1 / (1 + e^-a); out may be a */
  sigmoid(out: Tensor, a: Tensor): void;
  /** out += g * y * (1 - y) with y = sigmoid(a) */
  sigmoidGradient(out: Tensor, y: Tensor, g: Tensor): void;
  /** out = a * sigmoid(a); out may be a */
  swish(out: Tensor, a: Tensor): void;
  /** out += g * s * (1 + a * (1 - s)) with s = sigmoid(a) */
  swishGradient(out: Tensor, a: Tensor, g: Tensor): void;
  /** out += a * b, element by element */
  addProduct(out: Tensor, a: Tensor, b: Tensor): void;
  /** out = a with entries dropped; out may be a. Its gradient is the same kernel with the same key. */
  dropout(out: Tensor, a: Tensor, dropout: Dropout): void;
  /** out[r, k] = a[rows[r], k] */
  takeRows(out: Tensor, a: Tensor, rows: Uint32Array): void;
  /** out[r, k] = a[r, columns[k]] */
  takeColumns(out: Tensor, a: Tensor, columns: Uint32Array): void;

  /** out = a * sigmoid(b) (the gated linear unit's product) */
  gate(out: Tensor, a: Tensor, b: Tensor): void;
  /** aGradient += g * sigmoid(b); bGradient += g * a * sigmoid(b) * (1 - sigmoid(b)) */
  gateGradient(aGradient: Tensor, bGradient: Tensor, a: Tensor, b: Tensor, g: Tensor): void;
  /** out = min(max(a, low), high), a NaN stays one; out may be a */
  clamp(out: Tensor, a: Tensor, low: number, high: number): void;
  /** out += g where low < a < high */
  clampGradient(out: Tensor, a: Tensor, g: Tensor, low: number, high: number): void;
  /** out = min(max(a, 0), 1) with entries dropped, a NaN stays one; in one pass, and `out` tells its gradient what was dropped */
  dropClamped(out: Tensor, a: Tensor, dropout: Dropout): void;
  /** out = or += g / (1 - rate) where a < 1 and y > 0, with y = dropClamped(a): where it was kept and within (0, 1) */
  dropClampedGradient(
    out: Tensor,
    a: Tensor,
    y: Tensor,
    g: Tensor,
    options: { readonly rate: number; readonly accumulate: boolean },
  ): void;
  /** out[r] = a[r] / max(its L2 norm, 1e-12) */
  unitRows(out: Tensor, a: Tensor): void;
  /** out[r] += the gradient with respect to a[r], from g = that of unitRows(a): (g - y (y . g)) / norm, and g 1e12 where the norm is below 1e-12 */
  unitRowsGradient(out: Tensor, a: Tensor, g: Tensor): void;
  /** out[rows[r], c] += a[r, c]; the rows are distinct and ascend */
  addRows(out: Tensor, a: Tensor, rows: Uint32Array): void;
  /** out[r, c] = factor[r, 0] * a[r, c]; out may be a */
  scaleRows(out: Tensor, a: Tensor, factor: Tensor): void;

  // Products.
  /** out = op(a) op(b), or += with accumulate. */
  matmul(out: Tensor, a: Tensor, b: Tensor, options?: MatmulOptions): void;
  /** out[r] = scale_r * sum over the entries (r, i) that dropout keeps of value_ri * weights[i]; out [rows, h], weights [columns, h]. */
  sparseRowSum(out: Tensor, input: SparseTensor, weights: Tensor, options: SparseRowSumOptions): void;
  /** The gradient with respect to the touched rows of the weights: out [touched.length, h] = ..., from g [rows, h]; same options as forward. */
  sparseRowSumGradient(out: Tensor, input: SparseTensor, g: Tensor, options: SparseRowSumOptions): void;
  /** out[r] = sum over the entries (r, i) of value_ri * rows[i], sparse rows; out [input.rows, rows.columns], input [.., rows.rows]. */
  sumSparseRows(out: Tensor, input: SparseTensor, rows: SparseTensor): void;

  // Layer normalisation (Ba, Kiros and Hinton 2016), row by row.
  /** out[r] = weight * (a[r] - mean_r) / sqrt(variance_r + epsilon) + bias, the variance biased; statistics [rows, 2] become [mean, 1 / sqrt(variance + epsilon)]. weight, bias [1, columns]. */
  layerNorm(out: Tensor, a: Tensor, weight: Tensor, bias: Tensor, statistics: Tensor, epsilon: number): void;
  /** out += the gradient with respect to a, from g = that of layerNorm's result. */
  layerNormGradient(out: Tensor, a: Tensor, weight: Tensor, statistics: Tensor, g: Tensor): void;
  /** out[0, c] += sum over r of g[r, c] * (a[r, c] - mean_r) / sqrt(variance_r + epsilon) */
  layerNormWeightGradient(out: Tensor, a: Tensor, statistics: Tensor, g: Tensor): void;

  // The Gaussian posterior. mean and logVariance [rows, l] may be views of one tensor.
  /** out = mean + exp(logVariance / 2) * noise; noise by Box-Muller from pairs of words of a block: radius sqrt(-2 ln u(w0)), angle 2 pi u(w1), element 0 = cos, 1 = sin, likewise w2, w3; u(w) = ((w >>> 9) + 0.5) * 2^-23. */
  gaussianSample(out: Tensor, mean: Tensor, logVariance: Tensor, key: RandomKey): void;
  /** meanGradient += g; logVarianceGradient += g * (sample - mean) / 2, sample being what gaussianSample made: mean + exp(logVariance / 2) * noise */
  gaussianSampleGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    sample: Tensor,
    g: Tensor,
  ): void;
  /** out[r, 0] = 1/2 sum over l of (exp(logVariance) + mean^2 - 1 - logVariance): KL(N(mean, exp(logVariance)) || N(0, I)) */
  gaussianKl(out: Tensor, mean: Tensor, logVariance: Tensor): void;
  /** meanGradient += g[r] * mean; logVarianceGradient += g[r] * (exp(logVariance) - 1) / 2; g [rows, 1] */
  gaussianKlGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void;

  /** out[r, 0] = sum over l of log N(z; mean, exp(logVariance)) - log sum over the mixture's three of weight N(z): one sample's KL. former* [rows, l] belong to the mixture's second part. */
  compositeKl(
    out: Tensor,
    z: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    formerMean: Tensor,
    formerLogVariance: Tensor,
    mixture: CompositeMixture,
  ): void;
  /** Adds to the gradients with respect to z, mean and logVariance (not to the former ones); g [rows, 1] */
  compositeKlGradient(
    zGradient: Tensor,
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    z: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    formerMean: Tensor,
    formerLogVariance: Tensor,
    mixture: CompositeMixture,
    g: Tensor,
  ): void;

  // Log densities of Gaussians, the constant -1/2 ln 2 pi per dimension left out. With powers [x^2 | x | 1] of points and factors of
  // Gaussians, powers factors^T [points, gaussians] holds every log density at every point: nothing of three dimensions exists.
  /** out[r, 0] = -1/2 sum over l of (logVariance + (x - mean)^2 exp(-logVariance)) */
  gaussianLogDensity(out: Tensor, x: Tensor, mean: Tensor, logVariance: Tensor): void;
  /** With p = g[r] (x - mean) exp(-logVariance): xGradient -= p; meanGradient += p; logVarianceGradient += (p (x - mean) - g[r]) / 2; g [rows, 1] */
  gaussianLogDensityGradient(
    xGradient: Tensor,
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    x: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void;
  /** out [rows, 2 l + 1] = [-w / 2 | mean w | -1/2 sum over l of (logVariance + mean^2 w)], w = exp(-logVariance) */
  densityFactors(out: Tensor, mean: Tensor, logVariance: Tensor): void;
  /** Adds what g [rows, 2 l + 1] passes back through densityFactors. */
  densityFactorsGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void;
  /** out [rows, 2 l + 1] = [x^2 | x | 1] */
  densityPowers(out: Tensor, x: Tensor): void;
  /** out += 2 x g_1 + g_2, g [rows, 2 l + 1] = [g_1 | g_2 | anything] */
  densityPowersGradient(out: Tensor, x: Tensor, g: Tensor): void;
  /** out[r, 0] = ln(mean over c of exp(a[r, c])), max-subtracted; a is overwritten by softmax(a[r]), which is its gradient, in float32 shares below 2^-40 being 0: a thousand of them are less than float32's rounding, and subnormal numbers, which they would lead to, are slow to compute with. */
  logMeanExp(out: Tensor, a: Tensor): void;

  // The multinomial output. logits [rows, items] are overwritten with whatever the engine's gradient kernel wants to find there.
  /** loss[r, 0] = -sum over i of x_ri log softmax(logits[r] + bias)_i, max-subtracted; statistics [rows, 2] and logits are handed on to the gradient. */
  multinomialLoss(loss: Tensor, logits: Tensor, bias: Tensor, target: SparseTensor, statistics: Tensor): void;
  /** logits = d loss / d logits scaled by g [rows, 1]: g_r * (n_r softmax - x), n_r = sum of x_r; once per multinomialLoss. */
  multinomialLossGradient(logits: Tensor, target: SparseTensor, statistics: Tensor, g: Tensor): void;

  // The Bernoulli output. logits [rows, items] are overwritten likewise.
  /** loss[r, 0] = sum over i of max(l, 0) - l x_ri + log(1 + e^-|l|) with l = logits[r, i] + bias[i]: -log p(x_r), no overflow. */
  bernoulliLoss(loss: Tensor, logits: Tensor, bias: Tensor, target: SparseTensor): void;
  /** logits = d loss / d logits scaled by g [rows, 1]: g_r * (sigmoid(l) - x); once per bernoulliLoss. */
  bernoulliLossGradient(logits: Tensor, target: SparseTensor, g: Tensor): void;

  // Optimisers.
  /** m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, value -= lr * mhat / (sqrt(vhat) + epsilon), over ALL elements: rows without a gradient move by their momentum (dense Adam). With `norm` the gradient is first divided by its norm. */
  adam(
    value: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: GradientTensor,
    step: AdamStep,
    norm?: GradientNorm,
  ): void;
  /** squares = rho squares + (1 - rho) g^2, d = sqrt((deltas + epsilon) / (squares + epsilon)) g, deltas = rho deltas + (1 - rho) d^2, value -= d. */
  adadelta(value: Tensor, squares: Tensor, deltas: Tensor, gradient: Tensor, step: AdaDeltaStep): void;

  // Ranking.
  /** Per row of scores [rows, items], the k best items not in `without`'s row. NaN counts, and comes back, as -Infinity. */
  topK(scores: Tensor, k: number, without?: SparseTensor): Promise<TopK>;
  /** A coarse copy of weights, which `bestProducts` looks at first: the engine's own form, a quarter of their size or nothing; out of date once they change. */
  coarse(weights: Tensor): Tensor;
  /**
   * What `topK` gives for the scores a weights^T + bias, a [rows, width], each row computed as if it were the only one; meant
   * for a few rows, whose products are not all computed.
   */
  bestProducts(a: Tensor, layer: CoarseLayer, k: number, without?: SparseTensor): Promise<TopK>;
}
