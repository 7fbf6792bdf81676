// The notation that describes a kernel, once for all engines. A description lists the arguments of a call in order:
//
//   a[r,c]        a tensor that is read           x<r,c>        a sparse batch; <r,c;t> with t touched columns
//   =out[r,c]     a tensor that is overwritten    rows{t<r}     t indices below r; {t/r}: also ascending
//   +out[r,c]     a tensor that is added to       left|c|       c numbers as a Float32Array
//   ~a[r,c]       a tensor changed in place       factor        a number or a boolean
//   name?...      optional                        size=(a|b)    one of these words
//   a[r,c]:int8   a tensor of int8                step:{...}    an object with these fields
//
// A size is a letter (equal letters mean equal sizes), a number, 2*l+1, tri(k) = k (k + 1) / 2, or * for any. Element types are
// written int8, or float32|bfloat16 if a kernel accepts either; the default is float32, which stands for the engine's
// precision. The checks of every call, the forwarding by an engine and the contract with the native addon are derived from the
// description. `=` operands are completely overwritten; if a kernel can either overwrite or add, its operand is `=` and its
// options have `accumulate`.

import type { Element, SparseTensor, Tensor } from "./tensor.js";

export type Role = "read" | "overwrite" | "add" | "change";
/** The kind of a leaf of a call; `list` holds indices, `floats` float32 numbers. */
type LeafKind = (typeof kinds)[number] | "number";

/** One operand or number of a call, at any depth of the arguments. */
export interface Leaf {
  readonly kind: LeafKind;
  readonly name: string;
  readonly role: Role;
  readonly optional: boolean;
  /** The index of its argument, and the path of fields within it. */
  readonly argument: number;
  readonly fields: readonly string[];
  /** The name of the object that contains it; "" for an argument itself. */
  readonly within: string;
  /** For matrices and batches: rows, columns (and touched columns); for lists and floats: the length. */
  readonly sizes: readonly Size[];
  /** For a matrix: its permitted element types. */
  readonly elements: readonly Element[];
  /** For a list: the upper bound of its indices, and whether they are ascending. */
  readonly below?: Size;
  readonly ascending?: boolean;
  /** For a number: the words that stand for 0, 1, ... */
  readonly words?: readonly string[];
}

/** A size, as a function of the value of its letter, if it has one. */
interface Size {
  readonly text: string;
  /** The number of its letter; -1 = none. */
  readonly letter: number;
  /** Whether it is only the letter. */
  readonly isLetter: boolean;
  /** -1 = any. */
  readonly from: (letter: number) => number;
}

// biome-ignore lint/suspicious/noExplicitAny: the constraint of every function type
export type Signature = (...values: any[]) => unknown;

/** The raw return value of a kernel, as an engine outside JavaScript delivers it. */
export interface Answer {
  readonly numbers: readonly number[];
  readonly integers: readonly Uint32Array[];
  readonly floats: Float32Array;
}

export interface KernelOptions<S extends Signature> {
  /** Further conditions besides the shapes: throws through `fail`. */
  readonly check?: (...values: Parameters<S>) => void;
  /** The largest permitted |difference| / (1 + |expected|) of engines from the naive formula; 0 = none. Default 5e-6. */
  readonly tolerance?: number;
  /** For a kernel whose calls return a promise: converts the raw return value of a call with these arguments. */
  readonly answer?: (answer: Answer, ...values: Parameters<S>) => Awaited<ReturnType<S>>;
}

/** A described kernel; `S` is the signature of a call. */
export interface Kernel<S extends Signature = Signature> {
  readonly name: string;
  readonly leaves: readonly Leaf[];
  /** The arguments and their leaves, which must agree with the addon. */
  readonly contract: string;
  readonly tolerance: number;
  /** Throws RangeError, naming the kernel and the shapes or types, if the arguments of a call are invalid. */
  check(values: readonly unknown[]): void;
  /** Converts an engine's raw return value; absent for kernels without a value. */
  readonly answer?: (answer: Answer, values: readonly unknown[]) => unknown;
  /** Never set; only carries the type. */
  readonly signature?: S;
}

