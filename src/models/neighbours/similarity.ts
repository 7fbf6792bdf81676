// Similarities of items from a matrix X [features, items], where the features are the users or words of an item. Features can be
// weighted as in information retrieval. Finds the nearest neighbours of each item.

import type { Engine } from "../../compute/engine.js";
import type { Similarity } from "../../compute/solvers/solvers.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { viewRows } from "../../compute/tensor.js";
import { throwIfAborted } from "../../core/errors.js";
import { largest } from "../../core/largest.js";
import type { ProgressListener } from "../../core/progress.js";
import { Turns } from "../../core/turns.js";
import type { RunContext } from "../../recommender/run-context.js";
import { type CsrMatrix, fromRows, stackRows } from "../../sparse/csr.js";
import { requireTrainingMemory } from "../training-memory.js";

/** The weight of a feature. */
export interface Weighting {
  readonly weighting: "none" | "tf-idf" | "bm25";
  readonly bm25K1: number;
  readonly bm25B: number;
}

/** The similarity of two items. */
export interface SimilarityOptions {
  readonly similarity: "cosine" | "jaccard" | "dot";
  readonly neighbours: number;
  readonly of: "history" | "candidate";
  readonly shrink: number;
  readonly asymmetry: number;
}

/** Statistics of the catalogue on which the weights of features depend. */
export interface FeatureStatistics {
  /** [features], ln(items / (1 + the feature's items)) */
  readonly inverseFrequencies: ArrayLike<number>;
  /** The mean over all items of the sum of their counts. */
  readonly averageLength: number;
}

export function statisticsOf(x: CsrMatrix): FeatureStatistics {
  const total = x.values ? x.values.reduce((sum, count) => sum + count, 0) : x.indices.length;
  return {
    inverseFrequencies: Float64Array.from(
      { length: x.rows },
      (_, row) => Math.log(x.columns) - Math.log1p(x.offsets[row + 1] - x.offsets[row]),
    ),
    averageLength: total / x.columns,
  };
}

/** X with weighted entries (as in implicit's nearest_neighbours.py: features are the terms, items the documents). */
export function weighted(
  x: CsrMatrix,
  { weighting, bm25K1, bm25B }: Weighting,
  { inverseFrequencies, averageLength }: FeatureStatistics = statisticsOf(x),
): CsrMatrix {
  if (weighting === "none") return x;
  const lengths = new Float64Array(x.columns);
  for (const [entry, item] of x.indices.entries()) lengths[item] += x.values?.[entry] ?? 1;
  const values = new Float32Array(x.indices.length);
  for (let row = 0; row < x.rows; row++)
    for (let entry = x.offsets[row]; entry < x.offsets[row + 1]; entry++) {
      const count = x.values?.[entry] ?? 1;
      const length = 1 - bm25B + (bm25B * lengths[x.indices[entry]]) / averageLength;
      const frequency =
        weighting === "tf-idf" ? Math.sqrt(count) : (count * (bm25K1 + 1)) / (bm25K1 * length + count);
      values[entry] = frequency * inverseFrequencies[row];
    }
  return { ...x, values };
}

/** [items], the sum of the squares of each column. */
export function squaresOf(x: CsrMatrix): Float64Array {
  const squares = new Float64Array(x.columns);
  for (const [entry, item] of x.indices.entries()) squares[item] += (x.values?.[entry] ?? 1) ** 2;
  return squares;
}

/** The similarity in the form that the solver needs, from the squared norms of the items. */
export function similarityOf(
  squares: ArrayLike<number>,
  { similarity, neighbours, of, shrink, asymmetry }: SimilarityOptions,
): Similarity {
  const powers = (exponent: number) => Float32Array.from(squares, (square) => square ** exponent);
  const ends = { shrink, k: neighbours };
  switch (similarity) {
    case "cosine": {
      const [history, candidate] = [powers(asymmetry), powers(1 - asymmetry)];
      // The solver's left side is the item whose neighbours are searched.
      const [left, right] = of === "history" ? [history, candidate] : [candidate, history];
      return { size: "product", left, right, ...ends };
    }
    case "jaccard":
      return { size: "union", left: powers(1), right: powers(1), ...ends };
    case "dot":
      return { size: "product", left: powers(0), right: powers(0), ...ends };
    default:
      return similarity satisfies never;
  }
}

