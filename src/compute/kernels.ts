// The kernel table, with one entry per kernel. Types, checks, forwarding and the contract with the native addon are derived from it
// (the notation is explained in kernel.ts). To add a kernel: an entry here, its TypeScript twin in engines/reference/, its Rust
// implementation in native/src/kernels/ with a line in that file's list, and a test against a naive formula in
// test/support/engines.ts.
//
// Operands marked = are overwritten, + added to, ~ changed in place; if a kernel can do either, `accumulate` adds. Kernels that
// always add are called add... or ...Gradient. An output must not overlap an input unless stated. Sums run over blocks of fixed
// size in fixed order: results do not depend on the number of threads, bit for bit.

import { wordsFor } from "../core/bits.js";
import { checkRandomKey, type RandomKey } from "../core/philox.js";
import type { CsrMatrix } from "../sparse/csr.js";
import { type Answer, fail, kernel, type Methods, shape, table } from "./kernel.js";
import type {
  AlsHalfSweep,
  ElasticNet,
  NonNegativeIterations,
  Similarity,
  SparseFactor,
  SparseFactorisation,
  TangentNetwork,
  TriangularInversion,
} from "./solvers/solvers.js";
import { isInt8, type SparseTensor, type Tensor } from "./tensor.js";

/** Keeps an entry if its random word >= floor(rate * 2^32), and scales it by 1 / (1 - rate). Rate in [0, 1). */
export interface Dropout {
  readonly rate: number;
  readonly key: RandomKey;
}

/**
 * The position of a piece within a dense matrix. Random bits depend on the index of an element in the whole matrix, so that pieces
 * draw the same bits as the whole. Element (r, c) of the piece is element `first + r * rowStride + c`.
 */
export interface Position {
  /** Default 0. */
  readonly first?: number;
  /** Number of columns of the whole. Default: that of the piece. */
  readonly rowStride?: number;
}

/** Dropout of a dense matrix. Dropout of a sparse batch depends on the positions in `PieceOfBatch`. */
export interface DenseDropout extends Dropout, Position {}

/** Add to the output instead of overwriting it. Default false. */
export interface Accumulate {
  readonly accumulate?: boolean;
}

export interface MatmulOptions extends Accumulate {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Operands are rounded to bfloat16 (`convert`), their products added up in float32. Default false. */
  readonly bf16?: boolean;
}

export interface SparseRowSumOptions {
  /** "l2": every row is divided by max(its L2 norm, 1e-12), the norm taken before dropout. Default "none". */
  rowScale?: "none" | "l2";
  dropout?: Dropout;
}

/** RecVAE's composite prior, per coordinate: weights (that add up to 1) of N(0, 1), of a former posterior, and of N(0, exp(broadLogVariance)). */
export interface CompositeMixture {
  readonly standard: number;
  readonly former: number;
  readonly broad: number;
  readonly broadLogVariance: number;
}

/** The focal cross-entropy: alpha and 1 - alpha weight the items of the target and the others; gamma lessens the well predicted ones. */
export interface FocalLoss {
  /** In [0, 1]. */
  readonly alpha: number;
  /** At least 0. */
  readonly gamma: number;
}

/** One Adam step (Kingma and Ba 2015, algorithm 1), fused over a parameter. */
export interface AdamStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** The number of this update, from 1, for the bias correction. */
  readonly update: number;
  /** L2 term inside the gradient: g += decay * value. */
  readonly decay: number;
  /** Decoupled decay (AdamW, Loshchilov and Hutter 2019): value -= learningRate * weightDecay * value, first. Default 0. */
  readonly weightDecay?: number;
}

/** One Adam step on the rows that a gradient touches; `update` counts all steps, including those that did not touch a row. */
export type SparseAdamStep = Omit<AdamStep, "decay" | "weightDecay">;

/**
 * One NAdam step (Dozat 2016), with the schedule of the momentum already applied: m and v as in Adam, and
 * value -= (gradientRate g + momentumRate m) / (sqrt(v / (1 - beta2^update)) + epsilon).
 */
export interface NadamStep {
  readonly gradientRate: number;
  readonly momentumRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** The number of this update, from 1, for the bias correction. */
  readonly update: number;
}

/** One AdaDelta step (Zeiler 2012, algorithm 1), fused over a parameter. */
export interface AdaDeltaStep {
  readonly rho: number;
  readonly epsilon: number;
  /** L2 term inside the gradient: g += decay * value. */
  readonly decay: number;
}

/** Divides a gradient by (||g||_2 + epsilon) before it is used. */
export interface GradientNorm {
  /** [1, 1]: the sum of squares of the gradient, already computed. */
  readonly squares: Tensor;
  readonly epsilon: number;
}

/** A gradient: dense, or the rows `touched` of a sparse first layer (every other row is zero). */
export type GradientTensor =
  | { readonly kind: "dense"; readonly tensor: Tensor }
  | { readonly kind: "rows"; readonly tensor: Tensor; readonly touched: Uint32Array };

/** A gradient of all rows, or of the rows `touched` (ascending). */
export interface GradientRows {
  readonly tensor: Tensor;
  readonly touched?: Uint32Array;
}

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

export type Likelihood = "multinomial" | "bernoulli";

/** Items of an output layer, with hidden activations and a target. */
export interface SelectedOutput {
  /** [rows, width] */
  readonly hidden: Tensor;
  /** [items, width]: only the items of the selection, like the bias [1, items]. */
  readonly weights: Tensor;
  readonly bias: Tensor;
  /** [rows, catalogue]. Entries of items outside the selection are ignored. */
  readonly target: SparseTensor;
  readonly likelihood: Likelihood;
  /** The items of the selection are the target's columns from, from + 1, ... Default 0. */
  readonly from?: number;
  /** The target's columns of the items, if they are not consecutive. */
  readonly items?: Uint32Array;
  /** The weight of an item in the row's sum [1, items]; absent = 1. Bernoulli: a row's own targets always have weight 1. */
  readonly counts?: Tensor;
  /**
   * What enters a product is rounded to bfloat16 first: hidden activations, weights, and the gradient of the logits. Between
   * statistics and gradient an engine may keep a row's exponentials, or sigmoids, as bfloat16. Sums stay float32. Default false.
   */
  readonly bf16?: boolean;
}

/** The outputs for the gradients of an output layer. */
export interface OutputGradients {
  readonly hiddenGradient?: Tensor;
  readonly addToHidden?: boolean;
  readonly weightsGradient?: Tensor;
  readonly addToWeights?: boolean;
  readonly biasGradient?: Tensor;
}

/** Weights [items, width], the results of `quantise`, and a bias [1, items]. */
export interface QuantisedLayer {
  readonly weights: Tensor;
  /** int8 [items, width] */
  readonly quantised: Tensor;
  /** [items, 3] */
  readonly statistics: Tensor;
  readonly bias: Tensor;
}

