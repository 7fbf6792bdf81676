// Two dimensions for vectors: UMAP (McInnes, Healy and Melville 2018) by umap-js. The nearest items are found exactly by the engine,
// which is faster than the library's approximate search, and the first two principal components are the start, so that the
// arrangement as a whole means something: the library starts from random positions. The same vectors give the same map.

import { UMAP } from "umap-js";
import type { Engine } from "../compute/engine.js";
import { viewRows } from "../compute/tensor.js";
import { RandomSequence } from "../core/philox.js";
import { Turns } from "../core/turns.js";

/** Neighbours of each item: the default of the paper's authors. */
const NEIGHBOURS = 15;
/** Their default for large data; with principal components as the start, small maps need no more. */
const EPOCHS = 200;
/** Rows whose products with all others are in memory. */
const BLOCK = 256;
const SEED = 1;
/** Half the width of the initial positions, as in the authors' program, and their noise. */
const START = { size: 10, noise: 1e-3 };
const POWER_STEPS = 30;

export interface Layout {
  /** Coordinates from -1 to 1, [rows] each. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Neighbours of each row. */
  readonly neighbours: number;
  /** [rows, neighbours]: the nearest rows by cosine, nearest first, without the row itself; equal ones by index. */
  readonly near: Uint32Array;
}

/** Arranges unit vectors [rows, width], row-major; at least 4 rows. `progress` receives the share that is done. */
export async function layOut(
  engine: Engine,
  data: Float32Array,
  width: number,
  progress: (what: string, share: number) => void = () => {},
): Promise<Layout> {
  const rows = data.length / width;
  const neighbours = Math.min(NEIGHBOURS, rows - 1);
  const { near, similarities } = await nearestRows(engine, data, width, neighbours, (share) =>
    progress("finding the nearest items", share),
  );
  const random = new RandomSequence({ seed: SEED, step: 0, stream: 0 });
  // The row itself comes first, as in the library's own search.
  const indices: number[][] = [];
  const distances: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const from = row * neighbours;
    indices.push([row, ...near.subarray(from, from + neighbours)]);
    distances.push([
      0,
      ...similarities.subarray(from, from + neighbours).map((cosine) => Math.max(0, 1 - cosine)),
    ]);
  }
  const umap = new UMAP({ nNeighbors: neighbours, nEpochs: EPOCHS, random: () => random.uniform() });
  umap.setPrecomputedKNN(indices, distances);
  // Only the number of vectors is used when the nearest ones are given.
  const epochs = umap.initializeFit(Array.from({ length: rows }, () => []));
  const positions = umap.getEmbedding();
  const start = principalComponents(data, width, random);
  for (const [row, position] of positions.entries())
    for (const axis of [0, 1])
      position[axis] = START.size * start[2 * row + axis] + START.noise * random.normal();
  const turns = new Turns();
  for (let epoch = 1; epoch <= epochs; epoch++) {
    umap.step();
    progress("arranging the items", epoch / epochs);
    if (turns.due) await turns.yield();
  }
  return { ...fitted(umap.getEmbedding()), neighbours, near };
}

/** The nearest rows of each row by inner product. */
export async function nearestRows(
  engine: Engine,
  data: Float32Array,
  width: number,
  count: number,
  progress: (share: number) => void = () => {},
): Promise<{ near: Uint32Array; similarities: Float32Array }> {
  const rows = data.length / width;
  const near = new Uint32Array(rows * count);
  const similarities = new Float32Array(rows * count);
  const all = engine.tensor(rows, width, data);
  const products = engine.empty(Math.min(BLOCK, rows), rows);
  try {
    for (let from = 0; from < rows; from += BLOCK) {
      const to = Math.min(rows, from + BLOCK);
      const some = viewRows(products, 0, to - from);
      engine.matmul(some, viewRows(all, from, to), all, { transposeB: true });
      // The row itself is usually the first, but equal rows with lower indices come before it.
      const { items, scores, k } = await engine.topK(some, count + 1);
      for (let row = from; row < to; row++) {
        const first = (row - from) * k;
        let filled = 0;
        for (let at = first; at < first + k && filled < count; at++) {
          if (items[at] === row) continue;
          near[row * count + filled] = items[at];
          similarities[row * count + filled++] = scores[at];
        }
      }
      progress(to / rows);
    }
  } finally {
    engine.release(products);
    engine.release(all);
  }
  return { near, similarities };
}

/** The first two principal components of the rows, [rows, 2], by orthogonal iteration; the largest number is 1 or -1. */
export function principalComponents(data: Float32Array, width: number, random: RandomSequence): Float64Array {
  const rows = data.length / width;
  const mean = new Float64Array(width);
  for (let at = 0; at < data.length; at++) mean[at % width] += data[at] / rows;
  let axes = Float64Array.from({ length: 2 * width }, () => random.normal());
  orthonormalise(axes, width);
  const scores = new Float64Array(2 * rows);
  for (let step = 0; step < POWER_STEPS; step++) {
    const next = new Float64Array(2 * width);
    for (let row = 0; row < rows; row++) {
      const first = row * width;
      let [one, other] = [0, 0];
      for (let c = 0; c < width; c++) {
        const value = data[first + c] - mean[c];
        one += value * axes[c];
        other += value * axes[width + c];
      }
      scores[2 * row] = one;
      scores[2 * row + 1] = other;
      for (let c = 0; c < width; c++) {
        const value = data[first + c] - mean[c];
        next[c] += one * value;
        next[width + c] += other * value;
      }
    }
    axes = next;
    orthonormalise(axes, width);
  }
  const most = scores.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
  return scores.map((value) => (most > 0 ? value / most : 0));
}

/** Makes two vectors [2, width] orthonormal; one that is zero stays so. */
function orthonormalise(axes: Float64Array, width: number): void {
  const [one, other] = [axes.subarray(0, width), axes.subarray(width)];
  const scale = (vector: Float64Array) => {
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (length > 0) for (let c = 0; c < width; c++) vector[c] /= length;
  };
  scale(one);
  const common = one.reduce((sum, value, c) => sum + value * other[c], 0);
  for (let c = 0; c < width; c++) other[c] -= common * one[c];
  scale(other);
}

/** Moves and scales positions so that the larger extent is from -1 to 1. */
function fitted(positions: readonly number[][]): Pick<Layout, "x" | "y"> {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const most = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const position of positions)
    for (const axis of [0, 1]) {
      least[axis] = Math.min(least[axis], position[axis]);
      most[axis] = Math.max(most[axis], position[axis]);
    }
  const half = Math.max(most[0] - least[0], most[1] - least[1]) / 2 || 1;
  const along = (axis: number) =>
    Float32Array.from(positions, (position) => (position[axis] - (least[axis] + most[axis]) / 2) / half);
  return { x: along(0), y: along(1) };
}
