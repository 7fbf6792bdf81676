// Training that starts from another run's weights. Items are matched by id: a weight that belongs to an item goes to wherever
// that item is now, items that the run did not know keep the initial values that the model's paper gives them, and what belongs
// to no item is taken over as it is.

import { findTensor } from "../compute/named-tensors.js";
import type { Parameter } from "../compute/parameter.js";
import type { FloatArray } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ModelFiles } from "./recommender.js";

/** The model of a run to start from. */
export interface InitialModel {
  readonly files: ModelFiles;
  /** Tells it from other models. */
  readonly digest: string;
}

/** Overwrites initial values by a saved model's. Throws UserError where the model is another one, or has another shape. */
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

/** Rows of items, [items, width] -> as `startFrom`: for models whose weights are no parameters. */
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

/** Throws UserError unless the saved model is one of the algorithm's. */
export function requireAlgorithm(algorithm: string, files: ModelFiles): void {
  if (files.algorithm !== algorithm)
    throw new UserError({
      place: "--init-from",
      problem: `the run's model is ${files.algorithm}, the one to train is ${algorithm}`,
      expected: "the same model",
      remedy: `Train --model ${files.algorithm}, or start without a run`,
    });
}

/** Per item its index among the items before, -1 where it is new. */
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
    remedy: "Leave the sizes of layers as they were in the run",
  });
}

interface Taken {
  readonly rows: number;
  readonly columns: number;
  readonly itemAxis: "rows" | "columns";
  /** How many rows (or columns) belong to items; they come first, and those behind them belong to none. */
  readonly items: number;
  readonly known: Int32Array;
  readonly files: ModelFiles;
}

/** The initial values, with those of known items replaced. */
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
