// The reference engine: every kernel in plain TypeScript, for any JavaScript runtime, in float32 or (for gradient checks)
// float64. It computes immediately, so its queue is always empty. Sums are accumulated in float64 and rounded when stored.
// The kernels are in reference/, one file per family; this file has the memory and the table of kernel implementations.

import type { CsrMatrix } from "../../sparse/csr.js";
import type { Engine } from "../engine.js";
import { type Kernel, replaceOperands, type Signature } from "../kernel.js";
import type { KernelMethods, SolverMethods } from "../kernels.js";
import { BF16_ITEMS, outputColumns } from "../output-scratch.js";
import { closedError, foreignError, MOST_NUMBERS, releasedError, shapes, sizeClass } from "../shapes.js";
import { TableEngine } from "../table-engine.js";
import type {
  Element,
  EnginePrecision,
  FloatArray,
  PieceOfBatch,
  Precision,
  SparseTensor,
  Storage,
  Tensor,
} from "../tensor.js";
import { adadelta } from "./reference/adadelta.js";
import { adam, nadam, sparseAdam } from "./reference/adam.js";
import { alsHalfSweep } from "./reference/als.js";
import { arrangeBlocks, bestInBlocks } from "./reference/best-in-blocks.js";
import * as compositeKl from "./reference/composite-kl.js";
import * as dense from "./reference/dense.js";
import * as density from "./reference/density.js";
import { elasticNet } from "./reference/elastic-net.js";
import {
  type ElementArray,
  elementArray,
  isOfFloats,
  type Stored,
  store,
  widened,
} from "./reference/elements.js";
import * as elementwise from "./reference/elementwise.js";
import { focalLoss, focalLossGradient } from "./reference/focal-loss.js";
import * as gates from "./reference/gates.js";
import * as gaussian from "./reference/gaussian.js";
import * as layerNorm from "./reference/layer-norm.js";
import * as linearCosine from "./reference/linear-cosine.js";
import { matmul } from "./reference/matmul.js";
import type { Matrix, SparseMatrix } from "./reference/matrix.js";
import { neighbours } from "./reference/neighbours.js";
import { nonNegativeIterations } from "./reference/non-negative.js";
import * as output from "./reference/output.js";
import { quantise } from "./reference/quantise.js";
import * as sampledTargets from "./reference/sampled-targets.js";
import { gramShape, sparseCholesky } from "./reference/sparse-cholesky.js";
import { sparseMatrix } from "./reference/sparse-matrix.js";
import * as sparseRowSum from "./reference/sparse-row-sum.js";
import { sumChainedRows, sumSparseRows } from "./reference/sparse-sum.js";
import { bestProducts, topK } from "./reference/top-k.js";
import { triangularInverse } from "./reference/triangular-inverse.js";

/** The arguments of a call with their tensors opened. */
type Opened<T> = T extends Tensor
  ? Matrix
  : T extends SparseTensor
    ? SparseMatrix
    : T extends ArrayLike<number> | string | number | boolean | undefined
      ? T
      : { readonly [K in keyof T]: Opened<T[K]> };

/** The implementation of a kernel; the value of an asynchronous kernel may be returned directly. */
type Twin<S> = S extends (...values: infer V) => infer R
  ? (...values: { [K in keyof V]: Opened<V[K]> }) => R extends Promise<infer A> ? A : R
  : never;

type Twins = {
  readonly [K in keyof (KernelMethods & SolverMethods)]: Twin<(KernelMethods & SolverMethods)[K]>;
};

/** The TypeScript implementation of every kernel of the table. */
const twins: Twins = {
  ...{ ...gates, ...gaussian, ...layerNorm, ...compositeKl, ...density, ...output },
  ...{ ...sampledTargets, ...sparseRowSum, ...elementwise, ...dense, ...linearCosine },
  ...{ focalLoss, focalLossGradient },
  ...{ convert: elementwise.copy, matmul, sumSparseRows, sumChainedRows, adam, sparseAdam, nadam, adadelta },
  ...{ topK, quantise, bestProducts, arrangeBlocks, bestInBlocks },
  ...{ alsHalfSweep, nonNegativeIterations, neighbours, elasticNet },
  ...{ gramShape, sparseCholesky, triangularInverse },
};

/** Released blocks are kept for reuse up to this number of bytes, or up to the bytes in use. */
const KEPT_BYTES = 64 * 2 ** 20;

