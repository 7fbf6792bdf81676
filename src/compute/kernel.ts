// How a kernel is described, once for all engines. A description names the arguments of a call in their order:
//
//   a[r,c]        a tensor that is read           x<r,c>        a sparse batch; <r,c;t> with t touched columns
//   =out[r,c]     one that is overwritten         rows{t<r}     t indices below r; {t/r}: they also ascend
//   +out[r,c]     one that is added to            left|c|       c numbers as a Float32Array
//   ~a[r,c]       one that is changed in place    factor        a number, or true or false
//   name?...      may be absent                   size=(a|b)    one of these words
//   step:{...}    an object with these fields
//
// A size is a letter (the same letter, the same size), a number, 2*l+1, tri(k) = k (k + 1) / 2, or * for any. From the
// description follow the checks of every call, what an engine forwards, and the contract with the native addon. Where a
// kernel can either overwrite or add, its operand is `=` and its options have `accumulate`.

import type { SparseTensor, Tensor } from "./tensor.js";

export type Role = "read" | "overwrite" | "add" | "change";
/** What a leaf of a call is; `list` holds indices, `floats` float32 numbers. */
export type LeafKind = "matrix" | "batch" | "list" | "floats" | "number";

/** One operand or number of a call, however deep it lies in the arguments. */
export interface Leaf {
  readonly kind: LeafKind;
  readonly name: string;
  readonly role: Role;
  readonly optional: boolean;
  /** Which argument it is in, and the fields that lead to it there. */
  readonly argument: number;
  readonly fields: readonly string[];
  /** The name of the object that it lies in; "" for an argument itself. */
  readonly within: string;
  /** Of matrices and batches: rows, columns (and touched columns); of lists and floats: the length. */
  readonly sizes: readonly Size[];
  /** Of a list: what its indices are below, and whether they ascend. */
  readonly below?: Size;
  readonly ascending?: boolean;
  /** Of a number: the words that stand for 0, 1, ... */
  readonly words?: readonly string[];
}

