// The native engine: Rust kernels (native/) on threads of their own, float32. A call checks its shapes here, is queued
// there, and returns within microseconds; only questions (`read`, `topK`, `finished`) wait, off the event loop. The
// addon is found at run time: built from source in native/, or in the platform's package that npm installs beside ours.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type {
  AdaDeltaStep,
  AdamStep,
  CoarseLayer,
  CompositeMixture,
  Dropout,
  Engine,
  GradientNorm,
  GradientTensor,
  MatmulOptions,
  RandomKey,
  SparseRowSumOptions,
  TopK,
} from "../engine.js";
import { closedError, foreignError, releasedError, shapes } from "../shapes.js";
import type { ElasticNet, EntryWeight, Solvers, TangentNetwork } from "../solvers/solvers.js";
import { type Precision, type SparseTensor, type Storage, type Tensor, viewElements } from "../tensor.js";

/** The number of native/src/lib.rs's `CONTRACT` that this file speaks. */
const CONTRACT = 13;
const MOST_THREADS = 1024;
/** Numbers that are copied at a time on their way into the engine. */
const WRITTEN_AT_ONCE = 1 << 16;
/** What stands for a block or batch that was released. */
const RELEASED = -1;

/** A tensor of this engine, as the addon reads it. */
type View = Tensor & { readonly storage: Block };

/** The class that the addon exports (native/src/lib.rs); batches and blocks are numbers. */
interface Kernels {
  allocate(length: number): number;
  release(block: number): void;
  memory(): number;
  write(out: View, data: Float32Array): void;
  sparse(
    rows: number,
    columns: number,
    offsets: Uint32Array,
    indices: Uint32Array,
    values: Float32Array | undefined,
  ): number;
  touched(batch: number): Uint32Array;
  releaseSparse(batch: number): void;
  read(tensor: View): Promise<Float32Array>;
  topK(scores: View, k: number, without: number | undefined): Promise<TopK>;
  coarse(out: View, weights: View): void;
  bestProducts(
    a: View,
    weights: View,
    coarse: View,
    bias: View,
    k: number,
    without: number | undefined,
  ): Promise<TopK>;
  finished(): Promise<void>;
  close(): Promise<void>;
  fail(message: string): void;
  fill(out: View, value: number): void;
  copy(out: View, a: View): void;
  addScaled(out: View, a: View, factor: number): void;
  addRow(out: View, row: View): void;
  sumRows(out: View, a: View): void;
  sum(out: View, a: View, factor: number): void;
  sumOfSquares(out: View, a: View, factor: number): void;
  tanh(out: View, a: View): void;
  tanhGradient(out: View, y: View, g: View, accumulate: boolean): void;
  relu(out: View, a: View): void;
  reluGradient(out: View, y: View, g: View): void;
  sigmoid(out: View, a: View): void;
  sigmoidGradient(out: View, y: View, g: View): void;
  swish(out: View, a: View): void;
  swishGradient(out: View, a: View, g: View): void;
  addProduct(out: View, a: View, b: View): void;
  dropout(out: View, a: View, dropout: Dropout): void;
  takeRows(out: View, a: View, rows: Uint32Array): void;
  takeColumns(out: View, a: View, columns: Uint32Array): void;
  gate(out: View, a: View, b: View): void;
  gateGradient(aGradient: View, bGradient: View, a: View, b: View, g: View): void;
  clamp(out: View, a: View, low: number, high: number): void;
  clampGradient(out: View, a: View, g: View, low: number, high: number): void;
  dropClamped(out: View, a: View, dropout: Dropout): void;
  dropClampedGradient(out: View, a: View, y: View, g: View, rate: number, accumulate: boolean): void;
  unitRows(out: View, a: View): void;
  unitRowsGradient(out: View, a: View, g: View): void;
  addRows(out: View, a: View, rows: Uint32Array): void;
  scaleRows(out: View, a: View, factor: View): void;
  matmul(out: View, a: View, b: View, options: MatmulOptions): void;
  sparseRowSum(out: View, input: number, weights: View, options: SparseRowSumOptions): void;
  sparseRowSumGradient(out: View, input: number, g: View, options: SparseRowSumOptions): void;
  sumSparseRows(out: View, input: number, rows: number): void;
  layerNorm(out: View, a: View, weight: View, bias: View, statistics: View, epsilon: number): void;
  layerNormGradient(out: View, a: View, weight: View, statistics: View, g: View): void;
  layerNormWeightGradient(out: View, a: View, statistics: View, g: View): void;
  gaussianSample(out: View, mean: View, logVariance: View, key: RandomKey): void;
  gaussianSampleGradient(
    meanGradient: View,
    logVarianceGradient: View,
    mean: View,
    sample: View,
    g: View,
  ): void;
  gaussianKl(out: View, mean: View, logVariance: View): void;
  gaussianKlGradient(
    meanGradient: View,
    logVarianceGradient: View,
    mean: View,
    logVariance: View,
    g: View,
  ): void;
  compositeKl(
    out: View,
    z: View,
    mean: View,
    logVariance: View,
    formerMean: View,
    formerLogVariance: View,
    mixture: CompositeMixture,
  ): void;
  compositeKlGradient(
    zGradient: View,
    meanGradient: View,
    logVarianceGradient: View,
    z: View,
    mean: View,
    logVariance: View,
    formerMean: View,
    formerLogVariance: View,
    mixture: CompositeMixture,
    g: View,
  ): void;
  gaussianLogDensity(out: View, x: View, mean: View, logVariance: View): void;
  gaussianLogDensityGradient(
    xGradient: View,
    meanGradient: View,
    logVarianceGradient: View,
    x: View,
    mean: View,
    logVariance: View,
    g: View,
  ): void;
  densityFactors(out: View, mean: View, logVariance: View): void;
  densityFactorsGradient(
    meanGradient: View,
    logVarianceGradient: View,
    mean: View,
    logVariance: View,
    g: View,
  ): void;
  densityPowers(out: View, x: View): void;
  densityPowersGradient(out: View, x: View, g: View): void;
  logMeanExp(out: View, a: View): void;
  multinomialLoss(loss: View, logits: View, bias: View, target: number, statistics: View): void;
  multinomialLossGradient(logits: View, target: number, statistics: View, g: View): void;
  bernoulliLoss(loss: View, logits: View, bias: View, target: number): void;
  bernoulliLossGradient(logits: View, target: number, g: View): void;
  adam(
    value: View,
    m: View,
    v: View,
    gradient: View,
    touched: Uint32Array | undefined,
    step: AdamStep,
    squares: View | undefined,
    normEpsilon: number,
  ): void;
  adadelta(
    value: View,
    squares: View,
    deltas: View,
    gradient: View,
    rho: number,
    epsilon: number,
    decay: number,
  ): void;
  alsHalfSweep(
    factors: View,
    interactions: number,
    sweep: {
      fixed: View;
      gram: View;
      gramWeight: number;
      outer: EntryWeight;
      target: EntryWeight;
      prior: View | undefined;
      steps: number | undefined;
      objective: View | undefined;
      covariances: View | undefined;
      posterior: View | undefined;
    },
    ridge: Float32Array,
    rows: Uint32Array | undefined,
  ): void;
  nonNegativeSweeps(
    factors: View,
    sweeps: {
      gram: View;
      products: View;
      l1: number;
      l2: number;
      sweeps: number;
      tolerance: number;
      violation: View | undefined;
    },
  ): void;
  gram(out: View, x: number, weights: View | undefined): void;
  sparseProduct(out: View, a: number, b: number): void;
  sweep(a: View, first: number, count: number): Promise<number>;
  expandLower(a: View, rows: View, columns: View): void;
  tangentKernel(a: View, rows: View, columns: View, network: TangentNetwork): void;
  neighbours(
    x: number,
    left: Float32Array,
    right: Float32Array,
    similarity: { union: boolean; shrink: number; k: number },
    from: number,
    to: number,
  ): Promise<SparseRows>;
  elasticNet(gram: View, net: ElasticNet, from: number, to: number): Promise<SparseRows>;
}

