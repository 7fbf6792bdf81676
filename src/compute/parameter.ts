// A parameter: a matrix that training changes. It owns its value in the engine's precision (the master), copies of it in other
// element types that kernels asked for, its gradient (dense, or only the rows that a sparse input touched), the coefficient
// of an L2 term, and the optimiser's moments once there are any. The gradient's memory is kept from step to step; a gradient
// of rows has memory of its own size, and none for the other rows.

import type { RandomKey } from "../core/philox.js";
import { Turns } from "../core/turns.js";
import type { Engine, GradientTensor } from "./engine.js";
import { takeTensor } from "./named-tensors.js";
import { MOST_ROWS, sizeClass } from "./shapes.js";
import {
  type Element,
  type FloatArray,
  type HostTensor,
  type NamedTensors,
  type Tensor,
  viewColumns,
  viewElements,
  viewRows,
} from "./tensor.js";

/** What a gradient can flow into: a parameter, or a variable of a tape. */
export interface Differentiable {
  readonly value: Tensor;
  /** False where nothing upstream is trained: backward passes then leave it out. */
  readonly needsGradient: boolean;
  /** The gradient, to be added to; zeros before the first contribution. */
  gradient(): Tensor;
  /** Adds a contribution: `write` must set `out` where `accumulate` is false, and add to it where it is true. */
  addGradient(write: (out: Tensor, accumulate: boolean) => void): void;
}

/**
 * Writes the values of a matrix, row-major, from its element `first` on. Called for one piece after the other, in order; the
 * length of every piece but the last is a multiple of 4.
 */
export type Fill = (out: Float32Array, first: number) => void;

/** The initial values of a parameter [rows, columns]; `inputs` is the fan-in of its layer (default: the rows). */
export type Initializer = (rows: number, columns: number, key: RandomKey, inputs?: number) => Fill;

/** What a model says of a parameter before there is any memory for it. */
export interface ParameterDeclaration {
  /** Unique within a model: names the tensor in files, and its random stream. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Default zeros. */
  readonly initial?: Initializer | undefined;
  /** The fan-in of its layer, for `initial`. Default: the rows. */
  readonly inputs?: number;
  /** Which axis begins with one row (or column) per item of the catalogue, where one does. */
  readonly itemAxis?: "rows" | "columns" | undefined;
}

export class Parameter implements Differentiable, ParameterDeclaration {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly initial: Initializer | undefined;
  readonly inputs: number;
  readonly itemAxis: "rows" | "columns" | undefined;
  /** False while a pass leaves this parameter as it is: nothing is then computed for it (RecVAE trains its halves in turns). */
  needsGradient = true;
  /** Coefficient of an L2 term in this step's gradient, applied by the optimiser: g += decay * value. */
  decay = 0;
  /** Memory of dense gradients. */
  #whole: Tensor | undefined;
  /** Memory of gradients of rows: as many rows as the largest of them so far needed, or a few more. */
  #rows: Tensor | undefined;
  #gradient: GradientTensor | undefined;
  #moments: { readonly m: Tensor; readonly v: Tensor } | undefined;
  #memory: { readonly engine: Engine; readonly value: Tensor } | undefined;
  readonly #copies = new Map<Element, Tensor>();

  /**
   * A parameter [rows, columns] in the engine's memory that starts as a copy of `values` (row-major), or as zeros. Without an
   * engine it is declared only, as `declare` does it.
   */
  constructor(
    engine: Engine | undefined,
    name: string,
    rows: number,
    columns: number,
    values?: ArrayLike<number>,
    itemAxis?: "rows" | "columns",
    { initial, inputs = rows }: Pick<ParameterDeclaration, "initial" | "inputs"> = {},
  ) {
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    this.itemAxis = itemAxis;
    this.initial = initial;
    this.inputs = inputs;
    if (engine) this.allocate(engine, values);
  }

  /** A parameter without memory: its name and shape can be counted and compared before `allocate` gives it any. */
  static declare({ name, rows, columns, itemAxis, ...start }: ParameterDeclaration): Parameter {
    return new Parameter(undefined, name, rows, columns, undefined, itemAxis, start);
  }

