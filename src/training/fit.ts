// The training loop of all models: users are reshuffled each epoch, the best epoch is chosen by validation NDCG@100 (or by another
// monitored metric) and its weights are restored; early stopping; checkpoints. All random numbers depend only on the seed and the
// epoch or update, so a run that was killed at any moment and resumed ends with the weights of the uninterrupted run, byte for byte.

import { setImmediate } from "node:timers/promises";
import { AbortedError, throwIfAborted } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { permutation, streamOf } from "../core/philox.js";
import { formOf } from "../data/content.js";
import type { Dataset } from "../data/dataset.js";
import { evaluateSplit } from "../evaluation/evaluate.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { ModelFiles, Recommender } from "../recommender/recommender.js";
import type { EpochRecord, RunContext } from "../recommender/run-context.js";
import { averaged } from "./averaging.js";
import { DivergedError, finiteWhenRead, requireFinite } from "./divergence.js";
import { type Progress, shouldStop, withEpoch } from "./early-stopping.js";
import { identityOf, requireSameRun } from "./identity.js";
import { type PretrainingState, pretrain } from "./pretraining.js";
import type { KeptModel, Trainable } from "./trainable.js";

/** The metric that selects the epoch, as in the papers of Mult-VAE and its successors. */
export const SELECTION_METRIC = "ndcg@100";

export interface Training<Options> {
  readonly algorithm: Algorithm<Options>;
  readonly options: Options;
  readonly dataset: Dataset;
  /** Disposed of by `fit`, also if it fails. */
  readonly trainable: Trainable;
  readonly epochs: number;
  /** Stop after this many epochs without improvement of the monitored metric; unset = never. */
  readonly patience?: number;
  /** Epochs up to this one (a warm-up) do not count towards patience. Default 0. */
  readonly patienceHeldUntil?: number;
  /** Further validation metrics of an epoch, such as { loss }, reported as "validation loss". Not called without validation users. */
  readonly validate?: (
    model: Recommender,
    epoch: { readonly number: number; readonly updates: number },
    signal: AbortSignal | undefined,
  ) => Promise<Record<string, number>>;
  /** The metric for selecting the best epoch and for early stopping: a validation metric (higher is better), or one of `validate`. Default NDCG@100. */
  readonly monitor?: { readonly value: string; readonly lowerIsBetter?: boolean };
  /** Whether training ends with the weights of the best epoch (default) or of the last one, as in Keras. */
  readonly restoreBest?: boolean;
  /** Decay of a moving average of the weights over the epochs, which the model then has (averaging.ts); 0 or unset = none. */
  readonly averageDecay?: number;
}

/** The state of the loop between epochs. */
interface LoopState extends Progress {
  /** The state of pretraining; absent once it is done, and if there is none. */
  pretraining?: PretrainingState;
  epoch: number;
  updates: number;
  /** Whether the model has converged. */
  converged?: boolean;
}

/** The model of the best epoch so far. */
interface Keeper {
  best?: KeptModel;
}

/**
 * Trains to the end and returns the model of the best epoch (of the last epoch without validation users). Progress is the task
 * "train" in epochs; `done` has a fraction within an epoch. Throws DivergedError if the loss or a weight is not finite,
 * AbortedError when the run's signal aborts, UserError if the stored checkpoint belongs to another run.
 */
export async function fit<Options>(training: Training<Options>, run: RunContext): Promise<Recommender> {
  const { items, content } = training.dataset;
  // What was trained is released before the model is restored, so that weights and moments are not in memory with it.
  const best = await trained(training, run);
  return training.algorithm.restore(
    {
      ...best,
      items,
      ...(content && { content: formOf(content) }),
      ...(run.division && { division: run.division }),
    },
    run,
  );
}

async function trained<Options>(
  training: Training<Options>,
  run: RunContext,
): Promise<Omit<ModelFiles, "items">> {
  const keeper: Keeper = {};
  const { trainable, averageDecay = 0 } = training;
  const own = averageDecay > 0 ? averaged(trainable, averageDecay) : trainable;
  try {
    return await train({ ...training, trainable: own }, run, keeper);
  } finally {
    // Queued work may still use the weights; its failures were already reported where it was awaited.
    await run.engine.finished().catch(() => {});
    keeper.best?.dispose();
    own.dispose();
  }
}