/** Rows of weights in blocks of similar rows: the results of `arrangeBlocks`, and what they were computed from. */
export interface BlockedLayer {
  /** [items, width] */
  readonly weights: Tensor;
  /** [1, items] */
  readonly bias: Tensor;
  /** int8 [items, width], in the order of `items`. */
  readonly quantised: Tensor;
  /** [items, 4], in the order of `items`. */
  readonly statistics: Tensor;
  /** [blocks, width] */
  readonly centres: Tensor;
  /** [blocks, 3] */
  readonly reach: Tensor;
  /** [blocks, items]: the items of each block. Every item is in one block. */
  readonly items: SparseTensor;
}

// What an engine's answers mean.

const topKOf = ({ numbers, integers, floats }: Answer): TopK => ({
  ...{ rows: numbers[0], k: numbers[1], items: integers[0], scores: floats },
});
const rowsOf = ({ integers: [offsets, indices], floats }: Answer, columns: number): CsrMatrix => ({
  ...{ rows: offsets.length - 1, columns, offsets, indices, values: floats },
});

// Checks that are not about shapes.

const rate = (kernel: string, { rate }: { readonly rate: number }) => {
  if (!(rate >= 0 && rate < 1)) fail(kernel, `dropout rate ${rate} is outside [0, 1)`);
};
const dropout = (kernel: string, dropout: Dropout | undefined) => {
  if (dropout === undefined) return;
  rate(kernel, dropout);
  checkRandomKey(dropout.key);
};
const denseDropout = (kernel: string, out: Tensor, options: DenseDropout) => {
  dropout(kernel, options);
  position(kernel, out, options);
};
const position = (kernel: string, { columns }: Tensor, { first = 0, rowStride = columns }: Position = {}) => {
  if (!(Number.isSafeInteger(first) && first >= 0))
    fail(kernel, `first ${first} is not a non-negative integer`);
  if (!(Number.isSafeInteger(rowStride) && rowStride >= columns))
    fail(kernel, `rowStride ${rowStride} is not an integer of at least ${columns}, the number of columns`);
};
const bounds = (kernel: string, low: number, high: number) => {
  if (!(low <= high)) fail(kernel, `the lower bound ${low} exceeds the upper bound ${high}`);
};
const positive = (kernel: string, name: string, count: number) => {
  if (!(Number.isInteger(count) && count >= 1 && count < 2 ** 32))
    fail(kernel, `${name} ${count} is not a positive integer`);
};
const partition = (kernel: string, items: SparseTensor, rows: number) => {
  if (items.entries !== rows) fail(kernel, `the blocks have ${items.entries} entries for ${rows} rows`);
};
const ranking = (kernel: string, k: number) => {
  if (!(Number.isInteger(k) && k >= 0)) fail(kernel, `k = ${k} is not a non-negative integer`);
};
/** One set of items, or one for each row. */
const bitSets = (kernel: string, words: Uint32Array | undefined, rows: number, items: number) => {
  const length = wordsFor(items);
  if (words && words.length !== length && words.length !== rows * length)
    fail(kernel, `allowed has ${words.length} words, expected ${length} or ${rows * length}`);
};
const range = (kernel: string, from: number, to: number, bound: number) => {
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= bound))
    fail(kernel, `[${from}, ${to}) is not within [0, ${bound})`);
};
const atLeastZero = (kernel: string, numbers: Readonly<Record<string, number>>) => {
  for (const [name, number] of Object.entries(numbers))
    if (!(number >= 0)) fail(kernel, `${name} ${number} is negative or not a number`);
};
const mixtureWeights = (kernel: string, { standard, former, broad, broadLogVariance }: CompositeMixture) => {
  const weights = [standard, former, broad];
  if (!weights.every((weight) => weight >= 0) || !(weights.reduce((sum, weight) => sum + weight) > 0))
    fail(kernel, `the mixture weights ${weights.join(", ")} are not valid`);
  if (!Number.isFinite(broadLogVariance))
    fail(kernel, `the broad log-variance ${broadLogVariance} is not a number`);
};
const focusing = (kernel: string, { alpha, gamma }: FocalLoss) => {
  if (!(alpha >= 0 && alpha <= 1)) fail(kernel, `alpha ${alpha} is outside [0, 1]`);
  atLeastZero(kernel, { gamma });
};

const selection = (kernel: string, { weights, target, from = 0, items }: SelectedOutput) => {
  if (!items) range(kernel, from, from + weights.rows, target.columns);
};

const perEntry = (kernel: string, { columns }: Tensor, { entries }: SparseTensor) => {
  if (columns !== entries) fail(kernel, `${columns} coefficients for a target with ${entries} entries`);
};

/** The error of products and sums in float32 grows with their length: with 530 terms of about 23, sqrt(530) roundings of half a unit are 3e-5; the gradient of the multinomial is a difference of numbers up to 280. */
const long = { tolerance: 6e-5 };
const exact = { tolerance: 0 };
const mixture = "mixture:{standard former broad broadLogVariance}";
const posterior = "z[r,l] mean[r,l] logVariance[r,l] formerMean[r,l] formerLogVariance[r,l]";
const likelihoods = "likelihood=(multinomial|bernoulli)";
const selectedOutput = `output:{hidden[r,w] weights[n,w] bias[1,n] target<r,m> ${likelihoods} from? items?{n/m} counts?[1,n] bf16?}`;
const dropoutFields = "{rate key:{seed step stream}}";
const denseDropoutFields = "{rate key:{seed step stream} first? rowStride?}";

type Unary = (out: Tensor, a: Tensor) => void;
type Binary = (out: Tensor, a: Tensor, b: Tensor) => void;
type OfGaussian = (out: Tensor, mean: Tensor, logVariance: Tensor) => void;

