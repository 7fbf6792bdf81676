// A run whose numbers are no longer finite has diverged: it stops, and the last good checkpoint stays.

import { UserError } from "../core/errors.js";
import type { NamedTensors } from "../recommender/recommender.js";

export class DivergedError extends UserError {
  constructor(what: string) {
    super({
      place: "training",
      problem: `diverged: ${what}`,
      expected: "finite numbers",
      remedy:
        "Train again with a lower learningRate; the last checkpoint, where there is one, is from before this",
    });
  }
}

/** Throws DivergedError, naming the tensor, where a number is infinite or NaN. */
export function requireFinite(tensors: NamedTensors, when: string): void {
  for (const [name, { data }] of Object.entries(tensors))
    if (!(data instanceof Uint32Array))
      for (let i = 0; i < data.length; i++)
        if (!Number.isFinite(data[i])) throw new DivergedError(`${name} holds ${data[i]} ${when}`);
}