/** Rows of a sparse matrix, `unfinished` of which are not within their solver's tolerance. */
interface SparseRows {
  readonly offsets: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
  readonly unfinished: number;
}

interface Addon {
  readonly CONTRACT: number;
  readonly NativeEngine: new (threads: number) => Kernels;
  instructionSet(): string;
}

class Block implements Storage {
  readonly length: number;
  /** The engine whose memory this is. */
  readonly owner: NativeEngine;
  block: number;
  constructor(owner: NativeEngine, length: number, block: number) {
    this.owner = owner;
    this.length = length;
    this.block = block;
  }
}

class Batch implements SparseTensor {
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  readonly owner: NativeEngine;
  number: number;
  readonly #touchedOf: (batch: Batch) => Uint32Array;
  #touched: Uint32Array | undefined;

  constructor(
    owner: NativeEngine,
    matrix: CsrMatrix,
    number: number,
    touchedOf: (batch: Batch) => Uint32Array,
  ) {
    this.owner = owner;
    this.rows = matrix.rows;
    this.columns = matrix.columns;
    this.entries = matrix.indices.length;
    this.number = number;
    this.#touchedOf = touchedOf;
  }

  /** Asked for by gradients only: a batch that is scored or masked does without. */
  get touched(): Uint32Array {
    this.#touched ??= this.#touchedOf(this);
    return this.#touched;
  }
}

/** Made by `loadNativeEngine`. */
export class NativeEngine implements Engine {
  readonly name = "native";
  readonly precision = "float32";
  readonly threads: number;
  readonly description: string;
  readonly #kernels: Kernels;
  #closed: Promise<void> | undefined;

