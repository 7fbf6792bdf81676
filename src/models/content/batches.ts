// The content of items in batches, as input of a network: a bag of words as sparse rows, each word scaled by its maximum;
// vectors and pictures as dense rows, fetched a batch at a time; sequences unchanged.

import type { Engine } from "../../compute/engine.js";
import type { FloatArray, SparseTensor, Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { type RandomKey, RandomSequence } from "../../core/philox.js";
import { type ItemContent, rowSize, scaledByMaximum } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { type CsrMatrix, fromRows, takeRows } from "../../sparse/csr.js";

/** Content of some items, on the host; a row is an item. */
export type ContentRows =
  | { readonly kind: "sparse"; readonly matrix: CsrMatrix }
  | { readonly kind: "dense"; readonly rows: number; readonly columns: number; readonly data: FloatArray }
  | { readonly kind: "tokens"; readonly matrix: CsrMatrix };

/** The same on an engine. */
export type ContentBatch =
  | { readonly kind: "sparse"; readonly rows: number; readonly sparse: SparseTensor }
  | { readonly kind: "dense"; readonly rows: number; readonly dense: Tensor }
  /** Sequences stay on the host: networks cut them up in their own ways. */
  | { readonly kind: "tokens"; readonly rows: number; readonly sequences: CsrMatrix };

/** Fetches the content of items; the indices may be in any order. */
export type ContentReader = (items: Uint32Array) => ContentRows | Promise<ContentRows>;

/** Reads content in the form that a network needs. */
export function contentReader(content: ItemContent): ContentReader {
  switch (content.kind) {
    case "words": {
      const scaled = scaledByMaximum(content);
      return (items) => ({ kind: "sparse", matrix: takeRows(scaled, items) });
    }
    case "vectors":
    case "images": {
      const columns = rowSize(content);
      return async (items) => ({
        kind: "dense",
        rows: items.length,
        columns,
        data: await content.read(items),
      });
    }
    case "sequences":
      return (items) => ({ kind: "tokens", matrix: takeRows(content.sequences, items) });
    default:
      return content satisfies never;
  }
}

export function toEngine(engine: Engine, rows: ContentRows): ContentBatch {
  if (rows.kind === "sparse")
    return { kind: "sparse", rows: rows.matrix.rows, sparse: engine.sparse(rows.matrix) };
  if (rows.kind === "tokens") return { kind: "tokens", rows: rows.matrix.rows, sequences: rows.matrix };
  return { kind: "dense", rows: rows.rows, dense: engine.tensor(rows.rows, rows.columns, rows.data) };
}

/** Adds the rows to sums [columns]. */
export function addColumns(sums: Float64Array, rows: ContentRows): void {
  if (rows.kind === "dense") {
    for (let i = 0; i < rows.data.length; i++) sums[i % rows.columns] += rows.data[i];
    return;
  }
  const { indices, values } = rows.matrix;
  for (let k = 0; k < indices.length; k++) sums[indices[k]] += values ? values[k] : 1;
}

export function releaseBatch(engine: Engine, batch: ContentBatch): void {
  if (batch.kind === "sparse") engine.releaseSparse(batch.sparse);
  else if (batch.kind === "dense") engine.release(batch.dense);
}

/** The rows of a batch of vectors or pictures. */
export function denseRows(batch: ContentBatch): Tensor {
  if (batch.kind !== "dense") throw new RangeError(`content: expected dense rows, got ${batch.kind}`);
  return batch.dense;
}

/** The sequences of a batch. */
export function tokenRows(batch: ContentBatch): CsrMatrix {
  if (batch.kind !== "tokens") throw new RangeError(`content: expected sequences, got ${batch.kind}`);
  return batch.sequences;
}

/** The first `most` tokens of every sequence. */
export function firstTokens(sequences: CsrMatrix, most: number): CsrMatrix {
  const lists = Array.from({ length: sequences.rows }, (_, r) => {
    const from = sequences.offsets[r];
    return sequences.indices.subarray(from, Math.min(from + most, sequences.offsets[r + 1]));
  });
  return fromRows(sequences.columns, lists);
}

/** The items that have content, ascending. */
export function itemsWithContent({ known }: Pick<ItemContent, "known">): Uint32Array {
  return Uint32Array.from(known.keys()).filter((item) => known[item] === 1);
}

/** The dataset's content. Throws UserError if it has none, or if the model does not support its kind. */
export function requireContent<Kind extends ItemContent["kind"]>(
  dataset: Dataset,
  model: string,
  kinds: readonly Kind[],
): Extract<ItemContent, { kind: Kind }> {
  const { content } = dataset;
  const expected =
    kinds.length === 1
      ? `content of the kind ${kinds[0]}`
      : `content of one of the kinds ${kinds.join(", ")}`;
  if (!content)
    throw new UserError({
      place: dataset.name,
      problem: `has no content of its items, which ${model} needs`,
      expected,
      remedy: "Prepare the dataset again, with --content",
    });
  if (!(kinds as readonly string[]).includes(content.kind))
    throw new UserError({
      place: dataset.name,
      problem: `has content of the kind ${content.kind}, which ${model} does not support`,
      expected,
      remedy: "Prepare the dataset with supported content, or train another model",
    });
  if (!content.known.includes(1))
    throw new UserError({
      place: dataset.name,
      problem: `none of its ${content.items} items has content`,
      expected,
      remedy: "Prepare the dataset again, with content for its items",
    });
  return content as Extract<ItemContent, { kind: Kind }>;
}

/** `size` distinct numbers below n (all of them if n is smaller), every set equally likely (Floyd's algorithm). */
export function sampleWithout(random: RandomSequence, n: number, size: number): Uint32Array {
  const chosen = new Set<number>();
  for (let j = Math.max(0, n - size); j < n; j++) {
    const candidate = random.below(j + 1);
    chosen.add(chosen.has(candidate) ? j : candidate);
  }
  return Uint32Array.from(chosen);
}

/** floor(n / size) batches of `size` of the items, each drawn without replacement from all of them (np.random.choice per batch). */
export function independentBatches(items: Uint32Array, size: number, key: RandomKey): Uint32Array[] {
  const random = new RandomSequence(key);
  return Array.from({ length: Math.max(1, Math.floor(items.length / size)) }, () =>
    sampleWithout(random, items.length, size).map((place) => items[place]),
  );
}

/**
 * Masking noise (Vincent et al. 2010): sets round(share x columns) randomly chosen numbers of every row to 0. In a sparse
 * row only the non-zero entries are visited: each is masked with the remaining probability.
 */
export function masked(rows: ContentRows, share: number, key: RandomKey): ContentRows {
  const random = new RandomSequence(key);
  if (rows.kind === "dense") {
    const mask = maskRows(random, rows.rows, rows.columns, share);
    return { ...rows, data: rows.data.map((x, i) => x * mask[i]) };
  }
  if (rows.kind === "tokens") throw new RangeError("masked: sequences have no numbers to mask");
  const { matrix } = rows;
  const { columns } = matrix;
  const offsets = new Uint32Array(matrix.rows + 1);
  const kept = new Uint32Array(matrix.indices.length);
  let count = 0;
  for (let r = 0; r < matrix.rows; r++) {
    let left = columns;
    let toMask = Math.round(share * columns);
    for (let k = matrix.offsets[r]; k < matrix.offsets[r + 1]; k++, left--)
      if (random.uniform() * left < toMask) toMask--;
      else kept[count++] = k;
    offsets[r + 1] = count;
  }
  const places = kept.subarray(0, count);
  const indices = Uint32Array.from(places, (k) => matrix.indices[k]);
  const { values } = matrix;
  return {
    kind: "sparse",
    matrix: {
      rows: matrix.rows,
      columns,
      offsets,
      indices,
      values: values && Float32Array.from(places, (k) => values[k]),
    },
  };
}

/** [rows, columns] of ones, round(share x columns) zeros in every row. */
export function maskRows(random: RandomSequence, rows: number, columns: number, share: number): Float32Array {
  const mask = new Float32Array(rows * columns).fill(1);
  for (let r = 0; r < rows; r++)
    for (const column of sampleWithout(random, columns, Math.round(share * columns)))
      mask[r * columns + column] = 0;
  return mask;
}