/** A kernel without a name; the table names it. */
export type Described<S extends Signature> = (name: string) => Kernel<S>;

export function fail(kernel: string, problem: string): never {
  throw new RangeError(`${kernel}: ${problem}`);
}

/** Describes a kernel. */
export function kernel<S extends Signature>(
  description: string,
  { check, tolerance = 5e-6, answer }: KernelOptions<S> = {},
): Described<S> {
  return (name) => {
    const letters: string[] = [];
    const leaves = leavesOf(description, letters);
    const bound = new Float64Array(letters.length);
    const sized = leaves.filter(({ sizes }) => sizes.length > 0).sort((a, b) => rankOf(a) - rankOf(b));
    return {
      name,
      leaves,
      contract: `${contractOf(name, leaves)}${answer ? ": answer" : ""}`,
      tolerance,
      check(values) {
        checkOperands(name, sized, bound, values);
        check?.(...(values as Parameters<S>));
      },
      answer: answer && ((given, values) => answer(given, ...(values as Parameters<S>))),
    };
  };
}

/** Names the kernels of a table. */
export function table<T extends Record<string, Described<Signature>>>(
  described: T,
): { readonly [K in keyof T]: T[K] extends Described<infer S> ? Kernel<S> : never } {
  const named = Object.entries(described).map(([name, make]) => [name, make(name)]);
  return Object.fromEntries(named);
}

/** The methods of an engine for a table: one per kernel. */
export type Methods<T extends Record<string, Kernel<Signature>>> = {
  [K in keyof T]: T[K] extends Kernel<infer S> ? S : never;
};

/** A leaf's value in the arguments of a call; undefined if it, or the object that contains it, is absent. */
export function leafValue(leaf: Leaf, values: readonly unknown[]): unknown {
  let value = values[leaf.argument];
  for (let f = 0; f < leaf.fields.length; f++)
    value = value === undefined ? undefined : (value as Record<string, unknown>)[leaf.fields[f]];
  return value;
}

/** The size of a matrix or batch in a call. */
export interface Operand {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Of a batch; undefined for a matrix. */
  readonly entries?: number;
  /** Of a matrix; undefined for a batch. */
  readonly element?: Element;
}

/** The matrices and batches of a call, in the order of the kernel's description; absent ones are left out. */
export function operandsOf({ leaves }: Kernel, values: readonly unknown[]): Operand[] {
  const operands: Operand[] = [];
  for (const leaf of leaves) {
    if (leaf.kind !== "matrix" && leaf.kind !== "batch") continue;
    const operand = leafValue(leaf, values) as Tensor | SparseTensor | undefined;
    if (!operand) continue;
    const { rows, columns } = operand;
    const kind = "entries" in operand ? { entries: operand.entries } : { element: operand.storage.element };
    operands.push({ name: leaf.name, rows, columns, ...kind });
  }
  return operands;
}

/** The arguments of a call with its matrices and batches replaced; objects that contain one are copied. */
export function replaceOperands(
  { leaves }: Kernel,
  values: readonly unknown[],
  replace: (operand: Tensor | SparseTensor, leaf: Leaf) => unknown,
): unknown[] {
  const replaced = [...values];
  for (const leaf of leaves) {
    const operand = leafValue(leaf, values);
    if (operand === undefined || (leaf.kind !== "matrix" && leaf.kind !== "batch")) continue;
    const { argument } = leaf;
    const other = replace(operand as Tensor | SparseTensor, leaf);
    if (leaf.fields.length === 0) replaced[argument] = other;
    else {
      if (replaced[argument] === values[argument]) replaced[argument] = { ...(values[argument] as object) };
      (replaced[argument] as Record<string, unknown>)[leaf.fields[0]] = other;
    }
  }
  return replaced;
}

// Reading a description.