  constructor(addon: Addon, threads: number) {
    this.#kernels = new addon.NativeEngine(threads);
    this.threads = threads;
    this.description = `Rust kernels, float32, ${addon.instructionSet()}, ${threads} thread${threads === 1 ? "" : "s"}`;
  }

  // Memory.

  empty(rows: number, columns: number): Tensor {
    shapes.dense("empty", rows, columns);
    return this.#allocate(rows, columns);
  }

  zeros(rows: number, columns: number): Tensor {
    shapes.dense("zeros", rows, columns);
    const tensor = this.#allocate(rows, columns);
    this.#kernels.fill(tensor, 0);
    return tensor;
  }

  tensor(rows: number, columns: number, data: ArrayLike<number>): Tensor {
    shapes.dense("tensor", rows, columns);
    shapes.data("tensor", { rows, columns }, data);
    const tensor = this.#allocate(rows, columns);
    this.#write(tensor, data);
    return tensor;
  }

  write(out: Tensor, data: ArrayLike<number>): void {
    shapes.data("write", out, data);
    this.#write(this.#open("write", out), data);
  }

  /** In pieces, whose copies reuse each other's memory: four times as fast as one large copy. */
  #write(out: View, data: ArrayLike<number>): void {
    const values = float32(data);
    if (values.length <= WRITTEN_AT_ONCE || out.rowStride !== out.columns) {
      this.#kernels.write(out, values);
      return;
    }
    for (let from = 0; from < values.length; from += WRITTEN_AT_ONCE) {
      const to = Math.min(from + WRITTEN_AT_ONCE, values.length);
      this.#kernels.write(viewElements(out, from, to) as View, values.subarray(from, to));
    }
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    return await this.#kernels.read(this.#open("read", tensor));
  }

  release(tensor: Tensor): void {
    const { storage } = this.#open("release", tensor);
    shapes.release(tensor);
    this.#kernels.release(storage.block);
    storage.block = RELEASED;
  }

  sparse(matrix: CsrMatrix): SparseTensor {
    if (this.#closed) throw closedError();
    shapes.sparse(matrix);
    const { rows, columns, offsets, indices, values } = matrix;
    const number = this.#kernels.sparse(rows, columns, offsets, indices, values);
    return new Batch(this, matrix, number, (batch) =>
      this.#kernels.touched(this.#openSparse("touched", batch)),
    );
  }

  releaseSparse(tensor: SparseTensor): void {
    this.#kernels.releaseSparse(this.#openSparse("releaseSparse", tensor));
    (tensor as Batch).number = RELEASED;
  }

  async finished(): Promise<void> {
    if (this.#closed) throw closedError();
    await this.#kernels.finished();
  }

  memory(): number {
    return this.#closed ? 0 : this.#kernels.memory();
  }

  close(): Promise<void> {
    this.#closed ??= this.#kernels.close();
    return this.#closed;
  }

  /** Queues a kernel that fails: for the tests of what a failure does. */
  fail(message: string): void {
    this.#kernels.fail(message);
  }

  #allocate(rows: number, columns: number): View {
    if (this.#closed) throw closedError();
    const length = rows * columns;
    const storage = new Block(this, length, this.#kernels.allocate(length));
    return { storage, offset: 0, rows, columns, rowStride: columns };
  }

  #open(kernel: string, tensor: Tensor): View {
    const { storage } = tensor;
    if (this.#closed) throw closedError();
    if (!(storage instanceof Block) || storage.owner !== this) throw foreignError();
    if (storage.block === RELEASED) throw releasedError(kernel);
    return tensor as View;
  }

  #openSparse(kernel: string, tensor: SparseTensor): number {
    if (this.#closed) throw closedError();
    if (!(tensor instanceof Batch) || tensor.owner !== this) throw foreignError();
    if (tensor.number === RELEASED) throw releasedError(kernel);
    return tensor.number;
  }

  // Element-wise and reductions.

  fill(out: Tensor, value: number): void {
    this.#kernels.fill(this.#open("fill", out), value);
  }

  copy(out: Tensor, a: Tensor): void {
    shapes.same("copy", { out, a });
    this.#kernels.copy(this.#open("copy", out), this.#open("copy", a));
  }

  addScaled(out: Tensor, a: Tensor, factor: number): void {
    shapes.same("addScaled", { out, a });
    this.#kernels.addScaled(this.#open("addScaled", out), this.#open("addScaled", a), factor);
  }

  addRow(out: Tensor, row: Tensor): void {
    shapes.addRow(out, row);
    this.#kernels.addRow(this.#open("addRow", out), this.#open("addRow", row));
  }

  sumRows(out: Tensor, a: Tensor): void {
    shapes.sumRows(out, a);
    this.#kernels.sumRows(this.#open("sumRows", out), this.#open("sumRows", a));
  }

  sum(out: Tensor, a: Tensor, factor: number): void {
    shapes.scalar("sum", out);
    this.#kernels.sum(this.#open("sum", out), this.#open("sum", a), factor);
  }

  sumOfSquares(out: Tensor, a: Tensor, factor: number): void {
    shapes.scalar("sumOfSquares", out);
    this.#kernels.sumOfSquares(this.#open("sumOfSquares", out), this.#open("sumOfSquares", a), factor);
  }

  tanh(out: Tensor, a: Tensor): void {
    shapes.same("tanh", { out, a });
    this.#kernels.tanh(this.#open("tanh", out), this.#open("tanh", a));
  }

  tanhGradient(out: Tensor, y: Tensor, g: Tensor, accumulate: boolean): void {
    shapes.same("tanhGradient", { out, y, g });
    const kernel = "tanhGradient";
    this.#kernels.tanhGradient(
      this.#open(kernel, out),
      this.#open(kernel, y),
      this.#open(kernel, g),
      accumulate,
    );
  }

  relu(out: Tensor, a: Tensor): void {
    shapes.same("relu", { out, a });
    this.#kernels.relu(this.#open("relu", out), this.#open("relu", a));
  }

  reluGradient(out: Tensor, y: Tensor, g: Tensor): void {
    shapes.same("reluGradient", { out, y, g });
    const kernel = "reluGradient";
    this.#kernels.reluGradient(this.#open(kernel, out), this.#open(kernel, y), this.#open(kernel, g));
  }

  sigmoid(out: Tensor, a: Tensor): void {
    shapes.same("sigmoid", { out, a });
    this.#kernels.sigmoid(this.#open("sigmoid", out), this.#open("sigmoid", a));
  }

  sigmoidGradient(out: Tensor, y: Tensor, g: Tensor): void {
    shapes.same("sigmoidGradient", { out, y, g });
    const kernel = "sigmoidGradient";
    this.#kernels.sigmoidGradient(this.#open(kernel, out), this.#open(kernel, y), this.#open(kernel, g));
  }

  swish(out: Tensor, a: Tensor): void {
    shapes.same("swish", { out, a });
    this.#kernels.swish(this.#open("swish", out), this.#open("swish", a));
  }

  swishGradient(out: Tensor, a: Tensor, g: Tensor): void {
    shapes.same("swishGradient", { out, a, g });
    const kernel = "swishGradient";
    this.#kernels.swishGradient(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, g));
  }

  addProduct(out: Tensor, a: Tensor, b: Tensor): void {
    shapes.same("addProduct", { out, a, b });
    const kernel = "addProduct";
    this.#kernels.addProduct(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, b));
  }

  dropout(out: Tensor, a: Tensor, dropout: Dropout): void {
    shapes.dropout(out, a, dropout);
    this.#kernels.dropout(this.#open("dropout", out), this.#open("dropout", a), dropout);
  }

  takeRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    shapes.takeRows(out, a, rows);
    this.#kernels.takeRows(this.#open("takeRows", out), this.#open("takeRows", a), rows);
  }

  takeColumns(out: Tensor, a: Tensor, columns: Uint32Array): void {
    shapes.takeColumns(out, a, columns);
    this.#kernels.takeColumns(this.#open("takeColumns", out), this.#open("takeColumns", a), columns);
  }

  gate(out: Tensor, a: Tensor, b: Tensor): void {
    shapes.same("gate", { out, a, b });
    const kernel = "gate";
    this.#kernels.gate(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, b));
  }

  gateGradient(aGradient: Tensor, bGradient: Tensor, a: Tensor, b: Tensor, g: Tensor): void {
    shapes.same("gateGradient", { g, a, b, aGradient, bGradient });
    const kernel = "gateGradient";
    this.#kernels.gateGradient(
      this.#open(kernel, aGradient),
      this.#open(kernel, bGradient),
      this.#open(kernel, a),
      this.#open(kernel, b),
      this.#open(kernel, g),
    );
  }

  clamp(out: Tensor, a: Tensor, low: number, high: number): void {
    shapes.same("clamp", { out, a });
    shapes.clamp("clamp", low, high);
    const kernel = "clamp";
    this.#kernels.clamp(this.#open(kernel, out), this.#open(kernel, a), low, high);
  }

  clampGradient(out: Tensor, a: Tensor, g: Tensor, low: number, high: number): void {
    shapes.same("clampGradient", { out, a, g });
    shapes.clamp("clampGradient", low, high);
    const kernel = "clampGradient";
    this.#kernels.clampGradient(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, g),
      low,
      high,
    );
  }

  dropClamped(out: Tensor, a: Tensor, dropout: Dropout): void {
    const kernel = "dropClamped";
    shapes.same(kernel, { out, a });
    shapes.rate(kernel, dropout.rate);
    this.#kernels.dropClamped(this.#open(kernel, out), this.#open(kernel, a), dropout);
  }

  dropClampedGradient(
    out: Tensor,
    a: Tensor,
    y: Tensor,
    g: Tensor,
    { rate, accumulate }: { rate: number; accumulate: boolean },
  ): void {
    const kernel = "dropClampedGradient";
    shapes.same(kernel, { out, a, y, g });
    shapes.rate(kernel, rate);
    this.#kernels.dropClampedGradient(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, y),
      this.#open(kernel, g),
      rate,
      accumulate,
    );
  }

  unitRows(out: Tensor, a: Tensor): void {
    shapes.same("unitRows", { out, a });
    this.#kernels.unitRows(this.#open("unitRows", out), this.#open("unitRows", a));
  }

  unitRowsGradient(out: Tensor, a: Tensor, g: Tensor): void {
    const kernel = "unitRowsGradient";
    shapes.same(kernel, { out, a, g });
    this.#kernels.unitRowsGradient(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, g));
  }

  addRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    shapes.addRows(out, a, rows);
    const kernel = "addRows";
    this.#kernels.addRows(this.#open(kernel, out), this.#open(kernel, a), rows);
  }

  scaleRows(out: Tensor, a: Tensor, factor: Tensor): void {
    shapes.scaleRows(out, a, factor);
    const kernel = "scaleRows";
    this.#kernels.scaleRows(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, factor));
  }

  // Products.

  matmul(out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions = {}): void {
    shapes.matmul(out, a, b, options);
    const kernel = "matmul";
    this.#kernels.matmul(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, b), options);
  }

  sparseRowSum(out: Tensor, input: SparseTensor, weights: Tensor, options: SparseRowSumOptions): void {
    shapes.sparseRowSum(out, input, weights, options);
    const kernel = "sparseRowSum";
    this.#kernels.sparseRowSum(
      this.#open(kernel, out),
      this.#openSparse(kernel, input),
      this.#open(kernel, weights),
      options,
    );
  }

  sparseRowSumGradient(out: Tensor, input: SparseTensor, g: Tensor, options: SparseRowSumOptions): void {
    shapes.sparseRowSumGradient(out, input, g, options);
    const kernel = "sparseRowSumGradient";
    this.#kernels.sparseRowSumGradient(
      this.#open(kernel, out),
      this.#openSparse(kernel, input),
      this.#open(kernel, g),
      options,
    );
  }

  sumSparseRows(out: Tensor, input: SparseTensor, rows: SparseTensor): void {
    shapes.sumSparseRows(out, input, rows);
    const kernel = "sumSparseRows";
    this.#kernels.sumSparseRows(
      this.#open(kernel, out),
      this.#openSparse(kernel, input),
      this.#openSparse(kernel, rows),
    );
  }

  // Layer normalisation.

  layerNorm(out: Tensor, a: Tensor, weight: Tensor, bias: Tensor, statistics: Tensor, epsilon: number): void {
    shapes.layerNorm(out, a, weight, bias, statistics, epsilon);
    const kernel = "layerNorm";
    this.#kernels.layerNorm(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, weight),
      this.#open(kernel, bias),
      this.#open(kernel, statistics),
      epsilon,
    );
  }

  layerNormGradient(out: Tensor, a: Tensor, weight: Tensor, statistics: Tensor, g: Tensor): void {
    shapes.layerNormGradient(out, a, weight, statistics, g);
    const kernel = "layerNormGradient";
    this.#kernels.layerNormGradient(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, weight),
      this.#open(kernel, statistics),
      this.#open(kernel, g),
    );
  }

  layerNormWeightGradient(out: Tensor, a: Tensor, statistics: Tensor, g: Tensor): void {
    shapes.layerNormWeightGradient(out, a, statistics, g);
    const kernel = "layerNormWeightGradient";
    this.#kernels.layerNormWeightGradient(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, statistics),
      this.#open(kernel, g),
    );
  }

  // The Gaussian posterior.

  gaussianSample(out: Tensor, mean: Tensor, logVariance: Tensor, key: RandomKey): void {
    shapes.gaussianSample(out, mean, logVariance, key);
    const kernel = "gaussianSample";
    this.#kernels.gaussianSample(
      this.#open(kernel, out),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      key,
    );
  }

  gaussianSampleGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    sample: Tensor,
    g: Tensor,
  ): void {
    shapes.gaussianSampleGradient(meanGradient, logVarianceGradient, mean, sample, g);
    const kernel = "gaussianSampleGradient";
    this.#kernels.gaussianSampleGradient(
      this.#open(kernel, meanGradient),
      this.#open(kernel, logVarianceGradient),
      this.#open(kernel, mean),
      this.#open(kernel, sample),
      this.#open(kernel, g),
    );
  }

  gaussianKl(out: Tensor, mean: Tensor, logVariance: Tensor): void {
    shapes.gaussianKl(out, mean, logVariance);
    const kernel = "gaussianKl";
    this.#kernels.gaussianKl(
      this.#open(kernel, out),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
    );
  }

  gaussianKlGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    shapes.gaussianKlGradient(meanGradient, logVarianceGradient, mean, logVariance, g);
    const kernel = "gaussianKlGradient";
    this.#kernels.gaussianKlGradient(
      this.#open(kernel, meanGradient),
      this.#open(kernel, logVarianceGradient),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      this.#open(kernel, g),
    );
  }

  compositeKl(
    out: Tensor,
    z: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    formerMean: Tensor,
    formerLogVariance: Tensor,
    mixture: CompositeMixture,
  ): void {
    const kernel = "compositeKl";
    shapes.compositeKl(kernel, { z, mean, logVariance, formerMean, formerLogVariance }, out, mixture);
    this.#kernels.compositeKl(
      this.#open(kernel, out),
      this.#open(kernel, z),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      this.#open(kernel, formerMean),
      this.#open(kernel, formerLogVariance),
      mixture,
    );
  }

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
  ): void {
    const kernel = "compositeKlGradient";
    const inputs = { z, mean, logVariance, formerMean, formerLogVariance };
    shapes.compositeKl(kernel, { ...inputs, zGradient, meanGradient, logVarianceGradient }, g, mixture);
    this.#kernels.compositeKlGradient(
      this.#open(kernel, zGradient),
      this.#open(kernel, meanGradient),
      this.#open(kernel, logVarianceGradient),
      this.#open(kernel, z),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      this.#open(kernel, formerMean),
      this.#open(kernel, formerLogVariance),
      mixture,
      this.#open(kernel, g),
    );
  }

  // Log densities of Gaussians.

  gaussianLogDensity(out: Tensor, x: Tensor, mean: Tensor, logVariance: Tensor): void {
    shapes.gaussianLogDensity(out, x, mean, logVariance);
    const kernel = "gaussianLogDensity";
    this.#kernels.gaussianLogDensity(
      this.#open(kernel, out),
      this.#open(kernel, x),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
    );
  }

  gaussianLogDensityGradient(
    xGradient: Tensor,
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    x: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    const gradients = { xGradient, meanGradient, logVarianceGradient };
    shapes.gaussianLogDensityGradient(gradients, x, mean, logVariance, g);
    const kernel = "gaussianLogDensityGradient";
    this.#kernels.gaussianLogDensityGradient(
      this.#open(kernel, xGradient),
      this.#open(kernel, meanGradient),
      this.#open(kernel, logVarianceGradient),
      this.#open(kernel, x),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      this.#open(kernel, g),
    );
  }

  densityFactors(out: Tensor, mean: Tensor, logVariance: Tensor): void {
    shapes.densityFactors(out, mean, logVariance);
    const kernel = "densityFactors";
    this.#kernels.densityFactors(
      this.#open(kernel, out),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
    );
  }

  densityFactorsGradient(
    meanGradient: Tensor,
    logVarianceGradient: Tensor,
    mean: Tensor,
    logVariance: Tensor,
    g: Tensor,
  ): void {
    shapes.densityFactorsGradient(meanGradient, logVarianceGradient, mean, logVariance, g);
    const kernel = "densityFactorsGradient";
    this.#kernels.densityFactorsGradient(
      this.#open(kernel, meanGradient),
      this.#open(kernel, logVarianceGradient),
      this.#open(kernel, mean),
      this.#open(kernel, logVariance),
      this.#open(kernel, g),
    );
  }

  densityPowers(out: Tensor, x: Tensor): void {
    shapes.densityPowers(out, x);
    const kernel = "densityPowers";
    this.#kernels.densityPowers(this.#open(kernel, out), this.#open(kernel, x));
  }

  densityPowersGradient(out: Tensor, x: Tensor, g: Tensor): void {
    shapes.densityPowersGradient(out, x, g);
    const kernel = "densityPowersGradient";
    this.#kernels.densityPowersGradient(
      this.#open(kernel, out),
      this.#open(kernel, x),
      this.#open(kernel, g),
    );
  }

  logMeanExp(out: Tensor, a: Tensor): void {
    shapes.logMeanExp(out, a);
    const kernel = "logMeanExp";
    this.#kernels.logMeanExp(this.#open(kernel, out), this.#open(kernel, a));
  }

  // The multinomial output.

  multinomialLoss(
    loss: Tensor,
    logits: Tensor,
    bias: Tensor,
    target: SparseTensor,
    statistics: Tensor,
  ): void {
    shapes.multinomialLoss(loss, logits, bias, target, statistics);
    const kernel = "multinomialLoss";
    this.#kernels.multinomialLoss(
      this.#open(kernel, loss),
      this.#open(kernel, logits),
      this.#open(kernel, bias),
      this.#openSparse(kernel, target),
      this.#open(kernel, statistics),
    );
  }

  multinomialLossGradient(logits: Tensor, target: SparseTensor, statistics: Tensor, g: Tensor): void {
    shapes.multinomialLossGradient(logits, target, statistics, g);
    const kernel = "multinomialLossGradient";
    this.#kernels.multinomialLossGradient(
      this.#open(kernel, logits),
      this.#openSparse(kernel, target),
      this.#open(kernel, statistics),
      this.#open(kernel, g),
    );
  }

  // The Bernoulli output.

  bernoulliLoss(loss: Tensor, logits: Tensor, bias: Tensor, target: SparseTensor): void {
    shapes.bernoulliLoss(loss, logits, bias, target);
    const kernel = "bernoulliLoss";
    this.#kernels.bernoulliLoss(
      this.#open(kernel, loss),
      this.#open(kernel, logits),
      this.#open(kernel, bias),
      this.#openSparse(kernel, target),
    );
  }

  bernoulliLossGradient(logits: Tensor, target: SparseTensor, g: Tensor): void {
    shapes.bernoulliLossGradient(logits, target, g);
    const kernel = "bernoulliLossGradient";
    this.#kernels.bernoulliLossGradient(
      this.#open(kernel, logits),
      this.#openSparse(kernel, target),
      this.#open(kernel, g),
    );
  }

  // Optimisers.

  adam(
    value: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: GradientTensor,
    step: AdamStep,
    norm?: GradientNorm,
  ): void {
    shapes.adam(value, m, v, gradient, step, norm);
    this.#kernels.adam(
      this.#open("adam", value),
      this.#open("adam", m),
      this.#open("adam", v),
      this.#open("adam", gradient.tensor),
      gradient.kind === "rows" ? gradient.touched : undefined,
      step,
      norm && this.#open("adam", norm.squares),
      norm?.epsilon ?? 0,
    );
  }

  adadelta(value: Tensor, squares: Tensor, deltas: Tensor, gradient: Tensor, step: AdaDeltaStep): void {
    shapes.same("adadelta", { value, squares, deltas, gradient });
    this.#kernels.adadelta(
      this.#open("adadelta", value),
      this.#open("adadelta", squares),
      this.#open("adadelta", deltas),
      this.#open("adadelta", gradient),
      step.rho,
      step.epsilon,
      step.decay,
    );
  }

  // Solvers.

  readonly solvers: Solvers = {
    alsHalfSweep: (factors, interactions, sweep) => {
      const kernel = "alsHalfSweep";
      shapes.alsHalfSweep(factors, interactions, sweep);
      const { gramWeight, outer, target, ridge, rows, steps } = sweep;
      this.#kernels.alsHalfSweep(
        this.#open(kernel, factors),
        this.#openSparse(kernel, interactions),
        {
          fixed: this.#open(kernel, sweep.fixed),
          gram: this.#open(kernel, sweep.gram),
          gramWeight,
          outer,
          target,
          prior: sweep.prior && this.#open(kernel, sweep.prior),
          steps,
          objective: sweep.objective && this.#open(kernel, sweep.objective),
          covariances: sweep.covariances && this.#open(kernel, sweep.covariances),
          posterior: sweep.posterior && this.#open(kernel, sweep.posterior),
        },
        typeof ridge === "number" ? Float32Array.of(ridge) : ridge,
        rows,
      );
    },
    nonNegativeSweeps: (factors, sweeps) => {
      const kernel = "nonNegativeSweeps";
      shapes.nonNegativeSweeps(factors, sweeps);
      this.#kernels.nonNegativeSweeps(this.#open(kernel, factors), {
        ...sweeps,
        gram: this.#open(kernel, sweeps.gram),
        products: this.#open(kernel, sweeps.products),
        violation: sweeps.violation && this.#open(kernel, sweeps.violation),
      });
    },
    pivots: 256,
    gram: (out, x, weights) => {
      shapes.gram(out, x, weights);
      const diagonal = weights && this.#open("gram", weights);
      this.#kernels.gram(this.#open("gram", out), this.#openSparse("gram", x), diagonal);
    },
    sparseProduct: (out, a, b) => {
      shapes.sparseProduct(out, a, b);
      const kernel = "sparseProduct";
      this.#kernels.sparseProduct(
        this.#open(kernel, out),
        this.#openSparse(kernel, a),
        this.#openSparse(kernel, b),
      );
    },
    sweep: async (a, first, count) => {
      shapes.sweep(a, first, count);
      return await this.#kernels.sweep(this.#open("sweep", a), first, count);
    },
    expandLower: (a, rows, columns) => {
      shapes.expandLower(a, rows, columns);
      const kernel = "expandLower";
      this.#kernels.expandLower(this.#open(kernel, a), this.#open(kernel, rows), this.#open(kernel, columns));
    },
    tangentKernel: (a, rows, columns, network) => {
      shapes.tangentKernel(a, rows, columns, network);
      const kernel = "tangentKernel";
      const squares = [this.#open(kernel, rows), this.#open(kernel, columns)] as const;
      this.#kernels.tangentKernel(this.#open(kernel, a), ...squares, network);
    },
    neighbours: async (x, similarity, from, to) => {
      shapes.neighbours(x, similarity, from, to);
      const { left, right, size, shrink, k } = similarity;
      const options = { union: size === "union", shrink, k };
      const found = await this.#kernels.neighbours(
        this.#openSparse("neighbours", x),
        left,
        right,
        options,
        from,
        to,
      );
      return csr(found, x.columns);
    },
    elasticNet: async (gram, net, from, to) => {
      shapes.elasticNet(gram, net, from, to);
      const found = await this.#kernels.elasticNet(this.#open("elasticNet", gram), net, from, to);
      return { weights: csr(found, gram.columns), unfinished: found.unfinished };
    },
  };

  // Ranking.

  async topK(scores: Tensor, k: number, without?: SparseTensor): Promise<TopK> {
    shapes.topK(scores, k, without);
    const excluded = without && this.#openSparse("topK", without);
    return await this.#kernels.topK(this.#open("topK", scores), Math.min(k, scores.columns), excluded);
  }

  coarse(weights: Tensor): Tensor {
    const from = this.#open("coarse", weights);
    const out = this.#allocate(weights.rows, coarseColumns(weights));
    this.#kernels.coarse(out, from);
    return out;
  }

  async bestProducts(a: Tensor, layer: CoarseLayer, k: number, without?: SparseTensor): Promise<TopK> {
    const { weights, coarse, bias } = layer;
    shapes.bestProducts(a, layer, k, without);
    shapes.coarse(coarse, weights, coarseColumns(weights));
    return await this.#kernels.bestProducts(
      this.#open("bestProducts", a),
      this.#open("bestProducts", weights),
      this.#open("bestProducts", coarse),
      this.#open("bestProducts", bias),
      Math.min(k, weights.rows),
      without && this.#openSparse("bestProducts", without),
    );
  }
}

