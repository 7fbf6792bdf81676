// Divides histories at random in halves, one of which is to predict the other (Vancura and Kordik 2021: VASP's training data).
// The halves of a user follow from the random key and the places of the user's items in the training matrix, not from the batch.

import type { Tape } from "../compute/tape.js";
import type { SparseTensor } from "../compute/tensor.js";
import { type RandomKey, randomWords, streamOf } from "../core/philox.js";
import type { RunContext } from "../recommender/run-context.js";
import type { CsrMatrix } from "../sparse/csr.js";

export interface Halves {
  /** With the odd item of histories of an odd length. */
  readonly larger: CsrMatrix;
  readonly smaller: CsrMatrix;
}

/** Two keys are ordered by their random words, equal words by their places: sums below 2^53 for histories of up to 2^21 items. */
const PLACES = 2 ** 21;

/** The histories of `users` in halves, both [users.length, items]. Items keep their order. */
export function halvesOf(histories: CsrMatrix, users: Uint32Array, key: RandomKey): Halves {
  const { offsets, indices, values, columns } = histories;
  const lengths = Uint32Array.from(users, (user) => offsets[user + 1] - offsets[user]);
  const half = (share: (length: number) => number) => {
    const starts = new Uint32Array(users.length + 1);
    lengths.forEach((length, r) => {
      starts[r + 1] = starts[r] + share(length);
    });
    const entries = starts[users.length];
    return {
      ...{ rows: users.length, columns, offsets: starts },
      ...{ indices: new Uint32Array(entries), values: values && new Float32Array(entries) },
    };
  };
  const larger = half((length) => Math.ceil(length / 2));
  const smaller = half((length) => Math.floor(length / 2));
  users.forEach((user, r) => {
    const length = lengths[r];
    if (length === 0) return;
    const words = new Uint32Array(length);
    randomWords(key, offsets[user], words);
    const order = Float64Array.from(words, (word, place) => word * PLACES + place);
    const last = order.slice().sort()[Math.ceil(length / 2) - 1];
    const next = [larger.offsets[r], smaller.offsets[r]];
    for (let place = 0; place < length; place++) {
      const [side, to] = order[place] <= last ? [0, larger] : [1, smaller];
      const at = next[side]++;
      to.indices[at] = indices[offsets[user] + place];
      if (to.values && values) to.values[at] = values[offsets[user] + place];
    }
  });
  return { larger, smaller };
}

/** The halves of an update. */
export function halvesForUpdate(
  histories: CsrMatrix,
  users: Uint32Array,
  key: Pick<RandomKey, "seed" | "step">,
): Halves {
  return halvesOf(histories, users, { ...key, stream: streamOf("halves") });
}

/** Throws RangeError for a batch that has only some of its rows. */
export function requireWholeBatch(batch: SparseTensor, rows: Uint32Array, what: string): void {
  if (batch.rows !== rows.length)
    throw new RangeError(`${what} is not supported with the rows of a batch divided among members`);
}

/** The input of an update, and what it predicts: [users, items] both. */
export interface Prediction {
  readonly x: SparseTensor;
  readonly target: SparseTensor;
}

/** The prediction of an update, from its batch of the histories of `rows`. What it makes lives as long as the tape. */
export type Predict = (tape: Tape, batch: SparseTensor, update: number, rows: Uint32Array) => Prediction;

/**
 * What updates on these histories predict: unset or "history", the batch itself; "rest", the smaller halves from the larger ones, by
 * seed and update. Throws RangeError for a batch that has only some of its rows.
 */
export function predictionOf(
  histories: CsrMatrix,
  { target }: { readonly target?: "history" | "rest" },
  { seed, division }: Pick<RunContext, "seed" | "division">,
): Predict {
  if (target !== "rest") return (_tape, batch) => ({ x: batch, target: batch });
  return (tape, batch, update, rows) => {
    requireWholeBatch(batch, rows, "target=rest");
    const { larger, smaller } = halvesForUpdate(histories, rows, { seed, step: update });
    return { x: tape.histories(larger, division), target: tape.histories(smaller, division) };
  };
}
