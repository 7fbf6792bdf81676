// The interface of an engine. An engine is a queue: a call to a kernel returns at once, and its effect is visible to the
// kernels called after it, in order. Only `read`, `finished` and the kernels that return a value (`topK`) wait, and they are
// asynchronous. So the reference engine may compute immediately, the native one passes the work to its own threads (the event
// loop never blocks), and a GPU engine can be added without a change to the layers above.
//
// Kernels write into tensors that the caller owns (destination first), so that a training step reuses its memory:
// `release` gives a tensor's memory back to the engine, whose `empty` prefers released blocks of the same size class.
// Every call is checked against the kernel table (kernels.ts): RangeError names kernel and shapes; asynchronous methods
// reject with it.

import type { RandomKey } from "../core/philox.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { KernelMethods, Solvers } from "./kernels.js";
import type {
  Element,
  EnginePrecision,
  FloatArray,
  PieceOfBatch,
  Precision,
  SparseTensor,
  Tensor,
} from "./tensor.js";

export type {
  Accumulate,
  AdaDeltaStep,
  AdamStep,
  CompositeMixture,
  DenseDropout,
  Dropout,
  GradientNorm,
  GradientRows,
  GradientTensor,
  KernelMethods,
  Likelihood,
  MatmulOptions,
  NadamStep,
  Position,
  QuantisedLayer,
  SelectedOutput,
  SparseAdamStep,
  SparseRowSumOptions,
  TopK,
} from "./kernels.js";
export { NO_ITEM } from "./kernels.js";
export type { RandomKey };

/** What an engine was opened to compute in. */
export function precisionOf({ precision, bf16 }: Pick<Engine, "precision" | "bf16">): EnginePrecision {
  return bf16 ? "bf16" : precision;
}

export interface Engine extends KernelMethods {
  /** "recording" computes nothing: it records a model for export (serving/onnx). */
  readonly name: "reference" | "native" | "recording";
  readonly precision: Precision;
  /** Whether the products of dense layers round their operands to bfloat16: layers pass it on to the kernels that take it. */
  readonly bf16: boolean;
  readonly threads: number;
  /** One line for `foldin doctor`: what runs (instruction set, version). */
  readonly description: string;
  /** Present on CPU engines; `openEngine` lends them to others (solvers/borrowed-solvers.ts). */
  readonly solvers?: Solvers;

  /** A tensor of zeros [rows, columns]. `element`, here and below: the type of its numbers, the engine's precision by default. */
  zeros(rows: number, columns: number, element?: Element): Tensor;
  /** A tensor [rows, columns] whose contents are undefined until written. */
  empty(rows: number, columns: number, element?: Element): Tensor;
  /** A tensor [rows, columns] with a copy of `data` (row-major), converted like `write`. */
  tensor(rows: number, columns: number, data: ArrayLike<number>, element?: Element): Tensor;
  /** Replaces the contents of a tensor by a copy of `data` (row-major), rounded to bfloat16 like `convert`. For int8, throws RangeError for a value that is not an integer from -128 to 127. */
  write(out: Tensor, data: ArrayLike<number>): void;
  /** The contents, row-major and dense, once everything queued before is done; bfloat16 and int8 are converted to numbers. Rejects if a kernel failed before. */
  read(tensor: Tensor): Promise<FloatArray>;
  /** Returns the tensor's storage for reuse, once the queued work is done. Not for views; a second release is an error. */
  release(tensor: Tensor): void;
  /** Copies a sparse batch to the engine; `piece` says which part of a larger batch it is. */
  sparse(matrix: CsrMatrix, piece?: PieceOfBatch): SparseTensor;
  releaseSparse(tensor: SparseTensor): void;
  /** Resolves once everything queued before is done; rejects if a kernel failed. */
  finished(): Promise<void>;
  /** Bytes of tensor memory that the engine currently holds, including reusable blocks. */
  memory(): number;
  /** Frees everything. The engine cannot be used afterwards. */
  close(): Promise<void>;

  /** How many columns the scratch of an output layer should have (`outputStatistics`). */
  outputColumns(rows: number, items: number): number;
}
