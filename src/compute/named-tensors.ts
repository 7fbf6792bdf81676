// Checked access to named tensors: everything that is read from a model folder or a checkpoint is checked here.

import { UserError } from "../core/errors.js";
import type { FloatArray, HostTensor, NamedTensors } from "./tensor.js";

/** A tensor that is read when it is needed, so that a large state is never on the host as a whole. */
export interface PendingTensor {
  readonly shape: readonly number[];
  readonly element: "float32" | "float64";
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
  const read = Object.entries(tensors).map(
    async ([name, tensor]) => [name, { shape: tensor.shape, data: await dataOf(tensor) }] as const,
  );
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
  const tensor = Object.hasOwn(saved, name) ? saved[name] : undefined;
  if (tensor?.shape.length !== shape.length) return undefined;
  const fits = shape.every((size, axis) => size === undefined || size === tensor.shape[axis]);
  const length = tensor.shape.reduce((product, size) => product * size, 1);
  if (!fits || tensor.data.length !== length || !kinds[kind](tensor.data)) return undefined;
  return tensor.data as TensorKinds[Kind];
}

/** Like `findTensor`, but throws UserError, naming the tensor, if it is missing or does not match. */
export function takeTensor<Kind extends keyof TensorKinds = "numbers">(
  saved: NamedTensors,
  name: string,
  shape: TensorShape,
  kind: Kind = "numbers" as Kind,
): TensorKinds[Kind] {
  const found = findTensor(saved, name, shape, kind);
  if (found) return found;
  const place = `tensor ${name}`;
  if (!Object.hasOwn(saved, name)) throw new UserError({ place, problem: "is missing" });
  const { shape: other, data } = saved[name];
  const expected = shape.map((size) => size ?? "any").join(" x ");
  if (other.join(" x ") !== shape.map((size, axis) => size ?? other[axis]).join(" x "))
    throw new UserError({ place, problem: `has the shape ${other.join(" x ")}`, expected });
  if (kinds[kind](data))
    throw new UserError({ place, problem: `has ${data.length} numbers`, expected: `${expected} numbers` });
  const held =
    data instanceof Uint32Array ? "whole numbers" : data instanceof Float32Array ? "float32" : "float64";
  throw new UserError({ place, problem: `holds ${held}`, expected: kind });
}
