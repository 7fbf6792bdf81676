// What a sampled softmax makes a network need, for the estimate of its memory (training-memory.ts).

import type { CsrMatrix } from "../sparse/csr.js";
import { isSparseAdam } from "./settings.js";

/** The sizes of an update with a sampled output. */
export interface SampledNeed {
  /** Distinct items of a batch's histories. */
  readonly targets: number;
  /** Entries of a batch's histories. */
  readonly entries: number;
  /** Items drawn per update. */
  readonly negatives: number;
}

interface Options {
  readonly batchSize: number;
  readonly negatives?: number;
  readonly sparseAdam?: boolean;
}

/** The sizes of the first batch in the order of the users; undefined unless the output is sampled and its gradients are those of rows. */
export function sampledNeed(train: CsrMatrix, options: Options): SampledNeed | undefined {
  const { batchSize, negatives = 0 } = options;
  if (negatives === 0 || !isSparseAdam(options)) return undefined;
  const entries = train.offsets[Math.min(batchSize, train.rows)];
  return { entries, negatives, targets: new Set(train.indices.subarray(0, entries)).size };
}

/**
 * The numbers that an update needs for the item layers [items, width] of these widths (the output layer's last), instead of gradients
 * of all items and a batch's logits: gradients of the rows of targets and drawn items, copies of the drawn rows and of their gradient,
 * and the logits of the drawn items. Negatives are counted as if no item were drawn twice.
 */
export function numbersOfSampledUpdate(
  { targets, entries, negatives }: SampledNeed,
  items: number,
  widths: readonly number[],
  batchSize: number,
): number {
  const drawn = Math.min(items, negatives);
  const output = widths.at(-1) ?? 0;
  const inputs = widths.slice(0, -1).reduce((sum, width) => sum + width, 0);
  return (
    targets * inputs + Math.max(targets, drawn) * output + 2 * drawn * output + batchSize * drawn + entries
  );
}
