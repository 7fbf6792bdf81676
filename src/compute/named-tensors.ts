// Checked access to named tensors: everything that is read from a model folder or a checkpoint is checked here.

import { UserError } from "../core/errors.js";
import type { DividedAxis, FloatArray, HostTensor, NamedTensors } from "./tensor.js";

/** A tensor that is read when it is needed, so that a large state is never on the host as a whole. */
export interface PendingTensor {
  readonly shape: readonly number[];
  readonly element: "float32" | "float64";
  readonly divided?: DividedAxis;
  read(): Promise<HostTensor["data"]>;
}

/** Named tensors, some of which are still to be read. */
export type StoredTensors = Record<string, HostTensor | PendingTensor>;

/** The numbers of a tensor. */
export async function dataOf(tensor: HostTensor | PendingTensor): Promise<HostTensor["data"]> {
  return "data" in tensor ? tensor.data : tensor.read();
}

/** All tensors on the host. */
export async function readAll(tensors: StoredTensors): Promise<NamedTensors> {
  const read = Object.entries(tensors).map(async ([name, tensor]) => {
    const { shape, divided } = tensor;
    return [name, { shape, data: await dataOf(tensor), ...(divided && { divided }) }] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** The kinds of saved tensors. */
export interface TensorKinds {
  readonly numbers: FloatArray;
  readonly float32: Float32Array;
  readonly "whole numbers": Uint32Array;
  readonly any: HostTensor["data"];
}

/** The sizes of a tensor; undefined = any. */
export type TensorShape = readonly (number | undefined)[];

const kinds: Record<keyof TensorKinds, (data: HostTensor["data"]) => boolean> = {
  numbers: (data) => !(data instanceof Uint32Array),
  float32: (data) => data instanceof Float32Array,
  "whole numbers": (data) => data instanceof Uint32Array,
  any: () => true,
};

/** The named tensor, if it has this shape, the matching number of elements, and the kind. */
export function findTensor<Kind extends keyof TensorKinds = "numbers">(
  saved: NamedTensors,
  name: string,
  shape: TensorShape,
  kind: Kind = "numbers" as Kind,
): TensorKinds[Kind] | undefined {
  return fits(saved, name, shape, kind) ? (saved[name].data as TensorKinds[Kind]) : undefined;
}

/** Whether the named tensor has this shape, the matching number of elements, and the kind. Does not read its numbers. */
function fits(saved: NamedTensors, name: string, shape: TensorShape, kind: keyof TensorKinds): boolean {
  const tensor = Object.hasOwn(saved, name) ? saved[name] : undefined;
  if (tensor?.shape.length !== shape.length) return false;
  const length = tensor.shape.reduce((product, size) => product * size, 1);
  const { length: held } = tensor.stored ?? tensor.data;
  return (
    shape.every((size, axis) => size === undefined || size === tensor.shape[axis]) &&
    held === length &&
    kinds[kind](typed(tensor))
  );
}

/** An array of the tensor's type. */
function typed(tensor: HostTensor): HostTensor["data"] {
  return tensor.stored?.none ?? tensor.data;
}

/** Throws UserError like `takeTensor`, without reading the numbers of the tensor. */
export function requireTensor(
  saved: NamedTensors,
  name: string,
  shape: TensorShape,
  kind: keyof TensorKinds = "numbers",
): void {
  if (fits(saved, name, shape, kind)) return;
  const place = `tensor ${name}`;
  if (!Object.hasOwn(saved, name)) throw new UserError({ place, problem: "is missing" });
  const tensor = saved[name];
  const expected = shape.map((size) => size ?? "any").join(" x ");
  if (tensor.shape.join(" x ") !== shape.map((size, axis) => size ?? tensor.shape[axis]).join(" x "))
    throw new UserError({ place, problem: `has the shape ${tensor.shape.join(" x ")}`, expected });
  const data = typed(tensor);
  if (kinds[kind](data)) {
    const { length } = tensor.stored ?? tensor.data;
    throw new UserError({ place, problem: `has ${length} numbers`, expected: `${expected} numbers` });
  }
  const held =
    data instanceof Uint32Array ? "whole numbers" : data instanceof Float32Array ? "float32" : "float64";
  throw new UserError({ place, problem: `holds ${held}`, expected: kind });
}

/** Like `findTensor`, but throws UserError, naming the tensor, if it is missing or does not match. */
export function takeTensor<Kind extends keyof TensorKinds = "numbers">(
  saved: NamedTensors,
  name: string,
  shape: TensorShape,
  kind: Kind = "numbers" as Kind,
): TensorKinds[Kind] {
  requireTensor(saved, name, shape, kind);
  return saved[name].data as TensorKinds[Kind];
}
