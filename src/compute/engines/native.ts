// The native engine: Rust kernels (native/) on their own threads, float32. A call checks its shapes here, is queued there, and
// returns within microseconds; only calls that return a value (`read`, `topK`, `finished`) wait, off the event loop. The addon
// is located at run time: built from source in native/, or in the platform package that npm installs with foldin.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { Message } from "../communicator.js";
import type { Engine } from "../engine.js";
import { type Answer, type Kernel, leafValue, type Operand, operandsOf } from "../kernel.js";
import { kernels, solverKernels } from "../kernels.js";
import { closedError, foreignError, releasedError, shapes } from "../shapes.js";
import { TableEngine } from "../table-engine.js";
import {
  type Element,
  type EnginePrecision,
  type PieceOfBatch,
  type SparseTensor,
  type Storage,
  type Tensor,
  viewElements,
} from "../tensor.js";

const MOST_THREADS = 1024;
/** Numbers that are copied to the engine at a time. */
const WRITTEN_AT_ONCE = 1 << 16;
/** The number of a released block or batch. */
const RELEASED = -1;
/** In the order of their numbers in the addon (native/src/memory.rs). */
const ELEMENTS: readonly Element[] = ["float32", "bfloat16", "int8"];

/** A tensor of this engine. */
type View = Tensor & { readonly storage: Block };

/**
 * The class that the addon exports (native/src/lib.rs). A kernel is called by its number with the numbers of its leaves in
 * `call`: five for a tensor (block, offset, rows, columns, row stride), one for a batch, NaN for an absent leaf; and with its
 * lists, in which float32 numbers are passed as their bits.
 */
interface Addon extends MpiBinding {
  readonly NativeEngine: new (threads: number) => Memory;
  /** The contracts of the addon's kernels, in the order of their numbers. */
  contracts(): readonly string[];
  instructionSet(): string;
  bf16Instructions(): string;
}

/** An MPI library that was found. */
export interface MpiLibrary {
  /** The name or path by which it was found. */
  readonly library: string;
  /** The first line of what it says about itself. */
  readonly version: string;
  /** "Open MPI" or "standard". */
  readonly abi: string;
}

/** The addon's functions for MPI (native/src/mpi.rs). */
export interface MpiBinding {
  /** Loads the first of the candidates that is an MPI library. Throws with all reasons, separated by semicolons. */
  mpiOpen(candidates: readonly string[]): MpiLibrary;
  /** Starts MPI: [rank, size]. */
  mpiStart(): [number, number];
  mpiEnd(): void;
  mpiAbort(code: number): void;
  mpiGather(bytes: Uint8Array, root?: number): Promise<Uint8Array[]>;
}

interface Memory {
  allocate(length: number, element: number): number;
  release(block: number): void;
  memory(): number;
  write(out: Float64Array, data: Float32Array): void;
  sparse(
    rows: number,
    columns: number,
    offsets: Uint32Array,
    indices: Uint32Array,
    values: Float32Array | undefined,
    first: number,
    positions: Uint32Array | undefined,
    squares: Float64Array | undefined,
  ): number;
  touched(batch: number): Uint32Array;
  releaseSparse(batch: number): void;
  read(tensor: Float64Array): Promise<Float32Array>;
  run(kernel: number, call: Float64Array): void;
  runWith(kernel: number, call: Float64Array, lists: readonly Uint32Array[]): void;
  exchange(messages: Float64Array, sends: number): void;
  ask(kernel: number, call: Float64Array, lists: readonly Uint32Array[]): Promise<Answer>;
  startClock(): void;
  clocked(): Promise<Float64Array>;
  finished(): Promise<void>;
  close(): Promise<void>;
  fail(message: string): void;
}

/** A kernel that ran while the clock was on. */
export interface TimedKernel {
  readonly name: string;
  readonly operands: readonly Operand[];
  readonly milliseconds: number;
}

class Block implements Storage {
  readonly length: number;
  readonly element: Element;
  /** The engine whose memory this is. */
  readonly owner: NativeEngine;
  block: number;
  constructor(owner: NativeEngine, length: number, element: Element, block: number) {
    this.owner = owner;
    this.length = length;
    this.element = element;
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

  /** Computed on first use, which is only in gradients. */
  get touched(): Uint32Array {
    this.#touched ??= this.#touchedOf(this);
    return this.#touched;
  }
}

/** The addon's numbers of the kernels, or a description of the mismatch. */
function numbersOf(contracts: readonly string[]): { numbers: Map<Kernel, number> } | { mismatch: string } {
  const numbers = new Map<Kernel, number>();
  for (const known of Object.values<Kernel>({ ...kernels, ...solverKernels })) {
    const number = contracts.indexOf(known.contract);
    if (number < 0) return { mismatch: `it has no kernel ${known.contract}` };
    numbers.set(known, number);
  }
  return contracts.length === numbers.size
    ? { numbers }
    : { mismatch: `it has ${contracts.length} kernels, not ${numbers.size}` };
}

/** Made by `loadNativeEngine`. */
export class NativeEngine extends TableEngine implements Engine {
  readonly name = "native" as const;
  readonly precision = "float32" as const;
  readonly bf16: boolean;
  readonly threads: number;
  readonly description: string;
  readonly #memory: Memory;
  readonly #numbers: ReadonlyMap<Kernel, number>;
  /** The numbers of the current call; longer than any kernel needs. */
  readonly #call = new Float64Array(128);
  #closed: Promise<void> | undefined;
  /** The kernels queued since the clock was started. */
  #timed: Omit<TimedKernel, "milliseconds">[] | undefined;

