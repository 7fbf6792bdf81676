// A run whose numbers are no longer finite has diverged: it stops, and the last good checkpoint is kept.

import type { StoredTensors } from "../compute/named-tensors.js";
import { UserError } from "../core/errors.js";
import { Turns } from "../core/turns.js";
import type { NamedTensors } from "../recommender/recommender.js";

export class DivergedError extends UserError {
  constructor(what: string) {
    super({
      place: "training",
      problem: `diverged: ${what}`,
      expected: "finite numbers",
      remedy:
        "Train again with a lower learningRate; the last checkpoint, if there is one, is from before the divergence",
    });
  }
}

/** Numbers that are checked between two checks of the clock. */
const AT_ONCE = 1 << 18;

/** Throws DivergedError, naming the tensor, if a number is infinite or NaN. Yields to the event loop. */
export async function requireFinite(tensors: NamedTensors, when: string): Promise<void> {
  const turns = new Turns();
  for (const [name, { data }] of Object.entries(tensors)) {
    if (data instanceof Uint32Array) continue;
    for (let from = 0; from < data.length; from += AT_ONCE) {
      const to = Math.min(from + AT_ONCE, data.length);
      for (let i = from; i < to; i++)
        if (!Number.isFinite(data[i])) throw new DivergedError(`${name} contains ${data[i]} ${when}`);
      if (turns.due) await turns.yield();
    }
  }
}

/** The tensors; a pending one is checked by `requireFinite` when it is read. */
export function finiteWhenRead(tensors: StoredTensors, when: string): StoredTensors {
  const checked = Object.entries(tensors).map(([name, tensor]) => {
    if ("data" in tensor) return [name, tensor] as const;
    const read = async () => {
      const data = await tensor.read();
      await requireFinite({ [name]: { shape: tensor.shape, data } }, when);
      return data;
    };
    return [name, { ...tensor, read }] as const;
  });
  return Object.fromEntries(checked);
}
