// Trackers follow trainings in other programs: TensorBoard (event files) and MLflow (a server). A tracker never stops or delays
// a training: its methods return at once and do not throw; what fails is reported in one line.

import type { JsonObject } from "../../core/json.js";
import type { EpochRecord } from "../../recommender/run-context.js";

/** The training that a tracker follows. */
export interface TrackedRun {
  /** A short name: that of the run folder. */
  readonly name: string;
  /** The folder in which the run is trained; undefined if it is not written to disk. */
  readonly folder: string | undefined;
  readonly foldin: string;
  readonly model: string;
  /** Every option with its value. */
  readonly options: JsonObject;
  readonly seed: number;
  readonly engine: string;
  readonly precision: string;
  readonly threads: number;
  readonly dataset: {
    readonly name: string;
    readonly fingerprint: string;
    readonly users: number;
    readonly items: number;
    readonly interactions: number;
  };
  /** Whether an interrupted run continues. */
  readonly resumed: boolean;
  /** Of an interrupted run: the epochs that it had finished; the last ones may be repeated. */
  readonly earlier: readonly EpochRecord[];
}

/** How a training ended; `folder`: the finished run, if it was written. */
export type TrackedEnd =
  | { readonly state: "finished"; readonly folder: string | undefined }
  | { readonly state: "failed" | "stopped"; readonly message: string };

/** What is known after the evaluation. */
export interface TrackedReport {
  /** The run folder, which has report.html; undefined if there is no report. */
  readonly folder: string | undefined;
  /** The epoch whose weights were kept; undefined for a model without epochs. */
  readonly epoch: number | undefined;
  /** "test/ndcg@100" and so on. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Follows one training: `begin`, then `epoch` for every epoch, `end`, and after an evaluation `report`. A resumed run repeats the
 * epochs after its last checkpoint; a tracker records each epoch once.
 */
export interface Tracker {
  begin(run: TrackedRun): void;
  epoch(record: EpochRecord): void;
  end(end: TrackedEnd): void;
  report(report: TrackedReport): void;
  /** Finishes what is still to be sent, or gives up after some seconds. */
  close(): Promise<void>;
}

/** The values of an epoch under the names that trackers group by: "train/loss", "validation/ndcg@100". Only finite numbers. */
export function trackedValues(
  { values, seconds, validationSeconds }: EpochRecord,
  options: JsonObject,
): Record<string, number> {
  const validation = "validation ";
  const named = Object.entries(values).map(([name, value]): [string, number] => [
    name.startsWith(validation) ? `validation/${name.slice(validation.length)}` : `train/${name}`,
    value,
  ]);
  const all: Record<string, number> = {
    ...constantRate(options),
    ...Object.fromEntries(named),
    "time/training seconds": seconds,
    "time/validation seconds": validationSeconds,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => Number.isFinite(value)));
}

/** The learning rate of a model that does not change it; a model with a scheduler reports it in every epoch. */
function constantRate({ learningRate, scheduler }: JsonObject): Record<string, number> {
  return typeof learningRate === "number" && scheduler === undefined
    ? { "train/learning rate": learningRate }
    : {};
}

/** The options and circumstances of a run, flat: "options.hidden" and so on. */
export function trackedOptions({
  model,
  options,
  seed,
  engine,
  precision,
  dataset,
}: TrackedRun): Record<string, string | number | boolean> {
  const flat: Record<string, string | number | boolean> = {
    ...{ model, seed, engine, precision, dataset: dataset.name },
    ...{ "dataset.users": dataset.users, "dataset.items": dataset.items },
    "dataset.interactions": dataset.interactions,
  };
  const add = (name: string, value: unknown): void => {
    if (value !== null && typeof value === "object" && !Array.isArray(value))
      for (const [inner, part] of Object.entries(value)) add(`${name}.${inner}`, part);
    else if (typeof value === "number" || typeof value === "boolean" || typeof value === "string")
      flat[name] = value;
    else flat[name] = JSON.stringify(value);
  };
  for (const [name, value] of Object.entries(options))
    add(Object.hasOwn(flat, name) ? `options.${name}` : name, value);
  return flat;
}

/** All trackers as one. */
export function together(trackers: readonly Tracker[]): Tracker {
  const all = (call: (tracker: Tracker) => void) => {
    for (const tracker of trackers) call(tracker);
  };
  return {
    begin: (run) => all((tracker) => tracker.begin(run)),
    epoch: (record) => all((tracker) => tracker.epoch(record)),
    end: (end) => all((tracker) => tracker.end(end)),
    report: (report) => all((tracker) => tracker.report(report)),
    async close() {
      await Promise.all(trackers.map((tracker) => tracker.close()));
    },
  };
}
