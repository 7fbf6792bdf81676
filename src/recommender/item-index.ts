// The index of a model with a large catalogue: its items in blocks of similar vectors (item-blocks.ts), in `index.safetensors` next to
// the weights. With it, the best items are found without reading most of the vectors. What makes answers exact, the bounds of the
// blocks, is computed from the weights when a model is loaded, so that no content of the file can make an answer wrong. Approximate
// answers rank the items of a limited number of blocks. How many of the exact answers they contain, their recall, is measured when
// the index is built.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { NO_ITEM } from "../compute/engine.js";
import { writeFileWhole } from "../core/atomic-file.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { type CsrMatrix, fromRows } from "../sparse/csr.js";
import type { BlockOptions } from "./item-blocks.js";
import type { ProductRanking, RankingRecommender } from "./product-ranking.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

export const INDEX_FILE = "index.safetensors";
/** Items whose weights identify the model that an index was built for. */
const IDENTIFYING = 1024;
/** The length of the rankings that recall is measured on, and the number of histories. */
export const RECALL_AT = 20;
const HISTORIES = 200;
/** Items of each history. */
const HISTORY = 10;

/** An index, and what was measured when it was built. */
export interface ItemIndex {
  readonly blocks: CsrMatrix;
  /** The number of blocks that approximate answers rank, unless another is requested. */
  readonly chosen: number;
  /** The recall with the chosen number of blocks. */
  readonly recall: number;
  /** Identifies the weights. */
  readonly weights: string;
}

/** The recall and time of approximate answers. */
export interface Measured {
  readonly blocks: number;
  /** The mean share of the exact best 20 items that are among the approximate ones. */
  readonly recall: number;
  /** The median time to rank one history, without its fold-in. */
  readonly milliseconds: number;
}

/** A digest of the weights of some items. */
async function identity(ranking: ProductRanking): Promise<string> {
  const { rows } = ranking.products.weights;
  const count = Math.min(rows, IDENTIFYING);
  const some = Uint32Array.from({ length: count }, (_, n) => Math.floor((n * rows) / count));
  const values = Float32Array.from(await ranking.weightsOf(some));
  return createHash("sha256")
    .update(`${rows}\n`)
    .update(new Uint8Array(values.buffer))
    .digest("hex")
    .slice(0, 16);
}

/**
 * Builds the index of a model and measures approximate answers with 8, 16, 32, ... blocks; the first number with at least the
 * requested recall is chosen, and all blocks if there is none. The first measurement is that of exact answers. The histories are an
 * item and the items that the model recommends for it, for items at equal distances in the catalogue. The model uses the index
 * afterwards. Throws AbortedError.
 */
export async function buildIndex(
  { ranking, items, score }: RankingRecommender,
  recall: number,
  options: BlockOptions = {},
): Promise<{ index: ItemIndex; measured: readonly Measured[] }> {
  const blocks = await ranking.blocks(options);
  const { encode } = ranking.products;
  ranking.useIndex({ blocks });
  const count = Math.min(HISTORIES, items.size);
  const histories: CsrMatrix[] = [];
  for (let n = 0; n < count; n++) {
    throwIfAborted(options.signal);
    const first = Math.floor(((n + 0.5) * items.size) / count);
    const single = fromRows(items.size, [[first]]);
    const { items: similar } = await score(single).topK(HISTORY - 1, single);
    const known = similar.filter((item) => item !== NO_ITEM);
    histories.push(fromRows(items.size, [[first, ...known].sort((a, b) => a - b)]));
  }
  async function answers(): Promise<{ best: Uint32Array[]; milliseconds: number }> {
    const best: Uint32Array[] = [];
    const times: number[] = [];
    for (const history of histories) {
      throwIfAborted(options.signal);
      const hidden = encode(history);
      try {
        const started = performance.now();
        best.push((await ranking.topK(hidden, RECALL_AT, history)).items);
        times.push(performance.now() - started);
      } finally {
        ranking.release(hidden);
      }
    }
    return { best, milliseconds: times.sort((a, b) => a - b)[times.length >> 1] ?? 0 };
  }
  ranking.prepare();
  const exact = await answers();
  const measured: Measured[] = [{ blocks: blocks.rows, recall: 1, milliseconds: exact.milliseconds }];
  let chosen = measured[0];
  for (let most = 8; most < blocks.rows && chosen.blocks === blocks.rows; most *= 2) {
    ranking.limitBlocks(most);
    const { best, milliseconds } = await answers();
    const one = { blocks: most, recall: meanRecall(best, exact.best), milliseconds };
    measured.push(one);
    if (one.recall >= recall) chosen = one;
  }
  ranking.limitBlocks(undefined);
  const weights = await identity(ranking);
  return { index: { blocks, chosen: chosen.blocks, recall: chosen.recall, weights }, measured };
}