async function train<Options>(
  training: Training<Options>,
  run: RunContext,
  keeper: Keeper,
): Promise<Omit<ModelFiles, "items">> {
  const { algorithm, options, dataset, trainable, epochs, patience, validate } = training;
  const stops = (progress: Progress, epoch: number) =>
    shouldStop(progress, epoch, patience, training.patienceHeldUntil);
  const { monitor = { value: SELECTION_METRIC }, restoreBest = true } = training;
  const { seed, progress, signal, checkpoints } = run;
  const identity = checkpoints ? identityOf(algorithm.name, options, dataset, run) : {};
  const validates = dataset.validation.heldOut.indices.length > 0;

  let loop: LoopState = { epoch: 0, updates: 0, bestEpoch: 0 };
  const resumed = await checkpoints?.load();
  if (resumed) {
    requireSameRun(resumed.loop.identity as JsonObject, identity);
    loop = resumed.loop.state as unknown as LoopState;
    keeper.best = resumed.best && onHost(resumed.best);
    await trainable.loadState(resumed.state);
    const { pretraining } = loop;
    const text = pretraining
      ? `resuming in pretraining, phase ${pretraining.phase + 1}, after epoch ${pretraining.epoch}`
      : `resuming after epoch ${loop.epoch} of ${epochs}`;
    progress?.({ type: "note", text });
  } else if (run.initial) {
    if (!trainable.startFrom) throw new Error(`${algorithm.name} cannot start from a run`);
    await trainable.startFrom(run.initial.files);
  }

  // The first epoch is always saved; a resumed run already has a recent checkpoint.
  let lastSaved = resumed ? performance.now() : Number.NEGATIVE_INFINITY;
  async function saveWhenDue(now = false): Promise<void> {
    if (!checkpoints) return;
    const due = now || (performance.now() - lastSaved) / 1000 >= checkpoints.everySeconds;
    if (!(checkpoints.isDue ? await checkpoints.isDue(due) : due)) return;
    const { pretraining, epoch } = loop;
    const when = pretraining ? "in pretraining" : `after epoch ${epoch}`;
    const head = { epoch, loop: { identity, state: { ...loop } as unknown as JsonObject } };
    const pending = trainable.pendingState?.();
    if (checkpoints.savePending && pending) {
      const best = keeper.best?.pending?.() ?? (await keeper.best?.files());
      await checkpoints.savePending({ ...head, state: finiteWhenRead(pending, when), best });
    } else {
      const state = await trainable.saveState();
      await requireFinite(state, when);
      await checkpoints.save({ ...head, state, best: await keeper.best?.files() });
    }
    lastSaved = performance.now();
  }

  const { pretraining } = trainable;
  if (pretraining && (!resumed || loop.pretraining)) {
    await pretrain(algorithm.name, pretraining, loop.pretraining, run, async (state) => {
      loop = { ...loop, pretraining: state };
      await saveWhenDue();
    });
    await pretraining.end();
    const { pretraining: _, ...rest } = loop;
    loop = rest;
  }

  const task = "train";
  progress?.({ type: "start", task, total: epochs, unit: "epochs" });
  while (loop.epoch < epochs && !loop.converged && !stops(loop, loop.epoch)) {
    throwIfAborted(signal);
    const number = loop.epoch + 1;
    const started = performance.now();
    const { updates, values, converged } = await trainable.epoch({
      number,
      order: permutation(seed, number, streamOf("order of users"), dataset.train.rows),
      updates: loop.updates,
      signal,
      onProgress: (share, values) =>
        progress?.({ type: "advance", task, done: number - 1 + Math.min(share, 0.999), values }),
    });
    if (!Number.isFinite(values.loss))
      throw new DivergedError(`the loss became ${values.loss} in epoch ${number}`);
    const trained = performance.now();

    let shown = values;
    let judged: Progress = loop;
    if (validates) {
      const model = trainable.recommender();
      const { metrics } = await evaluateSplit(model, dataset.validation, {
        metrics: [SELECTION_METRIC],
        signal,
      });
      const validation: Record<string, number> = {
        [SELECTION_METRIC]: metrics[SELECTION_METRIC].mean,
        ...(await validate?.(model, { number, updates }, signal)),
      };
      const value = validation[monitor.value];
      if (!Number.isFinite(value))
        throw new DivergedError(`the validation ${monitor.value} became ${value} in epoch ${number}`);
      trainable.validated?.(validation);
      judged = withEpoch(loop, number, monitor.lowerIsBetter ? -value : value);
      shown = { ...values };
      for (const [name, value] of Object.entries(validation)) shown[`validation ${name}`] = value;
    }
    const last = number === epochs || converged === true || stops(judged, number);
    if (restoreBest && validates ? judged.bestEpoch === number : last) {
      // The former best is released first, so that there are never two copies.
      keeper.best?.dispose();
      keeper.best = undefined;
      keeper.best = last
        ? await keptOnHost(trainable, `after epoch ${number}`)
        : await kept(trainable, `after epoch ${number}`);
    }
    loop = { ...judged, epoch: number, updates, ...(converged && { converged }) };

    const finished = performance.now();
    const record: EpochRecord = {
      epoch: number,
      updates,
      kept: restoreBest && validates ? judged.bestEpoch : number,
      seconds: (trained - started) / 1000,
      validationSeconds: (finished - trained) / 1000,
      values: shown,
    };
    run.onEpoch?.(record);
    progress?.({ type: "advance", task, done: number, values: shown });
    // Yield to timers and signals, also after short epochs.
    await setImmediate();
    const pauses = !last && number === run.pauseAfter;
    await saveWhenDue(pauses);
    if (pauses) throw new AbortedError(`paused after epoch ${number}`);
  }
  if (loop.converged) progress?.({ type: "note", text: `converged after epoch ${loop.epoch}` });
  else if (stops(loop, loop.epoch))
    progress?.({
      type: "note",
      text: `early stopping after epoch ${loop.epoch}: no better validation ${monitor.value} since epoch ${loop.bestEpoch}`,
    });
  progress?.({ type: "end", task });
  keeper.best ??= await keptOnHost(trainable, "at the end");
  return keeper.best.files();
}

/** A snapshot of the current model. Throws DivergedError if a weight is infinite or NaN. */
async function kept(trainable: Trainable, when: string): Promise<KeptModel> {
  const model = trainable.keep?.();
  if (model && (await model.finite)) return model;
  model?.dispose();
  return keptOnHost(trainable, when);
}

/** The same on the host, where the model is needed at the end. */
async function keptOnHost(trainable: Trainable, when: string): Promise<KeptModel> {
  const files = withoutItems(await trainable.recommender().save());
  await requireFinite(files.tensors, when);
  return onHost(files);
}

function withoutItems({ items: _, ...files }: ModelFiles): Omit<ModelFiles, "items"> {
  return files;
}

function onHost(files: Omit<ModelFiles, "items">): KeptModel {
  return { finite: Promise.resolve(true), files: async () => files, dispose() {} };
}