  constructor(addon: Addon, numbers: ReadonlyMap<Kernel, number>, threads: number, bf16: boolean) {
    super(256);
    this.#memory = new addon.NativeEngine(threads);
    this.#numbers = numbers;
    this.threads = threads;
    this.bf16 = bf16;
    const computes = bf16 ? `float32, products in bfloat16 (${addon.bf16Instructions()})` : "float32";
    this.description = `Rust kernels, ${computes}, ${addon.instructionSet()}, ${threads} thread${threads === 1 ? "" : "s"}`;
  }

  protected override put(kernel: string, out: Tensor, data: ArrayLike<number>): void {
    this.#open(kernel, out);
    const values = data instanceof Float32Array ? data : new Float32Array(data);
    // In pieces, which reuse the same memory: four times as fast as one large copy.
    const pieces = out.rowStride === out.columns ? WRITTEN_AT_ONCE : Math.max(1, values.length);
    for (let from = 0; from < values.length; from += pieces) {
      const to = Math.min(from + pieces, values.length);
      const part = to - from === values.length ? out : viewElements(out, from, to);
      this.#putTensor(kernel, part, 0);
      this.#memory.write(this.#call, values.subarray(from, to));
    }
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    this.#putTensor("read", tensor, 0);
    return await this.#memory.read(this.#call);
  }

  release(tensor: Tensor): void {
    const { storage } = this.#open("release", tensor);
    shapes.release(tensor);
    this.#memory.release(storage.block);
    storage.block = RELEASED;
  }

