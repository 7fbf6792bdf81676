// The reference engine: every kernel in plain TypeScript, for any JavaScript runtime, in float32 or (for gradient checks)
// float64. It computes on the spot, so its queue is always empty. Sums run in float64 and are rounded when stored.
// The kernels are in reference/, one file per family; here are memory and checks.

import type { RandomKey } from "../../core/philox.js";
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
  SparseRowSumOptions,
  TopK,
} from "../engine.js";
import { closedError, foreignError, MOST_NUMBERS, releasedError, shapes, sizeClass } from "../shapes.js";
import { alsHalfSweep } from "../solvers/als.js";
import * as dense from "../solvers/dense.js";
import { elasticNet } from "../solvers/elastic-net.js";
import { neighbours } from "../solvers/neighbours.js";
import { nonNegativeSweeps } from "../solvers/non-negative.js";
import type { Solvers } from "../solvers/solvers.js";
import type { FloatArray, Precision, SparseTensor, Storage, Tensor } from "../tensor.js";
import { adadelta } from "./reference/adadelta.js";
import { adamDense, adamRows } from "./reference/adam.js";
import { bernoulliLoss, bernoulliLossGradient } from "./reference/bernoulli.js";
import * as composite from "./reference/composite-kl.js";
import * as density from "./reference/density.js";
import * as elementwise from "./reference/elementwise.js";
import * as gates from "./reference/gates.js";
import * as gaussian from "./reference/gaussian.js";
import * as layerNorm from "./reference/layer-norm.js";
import { matmul } from "./reference/matmul.js";
import type { Matrix, SparseMatrix } from "./reference/matrix.js";
import * as multinomial from "./reference/multinomial.js";
import { sparseMatrix } from "./reference/sparse-matrix.js";
import { sparseRowSum, sparseRowSumGradient } from "./reference/sparse-row-sum.js";
import { sumSparseRows } from "./reference/sparse-sum.js";
import { topK } from "./reference/top-k.js";

/** Freed blocks are kept for reuse up to this many bytes, or as many as are in use. */
const KEPT_BYTES = 64 * 2 ** 20;

class Block implements Storage {
  readonly length: number;
  /** Undefined once released; may be longer than `length`. */
  data: FloatArray | undefined;
  constructor(length: number, data: FloatArray) {
    this.length = length;
    this.data = data;
  }
}

class SparseBlock implements SparseTensor {
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  readonly touched: Uint32Array;
  /** Undefined once released. */
  matrix: SparseMatrix | undefined;
  constructor(matrix: SparseMatrix) {
    this.rows = matrix.rows;
    this.columns = matrix.columns;
    this.entries = matrix.entries;
    this.touched = matrix.touched;
    this.matrix = matrix;
  }
}