export const kernels = table({
  // Element-wise and reductions.

  /** out = value */
  fill: kernel<(out: Tensor, value: number) => void>("=out[r,c]:float32|bfloat16|int8 value", {
    check({ storage }, value) {
      if (storage.element === "int8" && !isInt8(value))
        fail("fill", `${value} is not an integer from -128 to 127`);
    },
  }),
  /** out = a */
  copy: kernel<Unary>("=out[r,c] a[r,c]"),
  /**
   * out = a in out's element type. Float32 is rounded to the nearest bfloat16, ties to even: values of at least 2^128 - 2^119
   * become infinite; subnormals, the sign of zero and NaN (quiet) are preserved. bfloat16 becomes the float32 of the same value.
   * A float64 is rounded to float32 first, as in PyTorch and NumPy.
   */
  convert: kernel<Unary>("=out[r,c]:float32|bfloat16 a[r,c]:float32|bfloat16", exact),
  /** out += factor * a */
  addScaled: kernel<(out: Tensor, a: Tensor, factor: number) => void>("+out[r,c] a[r,c] factor"),
  /** out[r, c] += row[0, c] */
  addRow: kernel<(out: Tensor, row: Tensor) => void>("+out[r,c] row[1,c]"),
  /** out[0, c] += sum over r of a[r, c] */
  addSumOfRows: kernel<Unary>("+out[1,c] a[r,c]"),
  /** out[0, 0] += factor * sum of all of a; accumulated in float64 */
  addSum: kernel<(out: Tensor, a: Tensor, factor: number) => void>("+out[1,1] a[r,c] factor"),
  /** out[0, 0] += factor * sum of a^2; accumulated in float64 */
  addSumOfSquares: kernel<(out: Tensor, a: Tensor, factor: number) => void>("+out[1,1] a[r,c] factor"),
  /** out = tanh(a); out may be a */
  tanh: kernel<Unary>("=out[r,c] a[r,c]"),
  /** out = or += g * (1 - y^2) with y = tanh(a) */
  tanhGradient: kernel<(out: Tensor, y: Tensor, g: Tensor, options?: Accumulate) => void>(
    "=out[r,c] y[r,c] g[r,c] options?:{accumulate?}",
  ),
  /** out = max(a, 0); out may be a */
  relu: kernel<Unary>("=out[r,c] a[r,c]"),
  /** out += g where y > 0, with y = relu(a) */
  reluGradient: kernel<(out: Tensor, y: Tensor, g: Tensor) => void>("+out[r,c] y[r,c] g[r,c]"),
  /** out = 1 / (1 + e^-a); out may be a */
  sigmoid: kernel<Unary>("=out[r,c] a[r,c]"),
  /** out += g * y * (1 - y) with y = sigmoid(a) */
  sigmoidGradient: kernel<(out: Tensor, y: Tensor, g: Tensor) => void>("+out[r,c] y[r,c] g[r,c]"),
  /** out = a * sigmoid(a); out may be a */
  swish: kernel<Unary>("=out[r,c] a[r,c]"),
  /** out += g * s * (1 + a * (1 - s)) with s = sigmoid(a) */
  swishGradient: kernel<(out: Tensor, a: Tensor, g: Tensor) => void>("+out[r,c] a[r,c] g[r,c]"),
  /** out += a * b, element by element */
  addProduct: kernel<Binary>("+out[r,c] a[r,c] b[r,c]"),
  /** out = a with entries dropped; out may be a. Its gradient is the same kernel with the same key. */
  dropout: kernel<(out: Tensor, a: Tensor, dropout: DenseDropout) => void>(
    `=out[r,c] a[r,c] dropout:${denseDropoutFields}`,
    { check: (out, _a, options) => denseDropout("dropout", out, options) },
  ),
  /** out[r, k] = a[rows[r], k] */
  takeRows: kernel<(out: Tensor, a: Tensor, rows: Uint32Array) => void>("=out[t,c] a[r,c] rows{t<r}"),
  /** out[r, k] = a[r, columns[k]] */
  takeColumns: kernel<(out: Tensor, a: Tensor, columns: Uint32Array) => void>(
    "=out[r,t] a[r,c] columns{t<c}",
  ),
  /** out = a * sigmoid(b) (the gated linear unit's product) */
  gate: kernel<Binary>("=out[r,c] a[r,c] b[r,c]"),
  /** aGradient += g * sigmoid(b); bGradient += g * a * sigmoid(b) * (1 - sigmoid(b)) */
  gateGradient: kernel<(aGradient: Tensor, bGradient: Tensor, a: Tensor, b: Tensor, g: Tensor) => void>(
    "+aGradient[r,c] +bGradient[r,c] a[r,c] b[r,c] g[r,c]",
  ),
  /** out = min(max(a, low), high), preserving NaN; out may be a */
  clamp: kernel<(out: Tensor, a: Tensor, low: number, high: number) => void>("=out[r,c] a[r,c] low high", {
    check: (_out, _a, low, high) => bounds("clamp", low, high),
  }),
  /** out += g where low < a < high */
  clampGradient: kernel<(out: Tensor, a: Tensor, g: Tensor, low: number, high: number) => void>(
    "+out[r,c] a[r,c] g[r,c] low high",
    { check: (_out, _a, _g, low, high) => bounds("clampGradient", low, high) },
  ),
  /** out = min(max(a, 0), 1) with entries dropped, preserving NaN, in one pass; the gradient kernel reads from `out` what was dropped */
  dropClamped: kernel<(out: Tensor, a: Tensor, dropout: DenseDropout) => void>(
    `=out[r,c] a[r,c] dropout:${denseDropoutFields}`,
    { check: (out, _a, options) => denseDropout("dropClamped", out, options) },
  ),
  /** out = or += g / (1 - rate) where a < 1 and y > 0, with y = dropClamped(a): for kept elements within (0, 1) */
  dropClampedGradient: kernel<
    (out: Tensor, a: Tensor, y: Tensor, g: Tensor, options: Accumulate & { readonly rate: number }) => void
  >("=out[r,c] a[r,c] y[r,c] g[r,c] options:{rate accumulate?}", {
    check: (_out, _a, _y, _g, options) => rate("dropClampedGradient", options),
  }),
  /** out[r] = a[r] / max(its L2 norm, 1e-12) */
  unitRows: kernel<Unary>("=out[r,c] a[r,c]"),
  /** out[r] += the gradient with respect to a[r], from g = that of unitRows(a): (g - y (y . g)) / norm, and g 1e12 where the norm is below 1e-12 */
  unitRowsGradient: kernel<(out: Tensor, a: Tensor, g: Tensor) => void>("+out[r,c] a[r,c] g[r,c]"),
  /** out[rows[r], c] += a[r, c]; the rows are distinct and ascending */
  addRows: kernel<(out: Tensor, a: Tensor, rows: Uint32Array) => void>("+out[n,c] a[t,c] rows{t/n}"),
  /** out[r, c] = factor[r, 0] * a[r, c]; out may be a */
  scaleRows: kernel<(out: Tensor, a: Tensor, factor: Tensor) => void>("=out[r,c] a[r,c] factor[r,1]"),

  // Products.

  /** out = op(a) op(b), or += with accumulate. Operands in bfloat16 are widened to float32, which is exact. With `bf16`, float32 operands are first rounded to bfloat16. */
  matmul: kernel<(out: Tensor, a: Tensor, b: Tensor, options?: MatmulOptions) => void>(
    "=out[m,n] a[*,*]:float32|bfloat16 b[*,*]:float32|bfloat16 options?:{transposeA? transposeB? accumulate? bf16?}",
    { ...long, check: checkMatmul },
  ),
  /** out[r] = scale_r * sum over the entries (r, i) that dropout keeps of value_ri * weights[i]; out [rows, h], weights [columns, h]. */
  sparseRowSum: kernel<
    (out: Tensor, input: SparseTensor, weights: Tensor, options: SparseRowSumOptions) => void
  >(`=out[r,h] input<r,c> weights[c,h] options:{rowScale?=(none|l2) dropout?:${dropoutFields}}`, {
    check: (_out, _input, _weights, options) => dropout("sparseRowSum", options.dropout),
  }),
  /** The gradient with respect to the touched rows of the weights, out [touched.length, h], from g [rows, h]; same options as forward. */
  sparseRowSumGradient: kernel<
    (out: Tensor, input: SparseTensor, g: Tensor, options: SparseRowSumOptions) => void
  >(`=out[t,h] input<r,c;t> g[r,h] options:{rowScale?=(none|l2) dropout?:${dropoutFields}}`, {
    check: (_out, _input, _g, options) => dropout("sparseRowSumGradient", options.dropout),
  }),
  /** out = (input first) second, with both products sparse: out [input.rows, second.columns], first [input.columns, l], second [l, ..]. */
  sumChainedRows: kernel<
    (out: Tensor, input: SparseTensor, first: SparseTensor, second: SparseTensor) => void
  >("=out[r,c] input<r,n> first<n,l> second<l,c>"),
  /** out[r] = sum over the entries (r, i) of value_ri * rows[i], sparse rows; out [input.rows, rows.columns], input [.., rows.rows]. */
  sumSparseRows: kernel<(out: Tensor, input: SparseTensor, rows: SparseTensor) => void>(
    "=out[r,c] input<r,n> rows<n,c>",
  ),

  // Layer normalisation (Ba, Kiros and Hinton 2016), row by row.

  /** out[r] = weight * (a[r] - mean_r) / sqrt(variance_r + epsilon) + bias, the variance biased; statistics [rows, 2] become [mean, 1 / sqrt(variance + epsilon)]. weight, bias [1, columns]. */
  layerNorm: kernel<
    (out: Tensor, a: Tensor, weight: Tensor, bias: Tensor, statistics: Tensor, epsilon: number) => void
  >("=out[r,c] a[r,c] weight[1,c] bias[1,c] =statistics[r,2] epsilon", {
    check(_out, _a, _weight, _bias, _statistics, epsilon) {
      if (!(epsilon > 0)) fail("layerNorm", `epsilon ${epsilon} is not positive`);
    },
  }),
  /** out += the gradient with respect to a, from g = that of layerNorm's result. */
  layerNormGradient: kernel<(out: Tensor, a: Tensor, weight: Tensor, statistics: Tensor, g: Tensor) => void>(
    "+out[r,c] a[r,c] weight[1,c] statistics[r,2] g[r,c]",
  ),
  /** out[0, c] += sum over r of g[r, c] * (a[r, c] - mean_r) / sqrt(variance_r + epsilon) */
  layerNormWeightGradient: kernel<(out: Tensor, a: Tensor, statistics: Tensor, g: Tensor) => void>(
    "+out[1,c] a[r,c] statistics[r,2] g[r,c]",
  ),

  // The loss of ELSA (ops/linear-cosine.ts), from products of width k instead of a row of scores.

  /**
   * loss[r, 0] = ||y / |y| - x / |x|||^2 = 2 - 2 (a - s) / sqrt(q s) for y = x U U' - x, from z = x U, products = z U'U and
   * squares s = x.x, where a = z.z and |y|^2 = q = z.products - 2 a + s. slopes [rows, 2] become 2 dloss/da (with q(a)) and
   * 2 dloss/d(z.products). If q <= 1e-6 s, y counts as 0: the loss is 1 and the slopes are 0. Without entries, all are 0.
   */
  linearCosine: kernel<(loss: Tensor, slopes: Tensor, z: Tensor, products: Tensor, squares: Tensor) => void>(
    "=loss[r,1] =slopes[r,2] z[r,k] products[r,k] squares[r,1]",
    { tolerance: 2e-5 },
  ),
  /** zGradient += g_r (slopes_r0 z + slopes_r1 products); weighted = g_r slopes_r1 z; g [rows, 1] */
  linearCosineGradient: kernel<
    (zGradient: Tensor, weighted: Tensor, z: Tensor, products: Tensor, slopes: Tensor, g: Tensor) => void
  >("+zGradient[r,k] =weighted[r,k] z[r,k] products[r,k] slopes[r,2] g[r,1]"),

  // The Gaussian posterior. mean and logVariance [rows, l] may be views of one tensor.

  /** out = mean + exp(logVariance / 2) * noise; noise by Box-Muller from pairs of words of a block: radius sqrt(-2 ln u(w0)), angle 2 pi u(w1), element 0 = cos, 1 = sin, likewise w2, w3; u(w) = ((w >>> 9) + 0.5) * 2^-23. */
  gaussianSample: kernel<
    (out: Tensor, mean: Tensor, logVariance: Tensor, key: RandomKey, position?: Position) => void
  >("=out[r,l] mean[r,l] logVariance[r,l] key:{seed step stream} position?:{first? rowStride?}", {
    check(out, _mean, _logVariance, key, at) {
      checkRandomKey(key);
      position("gaussianSample", out, at);
    },
  }),
  /** meanGradient += g; logVarianceGradient += g * (sample - mean) / 2, where sample is the result of gaussianSample: mean + exp(logVariance / 2) * noise */
  gaussianSampleGradient: kernel<
    (meanGradient: Tensor, logVarianceGradient: Tensor, mean: Tensor, sample: Tensor, g: Tensor) => void
  >("+meanGradient[r,l] +logVarianceGradient[r,l] mean[r,l] sample[r,l] g[r,l]"),
  /** out[r, 0] = 1/2 sum over l of (exp(logVariance) + mean^2 - 1 - logVariance): KL(N(mean, exp(logVariance)) || N(0, I)) */
  gaussianKl: kernel<OfGaussian>("=out[r,1] mean[r,l] logVariance[r,l]"),
  /** meanGradient += g[r] * mean; logVarianceGradient += g[r] * (exp(logVariance) - 1) / 2; g [rows, 1] */
  gaussianKlGradient: kernel<
    (meanGradient: Tensor, logVarianceGradient: Tensor, mean: Tensor, logVariance: Tensor, g: Tensor) => void
  >("+meanGradient[r,l] +logVarianceGradient[r,l] mean[r,l] logVariance[r,l] g[r,1]"),
  /** out[r, 0] = sum over l of log N(z; mean, exp(logVariance)) - log sum over the three components of weight N(z): the one-sample KL. former* [rows, l] are the second component. */
  compositeKl: kernel<
    (
      out: Tensor,
      z: Tensor,
      mean: Tensor,
      logVariance: Tensor,
      formerMean: Tensor,
      formerLogVariance: Tensor,
      mixture: CompositeMixture,
    ) => void
  >(`=out[r,1] ${posterior} ${mixture}`, {
    check: (_out, _z, _mean, _logVariance, _formerMean, _formerLogVariance, weights) =>
      mixtureWeights("compositeKl", weights),
  }),
  /** Adds to the gradients with respect to z, mean and logVariance (not to the former ones); g [rows, 1] */
  compositeKlGradient: kernel<
    (
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
    ) => void
  >(`+zGradient[r,l] +meanGradient[r,l] +logVarianceGradient[r,l] ${posterior} ${mixture} g[r,1]`, {
    check: (...values) => mixtureWeights("compositeKlGradient", values[8]),
  }),

  // Log densities of Gaussians, without the constant -1/2 ln 2 pi per dimension. With powers [x^2 | x | 1] of points and factors of
  // Gaussians, powers factors^T [points, gaussians] has every log density at every point, without a three-dimensional array.

  /** out[r, 0] = -1/2 sum over l of (logVariance + (x - mean)^2 exp(-logVariance)) */
  gaussianLogDensity: kernel<(out: Tensor, x: Tensor, mean: Tensor, logVariance: Tensor) => void>(
    "=out[r,1] x[r,l] mean[r,l] logVariance[r,l]",
  ),
  /** With p = g[r] (x - mean) exp(-logVariance): xGradient -= p; meanGradient += p; logVarianceGradient += (p (x - mean) - g[r]) / 2; g [rows, 1] */
  gaussianLogDensityGradient: kernel<
    (
      xGradient: Tensor,
      meanGradient: Tensor,
      logVarianceGradient: Tensor,
      x: Tensor,
      mean: Tensor,
      logVariance: Tensor,
      g: Tensor,
    ) => void
  >("+xGradient[r,l] +meanGradient[r,l] +logVarianceGradient[r,l] x[r,l] mean[r,l] logVariance[r,l] g[r,1]"),
  /** out [rows, 2 l + 1] = [-w / 2 | mean w | -1/2 sum over l of (logVariance + mean^2 w)], w = exp(-logVariance) */
  densityFactors: kernel<OfGaussian>("=out[r,2*l+1] mean[r,l] logVariance[r,l]"),
  /** The gradient of densityFactors from g [rows, 2 l + 1], added to the outputs. */
  densityFactorsGradient: kernel<
    (meanGradient: Tensor, logVarianceGradient: Tensor, mean: Tensor, logVariance: Tensor, g: Tensor) => void
  >("+meanGradient[r,l] +logVarianceGradient[r,l] mean[r,l] logVariance[r,l] g[r,2*l+1]"),
  /** out [rows, 2 l + 1] = [x^2 | x | 1] */
  densityPowers: kernel<(out: Tensor, x: Tensor) => void>("=out[r,2*l+1] x[r,l]"),
  /** out += 2 x g_1 + g_2, g [rows, 2 l + 1] = [g_1 | g_2 | anything] */
  densityPowersGradient: kernel<(out: Tensor, x: Tensor, g: Tensor) => void>("+out[r,l] x[r,l] g[r,2*l+1]"),
  /** out[r, 0] = ln(mean over c of exp(a[r, c])), max-subtracted; a is overwritten by softmax(a[r]), which is its gradient. In float32, shares below 2^-40 are set to 0: a thousand of them are below the rounding error, and they would lead to slow subnormal numbers. */
  logMeanExp: kernel<Unary>("=out[r,1] ~a[r,c]", {
    check(_out, a) {
      if (a.columns === 0) fail("logMeanExp", `a is ${shape(a)}: it has no columns to average`);
    },
  }),

  // The output layer, over a selection of items (ops/output-loss.ts). The contents of the scratch between statistics and gradient are
  // private to the engine. If the scratch has fewer columns than there are items, the engine processes the items in blocks of that
  // size, and computes their products a second time for the gradient. Statistics [rows, 4] are, with l = hidden weights^T + bias
  // and sums over the items of the selection,
  //   multinomial: the largest l that counts; sum of counts_i exp(l_i - largest); sum of x_i (l_i - largest); n = sum of x_i
  //   Bernoulli:   0; the row's loss; 0; n
  // and (-Infinity, 0, 0, 0) without items; if no item counts, the targets' l_i are summed without subtracting the largest.

  /** statistics [rows, 4] of a selection of items. */
  outputStatistics: kernel<(statistics: Tensor, scratch: Tensor, output: SelectedOutput) => void>(
    `=statistics[r,4] =scratch[r,*] ${selectedOutput}`,
    { ...long, check: (_statistics, _scratch, output) => selection("outputStatistics", output) },
  ),
  /** Merges the statistics of two selections into `statistics`. Associative except for rounding: merge in a fixed order. */
  mergeOutputStatistics: kernel<(statistics: Tensor, other: Tensor, likelihood: Likelihood) => void>(
    `~statistics[r,4] other[r,4] ${likelihoods}`,
  ),
  /** out[0, e] = hidden_r weights_i + bias_i of entry e = (r, i) of the target; bias has the touched items only. */
  targetLogits: kernel<
    (out: Tensor, hidden: Tensor, weights: Tensor, bias: Tensor, target: SparseTensor) => void
  >("=out[1,e] hidden[r,w] weights[n,w] bias[1,t] target<r,n;t>", {
    ...long,
    check: (out, _hidden, _weights, _bias, target) => perEntry("targetLogits", out, target),
  }),
  /**
   * The targets of a sampled softmax. S is the sum of exp(l) over the drawn items, as in `statistics`, and l_i in `coefficients` the
   * logit of each target i of the row (`targetLogits`); hits have the touched items only. Sets the entries' coefficients, minus the
   * targets' part of the gradient, and the statistics so that `outputLoss` is the loss and `outputGradient` has the drawn items' part
   * of its gradient.
   * With `hits`, h_i of each item, its weight in S (0 if it was not drawn): with n = sum of x_i and Z = S + sum of (1 - h_i) exp(l_i),
   * which must contain each target once, the loss n ln Z - sum of x_i l_i; coefficients x_i - n (1 - h_i) exp(l_i) / Z.
   * Without: the loss sum of x_i ln((S + exp l_i) / exp l_i); with odds o_i = S / exp(l_i), coefficients x_i o_i / (1 + o_i), and n their
   * sum.
   */
  sampledTargets: kernel<
    (statistics: Tensor, coefficients: Tensor, target: SparseTensor, hits?: Tensor) => void
  >("~statistics[r,4] ~coefficients[1,e] target<r,n;t> hits?[1,t]", {
    ...long,
    check: (_statistics, coefficients, target) => perEntry("sampledTargets", coefficients, target),
  }),
  /** out[r] -= g_r sum over the row's entries of coefficient * weights of the item: the targets' part of the hidden layer's gradient. */
  addSampledTargets: kernel<
    (out: Tensor, weights: Tensor, target: SparseTensor, coefficients: Tensor, g: Tensor) => void
  >("+out[r,w] weights[n,w] target<r,n> coefficients[1,e] g[r,1]", {
    ...long,
    check: (_out, _weights, target, coefficients) => perEntry("addSampledTargets", coefficients, target),
  }),
  /** out[places[t]] = -(sum over the entries of touched item t of g_r * coefficient * hidden_r), biasGradient the same without hidden; their other rows are 0. */
  sampledTargetsToWeights: kernel<
    (
      out: Tensor,
      biasGradient: Tensor,
      hidden: Tensor,
      target: SparseTensor,
      coefficients: Tensor,
      g: Tensor,
      places: Uint32Array,
    ) => void
  >("=out[u,w] =biasGradient[1,u] hidden[r,w] target<r,n;t> coefficients[1,e] g[r,1] places{t/u}", {
    ...long,
    check: (_out, _biasGradient, _hidden, target, coefficients) =>
      perEntry("sampledTargetsToWeights", coefficients, target),
  }),
  /** loss[r, 0] = -log p(x_r) from merged statistics: n ln(sum) minus the targets' part, or Bernoulli's sum. */
  outputLoss: kernel<(loss: Tensor, statistics: Tensor, likelihood: Likelihood) => void>(
    `=loss[r,1] statistics[r,4] ${likelihoods}`,
    long,
  ),
  /**
   * The gradients of g_r loss_r [rows, 1], once per outputStatistics with the same scratch. With G [rows, items] =
   * g_r (n_r softmax - x), or g_r (sigmoid(l) - x): hiddenGradient = or += G weights, weightsGradient = or += G^T hidden,
   * biasGradient += the sum of G's rows. Absent gradients are not computed. `own`: the selection's statistics; `merged`: the
   * statistics that the loss was computed from (the same tensor if there is only one selection).
   */
  outputGradient: kernel<
    (
      scratch: Tensor,
      output: SelectedOutput,
      own: Tensor,
      merged: Tensor,
      g: Tensor,
      to: OutputGradients,
    ) => void
  >(
    `~scratch[r,*] ${selectedOutput} own[r,4] merged[r,4] g[r,1] to:{=hiddenGradient?[r,w] addToHidden? =weightsGradient?[n,w] addToWeights? +biasGradient?[1,n]}`,
    { ...long, check: (_scratch, output) => selection("outputGradient", output) },
  ),

  // The Bernoulli likelihood of dense targets.

  /** loss[r, 0] = sum over i of max(l, 0) - l x + log(1 + e^-|l|), l = logits[r, i]: -log p(x_r), no overflow. */
  denseBernoulliLoss: kernel<(loss: Tensor, logits: Tensor, target: Tensor) => void>(
    "=loss[r,1] logits[r,n] target[r,n]",
    long,
  ),
  /** out += g_r (sigmoid(logits) - target); g [rows, 1] */
  denseBernoulliLossGradient: kernel<(out: Tensor, logits: Tensor, target: Tensor, g: Tensor) => void>(
    "+out[r,n] logits[r,n] target[r,n] g[r,1]",
  ),

  // The focal cross-entropy of p = sigmoid(a) sigmoid(b) sigmoid(c) (ops/focal-loss.ts). The target's values do not count.

  /** loss[r, 0] = sum over the row's target of -alpha (1 - p)^gamma log p, and over all other columns of -(1 - alpha) p^gamma log(1 - p). A 1 - p below 1e-37 counts as 1e-37. */
  focalLoss: kernel<
    (loss: Tensor, a: Tensor, b: Tensor, c: Tensor, target: SparseTensor, focal: FocalLoss) => void
  >("=loss[r,1] a[r,n] b[r,n] c[r,n] target<r,n> focal:{alpha gamma}", {
    ...long,
    check: (_loss, _a, _b, _c, _target, focal) => focusing("focalLoss", focal),
  }),
  /** Adds g_r times the gradients of the loss with respect to a, b and c; g [rows, 1] */
  focalLossGradient: kernel<
    (
      aGradient: Tensor,
      bGradient: Tensor,
      cGradient: Tensor,
      a: Tensor,
      b: Tensor,
      c: Tensor,
      target: SparseTensor,
      focal: FocalLoss,
      g: Tensor,
    ) => void
  >(
    "+aGradient[r,n] +bGradient[r,n] +cGradient[r,n] a[r,n] b[r,n] c[r,n] target<r,n> focal:{alpha gamma} g[r,1]",
    { check: (...values) => focusing("focalLossGradient", values[7]) },
  ),

  // Optimisers.

  /** m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, value -= lr * mhat / (sqrt(vhat) + epsilon), over ALL elements: rows without a gradient are updated by their momentum (dense Adam). With `norm` the gradient is first divided by its norm. */
  adam: kernel<
    (
      value: Tensor,
      m: Tensor,
      v: Tensor,
      gradient: GradientTensor,
      step: AdamStep,
      norm?: GradientNorm,
    ) => void
  >(
    "~value[r,c] ~m[r,c] ~v[r,c] gradient:{tensor[t,c] touched?{t/r}} step:{learningRate beta1 beta2 epsilon update decay weightDecay?} norm?:{squares[1,1] epsilon}",
    { check: checkAdam },
  ),
  /** `adam` on the rows `touched` only, without an L2 term: value and moments of every other row are unchanged, whereas moments decay in dense Adam (lazy Adam, PyTorch's SparseAdam). */
  sparseAdam: kernel<
    (
      value: Tensor,
      m: Tensor,
      v: Tensor,
      gradient: Tensor,
      touched: Uint32Array,
      step: SparseAdamStep,
    ) => void
  >("~value[r,c] ~m[r,c] ~v[r,c] gradient[t,c] touched{t/r} step:{learningRate beta1 beta2 epsilon update}", {
    check: (_value, _m, _v, _gradient, _touched, { update }) => counted("sparseAdam", update),
  }),
  /** `NadamStep` on all rows, or on the rows `touched` only: value and moments of every other row are then unchanged, as in `sparseAdam`. */
  nadam: kernel<(value: Tensor, m: Tensor, v: Tensor, gradient: GradientRows, step: NadamStep) => void>(
    "~value[r,c] ~m[r,c] ~v[r,c] gradient:{tensor[t,c] touched?{t/r}} step:{gradientRate momentumRate beta1 beta2 epsilon update}",
    {
      check(value, _m, _v, { tensor, touched }, { update }) {
        if (!touched && tensor.rows !== value.rows)
          fail("nadam", `value is ${shape(value)} but gradient is ${shape(tensor)}`);
        counted("nadam", update);
      },
    },
  ),
  /** squares = rho squares + (1 - rho) g^2, d = sqrt((deltas + epsilon) / (squares + epsilon)) g, deltas = rho deltas + (1 - rho) d^2, value -= d. */
  adadelta: kernel<
    (value: Tensor, squares: Tensor, deltas: Tensor, gradient: Tensor, step: AdaDeltaStep) => void
  >("~value[r,c] ~squares[r,c] ~deltas[r,c] gradient[r,c] step:{rho epsilon decay}"),

  // Ranking.

  /**
   * Per row of scores [rows, items], the k best items that are not in the row of `without` and are allowed. NaN is treated and
   * returned as -Infinity. `allowed`: a set of items as bits (core/bits.ts), or one set for each row, one after the other.
   */
  topK: kernel<(scores: Tensor, k: number, without?: SparseTensor, allowed?: Uint32Array) => Promise<TopK>>(
    "scores[r,n] k without?<r,n> allowed?{m}",
    {
      ...exact,
      check({ rows, columns }, k, _without, allowed) {
        ranking("topK", k);
        bitSets("topK", allowed, rows, columns);
      },
      answer: topKOf,
    },
  ),
  /**
   * Symmetric int8 quantisation of the weights of every row: scale s = max |weight| / 127 and out = weight (1 / s), rounded to the
   * nearest integer, ties to even. statistics [rows, 3] are s, an upper bound of ||weight - s out|| that includes the rounding error
   * of a product with the row in float32, and an upper bound of ||s out||; both bounds are NaN, and out is undefined, if a weight is
   * not finite or s is too small for 1 / s.
   */
  quantise: kernel<(out: Tensor, statistics: Tensor, weights: Tensor) => void>(
    "=out[n,w]:int8 =statistics[n,3] weights[n,w]",
  ),
  /** The result of `topK` for the scores a weights^T + bias, a [rows, width], each row computed independently of the others; intended for a few rows. The quantised weights give a bound of every score, and only scores that may be among the best are computed. */
  bestProducts: kernel<
    (
      a: Tensor,
      layer: QuantisedLayer,
      k: number,
      without?: SparseTensor,
      allowed?: Uint32Array,
    ) => Promise<TopK>
  >("a[r,w] layer:{weights[n,w] quantised[n,w]:int8 statistics[n,3] bias[1,n]} k without?<r,n> allowed?{m}", {
    ...exact,
    check({ rows }, { weights }, k, _without, allowed) {
      ranking("bestProducts", k);
      bitSets("bestProducts", allowed, rows, weights.rows);
    },
    answer: topKOf,
  }),
  /**
   * Prepares weights and bias [1, n] for `bestInBlocks`. `items` [b, n] has every item in exactly one block. In the order of its
   * entries: the quantised weights, and in statistics [n, 4] the three numbers of `quantise` and the bias. Per block: its centre, the
   * mean of its rows, and in reach [b, 3] upper bounds of the distance of its rows from the centre and of their norm, which include
   * the rounding errors of products in float32, and its highest bias.
   */
  arrangeBlocks: kernel<
    (
      quantised: Tensor,
      statistics: Tensor,
      centres: Tensor,
      reach: Tensor,
      weights: Tensor,
      bias: Tensor,
      items: SparseTensor,
    ) => void
  >("=quantised[n,w]:int8 =statistics[n,4] =centres[b,w] =reach[b,3] weights[n,w] bias[1,n] items<b,n>", {
    check: (...[, , , , weights, , items]) => partition("arrangeBlocks", items, weights.rows),
  }),
  /**
   * The result of `bestProducts`. Blocks whose bounds show that they have none of the best items are not read. With `most` below the
   * number of blocks, only the items of that many blocks are ranked: those with the highest product of history and centre plus a
   * quarter of the norm of the history times the radius. With `allowed`, blocks without an item to choose from do not count, and
   * further blocks are ranked until they have k items to choose from.
   */
  bestInBlocks: kernel<
    (
      a: Tensor,
      layer: BlockedLayer,
      k: number,
      most: number,
      without?: SparseTensor,
      allowed?: Uint32Array,
    ) => Promise<TopK>
  >(
    "a[r,w] layer:{weights[n,w] bias[1,n] quantised[n,w]:int8 statistics[n,4] centres[b,w] reach[b,3] items<b,n>} k most without?<r,n> allowed?{m}",
    {
      ...exact,
      check({ rows }, { items, weights }, k, most, _without, allowed) {
        ranking("bestInBlocks", k);
        bitSets("bestInBlocks", allowed, rows, weights.rows);
        positive("bestInBlocks", "most", most);
        partition("bestInBlocks", items, weights.rows);
      },
      answer: topKOf,
    },
  ),
});