/** Of a row of a coarse copy: scale, error, norm, and eight bits a weight. */
function coarseColumns(weights: Tensor): number {
  return 3 + Math.ceil(weights.columns / 4);
}

function csr({ offsets, indices, values }: SparseRows, columns: number): CsrMatrix {
  return { rows: offsets.length - 1, columns, offsets, indices, values };
}

function float32(data: ArrayLike<number>): Float32Array {
  // `Float32Array.from` goes through an iterator, which takes ten times as long.
  return data instanceof Float32Array ? data : new Float32Array(data);
}

/** The platform as napi-rs names it: "linux-x64-gnu", "darwin-arm64", "win32-x64-msvc". */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${name}-msvc`;
  if (process.platform !== "linux") return name;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return `${name}-${report.header?.glibcVersionRuntime ? "gnu" : "musl"}`;
}

let found: { addon: Addon } | { reason: string } | undefined;

/** Looks for the addon once: built from source beside this file's package, then in the platform's package. */
function findAddon(): { addon: Addon } | { reason: string } {
  found ??= loadAddon(
    fileURLToPath(new URL(`../../../native/foldin.${platformName()}.node`, import.meta.url)),
    `@foldin/native-${platformName()}`,
  );
  return found;
}

/** The addon at `builtFile` or, where that is not there, in `packageName`; or why there is none, in one line. */
export function loadAddon(builtFile: string, packageName: string): { addon: Addon } | { reason: string } {
  const load = createRequire(import.meta.url);
  const place = existsSync(builtFile) ? builtFile : packageName;
  let addon: Addon;
  try {
    addon = load(place) as Addon;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND" && place === packageName)
      return {
        reason: `the native engine is not built (no ${builtFile}) and ${packageName} is not installed`,
      };
    const problem = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { reason: `the native engine does not load from ${place}: ${problem}` };
  }
  if (addon.CONTRACT !== CONTRACT)
    return {
      reason: `the native engine in ${place} belongs to another version of foldin (contract ${addon.CONTRACT}, not ${CONTRACT}): build or install it again`,
    };
  return { addon };
}

export interface NativeEngineOptions {
  /** Default: all cores. */
  threads?: number;
  /** Only "float32". */
  precision?: Precision;
}

/**
 * Opens the native engine, or says in one line why there is none on this machine. Throws UserError for float64 and for
 * a number of threads that is not an integer from 1 to 1024.
 */
export function loadNativeEngine({
  threads = availableParallelism(),
  precision = "float32",
}: NativeEngineOptions = {}): { engine: Engine } | { reason: string } {
  if (precision !== "float32")
    throw new UserError({
      place: "precision",
      problem: `the native engine computes in float32, not in ${precision}`,
      remedy: "Use the reference engine (--engine reference) for float64",
    });
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS))
    throw new UserError({
      place: "threads",
      problem: `${threads} is not a number of threads`,
      expected: `an integer from 1 to ${MOST_THREADS}`,
    });
  const search = findAddon();
  if ("reason" in search) return search;
  return { engine: new NativeEngine(search.addon, threads) };
}
