// Distillation (Hinton, Vinyals, Dean: "Distilling the knowledge in a neural network", 2015): a student learns from the clicks and from the
// scores of a trained teacher. A user's target row, with n clicks x and the teacher's distribution p over the user's other items,
//
//   (1 - weight) x + weight n p,   p = softmax(z / temperature) over the teacher's k best items that are not in the history
//
// so that the multinomial loss is (1 - weight) times that of the clicks plus weight times the cross-entropy to the teacher. z are the k
// scores minus their mean, divided by their standard deviation: temperatures mean the same for logits, cosines and blends. The student's
// temperature is 1. p is computed once and stored as k items and shares per user.

import type { TopK } from "../compute/engine.js";
import { NO_ITEM } from "../compute/engine.js";
import type { RunContext, Teacher } from "../recommender/run-context.js";
import { type CsrMatrix, takeRows } from "../sparse/csr.js";
import { halvesForUpdate, type Predict, predictionOf, requireWholeBatch } from "./halves.js";

/** The options of a student. */
export interface Distillation {
  readonly distillWeight?: number;
  readonly distillTemperature?: number;
  readonly distillTop?: number;
}

/** Their values where they are unset: the best of those tried on ML-1M (docs/decisions/tuning-ml-1m.md). */
const DISTILLATION = { weight: 0.2, temperature: 0.3, top: 100 };

/** `predictionOf`, with the teacher's share in the targets if the run has a teacher. Throws AbortedError. */
export async function predictionFrom(
  histories: CsrMatrix,
  options: Distillation & { readonly target?: "history" | "rest" },
  run: Pick<RunContext, "seed" | "division" | "teacher" | "signal" | "progress">,
): Promise<Predict> {
  const { distillWeight: weight = DISTILLATION.weight } = options;
  const { seed, division, teacher } = run;
  if (!teacher || weight === 0) return predictionOf(histories, options, run);
  const shares = await teacherShares(histories, options, teacher, run);
  return (tape, batch, update, rows) => {
    requireWholeBatch(batch, rows, "distillation");
    const halves =
      options.target === "rest" ? halvesForUpdate(histories, rows, { seed, step: update }) : undefined;
    const target = mixedTargets(halves?.smaller ?? takeRows(histories, rows), takeRows(shares, rows), weight);
    return {
      x: halves ? tape.histories(halves.larger, division) : batch,
      target: tape.histories(target, division),
    };
  };
}

/** The teacher's distribution for every history: [users, items], rows that sum to 1, or are empty where no item is left. */
async function teacherShares(
  histories: CsrMatrix,
  {
    distillTemperature: temperature = DISTILLATION.temperature,
    distillTop: top = DISTILLATION.top,
  }: Distillation,
  teacher: Teacher,
  { signal, progress }: Pick<RunContext, "signal" | "progress">,
): Promise<CsrMatrix> {
  progress?.({ type: "note", text: `distillation: scoring ${histories.rows.toLocaleString("en")} users` });
  return sharesOf(await teacher.best(histories, top, signal), histories.columns, temperature);
}

/** The softmax of every row's standardised scores: [rows, items], the best first. */
export function sharesOf({ rows, k, items, scores }: TopK, columns: number, temperature: number): CsrMatrix {
  const offsets = new Uint32Array(rows + 1);
  const [indices, values] = [new Uint32Array(rows * k), new Float32Array(rows * k)];
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const found = items.subarray(row * k, (row + 1) * k);
    // Unfilled ranks are last.
    const none = found.indexOf(NO_ITEM);
    const count = none < 0 ? k : none;
    const shares = softmax(scores.subarray(row * k, row * k + count), temperature);
    indices.set(found.subarray(0, count), end);
    values.set(shares, end);
    end += count;
    offsets[row + 1] = end;
  }
  return { rows, columns, offsets, indices: indices.slice(0, end), values: values.slice(0, end) };
}

function softmax(scores: Float32Array, temperature: number): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / scores.length);
  // Rounding errors of equal scores do not count as a deviation.
  const scale = deviation > 1e-6 * Math.abs(mean) ? 1 / (deviation * temperature) : 0;
  const powers = Float64Array.from(scores, (score) => Math.exp((score - scores[0]) * scale));
  const sum = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / sum);
}

/** (1 - weight) clicks + weight n shares, row by row, with n the sum of the row's clicks; rows without shares remain the clicks. No item is in both. */
export function mixedTargets(clicks: CsrMatrix, shares: CsrMatrix, weight: number): CsrMatrix {
  const { rows, columns } = clicks;
  const offsets = Uint32Array.from(clicks.offsets, (offset, row) => offset + shares.offsets[row]);
  const [indices, values] = [new Uint32Array(offsets[rows]), new Float32Array(offsets[rows])];
  for (let row = 0; row < rows; row++) {
    const [firstShare, lastShare] = [shares.offsets[row], shares.offsets[row + 1]];
    const kept = firstShare === lastShare ? 1 : 1 - weight;
    let at = offsets[row];
    let sum = 0;
    for (let entry = clicks.offsets[row]; entry < clicks.offsets[row + 1]; entry++) {
      const click = clicks.values?.[entry] ?? 1;
      indices[at] = clicks.indices[entry];
      values[at++] = kept * click;
      sum += click;
    }
    for (let entry = firstShare; entry < lastShare; entry++) {
      indices[at] = shares.indices[entry];
      values[at++] = weight * sum * (shares.values?.[entry] ?? 1);
    }
  }
  return { rows, columns, offsets, indices, values };
}
