// The model that `foldin train` uses without --model: chosen by the shape of the data alone, without training anything. What the
// choice rests on is measured in docs/tuning.md.

import { availableParallelism } from "node:os";
import { duration } from "../../core/duration.js";
import type { JsonObject } from "../../core/json.js";
import { availableMemory } from "../../core/memory.js";
import type { Shape } from "../shape.js";
import { planFor, sparseDensity } from "./plan.js";

export interface Choice {
  readonly model: string;
  /** Options that suit the shape; the others have their defaults. */
  readonly options: JsonObject;
  /** Why, in a clause. */
  readonly reason: string;
  /** A rough estimate of the training time, in seconds. */
  readonly seconds: number;
}

/** Items up to which a dense matrix of items x items is the best choice. */
const DENSE_ITEMS = 25_000;
/** EASE needs its matrix, and a copy while it is saved. */
const BYTES_PER_PAIR = 8;

/**
 * Chooses the model. `cores` and `memory` (in bytes) are those of this machine by default.
 */
export async function chooseModel(
  shape: Shape,
  { cores = availableParallelism(), memory = availableMemory() } = {},
): Promise<Choice> {
  const { items } = shape;
  const { candidates } = await planFor(shape);
  const secondsOf = (name: string) =>
    (candidates.find(({ algorithm }) => algorithm.name === name)?.coreSeconds ?? 0) / cores;
  const isDense = items <= DENSE_ITEMS && BYTES_PER_PAIR * items ** 2 < 0.8 * memory;
  if (isDense)
    return {
      model: "ease",
      options: { lambda: 50, p: 0.4, alpha: 0.1, beta: 0.3 },
      reason: `the catalogue of ${items.toLocaleString("en")} items is small enough for a closed form`,
      seconds: secondsOf("ease"),
    };
  return {
    model: "sansa",
    options: { variant: "incomplete", density: sparseDensity(items) },
    reason: `a matrix of ${items.toLocaleString("en")} x ${items.toLocaleString("en")} items would be too large`,
    seconds: secondsOf("sansa"),
  };
}

/** The choice in a sentence. */
export function choiceText({ model, reason, seconds }: Choice): string {
  return `no --model given: ${model} is chosen because ${reason}; training takes about ${duration(seconds)} (foldin tune compares the models)`;
}