function meanRecall(found: readonly Uint32Array[], exact: readonly Uint32Array[]): number {
  const shares = exact.map((all, row) => {
    const wanted = all.filter((item) => item !== NO_ITEM);
    const kept = new Set(found[row]);
    return wanted.length === 0 ? 1 : wanted.filter((item) => kept.has(item)).length / wanted.length;
  });
  return shares.length === 0 ? 1 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Writes the index of the model in a model folder. */
export async function writeIndex(
  folder: string,
  { blocks, chosen, recall, weights }: ItemIndex,
): Promise<void> {
  const vector = (data: Uint32Array) => ({ shape: [data.length], data });
  const tensors = { offsets: vector(blocks.offsets), items: vector(blocks.indices) };
  const metadata = { chosen: String(chosen), recall: String(recall), weights };
  await writeFileWhole(join(folder, INDEX_FILE), (file) => writeSafetensors(file, tensors, metadata));
}

export function hasIndex(folder: string): boolean {
  return existsSync(join(folder, INDEX_FILE));
}

const described = z.object({
  chosen: z.coerce.number().int().positive(),
  recall: z.coerce.number().min(0).max(1),
  weights: z.string(),
});

/** The index in a model folder. Throws UserError, naming the file, if there is none, or it is not an index of these many items. */
async function readIndex(folder: string, items: number): Promise<ItemIndex> {
  const path = join(folder, INDEX_FILE);
  const unsound = (problem: string) =>
    new UserError({ place: path, problem: `is not a valid index: ${problem}`, remedy: REBUILD });
  const { tensors, metadata } = await readSafetensors(path);
  const parsed = described.safeParse(metadata);
  if (!parsed.success) throw unsound("its description is incomplete");
  const [offsets, indices] = [tensors.offsets?.data, tensors.items?.data];
  if (!(offsets instanceof Uint32Array && indices instanceof Uint32Array))
    throw unsound("the blocks are missing");
  const rises = offsets.every((offset, block) => block === 0 || offset >= offsets[block - 1]);
  if (offsets[0] !== 0 || !rises || offsets[offsets.length - 1] !== indices.length)
    throw unsound("the blocks do not follow each other");
  const seen = new Uint8Array(items);
  for (const item of indices) seen[item] = 1;
  if (indices.length !== items || seen.includes(0))
    throw unsound(`not every one of the ${items} items is in one block`);
  return { ...parsed.data, blocks: { rows: offsets.length - 1, columns: items, offsets, indices } };
}

const REBUILD = "Build it with: foldin index <run>";

/** Approximate answers: from this number of blocks of the index, or (true) from as many as were chosen when it was built. */
export type Approximate = boolean | number;

/**
 * Lets a model use the index in its folder, if there is one. Throws UserError if approximate answers are requested and the folder
 * has no index of these weights, or the file is damaged. For exact answers, an index of other weights is not used, which `onNote`
 * reports.
 */
export async function useIndex(
  { ranking, items }: RankingRecommender,
  folder: string,
  { approximate = false, onNote }: { approximate?: Approximate; onNote?(note: string): void } = {},
): Promise<void> {
  const place = join(folder, INDEX_FILE);
  if (!hasIndex(folder)) {
    if (approximate === false) return;
    throw new UserError({
      place: folder,
      problem: "approximate answers need an index, and the model has none",
      remedy: REBUILD,
    });
  }
  const index = await readIndex(folder, items.size);
  if (index.weights !== (await identity(ranking))) {
    const problem = "the index was built for other weights";
    if (approximate !== false) throw new UserError({ place, problem, remedy: REBUILD });
    onNote?.(`${place}: ${problem} and is not used. ${REBUILD}`);
    return;
  }
  const most = approximate === true ? index.chosen : approximate === false ? undefined : approximate;
  ranking.useIndex({ blocks: index.blocks, ...(most !== undefined && { most }) });
}