/** Throws UserError if there is not enough memory for the neighbours of all items, in blocks and as one matrix. */
export function requireNeighbourMemory(
  algorithm: string,
  x: CsrMatrix,
  { neighbours }: Pick<SimilarityOptions, "neighbours">,
  run: Pick<RunContext, "engine" | "progress">,
): void {
  const items = x.columns;
  // Only items with a common feature have a similarity above 0.
  let pairs = 0;
  for (let row = 0; row < x.rows; row++) pairs += (x.offsets[row + 1] - x.offsets[row]) ** 2;
  const entries = Math.min(items * Math.min(neighbours, items), pairs);
  requireTrainingMemory(
    {
      algorithm,
      items,
      numbers: 4 * entries,
      matrices: [],
      smaller: "fewer neighbours (--set neighbours=20)",
    },
    run,
  );
}

/** Items whose neighbours are found between two checks of the clock and for Ctrl-C. */
const ITEMS_AT_A_TIME = 256;

export interface NearestOptions {
  /** First item whose neighbours are found, for a result [items - from, items]. Default 0. */
  readonly from?: number;
  readonly signal?: AbortSignal;
  readonly progress?: ProgressListener;
}

/** The nearest neighbours of the columns of X: a row each, [items, items], with the similarities as values. */
export async function nearestColumns(
  engine: Engine,
  matrix: CsrMatrix,
  similarity: Similarity,
  { from: first = 0, signal, progress }: NearestOptions,
): Promise<CsrMatrix> {
  const solvers = solversOf(engine);
  const items = matrix.columns;
  const rows: CsrMatrix[] = [];
  const x = engine.sparse(matrix);
  try {
    const task = "train";
    progress?.({ type: "start", task, total: items - first, unit: "items" });
    for (let from = first; from < items; from += ITEMS_AT_A_TIME) {
      throwIfAborted(signal);
      const to = Math.min(items, from + ITEMS_AT_A_TIME);
      rows.push(await solvers.neighbours(x, similarity, from, to));
      progress?.({ type: "advance", task, done: to - first });
    }
    progress?.({ type: "end", task });
  } finally {
    engine.releaseSparse(x);
  }
  return stackRows(items, rows);
}

/**
 * The nearest neighbours of vectors [items, dimensions], in the form of `nearestColumns`: products of blocks on the engine, of
 * which the largest similarities of each row are kept (ties: the lower index), columns ascending. Never allocates items x items.
 */
export async function nearestVectors(
  engine: Engine,
  vectors: Float32Array,
  { left, right, size, shrink, k }: Similarity,
  { from: first = 0, signal, progress }: NearestOptions,
): Promise<CsrMatrix> {
  const items = left.length;
  const dimensions = vectors.length / Math.max(1, items);
  const all = engine.tensor(items, dimensions, vectors);
  const turns = new Turns(signal);
  const lists: { indices: Uint32Array; values: Float32Array }[] = [];
  const task = "train";
  progress?.({ type: "start", task, total: items - first, unit: "items" });
  try {
    for (let from = first; from < items; from += ITEMS_AT_A_TIME) {
      throwIfAborted(signal);
      const rows = Math.min(ITEMS_AT_A_TIME, items - from);
      const products = engine.empty(rows, items);
      engine.matmul(products, viewRows(all, from, from + rows), all, { transposeB: true });
      const read = await engine.read(products);
      engine.release(products);
      for (let row = 0; row < rows; row++) {
        const [item, of] = [from + row, read.subarray(row * items, (row + 1) * items)];
        for (let other = 0; other < items; other++) {
          const product = of[other];
          const norm = size === "product" ? left[item] * right[other] : left[item] + right[other] - product;
          const value = product > 0 && other !== item ? product / (norm + shrink) : 0;
          of[other] = Number.isFinite(value) ? value : 0;
        }
        lists.push(largestOf(of, k));
        if (turns.due) await turns.yield();
      }
      progress?.({ type: "advance", task, done: from + rows - first });
    }
  } finally {
    engine.release(all);
  }
  progress?.({ type: "end", task });
  const matrix = fromRows(
    items,
    lists.map(({ indices }) => indices),
  );
  const values = new Float32Array(matrix.indices.length);
  for (const [row, list] of lists.entries()) values.set(list.values, matrix.offsets[row]);
  return { ...matrix, values };
}

/** The k largest positive numbers, in their original order; of equal ones the first. */
function largestOf(numbers: ArrayLike<number>, k: number) {
  const places = largest(numbers, k).filter((place) => numbers[place] > 0);
  const indices = Uint32Array.from(places).sort();
  return { indices, values: Float32Array.from(indices, (place) => numbers[place]) };
}