/** The kernels of solvers: the inner loops of models that are not trained by gradients (solvers/solvers.ts). */
export const solverKernels = table({
  /** Solves the rows of factors [rows, k] for `interactions` [rows, columns]. `factors` must not overlap what `sweep` reads. */
  alsHalfSweep: kernel<(factors: Tensor, interactions: SparseTensor, sweep: AlsHalfSweep) => void>(
    "~factors[n,k] interactions<n,m> sweep:{fixed[m,k] gram[k,k] gramWeight outer:{constant slope} target:{constant slope} ridge|*| prior?[n,k] rows?{s/n} steps? ~objective?[n,1] covariances?[m,tri(k)] ~posterior?[n,tri(k)]}",
    { check: checkAls },
  ),
  /** Improves non-negative factors [rows, k] in place. They must not overlap what `iterations` reads. */
  nonNegativeIterations: kernel<(factors: Tensor, iterations: NonNegativeIterations) => void>(
    "~factors[n,k] iterations:{gram[k,k] products[n,k] l1 l2 iterations tolerance =violation?[n,1]}",
    {
      check(_factors, { l1, l2, iterations, tolerance }) {
        atLeastZero("nonNegativeIterations", { l1, l2, tolerance });
        positive("nonNegativeIterations", "iterations", iterations);
      },
    },
  ),
  /** out [columns, columns] = x' diag(weights) x, symmetric; weights [1, rows], absent = all ones. */
  gram: kernel<(out: Tensor, x: SparseTensor, weights?: Tensor) => void>(
    "=out[c,c] x<r,c> weights?[1,r]",
    long,
  ),
  /** For each column of the Gram matrix x'x: the sum of its squares, and the number of other columns that x has in common rows with it. */
  gramShape: kernel<(x: SparseTensor) => Promise<{ squares: Float32Array; others: Uint32Array }>>("x<r,c>", {
    answer: ({ integers: [others], floats }) => ({ squares: floats, others }),
  }),
  /** The factors of x'x + shift I, or the first column without a positive pivot. Without `exact`, columns are truncated as they are computed. */
  sparseCholesky: kernel<
    (x: SparseTensor, factorisation: SparseFactorisation) => Promise<SparseFactor | { failed: number }>
  >("x<r,c> factorisation:{shift entries tail exact?}", {
    answer: ({ numbers: [failed], integers: [offsets, indices], floats }, { columns }) =>
      failed >= 0
        ? { failed }
        : {
            lower: {
              ...{ rows: columns, columns, offsets, indices },
              values: floats.subarray(0, floats.length - columns),
            },
            pivots: floats.subarray(floats.length - columns),
          },
    check(x, { shift, entries, tail }) {
      atLeastZero("sparseCholesky", { shift });
      range("sparseCholesky", 0, tail, x.columns);
      if (!(Number.isInteger(entries) && entries >= 0 && entries < 2 ** 32))
        fail("sparseCholesky", `${entries} is not a valid number of entries`);
    },
  }),
  /** A sparse inverse, in general an approximate one, of a unit lower triangle; both are given by their columns below the diagonal, as rows: [n, n]. */
  triangularInverse: kernel<(l: SparseTensor, inversion: TriangularInversion) => Promise<CsrMatrix>>(
    "l<n,n> inversion:{entries scans rounds exact?}",
    {
      answer: (answer, { columns }) => rowsOf(answer, columns),
      check(_l, { entries, scans, rounds }) {
        for (const [name, number] of Object.entries({ entries, scans, rounds }))
          if (!(Number.isInteger(number) && number >= 0 && number < 2 ** 32))
            fail("triangularInverse", `${name} ${number} is not a valid number`);
      },
    },
  ),
  /** out [a.rows, b.rows] = a b', with a.columns = b.columns. */
  sparseProduct: kernel<(out: Tensor, a: SparseTensor, b: SparseTensor) => void>(
    "=out[m,n] a<m,i> b<n,i>",
    long,
  ),
  /**
   * Inverts the pivots first .. first + count of a symmetric positive definite a [n, n], of which only the lower triangle
   * is used (the upper one is undefined afterwards). Once all pivots are inverted it holds -a^-1 (`invertAllPivots` in solvers/inverse.ts).
   * Returns the first pivot that is not positive (a is then invalid), or -1.
   */
  invertPivots: kernel<(a: Tensor, first: number, count: number) => Promise<number>>("~a[n,n] first count", {
    ...long,
    answer: ({ numbers }) => numbers[0],
    check(a, first, count) {
      if (!(Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 1))
        fail("invertPivots", `${first} .. ${first} + ${count} are not pivots`);
      if (first + count > a.rows)
        fail("invertPivots", `pivots up to ${first + count} of a matrix with ${a.rows} rows`);
    },
  }),
  /** a[i, j] = rows[i] columns[j] a[max(i, j), min(i, j)], in place: expands the lower triangle of a symmetric matrix, scaled. rows, columns [1, n]. */
  expandLower: kernel<(a: Tensor, rows: Tensor, columns: Tensor) => void>("~a[n,n] rows[1,n] columns[1,n]"),
  /**
   * Replaces a[r, c] = x_r . y_c by K(x_r, y_c), the network's neural tangent kernel; rows [1, a.rows] = x_r . x_r, columns
   * [1, a.columns] = y_c . y_c. With K = S before the first layer, every layer computes, with the angle t = arccos(S(x, y) / sqrt(S(x, x) S(y, y))),
   * S <- sqrt(S(x, x) S(y, y)) (sin t + (pi - t) cos t) / pi + bias, K <- S + K (pi - t) / pi.
   */
  tangentKernel: kernel<(a: Tensor, rows: Tensor, columns: Tensor, network: TangentNetwork) => void>(
    "~a[m,n] rows[1,m] columns[1,n] network:{scale bias depth}",
    {
      tolerance: 2e-5,
      check(_a, _rows, _columns, { depth }) {
        if (!(Number.isInteger(depth) && depth >= 0))
          fail("tangentKernel", `depth ${depth} is not a valid number of layers`);
      },
    },
  ),
  /** For each of the columns [from, to) of x, the k other columns with the largest positive similarity (ties: the lower index): one row each, [to - from, columns], columns ascending. */
  neighbours: kernel<
    (x: SparseTensor, similarity: Similarity, from: number, to: number) => Promise<CsrMatrix>
  >("x<r,c> similarity:{size=(product|union) left|c| right|c| shrink k} from to", {
    answer: (answer, { columns }) => rowsOf(answer, columns),
    check(x, { shrink, k }, from, to) {
      range("neighbours", from, to, x.columns);
      atLeastZero("neighbours", { shrink });
      positive("neighbours", "k", k);
    },
  }),
  /** The elastic nets of the columns [from, to) of a non-negative X, from its Gram matrix: one row of weights each, [to - from, columns]; `unfinished` of them have not reached the tolerance. */
  elasticNet: kernel<
    (
      gram: Tensor,
      net: ElasticNet,
      from: number,
      to: number,
    ) => Promise<{ weights: CsrMatrix; unfinished: number }>
  >("gram[n,n] net:{l1 l2 tolerance maxIterations k} from to", {
    answer: (answer, { columns }) => ({ weights: rowsOf(answer, columns), unfinished: answer.numbers[0] }),
    check(gram, { l1, l2, tolerance, maxIterations, k }, from, to) {
      range("elasticNet", from, to, gram.columns);
      atLeastZero("elasticNet", { l1, l2, tolerance });
      positive("elasticNet", "maxIterations", maxIterations);
      positive("elasticNet", "k", k);
    },
  }),
});

