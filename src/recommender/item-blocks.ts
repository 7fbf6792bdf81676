// Divides the rows of a large matrix into blocks of similar rows, for the kernels arrangeBlocks and bestInBlocks: first into bands of
// similar norms, because the bound of a block follows its longest row, and then by a tree of k-means clusterings, whose leaves are
// the blocks. The same weights give the same blocks, for any number of threads.

import { setImmediate } from "node:timers/promises";
import type { Engine } from "../compute/engine.js";
import { type FloatArray, type SparseTensor, type Tensor, viewRows } from "../compute/tensor.js";
import { throwIfAborted } from "../core/errors.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** The maximum number of rows of a block. A smaller block has a smaller radius; more blocks take longer to bound. */
const MOST_ROWS = 512;
/** The number of rows per block that a clustering aims for. */
const ROWS = 256;
/** The smallest norm of a band, relative to the largest. */
const BAND = 0.8;
/** The maximum number of clusters of one clustering. */
const MOST_CLUSTERS = 256;
/** Rows per cluster from which the centres are computed. */
const SAMPLED = 64;
const ITERATIONS = 6;
/** Rows that are assigned to clusters at a time. */
const AT_ONCE = 8192;

export interface BlockOptions {
  readonly signal?: AbortSignal;
  /** Called with the share of the rows that are in blocks. */
  onProgress?(share: number): void;
}

/** The blocks of the rows of `weights` [items, width], as the indices of the rows of each block: [blocks, items]. Throws AbortedError. */
export async function itemBlocks(
  engine: Engine,
  weights: Tensor,
  { signal, onProgress }: BlockOptions = {},
): Promise<CsrMatrix> {
  const indices = new Uint32Array(weights.rows);
  const offsets = [0];
  let filled = 0;
  /** Groups of rows that are not in blocks yet, the next one last. */
  const open = (await bands(engine, weights)).reverse();
  for (let rows = open.pop(); rows !== undefined; rows = open.pop()) {
    throwIfAborted(signal);
    if (rows.length <= MOST_ROWS) {
      indices.set(rows, filled);
      filled += rows.length;
      offsets.push(filled);
      onProgress?.(filled / weights.rows);
      continue;
    }
    await setImmediate();
    const groups = await clustered(engine, weights, rows);
    // Rows that are alike cannot be divided by similarity.
    open.push(...(groups.length > 1 ? groups : halves(rows)).reverse());
  }
  return { rows: offsets.length - 1, columns: weights.rows, offsets: Uint32Array.from(offsets), indices };
}

/** The rows by descending norm, in groups of at least `ROWS` rows with similar norms; each group ascending. */
async function bands(engine: Engine, weights: Tensor): Promise<Uint32Array[]> {
  const { rows, columns } = weights;
  const norms = new Float64Array(rows);
  for (let from = 0; from < rows; from += AT_ONCE) {
    const values = await engine.read(viewRows(weights, from, Math.min(rows, from + AT_ONCE)));
    for (let at = 0; at < values.length; at += columns)
      norms[from + at / columns] = norm(values.subarray(at, at + columns));
  }
  // Rows that are not finite have no bound, and are grouped.
  for (let row = 0; row < rows; row++) if (!Number.isFinite(norms[row])) norms[row] = Infinity;
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  order.sort((a, b) => (norms[a] === norms[b] ? a - b : norms[b] - norms[a]));
  const groups: Uint32Array[] = [];
  for (let from = 0; from < rows; ) {
    const least = norms[order[from]] * BAND;
    let to = Math.min(rows, from + ROWS);
    while (to < rows && norms[order[to]] >= least) to++;
    if (rows - to < ROWS) to = rows;
    groups.push(order.slice(from, to).sort());
    from = to;
  }
  return groups;
}

function norm(of: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < of.length; i++) sum += of[i] ** 2;
  return Math.sqrt(sum);
}

function halves(rows: Uint32Array): Uint32Array[] {
  const middle = rows.length >> 1;
  return [rows.subarray(0, middle), rows.subarray(middle)];
}

