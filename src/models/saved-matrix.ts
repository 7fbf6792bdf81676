// A model's saved matrix, checked and put into the engine.

import type { Engine } from "../compute/engine.js";
import { type HostTensor, type NamedTensors, type Tensor, viewRows } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";

/** Numbers that go to the engine at a time: what is copied on the way stays small beside a large matrix. */
const NUMBERS_AT_ONCE = 1 << 24;

/** What is wrong with a saved tensor. */
export function damagedTensor(
  algorithm: string,
  name: string,
  saved: HostTensor | undefined,
  expected: string,
) {
  return new UserError({
    place: `${algorithm}: tensor ${name}`,
    problem: saved ? `does not fit the model (its shape is ${saved.shape.join(" x ")})` : "is missing",
    expected,
    remedy: "Copy or train the model again",
  });
}

/** The tensor of a name in the engine, part by part. Throws UserError where it is missing or not [rows, columns]. */
export async function loadMatrix(
  engine: Engine,
  algorithm: string,
  tensors: NamedTensors,
  name: string,
  rows: number,
  columns: number,
  numbersAtOnce = NUMBERS_AT_ONCE,
): Promise<Tensor> {
  const saved = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (saved?.shape.join() !== [rows, columns].join() || saved.data.length !== rows * columns)
    throw damagedTensor(algorithm, name, saved, `${rows} x ${columns} numbers`);
  const matrix = engine.empty(rows, columns);
  const rowsAtOnce = Math.max(1, Math.floor(numbersAtOnce / Math.max(1, columns)));
  for (let first = 0; first < rows; first += rowsAtOnce) {
    const last = Math.min(rows, first + rowsAtOnce);
    engine.write(viewRows(matrix, first, last), saved.data.subarray(first * columns, last * columns));
    await engine.finished();
  }
  return matrix;
}