class Block implements Storage {
  readonly length: number;
  readonly element: Element;
  /** Undefined once released; may be longer than `length`. */
  data: ElementArray | undefined;
  constructor(length: number, element: Element, data: ElementArray) {
    this.length = length;
    this.element = element;
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

/** The engine that runs on every platform. */
export class ReferenceEngine extends TableEngine implements Engine {
  readonly name = "reference" as const;
  readonly threads = 1;
  readonly precision: Precision;
  readonly bf16: boolean;
  readonly description: string;
  /** By element type and length. */
  readonly #free = new Map<string, ElementArray[]>();
  #usedBytes = 0;
  #freeBytes = 0;
  #closed = false;

  constructor({ precision = "float32" }: { precision?: EnginePrecision } = {}) {
    super(8);
    this.bf16 = precision === "bf16";
    this.precision = precision === "bf16" ? "float32" : precision;
    const computes = this.bf16 ? "float32, products in bfloat16 (widened to float32)" : precision;
    this.description = `plain TypeScript, ${computes}, 1 thread`;
  }

  // Memory.

  protected override put(kernel: string, out: Tensor, data: ArrayLike<number>): void {
    store(this.#open(kernel, out), data);
  }

  async read(tensor: Tensor): Promise<FloatArray> {
    return widened(this.#open("read", tensor), this.precision).data;
  }

  release(tensor: Tensor): void {
    const { data } = this.#open("release", tensor);
    shapes.release(tensor);
    (tensor.storage as Block).data = undefined;
    this.#usedBytes -= data.byteLength;
    if (this.#freeBytes + data.byteLength > Math.max(KEPT_BYTES, this.#usedBytes)) return;
    this.#freeBytes += data.byteLength;
    const kind = `${tensor.storage.element} ${data.length}`;
    const blocks = this.#free.get(kind);
    if (blocks) blocks.push(data);
    else this.#free.set(kind, [data]);
  }

  sparse(matrix: CsrMatrix, piece?: PieceOfBatch): SparseTensor {
    if (this.#closed) throw closedError();
    shapes.sparse(matrix, piece);
    const block = new SparseBlock(sparseMatrix(matrix, piece));
    this.#usedBytes += sparseBytes(block);
    return block;
  }

  releaseSparse(tensor: SparseTensor): void {
    this.#openSparse("releaseSparse", tensor);
    const block = tensor as SparseBlock;
    this.#usedBytes -= sparseBytes(block);
    block.matrix = undefined;
  }

  override outputColumns(rows: number, items: number): number {
    // A bfloat16 takes a float's place here.
    return this.bf16 ? items + 4 * Math.ceil(items / BF16_ITEMS) : outputColumns(rows, items);
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

  protected override allocate(rows: number, columns: number, element: Element): Tensor {
    if (this.#closed) throw closedError();
    const length = rows * columns;
    const capacity = Math.min(sizeClass(length), MOST_NUMBERS);
    let data = this.#free.get(`${element} ${capacity}`)?.pop();
    if (data) this.#freeBytes -= data.byteLength;
    else data = elementArray(element, capacity);
    this.#usedBytes += data.byteLength;
    return { storage: new Block(length, element, data), offset: 0, rows, columns, rowStride: columns };
  }

  /** Kernels compute on floats: other element types are widened before the call, and outputs are rounded after it. */
  protected override run(kernel: Kernel, values: readonly unknown[]): unknown {
    const written: [Stored, Matrix][] = [];
    const opened = replaceOperands(kernel, values, (operand, { kind, role }) => {
      if (kind === "batch") return this.#openSparse(kernel.name, operand as SparseTensor);
      const stored = this.#open(kernel.name, operand as Tensor);
      if (isOfFloats(stored)) return stored;
      const floats = widened(stored, this.precision);
      if (role !== "read") written.push([stored, floats]);
      return floats;
    });
    const result = (twins[kernel.name as keyof typeof twins] as Signature)(...opened);
    for (const [stored, { data }] of written) store(stored, data);
    return result;
  }

  #open(kernel: string, { storage, offset, rows, columns, rowStride }: Tensor): Stored {
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
}

function sparseBytes({ matrix }: SparseBlock): number {
  if (matrix === undefined) return 0;
  const { offsets, indices, values, touched, columnOffsets, rowOf, positionOf, piece } = matrix;
  const { positions, squares } = piece;
  return [offsets, indices, values, touched, columnOffsets, rowOf, positionOf, positions, squares].reduce(
    (sum, array) => sum + (array?.byteLength ?? 0),
    0,
  );
}
