// Warm start: training starts from the weights of another run. Items are matched by id: weights of an item are copied to its new
// index, items that the run did not know keep the initial values of the model's paper, and weights that do not belong to items
// are copied unchanged.

import { findTensor } from "../compute/named-tensors.js";
import type { Parameter } from "../compute/parameter.js";
import type { FloatArray } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ModelFiles } from "./recommender.js";

/** The model to start from. */
export interface InitialModel {
  readonly files: ModelFiles;
  /** A hash that identifies the model. */
  readonly digest: string;
}

/** Overwrites initial values with those of a saved model. Throws UserError if it is a different model or has another shape. */
export async function startFrom(
  parameters: readonly Parameter[],
  algorithm: string,
  items: Vocabulary,
  files: ModelFiles,
): Promise<void> {
  requireAlgorithm(algorithm, files);
  const known = matchItems(items, files.items);
  for (const parameter of parameters) {
    const { engine, name, value, rows, columns, itemAxis } = parameter;
    const fresh = await engine.read(value);
    const grown = (size: number, axis: "rows" | "columns") =>
      itemAxis === axis ? size - items.size + files.items.size : size;
    const wanted = [grown(rows, "rows"), grown(columns, "columns")];
    const from = numbersOf(name, wanted, files);
    if (itemAxis === undefined) engine.write(value, from);
    else
      engine.write(value, taken(fresh, from, { rows, columns, itemAxis, items: items.size, known, files }));
  }
}

/** Like `startFrom`, for the item rows [items, width] of models whose weights are not parameters. */
export function startRows(fresh: FloatArray, name: string, items: Vocabulary, files: ModelFiles): FloatArray {
  const width = fresh.length / Math.max(1, items.size);
  const from = numbersOf(name, [files.items.size, width], files);
  const known = matchItems(items, files.items);
  const shape = {
    rows: items.size,
    columns: width,
    itemAxis: "rows",
    items: items.size,
    known,
    files,
  } as const;
  return taken(fresh, from, shape);
}

/** Throws UserError unless the saved model is of this algorithm. */
export function requireAlgorithm(algorithm: string, files: ModelFiles): void {
  if (files.algorithm !== algorithm)
    throw new UserError({
      place: "--init-from",
      problem: `the run's model is ${files.algorithm}, but the model to train is ${algorithm}`,
      expected: "the same model",
      remedy: `Pass --model ${files.algorithm}, or omit --init-from`,
    });
}

/** For each item, its index among the previous items, or -1 if it is new. */
function matchItems(items: Vocabulary, before: Vocabulary): Int32Array {
  return Int32Array.from(items.ids, (id) => before.indexOf(id) ?? -1);
}

function numbersOf(name: string, wanted: readonly number[], { algorithm, tensors }: ModelFiles): FloatArray {
  const found = findTensor(tensors, name, wanted);
  if (found) return found;
  const saved = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  throw new UserError({
    place: "--init-from",
    problem: saved
      ? `the run's ${algorithm} has another shape: its ${name} is ${saved.shape.join(" x ")}, not ${wanted.join(" x ")}`
      : `the run's ${algorithm} has another shape: it has no ${name}`,
    remedy: "Use the same layer sizes as in the run",
  });
}

interface Taken {
  readonly rows: number;
  readonly columns: number;
  readonly itemAxis: "rows" | "columns";
  /** The number of rows (or columns) that belong to items; they come first. */
  readonly items: number;
  readonly known: Int32Array;
  readonly files: ModelFiles;
}

/** The initial values, with the rows (or columns) of known items replaced. */
function taken(fresh: FloatArray, from: FloatArray, shape: Taken): FloatArray {
  const { rows, columns, itemAxis, items, known, files } = shape;
  const result = fresh.slice();
  const before = files.items.size;
  if (itemAxis === "rows") {
    for (let row = 0; row < rows; row++) {
      const at = row < items ? known[row] : row - items + before;
      if (at >= 0) result.set(from.subarray(at * columns, (at + 1) * columns), row * columns);
    }
    return result;
  }
  const width = columns - items + before;
  for (let column = 0; column < columns; column++) {
    const at = column < items ? known[column] : column - items + before;
    if (at >= 0) for (let row = 0; row < rows; row++) result[row * columns + column] = from[row * width + at];
  }
  return result;
}
