// A parameter: a matrix that is trained. It owns its value in the engine's precision (the master copy), copies in other element
// types that kernels requested, its gradient (dense, or only the rows that a sparse input touched), the coefficient of an L2
// term, and the optimiser's moments. The gradient's memory is kept from step to step; a gradient of rows only has memory for
// these rows.

import type { RandomKey } from "../core/philox.js";
import { Turns } from "../core/turns.js";
import type { Division } from "./division.js";
import type { Engine, GradientTensor } from "./engine.js";
import { type PendingTensor, readAll, type StoredTensors, takeTensor } from "./named-tensors.js";
import { MOST_ROWS, sizeClass } from "./shapes.js";
import {
  type DividedAxis,
  type Element,
  type FloatArray,
  type HostTensor,
  type ItemAxis,
  type NamedTensors,
  type Tensor,
  viewColumns,
  viewElements,
  viewReshaped,
  viewRows,
} from "./tensor.js";

/** The target of a gradient: a parameter, or a variable of a tape. */
export interface Differentiable {
  readonly value: Tensor;
  /** False if nothing upstream is trained; backward passes then skip it. */
  readonly needsGradient: boolean;
  /** The gradient, to be added to; zeros before the first contribution. */
  gradient(): Tensor;
  /** Adds a contribution: `write` must set `out` if `accumulate` is false, and add to it otherwise. */
  addGradient(write: (out: Tensor, accumulate: boolean) => void): void;
}

/**
 * Writes the values of a matrix, row-major, starting at its element `first`. Called for pieces in order, which are consecutive if it
 * is `sequential`; `first` is a multiple of 4.
 */
export type Fill = ((out: Float32Array, first: number) => void) & { readonly sequential?: boolean };

/** The initial values of a parameter [rows, columns]; `inputs` is the fan-in of its layer (default: the rows). */
export type Initializer = (rows: number, columns: number, key: RandomKey, inputs?: number) => Fill;

/** The declaration of a parameter, before memory is allocated. */
export interface ParameterDeclaration {
  /** Unique within a model: names the tensor in files, and its random stream. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Default zeros. */
  readonly initial?: Initializer | undefined;
  /** The fan-in of its layer, for `initial`. Default: the rows. */
  readonly inputs?: number;
  /** The axis that begins with one row (or column) per item of the catalogue, if any. */
  readonly itemAxis?: ItemAxis | undefined;
}

export class Parameter implements Differentiable, ParameterDeclaration {
  readonly name: string;
  /** The shape of the whole matrix, if the items are divided among members. */
  readonly whole: { readonly rows: number; readonly columns: number };
  readonly initial: Initializer | undefined;
  readonly inputs: number;
  readonly itemAxis: ItemAxis | undefined;
  #division: Division | undefined;
  /** False while this parameter is not trained: nothing is then computed for it (RecVAE alternates between its halves). */
  needsGradient = true;
  /** Coefficient of an L2 term in this step's gradient, applied by the optimiser: g += decay * value. */
  decay = 0;
  /** Memory of dense gradients. */
  #whole: Tensor | undefined;
  /** Memory of gradients of rows: at least as many rows as the largest of them so far. */
  #rows: Tensor | undefined;
  #gradient: GradientTensor | undefined;
  #isByColumn = false;
  #moments: { readonly m: Tensor; readonly v: Tensor } | undefined;
  #memory: { readonly engine: Engine; readonly value: Tensor } | undefined;
  readonly #copies = new Map<Element, Tensor>();

  /**
   * A parameter [rows, columns] in the engine's memory, initialised with a copy of `values` (row-major) or zeros. Without an engine
   * it is only declared, as by `declare`.
   */
  constructor(
    engine: Engine | undefined,
    name: string,
    rows: number,
    columns: number,
    values?: ArrayLike<number>,
    itemAxis?: ItemAxis,
    { initial, inputs = rows }: Pick<ParameterDeclaration, "initial" | "inputs"> = {},
  ) {
    this.name = name;
    this.whole = { rows, columns };
    this.itemAxis = itemAxis;
    this.initial = initial;
    this.inputs = inputs;
    if (engine) this.allocate(engine, values);
  }

  /** A parameter without memory, whose name and shape can be used before `allocate`. */
  static declare({ name, rows, columns, itemAxis, ...start }: ParameterDeclaration): Parameter {
    return new Parameter(undefined, name, rows, columns, undefined, itemAxis, start);
  }

  /** The rows of its value: with a division, those of the member's own items and the rows after the items. */
  get rows(): number {
    return this.whole.rows - this.#foreign("rows");
  }