  sparse(matrix: CsrMatrix, piece: PieceOfBatch = {}): SparseTensor {
    if (this.#closed) throw closedError();
    shapes.sparse(matrix, piece);
    const { rows, columns, offsets, indices, values } = matrix;
    const { first = 0, positions, squares } = piece;
    const number = this.#memory.sparse(rows, columns, offsets, indices, values, first, positions, squares);
    return new Batch(this, matrix, number, (batch) =>
      this.#memory.touched(this.#openSparse("touched", batch)),
    );
  }

  releaseSparse(tensor: SparseTensor): void {
    this.#memory.releaseSparse(this.#openSparse("releaseSparse", tensor));
    (tensor as Batch).number = RELEASED;
  }

  async finished(): Promise<void> {
    if (this.#closed) throw closedError();
    await this.#memory.finished();
  }

  memory(): number {
    return this.#closed ? 0 : this.#memory.memory();
  }

  close(): Promise<void> {
    this.#closed ??= this.#memory.close();
    return this.#closed;
  }

  /** Times every kernel that is queued from now on, except those with an answer. For benchmarks: it takes memory with every call. */
  startClock(): void {
    if (this.#closed) throw closedError();
    this.#timed = [];
    this.#memory.startClock();
  }

  /** The kernels queued since `startClock` or the last call, in their order, once they are done. Throws if the clock was not started. */
  async clocked(): Promise<TimedKernel[]> {
    if (this.#closed) throw closedError();
    const timed = this.#timed;
    if (!timed) throw new Error("the clock was not started");
    this.#timed = [];
    const times = await this.#memory.clocked();
    return timed.map((kernel, k) => ({ ...kernel, milliseconds: times[k] }));
  }

  /** Queues an exchange with other members, whose tensors have contiguous rows; MPI must have been started. */
  exchange(sends: readonly Message[], receives: readonly Message[]): void {
    const all = [...sends, ...receives];
    const messages = new Float64Array(6 * all.length);
    for (const [m, { member, tensor }] of all.entries()) {
      const { block } = this.#open("exchange", tensor).storage;
      const { offset, rows, columns, rowStride } = tensor;
      messages.set([member, block, offset, rows, columns, rowStride], 6 * m);
    }
    this.#memory.exchange(messages, sends.length);
  }

  /** Queues a kernel that fails, for tests. */
  fail(message: string): void {
    this.#memory.fail(message);
  }

  protected override run(kernel: Kernel, values: readonly unknown[]): unknown {
    const call = this.#call;
    const lists: Uint32Array[] = [];
    let at = 0;
    for (const leaf of kernel.leaves) {
      const value = leafValue(leaf, values);
      if (value === undefined) {
        call[at] = Number.NaN;
        at += leaf.kind === "matrix" ? 5 : 1;
      } else if (leaf.kind === "matrix") at = this.#putTensor(kernel.name, value as Tensor, at);
      else if (leaf.kind === "batch") call[at++] = this.#openSparse(kernel.name, value as SparseTensor);
      else if (leaf.kind === "number")
        call[at++] = leaf.words ? leaf.words.indexOf(value as string) : Number(value);
      else {
        call[at++] = lists.length;
        lists.push(bitsOf(value as Uint32Array | Float32Array | number));
      }
    }
    const number = this.#numbers.get(kernel) as number;
    const { answer } = kernel;
    if (answer) return this.#memory.ask(number, call, lists).then((given) => answer(given, values));
    this.#timed?.push({ name: kernel.name, operands: operandsOf(kernel, values) });
    return lists.length > 0 ? this.#memory.runWith(number, call, lists) : this.#memory.run(number, call);
  }

  /** Writes a tensor into the call from position `at`; returns the next position. */
  #putTensor(kernel: string, tensor: Tensor, at: number): number {
    const call = this.#call;
    call[at] = this.#open(kernel, tensor).storage.block;
    call[at + 1] = tensor.offset;
    call[at + 2] = tensor.rows;
    call[at + 3] = tensor.columns;
    call[at + 4] = tensor.rowStride;
    return at + 5;
  }

  protected override allocate(rows: number, columns: number, element: Element): View {
    if (this.#closed) throw closedError();
    const length = rows * columns;
    const block = this.#memory.allocate(length, ELEMENTS.indexOf(element));
    const storage = new Block(this, length, element, block);
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
}

/** The bits of a list; a single number is taken as float32. */
function bitsOf(list: Uint32Array | Float32Array | number): Uint32Array {
  if (list instanceof Uint32Array) return list;
  const floats = typeof list === "number" ? Float32Array.of(list) : list;
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

/** The platform in the naming of napi-rs: "linux-x64-gnu", "darwin-arm64", "win32-x64-msvc". */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${name}-msvc`;
  if (process.platform !== "linux") return name;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return `${name}-${report.header?.glibcVersionRuntime ? "gnu" : "musl"}`;
}

/** The addon, with its numbers of the table's kernels. */
interface Found {
  readonly addon: Addon;
  readonly numbers: ReadonlyMap<Kernel, number>;
}

let found: Found | { reason: string } | undefined;

/** Looks for the addon once: built from source in this package, then in the platform package. */
function findAddon(): Found | { reason: string } {
  found ??= loadAddon(
    fileURLToPath(new URL(`../../../native/foldin.${platformName()}.node`, import.meta.url)),
    `@foldin/native-${platformName()}`,
  );
  return found;
}

/** The addon at `builtFile` or, if that does not exist, in `packageName`; otherwise the reason, in one line. */
export function loadAddon(builtFile: string, packageName: string): Found | { reason: string } {
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
    return { reason: `the native engine in ${place} cannot be loaded: ${problem}` };
  }
  const agreed = numbersOf(typeof addon.contracts === "function" ? addon.contracts() : []);
  if ("mismatch" in agreed)
    return {
      reason: `the native engine in ${place} belongs to another version of foldin (${agreed.mismatch}): rebuild or reinstall it`,
    };
  return { addon, numbers: agreed.numbers };
}

/** The addon's functions for MPI, or a one-line reason why the addon is not available. */
export function mpiBinding(): { readonly mpi: MpiBinding } | { readonly reason: string } {
  const search = findAddon();
  return "reason" in search ? search : { mpi: search.addon };
}

/** The instruction set for which the addon's kernels are compiled here; undefined if it is not available. */
export function nativeInstructions(): string | undefined {
  const search = findAddon();
  return "reason" in search ? undefined : search.addon.instructionSet();
}

export interface NativeEngineOptions {
  /** Default: all cores. */
  threads?: number;
  /** "float32" or "bf16". */
  precision?: EnginePrecision;
}

/**
 * Opens the native engine, or returns a one-line reason why it is not available. Throws UserError for float64 and for a number
 * of threads that is not an integer from 1 to 1024.
 */
export function loadNativeEngine({
  threads = availableParallelism(),
  precision = "float32",
}: NativeEngineOptions = {}): { engine: Engine } | { reason: string } {
  if (precision !== "float32" && precision !== "bf16")
    throw new UserError({
      place: "precision",
      problem: `the native engine does not support ${precision}, only float32`,
      remedy: "Use the reference engine (--engine reference) for float64",
    });
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS))
    throw new UserError({
      place: "threads",
      problem: `${threads} is not a valid number of threads`,
      expected: `an integer from 1 to ${MOST_THREADS}`,
    });
  const search = findAddon();
  if ("reason" in search) return search;
  return { engine: new NativeEngine(search.addon, search.numbers, threads, precision === "bf16") };
}
