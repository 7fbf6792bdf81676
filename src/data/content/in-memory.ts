// Content from arrays in memory, for programs, models and tests.

import { createHash } from "node:crypto";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { ImageContent, SequenceContent, TextRule, VectorContent, WordContent } from "../content.js";
import type { Vocabulary } from "../vocabulary.js";

/**
 * A bag of words per item from counts [items, words] (no values = all ones). `maxima` are computed from the counts unless they
 * are given: new items need those of the training items (`form.maxima`). An item without words has no content.
 */
export function wordContent(
  matrix: CsrMatrix,
  words: Vocabulary,
  { maxima, text }: { maxima?: ArrayLike<number>; text?: TextRule } = {},
): WordContent {
  if (matrix.columns !== words.size)
    throw new RangeError(`wordContent: ${matrix.columns} columns, ${words.size} words`);
  const values = matrix.values ?? new Float32Array(matrix.indices.length).fill(1);
  const counts = { ...matrix, values };
  return {
    kind: "words",
    items: matrix.rows,
    known: filledRows(matrix),
    counts,
    words,
    maxima: maxima ? Float32Array.from(maxima) : columnMaxima(counts),
    text,
    digest: digestOf("words", words.ids, matrix.offsets, matrix.indices, values),
  };
}

/** A sequence of tokens per item, from token indices [items, tokens]. An item without tokens has no content. */
export function sequenceContent(sequences: CsrMatrix, tokens: Vocabulary, text?: TextRule): SequenceContent {
  if (sequences.columns !== tokens.size)
    throw new RangeError(`sequenceContent: ${sequences.columns} columns, ${tokens.size} tokens`);
  return {
    kind: "sequences",
    items: sequences.rows,
    known: filledRows(sequences),
    sequences,
    tokens,
    text,
    digest: digestOf("sequences", tokens.ids, sequences.offsets, sequences.indices),
  };
}

/** Vectors [items, dimensions], row-major; `known` says which items have one (default: all). */
export function vectorContent(
  vectors: Float32Array,
  dimensions: number,
  known: Uint8Array = new Uint8Array(vectors.length / dimensions).fill(1),
): VectorContent {
  return {
    kind: "vectors",
    dimensions,
    ...inMemory(vectors, dimensions, known),
    digest: digestOf("vectors", [], known, vectors),
  };
}

/** Images [items, channels, height, width], values in [0, 1]; `known` says which items have one (default: all). */
export function imageContent(
  pixels: Float32Array,
  [channels, height, width]: readonly [channels: number, height: number, width: number],
  known: Uint8Array = new Uint8Array(pixels.length / (channels * height * width)).fill(1),
): ImageContent {
  return {
    kind: "images",
    ...{ channels, height, width },
    ...inMemory(pixels, channels * height * width, known),
    digest: digestOf("images", [String([channels, height, width])], known, pixels),
  };
}

function inMemory(rows: Float32Array, size: number, known: Uint8Array) {
  if (rows.length !== known.length * size)
    throw new RangeError(`content: ${rows.length} numbers are not ${known.length} rows of ${size}`);
  return {
    items: known.length,
    known,
    async read(chosen: ArrayLike<number>) {
      const block = new Float32Array(chosen.length * size);
      for (let k = 0; k < chosen.length; k++)
        if (known[chosen[k]]) block.set(rows.subarray(chosen[k] * size, (chosen[k] + 1) * size), k * size);
      return block;
    },
  };
}

function filledRows({ rows, offsets }: CsrMatrix): Uint8Array {
  return Uint8Array.from({ length: rows }, (_, row) => (offsets[row + 1] > offsets[row] ? 1 : 0));
}

function columnMaxima({ columns, indices, values }: CsrMatrix & { values: Float32Array }): Float32Array {
  const maxima = new Float32Array(columns);
  for (let k = 0; k < indices.length; k++) maxima[indices[k]] = Math.max(maxima[indices[k]], values[k]);
  return maxima;
}

/** A SHA-256 over names and arrays, in hexadecimal. */
export function digestOf(
  kind: string,
  names: readonly string[],
  ...arrays: readonly (Uint8Array | Uint32Array | Float32Array)[]
): string {
  const hash = createHash("sha256").update(JSON.stringify([kind, names]));
  for (const array of arrays) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return hash.digest("hex");
}