const kinds = ["matrix", "batch", "list", "floats"] as const;
const roles: Readonly<Record<string, Role>> = { "=": "overwrite", "+": "add", "~": "change" };
const token =
  /\s*(?<role>[=+~])?(?<name>\w+)(?<optional>\?)?(?:(?<open>:\{)|\[(?<matrix>[^\]]*)\](?::(?<elements>\w+(?:\|\w+)*))?|<(?<batch>[^>]*)>|\{(?<list>[^}]*)\}|\|(?<floats>[^|]*)\||=\((?<words>[^)]*)\))?/y;

function leavesOf(description: string, letters: string[]): Leaf[] {
  const leaves: Leaf[] = [];
  let at = 0;
  const read = (argument: number, path?: readonly string[], within = "", inOptional = false): void => {
    token.lastIndex = at;
    const groups = token.exec(description)?.groups;
    if (!groups) throw new Error(`a kernel's description cannot be parsed at "${description.slice(at)}"`);
    at = token.lastIndex;
    const { name, list } = groups;
    const fields = path ? [...path, name] : [];
    const optional = inOptional || groups.optional !== undefined;
    if (groups.open) {
      while (!/\s*\}/y.test(description.slice(at))) read(argument, fields, name, optional);
      at = description.indexOf("}", at) + 1;
      return;
    }
    const [length, below] = list?.split(/[</]/) ?? [];
    const sizes = groups.matrix ?? groups.batch ?? groups.floats ?? length;
    leaves.push({
      ...{ name, role: roles[groups.role] ?? "read", optional, argument, fields, within },
      kind: kinds.find((kind) => groups[kind] !== undefined) ?? "number",
      sizes: sizes?.split(/[,;]/).map((size) => sizeOf(size, letters)) ?? [],
      elements: (groups.elements ?? "float32").split("|") as Element[],
      below: below === undefined ? undefined : sizeOf(below, letters),
      ascending: list?.includes("/"),
      words: groups.words?.split("|"),
    });
  };
  for (let argument = 0; description.slice(at).trim() !== ""; argument++) read(argument);
  return leaves;
}

function sizeOf(text: string, letters: string[]): Size {
  const size =
    /^(?:(?<any>\*)|(?<number>\d+)|tri\((?<triangle>\w)\)|(?:(?<times>\d+)\*)?(?<letter>[a-z])(?:\+(?<plus>\d+))?)$/;
  const groups = size.exec(text.trim())?.groups;
  if (!groups) throw new Error(`"${text.trim()}" is not a size`);
  if (groups.any) return { text, letter: -1, isLetter: false, from: () => -1 };
  if (groups.number) return { text, letter: -1, isLetter: false, from: () => Number(groups.number) };
  const name = groups.triangle ?? groups.letter;
  if (!letters.includes(name)) letters.push(name);
  const letter = letters.indexOf(name);
  if (groups.triangle) return { text, letter, isLetter: false, from: (k) => (k * (k + 1)) / 2 };
  const [times, plus] = [Number(groups.times ?? 1), Number(groups.plus ?? 0)];
  return { text, letter, isLetter: times === 1 && plus === 0, from: (l) => times * l + plus };
}

/**
 * "matmul(out:matrix a:float32_or_bfloat16 ... accumulate:maybe_number)", with names in Rust's spelling; names of nested objects
 * are prefixed by the outer name. A matrix of an element type other than float32 is named by its type.
 */
function contractOf(name: string, leaves: readonly Leaf[]): string {
  const names = new Set<string>();
  const words = leaves.map(({ fields, within, name: leaf, kind, optional, elements }) => {
    const whole = fields.length > 1 || names.has(leaf) ? `${within}_${leaf}` : leaf;
    names.add(whole);
    return `${whole.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}:${optional ? "maybe_" : ""}${String(elements) === "float32" ? kind : elements.join("_or_")}`;
  });
  return `${name}(${words.join(" ")})`;
}

// Checking a call.

type Shaped = Tensor | SparseTensor;

