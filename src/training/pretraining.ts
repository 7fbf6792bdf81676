// Pretraining before the first epoch: phases that train parts of a model only on content. They are not validated and not part of
// the run's epochs, but they are checkpointed like epochs, and their outcome can be cached for other runs with the same content
// and options.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../core/errors.js";
import type { RunContext } from "../recommender/run-context.js";
import { DivergedError } from "./divergence.js";
import type { Pretraining } from "./trainable.js";

/** The state of pretraining; `epoch` and `updates` count within the phase. */
export type PretrainingState = { phase: number; epoch: number; updates: number };

/**
 * Runs the phases, starting from `state`. `saved` is called with the new state after each epoch, and saves a checkpoint when one
 * is due. Progress is a task "pretraining, <phase>" per phase. Throws DivergedError, AbortedError.
 */
export async function pretrain(
  pretraining: Pretraining,
  state: PretrainingState,
  run: RunContext,
  saved: (state: PretrainingState) => Promise<void>,
): Promise<void> {
  const { progress, signal } = run;
  const { phases } = pretraining;
  let { phase, epoch, updates } = state;
  for (; phase < phases.length; phase++, epoch = 0, updates = 0) {
    const { name, epochs } = phases[phase];
    if (epoch === 0) await phases[phase].begin();
    const task = `pretraining, ${name}`;
    progress?.({ type: "start", task, total: epochs, unit: "epochs" });
    while (epoch < epochs) {
      throwIfAborted(signal);
      const report = await phases[phase].epoch({
        number: epoch + 1,
        updates,
        signal,
        onProgress: (share, values) =>
          progress?.({ type: "advance", task, done: epoch + Math.min(share, 0.999), values }),
      });
      if (!Number.isFinite(report.values.loss))
        throw new DivergedError(`the loss became ${report.values.loss} in ${task}, epoch ${epoch + 1}`);
      epoch++;
      updates = report.updates;
      progress?.({ type: "advance", task, done: epoch, values: report.values });
      await setImmediate();
      await saved({ phase, epoch, updates });
    }
    progress?.({ type: "end", task });
  }
}