/** The engine that runs everywhere. */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly threads = 1;
  readonly precision: Precision;
  readonly description: string;
  readonly #free = new Map<number, FloatArray[]>();
  #usedBytes = 0;
  #freeBytes = 0;
  #closed = false;

  constructor(options: { precision?: Precision } = {}) {
    this.precision = options.precision ?? "float32";
    this.description = `plain TypeScript, ${this.precision}, 1 thread`;
  }

  // Memory.

  empty(rows: number, columns: number): Tensor {
    shapes.dense("empty", rows, columns);
    return this.#allocate(rows, columns);
  }

  zeros(rows: number, columns: number): Tensor {
    shapes.dense("zeros", rows, columns);
    const tensor = this.#allocate(rows, columns);
    elementwise.fill(this.#open("zeros", tensor), 0);
    return tensor;
  }

  tensor(rows: number, columns: number, data: ArrayLike<number>): Tensor {
    shapes.dense("tensor", rows, columns);
    shapes.data("tensor", { rows, columns }, data);
    const tensor = this.#allocate(rows, columns);
    elementwise.write(this.#open("tensor", tensor), data);
    return tensor;
  }

  write(out: Tensor, data: ArrayLike<number>): void {
    shapes.data("write", out, data);
    elementwise.write(this.#open("write", out), data);
  }

  async read(tensor: Tensor): Promise<FloatArray> {
    return elementwise.read(this.#open("read", tensor));
  }

  release(tensor: Tensor): void {
    const { data } = this.#open("release", tensor);
    shapes.release(tensor);
    (tensor.storage as Block).data = undefined;
    this.#usedBytes -= data.byteLength;
    if (this.#freeBytes + data.byteLength > Math.max(KEPT_BYTES, this.#usedBytes)) return;
    this.#freeBytes += data.byteLength;
    const blocks = this.#free.get(data.length);
    if (blocks) blocks.push(data);
    else this.#free.set(data.length, [data]);
  }

  sparse(matrix: CsrMatrix): SparseTensor {
    if (this.#closed) throw closedError();
    shapes.sparse(matrix);
    const block = new SparseBlock(sparseMatrix(matrix));
    this.#usedBytes += sparseBytes(block);
    return block;
  }

  releaseSparse(tensor: SparseTensor): void {
    this.#openSparse("releaseSparse", tensor);
    const block = tensor as SparseBlock;
    this.#usedBytes -= sparseBytes(block);
    block.matrix = undefined;
  }

  async finished(): Promise<void> {
    if (this.#closed) throw closedError();
  }

  memory(): number {
    return this.#usedBytes + this.#freeBytes;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#free.clear();
    this.#usedBytes = 0;
    this.#freeBytes = 0;
  }

  #allocate(rows: number, columns: number): Tensor {
    if (this.#closed) throw closedError();
    const length = rows * columns;
    const capacity = Math.min(sizeClass(length), MOST_NUMBERS);
    let data = this.#free.get(capacity)?.pop();
    if (data) this.#freeBytes -= data.byteLength;
    else data = this.precision === "float32" ? new Float32Array(capacity) : new Float64Array(capacity);
    this.#usedBytes += data.byteLength;
    return { storage: new Block(length, data), offset: 0, rows, columns, rowStride: columns };
  }

  #open(kernel: string, { storage, offset, rows, columns, rowStride }: Tensor): Matrix {
    if (this.#closed) throw closedError();
    if (!(storage instanceof Block)) throw foreignError();
    if (storage.data === undefined) throw releasedError(kernel);
    return { data: storage.data, offset, rows, columns, rowStride };
  }

  #openSparse(kernel: string, tensor: SparseTensor): SparseMatrix {
    if (this.#closed) throw closedError();
    if (!(tensor instanceof SparseBlock)) throw foreignError();
    if (tensor.matrix === undefined) throw releasedError(kernel);
    return tensor.matrix;
  }

  // Element-wise and reductions.

  fill(out: Tensor, value: number): void {
    elementwise.fill(this.#open("fill", out), value);
  }

  copy(out: Tensor, a: Tensor): void {
    shapes.same("copy", { out, a });
    elementwise.copy(this.#open("copy", out), this.#open("copy", a));
  }

  addScaled(out: Tensor, a: Tensor, factor: number): void {
    shapes.same("addScaled", { out, a });
    elementwise.addScaled(this.#open("addScaled", out), this.#open("addScaled", a), factor);
  }

  addRow(out: Tensor, row: Tensor): void {
    shapes.addRow(out, row);
    elementwise.addRow(this.#open("addRow", out), this.#open("addRow", row));
  }

  sumRows(out: Tensor, a: Tensor): void {
    shapes.sumRows(out, a);
    elementwise.sumRows(this.#open("sumRows", out), this.#open("sumRows", a));
  }

  sum(out: Tensor, a: Tensor, factor: number): void {
    shapes.scalar("sum", out);
    const scalar = this.#open("sum", out);
    scalar.data[scalar.offset] += factor * elementwise.total(this.#open("sum", a), false);
  }

  sumOfSquares(out: Tensor, a: Tensor, factor: number): void {
    shapes.scalar("sumOfSquares", out);
    const scalar = this.#open("sumOfSquares", out);
    scalar.data[scalar.offset] += factor * elementwise.total(this.#open("sumOfSquares", a), true);
  }

  tanh(out: Tensor, a: Tensor): void {
    shapes.same("tanh", { out, a });
    elementwise.tanh(this.#open("tanh", out), this.#open("tanh", a));
  }

  tanhGradient(out: Tensor, y: Tensor, g: Tensor, accumulate: boolean): void {
    shapes.same("tanhGradient", { out, y, g });
    elementwise.tanhGradient(
      this.#open("tanhGradient", out),
      this.#open("tanhGradient", y),
      this.#open("tanhGradient", g),
      accumulate,
    );
  }

  relu(out: Tensor, a: Tensor): void {
    shapes.same("relu", { out, a });
    elementwise.relu(this.#open("relu", out), this.#open("relu", a));
  }

  reluGradient(out: Tensor, y: Tensor, g: Tensor): void {
    shapes.same("reluGradient", { out, y, g });
    elementwise.reluGradient(
      this.#open("reluGradient", out),
      this.#open("reluGradient", y),
      this.#open("reluGradient", g),
    );
  }

  sigmoid(out: Tensor, a: Tensor): void {
    shapes.same("sigmoid", { out, a });
    elementwise.sigmoid(this.#open("sigmoid", out), this.#open("sigmoid", a));
  }

  sigmoidGradient(out: Tensor, y: Tensor, g: Tensor): void {
    shapes.same("sigmoidGradient", { out, y, g });
    elementwise.sigmoidGradient(
      this.#open("sigmoidGradient", out),
      this.#open("sigmoidGradient", y),
      this.#open("sigmoidGradient", g),
    );
  }

  swish(out: Tensor, a: Tensor): void {
    shapes.same("swish", { out, a });
    elementwise.swish(this.#open("swish", out), this.#open("swish", a));
  }

  swishGradient(out: Tensor, a: Tensor, g: Tensor): void {
    shapes.same("swishGradient", { out, a, g });
    elementwise.swishGradient(
      this.#open("swishGradient", out),
      this.#open("swishGradient", a),
      this.#open("swishGradient", g),
    );
  }

  addProduct(out: Tensor, a: Tensor, b: Tensor): void {
    shapes.same("addProduct", { out, a, b });
    elementwise.addProduct(
      this.#open("addProduct", out),
      this.#open("addProduct", a),
      this.#open("addProduct", b),
    );
  }

  dropout(out: Tensor, a: Tensor, dropout: Dropout): void {
    shapes.dropout(out, a, dropout);
    elementwise.dropout(this.#open("dropout", out), this.#open("dropout", a), dropout);
  }

  takeRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    shapes.takeRows(out, a, rows);
    elementwise.takeRows(this.#open("takeRows", out), this.#open("takeRows", a), rows);
  }

  takeColumns(out: Tensor, a: Tensor, columns: Uint32Array): void {
    shapes.takeColumns(out, a, columns);
    elementwise.takeColumns(this.#open("takeColumns", out), this.#open("takeColumns", a), columns);
  }

  gate(out: Tensor, a: Tensor, b: Tensor): void {
    shapes.same("gate", { out, a, b });
    const kernel = "gate";
    gates.gate(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, b));
  }

  gateGradient(aGradient: Tensor, bGradient: Tensor, a: Tensor, b: Tensor, g: Tensor): void {
    shapes.same("gateGradient", { g, a, b, aGradient, bGradient });
    const kernel = "gateGradient";
    gates.gateGradient(
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
    gates.clamp(this.#open(kernel, out), this.#open(kernel, a), low, high);
  }

  clampGradient(out: Tensor, a: Tensor, g: Tensor, low: number, high: number): void {
    shapes.same("clampGradient", { out, a, g });
    shapes.clamp("clampGradient", low, high);
    const kernel = "clampGradient";
    gates.clampGradient(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, g), low, high);
  }

  dropClamped(out: Tensor, a: Tensor, dropout: Dropout): void {
    const kernel = "dropClamped";
    shapes.same(kernel, { out, a });
    shapes.rate(kernel, dropout.rate);
    gates.dropClamped(this.#open(kernel, out), this.#open(kernel, a), dropout);
  }

  dropClampedGradient(
    out: Tensor,
    a: Tensor,
    y: Tensor,
    g: Tensor,
    options: { rate: number; accumulate: boolean },
  ): void {
    const kernel = "dropClampedGradient";
    shapes.same(kernel, { out, a, y, g });
    shapes.rate(kernel, options.rate);
    gates.dropClampedGradient(
      this.#open(kernel, out),
      this.#open(kernel, a),
      this.#open(kernel, y),
      this.#open(kernel, g),
      options,
    );
  }

  unitRows(out: Tensor, a: Tensor): void {
    shapes.same("unitRows", { out, a });
    gates.unitRows(this.#open("unitRows", out), this.#open("unitRows", a));
  }

  unitRowsGradient(out: Tensor, a: Tensor, g: Tensor): void {
    const kernel = "unitRowsGradient";
    shapes.same(kernel, { out, a, g });
    gates.unitRowsGradient(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, g));
  }

  addRows(out: Tensor, a: Tensor, rows: Uint32Array): void {
    shapes.addRows(out, a, rows);
    const kernel = "addRows";
    gates.addRows(this.#open(kernel, out), this.#open(kernel, a), rows);
  }

  scaleRows(out: Tensor, a: Tensor, factor: Tensor): void {
    shapes.scaleRows(out, a, factor);
    const kernel = "scaleRows";
    gates.scaleRows(this.#open(kernel, out), this.#open(kernel, a), this.#open(kernel, factor));
  }

  // Products.

  matmul(out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions = {}): void {
    shapes.matmul(out, a, b, options);
    matmul(this.#open("matmul", out), this.#open("matmul", a), this.#open("matmul", b), options);
  }

  sparseRowSum(out: Tensor, input: SparseTensor, weights: Tensor, options: SparseRowSumOptions): void {
    shapes.sparseRowSum(out, input, weights, options);
    sparseRowSum(
      this.#open("sparseRowSum", out),
      this.#openSparse("sparseRowSum", input),
      this.#open("sparseRowSum", weights),
      options,
    );
  }

  sparseRowSumGradient(out: Tensor, input: SparseTensor, g: Tensor, options: SparseRowSumOptions): void {
    shapes.sparseRowSumGradient(out, input, g, options);
    sparseRowSumGradient(
      this.#open("sparseRowSumGradient", out),
      this.#openSparse("sparseRowSumGradient", input),
      this.#open("sparseRowSumGradient", g),
      options,
    );
  }

  sumSparseRows(out: Tensor, input: SparseTensor, rows: SparseTensor): void {
    shapes.sumSparseRows(out, input, rows);
    const kernel = "sumSparseRows";
    sumSparseRows(this.#open(kernel, out), this.#openSparse(kernel, input), this.#openSparse(kernel, rows));
  }

  // Layer normalisation.

  layerNorm(out: Tensor, a: Tensor, weight: Tensor, bias: Tensor, statistics: Tensor, epsilon: number): void {
    shapes.layerNorm(out, a, weight, bias, statistics, epsilon);
    layerNorm.layerNorm(
      this.#open("layerNorm", out),
      this.#open("layerNorm", a),
      this.#open("layerNorm", weight),
      this.#open("layerNorm", bias),
      this.#open("layerNorm", statistics),
      epsilon,
    );
  }

  layerNormGradient(out: Tensor, a: Tensor, weight: Tensor, statistics: Tensor, g: Tensor): void {
    shapes.layerNormGradient(out, a, weight, statistics, g);
    layerNorm.layerNormGradient(
      this.#open("layerNormGradient", out),
      this.#open("layerNormGradient", a),
      this.#open("layerNormGradient", weight),
      this.#open("layerNormGradient", statistics),
      this.#open("layerNormGradient", g),
    );
  }

  layerNormWeightGradient(out: Tensor, a: Tensor, statistics: Tensor, g: Tensor): void {
    shapes.layerNormWeightGradient(out, a, statistics, g);
    layerNorm.layerNormWeightGradient(
      this.#open("layerNormWeightGradient", out),
      this.#open("layerNormWeightGradient", a),
      this.#open("layerNormWeightGradient", statistics),
      this.#open("layerNormWeightGradient", g),
    );
  }

  // The Gaussian posterior.

  gaussianSample(out: Tensor, mean: Tensor, logVariance: Tensor, key: RandomKey): void {
    shapes.gaussianSample(out, mean, logVariance, key);
    gaussian.gaussianSample(
      this.#open("gaussianSample", out),
      this.#open("gaussianSample", mean),
      this.#open("gaussianSample", logVariance),
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
    gaussian.gaussianSampleGradient(
      this.#open("gaussianSampleGradient", meanGradient),
      this.#open("gaussianSampleGradient", logVarianceGradient),
      this.#open("gaussianSampleGradient", mean),
      this.#open("gaussianSampleGradient", sample),
      this.#open("gaussianSampleGradient", g),
    );
  }

  gaussianKl(out: Tensor, mean: Tensor, logVariance: Tensor): void {
    shapes.gaussianKl(out, mean, logVariance);
    gaussian.gaussianKl(
      this.#open("gaussianKl", out),
      this.#open("gaussianKl", mean),
      this.#open("gaussianKl", logVariance),
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
    gaussian.gaussianKlGradient(
      this.#open("gaussianKlGradient", meanGradient),
      this.#open("gaussianKlGradient", logVarianceGradient),
      this.#open("gaussianKlGradient", mean),
      this.#open("gaussianKlGradient", logVariance),
      this.#open("gaussianKlGradient", g),
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
    composite.compositeKl(
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
    composite.compositeKlGradient(
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
    density.gaussianLogDensity(
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
    density.gaussianLogDensityGradient(
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
    density.densityFactors(
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
    density.densityFactorsGradient(
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
    density.densityPowers(this.#open(kernel, out), this.#open(kernel, x));
  }

  densityPowersGradient(out: Tensor, x: Tensor, g: Tensor): void {
    shapes.densityPowersGradient(out, x, g);
    const kernel = "densityPowersGradient";
    density.densityPowersGradient(this.#open(kernel, out), this.#open(kernel, x), this.#open(kernel, g));
  }

  logMeanExp(out: Tensor, a: Tensor): void {
    shapes.logMeanExp(out, a);
    const kernel = "logMeanExp";
    density.logMeanExp(this.#open(kernel, out), this.#open(kernel, a));
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
    multinomial.multinomialLoss(
      this.#open("multinomialLoss", loss),
      this.#open("multinomialLoss", logits),
      this.#open("multinomialLoss", bias),
      this.#openSparse("multinomialLoss", target),
      this.#open("multinomialLoss", statistics),
    );
  }

  multinomialLossGradient(logits: Tensor, target: SparseTensor, statistics: Tensor, g: Tensor): void {
    shapes.multinomialLossGradient(logits, target, statistics, g);
    multinomial.multinomialLossGradient(
      this.#open("multinomialLossGradient", logits),
      this.#openSparse("multinomialLossGradient", target),
      this.#open("multinomialLossGradient", statistics),
      this.#open("multinomialLossGradient", g),
    );
  }

  // The Bernoulli output.

  bernoulliLoss(loss: Tensor, logits: Tensor, bias: Tensor, target: SparseTensor): void {
    shapes.bernoulliLoss(loss, logits, bias, target);
    const kernel = "bernoulliLoss";
    bernoulliLoss(
      this.#open(kernel, loss),
      this.#open(kernel, logits),
      this.#open(kernel, bias),
      this.#openSparse(kernel, target),
    );
  }

  bernoulliLossGradient(logits: Tensor, target: SparseTensor, g: Tensor): void {
    shapes.bernoulliLossGradient(logits, target, g);
    const kernel = "bernoulliLossGradient";
    bernoulliLossGradient(
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
    const squares = norm && this.#open("adam", norm.squares);
    const scale = squares ? 1 / (Math.sqrt(squares.data[squares.offset]) + norm.epsilon) : 1;
    const state = [this.#open("adam", value), this.#open("adam", m), this.#open("adam", v)] as const;
    const g = this.#open("adam", gradient.tensor);
    if (gradient.kind === "dense") adamDense(...state, g, scale, step);
    else adamRows(...state, g, gradient.touched, scale, step);
  }

  adadelta(value: Tensor, squares: Tensor, deltas: Tensor, gradient: Tensor, step: AdaDeltaStep): void {
    shapes.same("adadelta", { value, squares, deltas, gradient });
    const state = [value, squares, deltas].map((tensor) => this.#open("adadelta", tensor));
    adadelta(state[0], state[1], state[2], this.#open("adadelta", gradient), step);
  }

  // Solvers.

  readonly solvers: Solvers = {
    alsHalfSweep: (factors, interactions, sweep) => {
      const kernel = "alsHalfSweep";
      shapes.alsHalfSweep(factors, interactions, sweep);
      alsHalfSweep(this.#open(kernel, factors), this.#openSparse(kernel, interactions), {
        ...sweep,
        fixed: this.#open(kernel, sweep.fixed),
        gram: this.#open(kernel, sweep.gram),
        prior: sweep.prior && this.#open(kernel, sweep.prior),
        objective: sweep.objective && this.#open(kernel, sweep.objective),
        covariances: sweep.covariances && this.#open(kernel, sweep.covariances),
        posterior: sweep.posterior && this.#open(kernel, sweep.posterior),
      });
    },
    nonNegativeSweeps: (factors, sweeps) => {
      const kernel = "nonNegativeSweeps";
      shapes.nonNegativeSweeps(factors, sweeps);
      nonNegativeSweeps(this.#open(kernel, factors), {
        ...sweeps,
        gram: this.#open(kernel, sweeps.gram),
        products: this.#open(kernel, sweeps.products),
        violation: sweeps.violation && this.#open(kernel, sweeps.violation),
      });
    },
    pivots: 8,
    gram: (out, x, weights) => {
      shapes.gram(out, x, weights);
      const diagonal = weights && this.#open("gram", weights);
      dense.gram(this.#open("gram", out), this.#openSparse("gram", x), diagonal);
    },
    sparseProduct: (out, a, b) => {
      shapes.sparseProduct(out, a, b);
      const kernel = "sparseProduct";
      dense.sparseProduct(this.#open(kernel, out), this.#openSparse(kernel, a), this.#openSparse(kernel, b));
    },
    sweep: async (a, first, count) => {
      shapes.sweep(a, first, count);
      return dense.sweep(this.#open("sweep", a), first, count);
    },
    expandLower: (a, rows, columns) => {
      shapes.expandLower(a, rows, columns);
      const kernel = "expandLower";
      dense.expandLower(this.#open(kernel, a), this.#open(kernel, rows), this.#open(kernel, columns));
    },
    tangentKernel: (a, rows, columns, network) => {
      shapes.tangentKernel(a, rows, columns, network);
      const kernel = "tangentKernel";
      const squares = [this.#open(kernel, rows), this.#open(kernel, columns)] as const;
      dense.tangentKernel(this.#open(kernel, a), ...squares, network);
    },
    neighbours: async (x, similarity, from, to) => {
      shapes.neighbours(x, similarity, from, to);
      return neighbours(this.#openSparse("neighbours", x), similarity, from, to);
    },
    elasticNet: async (gram, net, from, to) => {
      shapes.elasticNet(gram, net, from, to);
      return elasticNet(this.#open("elasticNet", gram), net, from, to);
    },
  };

  // Ranking.

  async topK(scores: Tensor, k: number, without?: SparseTensor): Promise<TopK> {
    shapes.topK(scores, k, without);
    return topK(this.#open("topK", scores), k, without && this.#openSparse("topK", without));
  }

  /** Nothing: here all products are computed. */
  coarse(weights: Tensor): Tensor {
    this.#open("coarse", weights);
    return this.empty(0, 0);
  }

  async bestProducts(a: Tensor, layer: CoarseLayer, k: number, without?: SparseTensor): Promise<TopK> {
    shapes.bestProducts(a, layer, k, without);
    const { weights, bias } = layer;
    const scores = this.empty(a.rows, weights.rows);
    try {
      this.matmul(scores, a, weights, { transposeB: true });
      this.addRow(scores, bias);
      return await this.topK(scores, k, without);
    } finally {
      this.release(scores);
    }
  }
}

function sparseBytes({ matrix }: SparseBlock): number {
  if (matrix === undefined) return 0;
  const { offsets, indices, values, touched, columnOffsets, rowOf, positionOf } = matrix;
  return [offsets, indices, values, touched, columnOffsets, rowOf, positionOf].reduce(
    (sum, array) => sum + (array?.byteLength ?? 0),
    0,
  );
}