/** Operands that bind letters come first, inputs before outputs; then those whose sizes follow from letters. */
function rankOf({ role, sizes, kind }: Leaf): number {
  if (kind === "list") return 3;
  if (sizes.some(({ letter, isLetter }) => letter >= 0 && !isLetter)) return 2;
  return role === "read" ? 0 : 1;
}

/** The first operand with a plain letter determines its size; all others must agree. */
function checkOperands(
  kernelName: string,
  sized: readonly Leaf[],
  bound: Float64Array,
  values: readonly unknown[],
): void {
  bound.fill(-1);
  for (const leaf of sized) {
    const value = leafValue(leaf, values);
    if (value === undefined) continue;
    if (leaf.kind === "matrix") checkElement(kernelName, leaf, value as Tensor);
    for (let s = 0; s < leaf.sizes.length; s++) {
      const { letter, isLetter } = leaf.sizes[s];
      const found = actual(leaf, value, s);
      if (isLetter && bound[letter] < 0) bound[letter] = found;
      else {
        const wanted = expected(leaf.sizes[s], bound);
        if (wanted >= 0 && found !== wanted) refuse(kernelName, leaf, sized, bound, values);
      }
    }
    if (leaf.below) checkList(kernelName, leaf, value as Uint32Array, expected(leaf.below, bound));
  }
}

function checkElement(kernelName: string, { name, elements }: Leaf, { storage: { element } }: Tensor): void {
  if (element === elements[0] || elements.includes(element)) return;
  if (element === "float64" && elements.includes("float32")) return;
  fail(kernelName, `${name} is ${element}, expected ${elements.join(" or ")}`);
}

/** -1 = any. */
function expected({ letter, from }: Size, bound: Float64Array): number {
  return letter < 0 ? from(-1) : bound[letter] < 0 ? -1 : from(bound[letter]);
}

function actual(leaf: Leaf, value: unknown, size: number): number {
  if (leaf.kind === "list" || leaf.kind === "floats")
    return typeof value === "number" ? 1 : (value as Uint32Array).length;
  const { rows, columns } = value as Shaped;
  return size === 0 ? rows : size === 1 ? columns : (value as SparseTensor).touched.length;
}

function refuse(
  kernelName: string,
  leaf: Leaf,
  sized: readonly Leaf[],
  bound: Float64Array,
  values: readonly unknown[],
): never {
  const value = leafValue(leaf, values);
  if (leaf.kind === "list" || leaf.kind === "floats") {
    const length = actual(leaf, value, 0);
    fail(kernelName, `${leaf.name} has ${length} numbers, expected ${expected(leaf.sizes[0], bound)}`);
  }
  const alike = sized.find(
    (other) =>
      String(other.sizes.map(({ text }) => text)) === String(leaf.sizes.map(({ text }) => text)) &&
      leafValue(other, values) !== undefined &&
      shape(leafValue(other, values) as Shaped) !== shape(value as Shaped),
  );
  if (alike) {
    const [first, second] = [leaf, alike].sort((a, b) => a.argument - b.argument);
    const [a, b] = [first, second].map((one) => shape(leafValue(one, values) as Shaped));
    fail(kernelName, `${first.name} is ${a} but ${second.name} is ${b}`);
  }
  const [rows, columns] = leaf.sizes.map((size, s) => {
    const wanted = expected(size, bound);
    return wanted < 0 ? actual(leaf, value, s) : wanted;
  });
  fail(kernelName, `${leaf.name} is ${shape(value as Shaped)}, expected ${shape({ rows, columns })}`);
}

function checkList(kernelName: string, leaf: Leaf, list: Uint32Array, below: number): void {
  for (let i = 0; i < list.length; i++)
    if (list[i] >= below || (leaf.ascending && i > 0 && list[i] <= list[i - 1]))
      fail(
        kernelName,
        leaf.ascending
          ? `${leaf.name} must be ascending within [0, ${below})`
          : `${leaf.name} contains ${list[i]}, outside [0, ${below})`,
      );
}

export function shape({ rows, columns }: { readonly rows: number; readonly columns: number }): string {
  return `[${rows}, ${columns}]`;
}