  /** Takes memory for its value: a copy of `values` (row-major), or zeros. */
  allocate(engine: Engine, values?: ArrayLike<number>): void {
    if (this.#memory) throw new Error(`parameter ${this.name} has memory already`);
    const { rows, columns } = this;
    const value = values ? engine.tensor(rows, columns, values) : engine.zeros(rows, columns);
    this.#memory = { engine, value };
  }

  get engine(): Engine {
    return this.#allocated.engine;
  }

  /** Code that changes it calls `changed`. */
  get value(): Tensor {
    return this.#allocated.value;
  }

  get #allocated() {
    if (this.#memory) return this.#memory;
    throw new Error(`parameter ${this.name} is declared only: it has no memory yet`);
  }

  /** The value rounded to bfloat16 (`convert`): made when first asked for, up to date after every change, and released with the parameter. */
  copyAs(element: "bfloat16"): Tensor {
    let copy = this.#copies.get(element);
    if (copy === undefined) {
      copy = this.engine.empty(this.rows, this.columns, element);
      this.engine.convert(copy, this.value);
      this.#copies.set(element, copy);
    }
    return copy;
  }

  /** The value is another one: its copies follow. */
  changed(): void {
    for (const copy of this.#copies.values()) this.engine.convert(copy, this.value);
  }

  /** Replaces the value by a copy of `data` (row-major). */
  write(data: ArrayLike<number>): void {
    this.engine.write(this.value, data);
    this.changed();
  }

  /** What the steps so far contributed, without the L2 term; undefined if nothing has. */
  get currentGradient(): GradientTensor | undefined {
    return this.#gradient;
  }

  /** Adam's first and second moments; zeros when first asked for. */
  get moments(): { readonly m: Tensor; readonly v: Tensor } {
    this.#moments ??= {
      m: this.engine.zeros(this.rows, this.columns),
      v: this.engine.zeros(this.rows, this.columns),
    };
    return this.#moments;
  }

  /** Moments start again from zero: for an optimiser that begins. */
  forgetMoments(): void {
    if (!this.#moments) return;
    this.engine.release(this.#moments.m);
    this.engine.release(this.#moments.v);
    this.#moments = undefined;
  }

  gradient(): Tensor {
    this.addGradient((out, accumulate) => {
      if (!accumulate) this.engine.fill(out, 0);
    });
    return this.#ownWhole();
  }

  addGradient(write: (out: Tensor, accumulate: boolean) => void): void {
    const tensor = this.#ownWhole();
    if (this.#gradient?.kind === "rows") {
      this.engine.fill(tensor, 0);
      this.engine.addRows(tensor, this.#gradient.tensor, this.#gradient.touched);
    }
    write(tensor, this.#gradient !== undefined);
    this.#gradient = { kind: "dense", tensor };
  }

  /**
   * The contribution of a sparse input: `write` sets out [touched.length, columns]; every other row is zero. As long as all
   * contributions are of this kind, the gradient stays one of rows: those that any of them touched.
   */
  addRowsGradient(touched: Uint32Array, write: (out: Tensor) => void): void {
    if (this.#gradient === undefined) {
      const tensor = this.#ownRows(touched.length);
      write(tensor);
      this.#gradient = { kind: "rows", tensor, touched };
      return;
    }
    const added = this.engine.empty(touched.length, this.columns);
    write(added);
    if (this.#gradient.kind === "rows") this.#gradient = this.#withRows(this.#gradient, touched);
    if (this.#gradient.kind === "rows")
      this.engine.addRows(this.#gradient.tensor, added, placesIn(this.#gradient.touched, touched));
    else this.engine.addRows(this.#gradient.tensor, added, touched);
    this.engine.release(added);
  }

  /** Forgets gradient and L2 term; the memory stays for the next step. */
  clearGradient(): void {
    this.#gradient = undefined;
    this.decay = 0;
  }

  /** The whole gradient [rows, columns] with its L2 term, on the host: for tests and inspection. */
  async fullGradient(): Promise<FloatArray> {
    const value = await this.engine.read(this.value);
    const full = value.map((weight) => this.decay * weight);
    if (this.#gradient === undefined) return full;
    const given = await this.engine.read(this.#gradient.tensor);
    const { columns } = this;
    for (let i = 0; i < given.length; i++) {
      const row = Math.floor(i / columns);
      const target = this.#gradient.kind === "rows" ? this.#gradient.touched[row] : row;
      full[target * columns + (i % columns)] += given[i];
    }
    return full;
  }

  /** Gives all of its memory, if it has any, back to the engine. */
  release(): void {
    if (!this.#memory) return;
    this.engine.release(this.value);
    if (this.#whole) this.engine.release(this.#whole);
    if (this.#rows) this.engine.release(this.#rows);
    if (this.#moments) {
      this.engine.release(this.#moments.m);
      this.engine.release(this.#moments.v);
    }
    for (const copy of this.#copies.values()) this.engine.release(copy);
    this.#copies.clear();
    this.#whole = undefined;
    this.#rows = undefined;
    this.#gradient = undefined;
    this.#moments = undefined;
  }

  #ownWhole(): Tensor {
    this.#whole ??= this.engine.empty(this.rows, this.columns);
    return this.#whole;
  }

  /** The first `count` rows of the memory for rows, which is replaced by a larger one where it is too small. */
  #ownRows(count: number): Tensor {
    if (this.#rows === undefined || this.#rows.rows < count) {
      if (this.#rows) this.engine.release(this.#rows);
      // In size classes, because the number of touched rows differs from batch to batch.
      this.#rows = this.engine.empty(Math.min(this.rows, sizeClass(count)), this.columns);
    }
    return viewRows(this.#rows, 0, count);
  }

  /** A gradient of rows with zeros for those of `more` that it does not have yet. */
  #withRows(gradient: RowsGradient, more: Uint32Array): RowsGradient {
    const touched = union(gradient.touched, more);
    if (touched.length === gradient.touched.length) return gradient;
    const before = this.engine.empty(gradient.tensor.rows, this.columns);
    this.engine.copy(before, gradient.tensor);
    const tensor = this.#ownRows(touched.length);
    this.engine.fill(tensor, 0);
    this.engine.addRows(tensor, before, placesIn(touched, gradient.touched));
    this.engine.release(before);
    return { kind: "rows", tensor, touched };
  }
}

type RowsGradient = Extract<GradientTensor, { kind: "rows" }>;

/** The numbers that are in either of two ascending lists, ascending. */
function union(a: Uint32Array, b: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length);
  let count = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length; count++) {
    const next = Math.min(i < a.length ? a[i] : MOST_ROWS, j < b.length ? b[j] : MOST_ROWS);
    if (a[i] === next) i++;
    if (b[j] === next) j++;
    both[count] = next;
  }
  return both.subarray(0, count);
}

/** Where each of `some` stands in `all`; both ascend, and `all` has them all. */
function placesIn(all: Uint32Array, some: Uint32Array): Uint32Array {
  let place = 0;
  return some.map((one) => {
    while (all[place] !== one) place++;
    return place;
  });
}

/** The values that parameters had at a moment, kept in the engine's memory until they are asked for. */
export class KeptParameters {
  readonly #engine: Engine;
  readonly #kept: readonly (readonly [string, Tensor])[];
  /** Whether a look at the values found nothing but finite numbers; false is a reason to look at them one by one. */
  readonly finite: Promise<boolean>;

  constructor(engine: Engine, parameters: readonly Parameter[]) {
    this.#engine = engine;
    const squares = engine.zeros(1, parameters.length);
    this.#kept = parameters.map(({ name, value }, p) => {
      const copy = engine.empty(value.rows, value.columns);
      engine.copy(copy, value);
      engine.addSumOfSquares(viewColumns(squares, p, p + 1), value, 1);
      return [name, copy] as const;
    });
    this.finite = engine.read(squares).then((sums) => sums.every(Number.isFinite));
    engine.release(squares);
  }

  /** By name, on the host. */
  async read(): Promise<NamedTensors> {
    const read = this.#kept.map(
      async ([name, tensor]) => [name, await saveTensor(this.#engine, tensor)] as const,
    );
    return Object.fromEntries(await Promise.all(read));
  }

  /** Gives its memory back to the engine. */
  release(): void {
    for (const [, tensor] of this.#kept) this.#engine.release(tensor);
  }
}

/** A host copy of a tensor of the engine. */
export async function saveTensor(engine: Engine, tensor: Tensor): Promise<HostTensor> {
  return { shape: [tensor.rows, tensor.columns], data: await engine.read(tensor) };
}

/** Numbers that go to the engine at a time: what is copied on the way stays small beside a large tensor. */
const WRITTEN_AT_ONCE = 1 << 20;

/** Overwrites a contiguous tensor piece by piece; the event loop turns meanwhile. */
export async function writeTensor(
  engine: Engine,
  out: Tensor,
  data: HostTensor["data"],
  numbersAtOnce = WRITTEN_AT_ONCE,
): Promise<void> {
  const turns = new Turns();
  for (let from = 0; from < data.length; from += numbersAtOnce) {
    const to = Math.min(from + numbersAtOnce, data.length);
    engine.write(viewElements(out, from, to), data.subarray(from, to));
    // Writes are queued faster than they are done.
    await engine.finished();
    if (turns.due) await turns.yield();
  }
}

/** Overwrites a tensor with the named one; the event loop turns meanwhile. Throws UserError where it is missing or has another shape. */
export async function loadTensor(
  engine: Engine,
  out: Tensor,
  name: string,
  saved: NamedTensors,
): Promise<void> {
  await writeTensor(engine, out, takeTensor(saved, name, [out.rows, out.columns]));
}

/** The values of the parameters, by name. */
export async function saveParameters(parameters: readonly Parameter[]): Promise<NamedTensors> {
  const saved = parameters.map(
    async (parameter) => [parameter.name, await saveTensor(parameter.engine, parameter.value)] as const,
  );
  return Object.fromEntries(await Promise.all(saved));
}

/** Sets the values of the parameters. Throws UserError where one is missing or has another shape. */
export async function loadParameters(parameters: readonly Parameter[], saved: NamedTensors): Promise<void> {
  for (const parameter of parameters) {
    await loadTensor(parameter.engine, parameter.value, parameter.name, saved);
    parameter.changed();
  }
}
