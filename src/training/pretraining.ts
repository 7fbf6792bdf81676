// Pretraining before the first epoch: phases that train parts of a model only on content. They are not validated and not part of
// the run's epochs, but they are checkpointed like epochs. The outcome of each phase can be cached for other runs with the same
// content and options; a phase depends only on the options of its part of the model and of the parts before it, so models that
// differ in the last part share the phases of the others.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../core/errors.js";
import type { RunContext } from "../recommender/run-context.js";
import { DivergedError, requireFinite } from "./divergence.js";
import { cachedAs } from "./tensor-cache.js";
import type { Pretraining } from "./trainable.js";

/** The state of pretraining; `epoch` and `updates` count within the phase. */
export type PretrainingState = { phase: number; epoch: number; updates: number };

/**
 * Runs the phases: from `resumed`, or else after the last one whose outcome is cached. `saved` is called with the new state after
 * each epoch, and saves a checkpoint when one is due. Progress is a task "pretraining, <phase>" per phase. Throws DivergedError,
 * AbortedError.
 */
export async function pretrain(
  algorithm: string,
  pretraining: Pretraining,
  resumed: PretrainingState | undefined,
  run: RunContext,
  saved: (state: PretrainingState) => Promise<void>,
): Promise<void> {
  const { cache, progress, signal } = run;
  const { phases } = pretraining;
  const nameOf = (phase: number) => {
    const { name, key } = phases[phase];
    return key && cachedAs(algorithm, { ...key, phase: name }, run);
  };

  /** Loads the last phase that is cached. Returns the index of the next one. */
  async function loaded(): Promise<number> {
    if (!cache) return 0;
    for (let phase = phases.length - 1; phase >= 0; phase--) {
      const name = nameOf(phase);
      const outcome = name && (await cache.load(name));
      if (!outcome) continue;
      await pretraining.load(phase, outcome);
      const upTo = phase < phases.length - 1 ? ` up to ${phases[phase].name}` : "";
      progress?.({ type: "note", text: `pretraining${upTo}: loaded from ${cache.place}` });
      return phase + 1;
    }
    return 0;
  }

  async function keep(phase: number): Promise<void> {
    const name = nameOf(phase);
    if (!cache || !name) return;
    const outcome = await pretraining.save(phase);
    await requireFinite(outcome, `after pretraining, ${phases[phase].name}`);
    await cache.save(name, outcome).catch((error: Error) => {
      progress?.({ type: "note", text: `pretraining could not be cached: ${error.message}` });
    });
  }

  let { phase, epoch, updates } = resumed ?? { phase: await loaded(), epoch: 0, updates: 0 };
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
    await keep(phase);
  }
}