/** The given rows by k-means cluster, in each ascending; without empty clusters. */
async function clustered(engine: Engine, weights: Tensor, rows: Uint32Array): Promise<Uint32Array[]> {
  const clusters = Math.min(MOST_CLUSTERS, Math.ceil(rows.length / ROWS));
  const sample = gathered(engine, weights, evenly(rows, Math.min(rows.length, clusters * SAMPLED)));
  const { columns } = weights;
  const centres = gathered(engine, weights, evenly(rows, clusters));
  const norms = engine.empty(1, clusters);
  try {
    await setNorms(engine, norms, await engine.read(centres), columns);
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const members = byCluster(await nearest(engine, sample, centres, norms), clusters);
      const sparse = engine.sparse({ ...members, columns: sample.rows });
      engine.sparseRowSum(centres, sparse, sample, {});
      engine.releaseSparse(sparse);
      const means = await engine.read(centres);
      for (let c = 0; c < clusters; c++) {
        const count = members.offsets[c + 1] - members.offsets[c];
        for (let i = c * columns; i < (c + 1) * columns; i++) means[i] /= Math.max(1, count);
      }
      engine.write(centres, means);
      await setNorms(engine, norms, means, columns);
    }
    const nearestOf = new Uint32Array(rows.length);
    for (let from = 0; from < rows.length; from += AT_ONCE) {
      const part = gathered(engine, weights, rows.subarray(from, from + AT_ONCE));
      try {
        nearestOf.set(await nearest(engine, part, centres, norms), from);
      } finally {
        engine.release(part);
      }
    }
    const { offsets, indices } = byCluster(nearestOf, clusters);
    return Array.from({ length: clusters }, (_, c) =>
      indices.subarray(offsets[c], offsets[c + 1]).map((place) => rows[place]),
    ).filter(({ length }) => length > 0);
  } finally {
    for (const tensor of [sample, centres, norms]) engine.release(tensor);
  }
}

/** `count` of the rows, at equal distances. */
function evenly(rows: Uint32Array, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, n) => rows[Math.floor((n * rows.length) / count)]);
}

/** A copy of the given rows of a matrix, which the caller releases. */
export function gathered(engine: Engine, of: Tensor, rows: Uint32Array): Tensor {
  const out = engine.empty(rows.length, of.columns);
  const sparse = engine.sparse(oneByOne(rows, of.rows));
  engine.sparseRowSum(out, sparse, of, {});
  engine.releaseSparse(sparse);
  return out;
}

function oneByOne(indices: Uint32Array, columns: number): CsrMatrix {
  return {
    ...{ rows: indices.length, columns, indices },
    offsets: Uint32Array.from({ length: indices.length + 1 }, (_, row) => row),
  };
}

/** norms [1, clusters] = -|centre|^2 / 2, which with the product gives the order of the distances. */
async function setNorms(engine: Engine, norms: Tensor, centres: FloatArray, width: number): Promise<void> {
  const values = Float32Array.from({ length: norms.columns }, (_, c) => {
    return -(norm(centres.subarray(c * width, (c + 1) * width)) ** 2) / 2;
  });
  engine.write(norms, values);
}

/** For every row the nearest centre, equal ones by ascending index. */
async function nearest(engine: Engine, rows: Tensor, centres: Tensor, norms: Tensor): Promise<Uint32Array> {
  const found = new Uint32Array(rows.rows);
  for (let from = 0; from < rows.rows; from += AT_ONCE) {
    const part = viewRows(rows, from, Math.min(rows.rows, from + AT_ONCE));
    const scores = engine.empty(part.rows, centres.rows);
    try {
      engine.matmul(scores, part, centres, { transposeB: true });
      engine.addRow(scores, norms);
      found.set((await engine.topK(scores, 1)).items, from);
    } finally {
      engine.release(scores);
    }
  }
  return found;
}

/** The places of each cluster, ascending. */
function byCluster(clusterOf: Uint32Array, clusters: number) {
  const offsets = new Uint32Array(clusters + 1);
  for (const cluster of clusterOf) offsets[cluster + 1]++;
  for (let c = 0; c < clusters; c++) offsets[c + 1] += offsets[c];
  const next = offsets.slice();
  const indices = new Uint32Array(clusterOf.length);
  for (const [place, cluster] of clusterOf.entries()) indices[next[cluster]++] = place;
  return { rows: clusters, offsets, indices };
}

/** The blocks in the engine, with what `bestInBlocks` needs. */
export class ArrangedBlocks {
  readonly layer: {
    readonly quantised: Tensor;
    readonly statistics: Tensor;
    readonly centres: Tensor;
    readonly reach: Tensor;
    readonly items: SparseTensor;
  };
  readonly #engine: Engine;

  constructor(engine: Engine, weights: Tensor, bias: Tensor, blocks: CsrMatrix) {
    this.#engine = engine;
    const items = engine.sparse(blocks);
    const quantised = engine.empty(weights.rows, weights.columns, "int8");
    const statistics = engine.empty(weights.rows, 4);
    const centres = engine.empty(blocks.rows, weights.columns);
    const reach = engine.empty(blocks.rows, 3);
    engine.arrangeBlocks(quantised, statistics, centres, reach, weights, bias, items);
    this.layer = { quantised, statistics, centres, reach, items };
  }

  dispose(): void {
    const { items, ...tensors } = this.layer;
    this.#engine.releaseSparse(items);
    for (const tensor of Object.values(tensors)) this.#engine.release(tensor);
  }
}
