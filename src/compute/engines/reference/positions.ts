// Random numbers for a dense matrix that may be a piece of a larger one.

import { type RandomKey, randomNormals, randomWords } from "../../../core/philox.js";
import type { Position } from "../../engine.js";

/** The random words of a matrix [rows, columns], row-major. */
export function wordsOf(rows: number, columns: number, key: RandomKey, position?: Position): Uint32Array {
  const words = new Uint32Array(rows * columns);
  forEachRun(rows, columns, position, (from, to, first) => randomWords(key, first, words.subarray(from, to)));
  return words;
}

/** Standard normals for a matrix [rows, columns], row-major. */
export function normalsOf(rows: number, columns: number, key: RandomKey, position?: Position): Float64Array {
  const normals = new Float64Array(rows * columns);
  forEachRun(rows, columns, position, (from, to, first) =>
    randomNormals(key, normals.subarray(from, to), first),
  );
  return normals;
}

/** Calls `run` for each range [from, to) of elements that are consecutive in the whole matrix, starting at its element `first`. */
function forEachRun(
  rows: number,
  columns: number,
  { first = 0, rowStride = columns }: Position = {},
  run: (from: number, to: number, first: number) => void,
): void {
  if (rowStride === columns) run(0, rows * columns, first);
  else for (let r = 0; r < rows; r++) run(r * columns, (r + 1) * columns, first + r * rowStride);
}