export type KernelMethods = Methods<typeof kernels>;
export type SolverMethods = Methods<typeof solverKernels>;

/** The kernels of solvers, and the block size for `invertPivots`. */
export interface Solvers extends SolverMethods {
  /** Number of pivots per call of `invertPivots`: large enough to keep the threads busy, small enough for a quick abort. */
  readonly pivots: number;
}

function checkMatmul(out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions = {}): void {
  const [m, inner] = options.transposeA ? [a.columns, a.rows] : [a.rows, a.columns];
  const [inner2, n] = options.transposeB ? [b.columns, b.rows] : [b.rows, b.columns];
  if (inner === inner2 && out.rows === m && out.columns === n) return;
  const product = `${shape(a)}${options.transposeA ? "^T" : ""} ${shape(b)}${options.transposeB ? "^T" : ""}`;
  if (inner !== inner2) fail("matmul", `the inner sizes of ${product} differ`);
  fail("matmul", `out is ${shape(out)}, but ${product} is [${m}, ${n}]`);
}

function checkAdam(
  value: Tensor,
  _m: Tensor,
  _v: Tensor,
  gradient: GradientTensor,
  { update }: AdamStep,
): void {
  if (gradient.kind === "dense" && gradient.tensor.rows !== value.rows)
    fail("adam", `value is ${shape(value)} but gradient is ${shape(gradient.tensor)}`);
  counted("adam", update);
}

function counted(kernel: string, update: number): void {
  if (!(Number.isInteger(update) && update >= 1)) fail(kernel, `update ${update} is not a positive integer`);
}

function checkAls(factors: Tensor, _interactions: SparseTensor, sweep: AlsHalfSweep): void {
  const name = "alsHalfSweep";
  const { gramWeight, outer, target, ridge, steps, covariances, posterior } = sweep;
  if (steps !== undefined && (covariances || posterior))
    fail(name, "covariances need exact solutions and cannot be combined with steps");
  if (typeof ridge !== "number" && ridge.length !== factors.rows)
    fail(name, `${ridge.length} ridges for ${factors.rows} rows`);
  if (!(typeof ridge === "number" ? ridge >= 0 : ridge.every((one) => one >= 0)))
    fail(name, "a ridge is negative or not a number");
  if (![gramWeight, outer.constant, outer.slope, target.constant, target.slope].every(Number.isFinite))
    fail(name, "a weight is not a number");
  if (steps !== undefined) positive(name, "steps", steps);
}