  get columns(): number {
    return this.whole.columns - this.#foreign("columns");
  }

  /** The number of rows (or columns) of other members' items. */
  #foreign(axis: ItemAxis): number {
    return this.#division && this.itemAxis === axis ? this.#division.items - this.#division.count : 0;
  }

  /** The division of its items; absent if it has no items or they are not divided. */
  get division(): Division | undefined {
    return this.#division;
  }

  /** The division with the axis of the items, for saved tensors of its shape. */
  get divided(): DividedAxis | undefined {
    return this.#division && this.itemAxis && { axis: this.itemAxis, division: this.#division };
  }

  /** From now on only the own items have memory. Before `allocate`; no effect on parameters without items. */
  divide(division: Division): void {
    if (this.#memory) throw new Error(`parameter ${this.name} is already allocated`);
    if (this.itemAxis) this.#division = division;
  }

  /** Allocates memory for its value: a copy of `values` (row-major), or zeros. */
  allocate(engine: Engine, values?: ArrayLike<number>): void {
    if (this.#memory) throw new Error(`parameter ${this.name} is already allocated`);
    const { rows, columns } = this;
    const value = values ? engine.tensor(rows, columns, values) : engine.zeros(rows, columns);
    this.#memory = { engine, value };
  }

  get engine(): Engine {
    return this.#allocated.engine;
  }

  /** Code that changes the value must call `changed`. */
  get value(): Tensor {
    return this.#allocated.value;
  }

  get #allocated() {
    if (this.#memory) return this.#memory;
    throw new Error(`parameter ${this.name} is only declared, not allocated`);
  }

  /** The value rounded to bfloat16 (`convert`): created on first use, updated after every change, and released with the parameter. */
  copyAs(element: "bfloat16"): Tensor {
    let copy = this.#copies.get(element);
    if (copy === undefined) {
      copy = this.engine.empty(this.rows, this.columns, element);
      this.engine.convert(copy, this.value);
      this.#copies.set(element, copy);
    }
    return copy;
  }

  /** To be called after the value has changed: updates its copies. */
  changed(): void {
    for (const copy of this.#copies.values()) this.engine.convert(copy, this.value);
  }

  /** From now on another tensor of this shape, with its numbers, is the value; returns the former one. Both belong to the engine. */
  exchange(tensor: Tensor): Tensor {
    const { engine, value } = this.#allocated;
    if (tensor.rows !== value.rows || tensor.columns !== value.columns)
      throw new RangeError(`parameter ${this.name}: a value of another shape`);
    this.#memory = { engine, value: tensor };
    this.changed();
    return value;
  }

  /** Replaces the value by a copy of `data` (row-major). */
  write(data: ArrayLike<number>): void {
    this.engine.write(this.value, data);
    this.changed();
  }

  /** The accumulated gradient, without the L2 term; undefined if there is none. */
  get currentGradient(): GradientTensor | undefined {
    return this.#gradient;
  }

  /** Adam's first and second moments, initially zeros. */
  get moments(): { readonly m: Tensor; readonly v: Tensor } {
    this.#moments ??= {
      m: this.engine.zeros(this.rows, this.columns),
      v: this.engine.zeros(this.rows, this.columns),
    };
    return this.#moments;
  }

  /** Resets the moments to zero, for a new optimiser. */
  forgetMoments(): void {
    if (!this.#moments) return;
    this.engine.release(this.#moments.m);
    this.engine.release(this.#moments.v);
    this.#moments = undefined;
  }

  /** Whether its gradients of rows are gradients of columns: those of a bias [1, items]. */
  get isByColumn(): boolean {
    return this.#isByColumn;
  }

  /** A tensor of this parameter's shape as the matrix whose rows a gradient of rows has: itself or, by column, [1, items] as [items, 1]. */
  byRow(tensor: Tensor): Tensor {
    return this.#isByColumn ? viewReshaped(tensor, this.columns, 1) : tensor;
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
      this.engine.addRows(this.byRow(tensor), this.#gradient.tensor, this.#gradient.touched);
    }
    write(tensor, this.#gradient !== undefined);
    this.#gradient = { kind: "dense", tensor };
  }

  /**
   * The contribution of a sparse input, or of a sample of items: `write` sets out [touched.length, columns]; every other row is
   * zero. As long as all contributions are of this kind, the gradient is stored only for the rows that any of them touched.
   */
  addRowsGradient(touched: Uint32Array, write: (out: Tensor) => void): void {
    if (this.#gradient === undefined) {
      const tensor = this.#ownRows(touched.length);
      write(tensor);
      this.#gradient = { kind: "rows", tensor, touched };
      return;
    }
    const added = this.engine.empty(touched.length, this.#width);
    write(added);
    if (this.#gradient.kind === "rows") this.#gradient = this.#withRows(this.#gradient, touched);
    if (this.#gradient.kind === "rows")
      this.engine.addRows(this.#gradient.tensor, added, placesIn(this.#gradient.touched, touched));
    else this.engine.addRows(this.byRow(this.#gradient.tensor), added, touched);
    this.engine.release(added);
  }

  /** `addRowsGradient` for some columns of a bias [1, items]: `write` sets out [touched.length, 1]. */
  addColumnsGradient(touched: Uint32Array, write: (out: Tensor) => void): void {
    if (this.rows !== 1) throw new RangeError(`parameter ${this.name} is not a single row`);
    this.#isByColumn = true;
    this.addRowsGradient(touched, write);
  }

  /**
   * out [1, 1] += the sum of squares of the gradient, of all items if they are divided: block by block, in the order of the tree. Only
   * with a gradient.
   */
  addSquaresOfGradient(out: Tensor): void {
    const gradient = this.#gradient;
    if (gradient === undefined) throw new Error(`parameter ${this.name} has no gradient`);
    const { engine } = this;
    if (!this.#division) {
      engine.addSumOfSquares(out, gradient.tensor, 1);
      return;
    }
    const { own, ownBlocks, communicator } = this.#division;
    const { tensor } = gradient;
    const inRows = gradient.kind === "rows" || this.itemAxis === "rows";
    /** Where the items from `item` on start in the gradient. */
    const startOf = (item: number) =>
      gradient.kind === "rows" ? firstFrom(gradient.touched, item - own.from) : item - own.from;
    const parts = ownBlocks.map(({ from, to }) => {
      const part = engine.zeros(1, 1);
      const [first, last] = [startOf(from), startOf(to)];
      if (inRows) engine.addSumOfSquares(part, viewRows(tensor, first, last), 1);
      else {
        // The order of a sum depends on whether its rows are contiguous, which must not depend on the number of members.
        const block = engine.empty(tensor.rows, last - first);
        engine.copy(block, viewColumns(tensor, first, last));
        engine.addSumOfSquares(part, block, 1);
        engine.release(block);
      }
      return part;
    });
    const sum = engine.empty(1, 1);
    communicator.sum(sum, parts);
    engine.addScaled(out, sum, 1);
    // What follows the items is the same on every member.
    const end = startOf(own.to);
    if (inRows && end < tensor.rows) engine.addSumOfSquares(out, viewRows(tensor, end, tensor.rows), 1);
    for (const one of [sum, ...parts]) engine.release(one);
  }

  /** Clears gradient and L2 term; the memory is kept for the next step. */
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
    const columns = this.#gradient.kind === "rows" ? this.#width : this.columns;
    for (let i = 0; i < given.length; i++) {
      const row = Math.floor(i / columns);
      const target = this.#gradient.kind === "rows" ? this.#gradient.touched[row] : row;
      full[target * columns + (i % columns)] += given[i];
    }
    return full;
  }

  /** Returns all of its memory to the engine. */
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

  /** The columns of a gradient of rows. */
  get #width(): number {
    return this.#isByColumn ? 1 : this.columns;
  }

  #ownWhole(): Tensor {
    this.#whole ??= this.engine.empty(this.rows, this.columns);
    return this.#whole;
  }

  /** The first `count` rows of the memory for gradients of rows, which is enlarged if necessary. */
  #ownRows(count: number): Tensor {
    if (this.#rows === undefined || this.#rows.rows < count) {
      if (this.#rows) this.engine.release(this.#rows);
      // In size classes, because the number of touched rows varies between batches.
      const most = this.#isByColumn ? this.columns : this.rows;
      this.#rows = this.engine.empty(Math.min(most, sizeClass(count)), this.#width);
    }
    return viewRows(this.#rows, 0, count);
  }

  /** A gradient of rows, extended by zeros for the missing rows of `more`. */
  #withRows(gradient: RowsGradient, more: Uint32Array): RowsGradient {
    const touched = union(gradient.touched, more);
    if (touched.length === gradient.touched.length) return gradient;
    const before = this.engine.empty(gradient.tensor.rows, this.#width);
    this.engine.copy(before, gradient.tensor);
    const tensor = this.#ownRows(touched.length);
    this.engine.fill(tensor, 0);
    this.engine.addRows(tensor, before, placesIn(touched, gradient.touched));
    this.engine.release(before);
    return { kind: "rows", tensor, touched };
  }
}

type RowsGradient = Extract<GradientTensor, { kind: "rows" }>;

/** The union of two ascending lists, ascending. */
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

/** The number of elements of an ascending list that are below `bound`. */
export function firstFrom(ascending: Uint32Array, bound: number): number {
  let low = 0;
  for (let high = ascending.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index in `all` of each element of `some`; both are ascending, and `all` contains `some`. */
export function placesIn(all: Uint32Array, some: Uint32Array): Uint32Array {
  let place = 0;
  return some.map((one) => {
    while (all[place] !== one) place++;
    return place;
  });
}

/** A snapshot of the values of parameters, kept in the engine's memory until it is read. */
export class KeptParameters {
  readonly #engine: Engine;
  readonly #kept: readonly (readonly [string, Tensor, DividedAxis | undefined])[];
  /** Whether a quick check found only finite numbers; if false, check them one by one. */
  readonly finite: Promise<boolean>;

  constructor(engine: Engine, parameters: readonly Parameter[]) {
    this.#engine = engine;
    const squares = engine.zeros(1, parameters.length);
    this.#kept = parameters.map(({ name, value, divided }, p) => {
      const copy = engine.empty(value.rows, value.columns);
      engine.copy(copy, value);
      engine.addSumOfSquares(viewColumns(squares, p, p + 1), value, 1);
      return [name, copy, divided] as const;
    });
    this.finite = engine.read(squares).then((sums) => sums.every(Number.isFinite));
    engine.release(squares);
  }

  /** The values by name, to be read before `release`. */
  pending(): StoredTensors {
    return Object.fromEntries(
      this.#kept.map(([name, tensor, divided]) => [name, pendingTensor(this.#engine, tensor, divided)]),
    );
  }

  /** Returns its memory to the engine. */
  release(): void {
    for (const [, tensor] of this.#kept) this.#engine.release(tensor);
  }
}

/** A host copy of a tensor of the engine. */
export async function saveTensor(engine: Engine, tensor: Tensor): Promise<HostTensor> {
  return { shape: [tensor.rows, tensor.columns], data: await engine.read(tensor) };
}

/** A tensor of the engine, to be copied to the host when it is needed. */
export function pendingTensor(engine: Engine, tensor: Tensor, divided?: DividedAxis): PendingTensor {
  return {
    shape: [tensor.rows, tensor.columns],
    ...(divided && { divided }),
    element: engine.precision,
    read: () => engine.read(tensor),
  };
}

/** Numbers that are copied to the engine at a time, which limits the temporary memory. */
const WRITTEN_AT_ONCE = 1 << 20;

/** Overwrites a contiguous tensor piece by piece, yielding to the event loop. */
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
    // Wait here: writes are queued faster than they are executed.
    await engine.finished();
    if (turns.due) await turns.yield();
  }
}

/** Writes a tensor of the host, piece by piece if its numbers are in a file, so that they are in memory once. */
export async function writeHostTensor(engine: Engine, out: Tensor, tensor: HostTensor): Promise<void> {
  if (!tensor.stored) return writeTensor(engine, out, tensor.data);
  let from = 0;
  for await (const piece of tensor.stored.pieces()) {
    await writeTensor(engine, viewElements(out, from, from + piece.length), piece);
    from += piece.length;
  }
}

/** Overwrites a tensor with the named one, yielding to the event loop. Throws UserError if it is missing or has another shape. */
export async function loadTensor(
  engine: Engine,
  out: Tensor,
  name: string,
  saved: NamedTensors,
): Promise<void> {
  await writeTensor(engine, out, takeTensor(saved, name, [out.rows, out.columns]));
}

/** The values of the parameters, by name, to be read before they change. */
export function pendingParameters(parameters: readonly Parameter[]): StoredTensors {
  return Object.fromEntries(
    parameters.map((parameter) => [
      parameter.name,
      pendingTensor(parameter.engine, parameter.value, parameter.divided),
    ]),
  );
}

/** The values of the parameters, by name. */
export function saveParameters(parameters: readonly Parameter[]): Promise<NamedTensors> {
  return readAll(pendingParameters(parameters));
}

/** Sets the values of the parameters. Throws UserError if one is missing or has another shape. */
export async function loadParameters(parameters: readonly Parameter[], saved: NamedTensors): Promise<void> {
  for (const parameter of parameters) {
    await loadTensor(parameter.engine, parameter.value, parameter.name, saved);
    parameter.changed();
  }
}