/** -1 = any; from 0, the number of a letter: times, plus; `triangle`: k (k + 1) / 2. */
interface Size {
  readonly text: string;
  readonly letter: number;
  readonly times: number;
  readonly plus: number;
  readonly triangle: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: the constraint of every function type
export type Signature = (...values: any[]) => unknown;

export interface KernelOptions<S extends Signature> {
  /** What must hold beyond the shapes: throws through `fail`. */
  readonly check?: (...values: Parameters<S>) => void;
  /** The largest |difference| / (1 + |expected|) that engines may show against the naive formula; 0 = none. Default 5e-6. */
  readonly tolerance?: number;
}

/** A described kernel; `S` is what a call looks like. */
export interface Kernel<S extends Signature = Signature> {
  readonly name: string;
  readonly leaves: readonly Leaf[];
  /** The arguments and their leaves as the addon must have them, too. */
  readonly contract: string;
  readonly tolerance: number;
  /** Throws RangeError, naming the kernel and the shapes, where a call's arguments do not fit. */
  check(values: readonly unknown[]): void;
  /** Never there: carries the type. */
  readonly signature?: S;
}

/** A kernel that waits for its place in a table, which names it. */
export type Described<S extends Signature> = (name: string) => Kernel<S>;

export function fail(kernel: string, problem: string): never {
  throw new RangeError(`${kernel}: ${problem}`);
}

/** Describes a kernel. */
export function kernel<S extends Signature>(
  description: string,
  { check, tolerance = 5e-6 }: KernelOptions<S> = {},
): Described<S> {
  return (name) => {
    const letters: string[] = [];
    const leaves = leavesOf(description, letters);
    const bound = new Float64Array(letters.length);
    const sized = leaves.filter(({ sizes }) => sizes.length > 0);
    sized.sort((a, b) => Number(a.role !== "read") - Number(b.role !== "read"));
    return {
      name,
      leaves,
      contract: contractOf(name, leaves),
      tolerance,
      check(values) {
        checkShapes(name, sized, bound, values);
        check?.(...(values as Parameters<S>));
      },
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

/** What an engine offers for a table: a method a kernel. */
export type Methods<T extends Record<string, Kernel<Signature>>> = {
  [K in keyof T]: T[K] extends Kernel<infer S> ? S : never;
};

/** A leaf's value in the arguments of a call; undefined where it, or what it lies in, is absent. */
export function leafValue(leaf: Leaf, values: readonly unknown[]): unknown {
  let value = values[leaf.argument];
  for (let f = 0; f < leaf.fields.length; f++)
    value = value === undefined ? undefined : (value as Record<string, unknown>)[leaf.fields[f]];
  return value;
}

// Reading a description.

const roles: Readonly<Record<string, Role>> = { "=": "overwrite", "+": "add", "~": "change" };
const token =
  /\s*(?<role>[=+~])?(?<name>\w+)(?<optional>\?)?(?:(?<open>:\{)|\[(?<matrix>[^\]]*)\]|<(?<batch>[^>]*)>|\{(?<list>[^}]*)\}|\|(?<floats>[^|]*)\||=\((?<words>[^)]*)\))?/y;

function leavesOf(description: string, letters: string[]): Leaf[] {
  const leaves: Leaf[] = [];
  let at = 0;
  const sizesOf = (text: string) => text.split(/[,;]/).map((size) => sizeOf(size, letters));
  const read = (argument: number, fields: readonly string[], within: string, inOptional: boolean): void => {
    token.lastIndex = at;
    const groups = token.exec(description)?.groups;
    if (!groups) throw new Error(`a kernel's description cannot be read from "${description.slice(at)}" on`);
    at = token.lastIndex;
    const optional = inOptional || groups.optional !== undefined;
    if (groups.open) {
      while (!/\s*\}/y.test(description.slice(at)))
        read(argument, [...fields, nameAt(description, at)], groups.name, optional);
      at = description.indexOf("}", at) + 1;
      return;
    }
    const base = {
      ...{ name: groups.name, role: roles[groups.role] ?? "read", optional, argument, fields, within },
      sizes: [] as Size[],
    };
    if (groups.matrix !== undefined) leaves.push({ ...base, kind: "matrix", sizes: sizesOf(groups.matrix) });
    else if (groups.batch !== undefined)
      leaves.push({ ...base, kind: "batch", sizes: sizesOf(groups.batch) });
    else if (groups.floats !== undefined)
      leaves.push({ ...base, kind: "floats", sizes: sizesOf(groups.floats) });
    else if (groups.list !== undefined) {
      const [length, below] = groups.list.split(/[</]/);
      leaves.push({
        ...{ ...base, kind: "list", sizes: sizesOf(length), below: sizeOf(below, letters) },
        ascending: groups.list.includes("/"),
      });
    } else leaves.push({ ...base, kind: "number", words: groups.words?.split("|") });
  };
  for (let argument = 0; description.slice(at).trim() !== ""; argument++) read(argument, [], "", false);
  return leaves;
}

function nameAt(description: string, at: number): string {
  return /\w+/.exec(description.slice(at))?.[0] ?? "";
}

function sizeOf(text: string, letters: string[]): Size {
  const trimmed = text.trim();
  const letterOf = (name: string) => {
    if (!letters.includes(name)) letters.push(name);
    return letters.indexOf(name);
  };
  const size = (letter: number, times: number, plus: number, triangle = false): Size => ({
    ...{ text: trimmed, letter, times, plus, triangle },
  });
  if (trimmed === "*") return size(-1, 0, -1);
  if (/^\d+$/.test(trimmed)) return size(-1, 0, Number(trimmed));
  const triangle = /^tri\((\w)\)$/.exec(trimmed);
  if (triangle) return size(letterOf(triangle[1]), 1, 0, true);
  const affine = /^(?:(\d+)\*)?([a-z])(?:\+(\d+))?$/.exec(trimmed);
  if (!affine) throw new Error(`"${trimmed}" is not a size`);
  return size(letterOf(affine[2]), Number(affine[1] ?? 1), Number(affine[3] ?? 0));
}

/** "layerNorm(out:matrix a:matrix ... epsilon:number)", the names in Rust's spelling; of objects in objects, with the outer one's. */
function contractOf(name: string, leaves: readonly Leaf[]): string {
  const names = new Set<string>();
  const words = leaves.map(({ fields, within, name: leaf, kind, optional }) => {
    const whole = fields.length > 1 || names.has(leaf) ? `${within}_${leaf}` : leaf;
    names.add(whole);
    return `${whole.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}:${optional ? "maybe_" : ""}${kind}`;
  });
  return `${name}(${words.join(" ")})`;
}

// Checking a call.

type Shaped = Tensor | SparseTensor;

/** The first operand that has a letter alone says its size; all others must agree. `sized`: what is read first. */
function checkShapes(
  kernelName: string,
  sized: readonly Leaf[],
  bound: Float64Array,
  values: readonly unknown[],
): void {
  bound.fill(-1);
  for (const leaf of sized) {
    const value = leafValue(leaf, values);
    if (value === undefined) continue;
    for (let s = 0; s < leaf.sizes.length; s++) {
      const { letter, times, plus, triangle } = leaf.sizes[s];
      if (letter >= 0 && times === 1 && plus === 0 && !triangle && bound[letter] < 0)
        bound[letter] = actual(leaf, value, s);
    }
  }
  for (const leaf of sized) {
    const value = leafValue(leaf, values);
    if (value === undefined) continue;
    for (let s = 0; s < leaf.sizes.length; s++) {
      const wanted = expected(leaf.sizes[s], bound);
      if (wanted >= 0 && actual(leaf, value, s) !== wanted) refuse(kernelName, leaf, sized, bound, values);
    }
    if (leaf.below) checkList(kernelName, leaf, value as Uint32Array, expected(leaf.below, bound));
  }
}

function expected({ letter, times, plus, triangle }: Size, bound: Float64Array): number {
  if (letter < 0) return plus;
  const size = bound[letter];
  if (size < 0) return -1;
  return triangle ? (size * (size + 1)) / 2 : times * size + plus;
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
    fail(kernelName, `${leaf.name} has ${length} numbers where ${expected(leaf.sizes[0], bound)} are needed`);
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
  fail(kernelName, `${leaf.name} is ${shape(value as Shaped)} where ${shape({ rows, columns })} is needed`);
}

function checkList(kernelName: string, leaf: Leaf, list: Uint32Array, below: number): void {
  for (let i = 0; i < list.length; i++)
    if (list[i] >= below || (leaf.ascending && i > 0 && list[i] <= list[i - 1]))
      fail(
        kernelName,
        leaf.ascending
          ? `${leaf.name} must ascend within [0, ${below})`
          : `${leaf.name} holds ${list[i]}, outside [0, ${below})`,
      );
}

export function shape({ rows, columns }: { readonly rows: number; readonly columns: number }): string {
  return `[${rows}, ${columns}]`;
}
