// Logs a training to an MLflow server: options, values of every epoch, test metrics, the report and the model. Everything is sent
// in the background; a server that does not answer is asked again, less and less often.

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { writeFileAtomicSync } from "../../../core/atomic-file.js";
import type { EpochRecord } from "../../../recommender/run-context.js";
import {
  type TrackedEnd,
  type TrackedReport,
  type TrackedRun,
  type Tracker,
  trackedOptions,
  trackedValues,
} from "../tracker.js";
import {
  type Metric,
  MlflowClient,
  MlflowError,
  type MlflowPlace,
  mlflowPlace,
  type ServerRun,
} from "./client.js";

/** Seconds between attempts: doubled after each failure. */
const FIRST_WAIT = 1;
const LONGEST_WAIT = 60;
/** Attempts after the training; milliseconds for all of them after a training that was stopped. */
const CLOSING_TRIES = 3;
const STOPPED_TIME = 3_000;
const MOST_METRICS = 1_000;
const MOST_OPTIONS = 100;
/** The longest value of an option that every version of MLflow stores. */
const LONGEST_VALUE = 500;

/** The tag by which a run is found whose creation was not confirmed. */
const ID_TAG = "foldin.id";

/** In the run folder: the run on the server, for a resume. */
const mlflowFile = "mlflow.json";

/** Options of `openMlflow`. */
export interface MlflowOptions {
  /** The experiment; default: MLFLOW_EXPERIMENT_NAME, or the name of the dataset. */
  readonly experiment?: string;
  /** Receives one line if something is not logged. */
  readonly onNote?: (text: string) => void;
  /** Whether the model and the report are logged; default true. */
  readonly files?: boolean;
  /** Seconds until the second attempt; default 1. */
  readonly firstWait?: number;
  /** Where server and login are found if they are not given; default: the environment of the process. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A tracker for a server (default: MLFLOW_TRACKING_URI). Nothing is sent before a training begins. Throws UserError if the
 * address is not that of a server.
 */
export function openMlflow(url?: string, options: MlflowOptions = {}): Tracker {
  const { env = process.env, onNote = () => {}, firstWait = FIRST_WAIT, files = true } = options;
  const experiment = options.experiment ?? env.MLFLOW_EXPERIMENT_NAME;
  return new Mlflow(mlflowPlace(url, env), experiment || undefined, { onNote, firstWait, files });
}

type Task = { readonly what: string; readonly run: (run: ServerRun) => Promise<void> };

class Mlflow implements Tracker {
  readonly #place: MlflowPlace;
  readonly #experiment: string | undefined;
  readonly #note: (text: string) => void;
  readonly #firstWait: number;
  readonly #stop = new AbortController();
  readonly #client: MlflowClient;
  #tracked: TrackedRun | undefined;
  #run: ServerRun | undefined;
  #experimentId: string | undefined;
  /** Epochs that are still to be sent. */
  #epochs: EpochRecord[] = [];
  /** What follows them. */
  readonly #tasks: Task[] = [];
  #end: TrackedEnd | undefined;
  #working: Promise<void> | undefined;
  #failures = 0;
  #warned = false;
  #gaveUp = false;
  #isClosing = false;
  #isUncertain = false;
  /** Whether the run on the server has no options yet. */
  #isNew = false;
  /** Whether no files are uploaded. */
  #storesNoFiles: boolean;
  readonly #id = randomUUID();
  /** Ends the wait for the next attempt. */
  #hurry = new AbortController();

  constructor(
    place: MlflowPlace,
    experiment: string | undefined,
    { onNote, firstWait, files }: Required<Pick<MlflowOptions, "onNote" | "firstWait" | "files">>,
  ) {
    this.#place = place;
    this.#experiment = experiment;
    this.#note = onNote;
    this.#firstWait = firstWait;
    this.#storesNoFiles = !files;
    this.#client = new MlflowClient(place, this.#stop.signal);
  }

  begin(run: TrackedRun): void {
    this.#tracked = run;
    this.#work();
  }

  epoch(record: EpochRecord): void {
    this.#epochs.push(record);
    this.#work();
  }

  end(end: TrackedEnd): void {
    this.#end = end;
    if (end.state !== "finished" || end.folder === undefined) return;
    const { folder } = end;
    this.#upload("the model", folder, modelFiles(folder));
    this.#work();
  }

  report({ folder, metrics, epoch }: TrackedReport): void {
    this.#tasks.push({
      what: "the metrics of the evaluation",
      run: async (run) => {
        const step = epoch ?? 0;
        const unsent = Object.entries(metrics).filter(([name]) => !run.steps.has(keyOf(name)));
        await this.#client.log(
          run.id,
          unsent.map(([name, value]) => ({ key: keyOf(name), value, step, timestamp: Date.now() })),
        );
      },
    });
    if (folder !== undefined) this.#upload("the report", folder, ["report.html"]);
    this.#work();
  }

  async close(): Promise<void> {
    if (this.#tracked === undefined || this.#gaveUp) return;
    this.#isClosing = true;
    const status = { finished: "FINISHED", failed: "FAILED", stopped: "KILLED" } as const;
    const state = this.#end?.state ?? "stopped";
    this.#tasks.push({ what: "the end", run: (run) => this.#client.setStatus(run.id, status[state]) });
    // A server that has never answered is asked once more.
    this.#failures = this.#run === undefined && this.#failures > 0 ? CLOSING_TRIES - 1 : 0;
    this.#work();
    this.#hurry.abort();
    const timer = state === "stopped" ? setTimeout(() => this.#stop.abort(), STOPPED_TIME) : undefined;
    await this.#working;
    clearTimeout(timer);
  }

  #work(): void {
    if (this.#gaveUp) return;
    this.#working ??= this.#sendAll().finally(() => {
      this.#working = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    // Never within the training's own turn.
    await wait(0);
    for (;;) {
      try {
        if (this.#run === undefined) this.#run = await this.#open();
        // The server may have received what it did not confirm.
        else if (this.#isUncertain) this.#run = (await this.#client.run(this.#run.id)) ?? this.#run;
        this.#isUncertain = false;
        if (this.#epochs.length > 0 && !this.#isNew) await this.#sendEpochs(this.#run);
        else if (this.#tasks.length > 0) {
          await this.#tasks[0].run(this.#run);
          this.#tasks.shift();
        } else return;
        this.#failures = 0;
      } catch (error) {
        this.#failures++;
        const isPassing = !(error instanceof MlflowError) || error.isPassing;
        const ended = this.#isClosing && this.#failures >= CLOSING_TRIES;
        if (!isPassing || ended || this.#stop.signal.aborted) return this.#giveUp(error);
        this.#warn(error);
        const seconds = Math.min(this.#firstWait * 2 ** (this.#failures - 1), LONGEST_WAIT);
        await wait(1000 * (this.#isClosing ? Math.min(seconds, 1) : seconds), undefined, {
          signal: this.#hurry.signal,
          ref: false,
        }).catch(() => {});
        if (this.#isClosing) this.#hurry = new AbortController();
        this.#isUncertain = true;
      }
    }
  }

  /** The run on the server: the one of the interrupted training, or a new one. */
  async #open(): Promise<ServerRun> {
    const tracked = this.#tracked as TrackedRun;
    const former = tracked.resumed ? this.#remembered(tracked) : undefined;
    const found = former === undefined ? undefined : await this.#client.run(former);
    if (found) {
      if (found.status !== "RUNNING") await this.#client.setStatus(found.id, "RUNNING");
      return found;
    }
    this.#experimentId ??= await this.#client.experiment(this.#experiment ?? tracked.dataset.name);
    const experiment = this.#experimentId;
    // The server may have created the run without confirming it.
    const made = this.#failures > 0 ? await this.#client.taggedRun(experiment, ID_TAG, this.#id) : undefined;
    const run =
      made ??
      (await this.#client.createRun(experiment, tracked.name, { ...tagsOf(tracked), [ID_TAG]: this.#id }));
    if (tracked.folder !== undefined && existsSync(tracked.folder))
      writeFileAtomicSync(
        join(tracked.folder, mlflowFile),
        `${JSON.stringify({ url: this.#place.url, experiment, run: run.id })}\n`,
      );
    // The server does not have what the interrupted training finished.
    const [first] = this.#epochs;
    this.#epochs.unshift(
      ...tracked.earlier.filter(({ epoch }) => first === undefined || epoch < first.epoch),
    );
    this.#tasks.unshift({ what: "the options", run: () => this.#sendOptions(run, tracked) });
    this.#isNew = true;
    return run;
  }

  async #sendOptions({ id }: ServerRun, tracked: TrackedRun): Promise<void> {
    const options = Object.entries(trackedOptions(tracked)).map(([name, value]): [string, string] => [
      keyOf(name),
      String(value).slice(0, LONGEST_VALUE),
    ]);
    for (let from = 0; from < options.length; from += MOST_OPTIONS)
      await this.#client.log(id, [], Object.fromEntries(options.slice(from, from + MOST_OPTIONS)));
    this.#isNew = false;
  }

  /** The id of the interrupted training's run on this server. */
  #remembered({ folder }: TrackedRun): string | undefined {
    if (folder === undefined) return undefined;
    try {
      const { url, run } = JSON.parse(readFileSync(join(folder, mlflowFile), "utf8"));
      return url === this.#place.url && typeof run === "string" ? run : undefined;
    } catch {
      return undefined;
    }
  }

  /** Sends the values of the oldest epochs that the server does not have. */
  async #sendEpochs(run: ServerRun): Promise<void> {
    const { options } = this.#tracked as TrackedRun;
    const metrics: Metric[] = [];
    let taken = 0;
    for (const record of this.#epochs) {
      const values = Object.entries(trackedValues(record, options)).map(([name, value]) => ({
        ...{ key: keyOf(name), value, step: record.epoch, timestamp: Date.now() },
      }));
      if (taken > 0 && metrics.length + values.length > MOST_METRICS) break;
      metrics.push(...values.filter(({ key, step }) => step > (run.steps.get(key) ?? -1)));
      taken++;
    }
    if (metrics.length > 0) await this.#client.log(run.id, metrics);
    this.#epochs = this.#epochs.slice(taken);
  }

  #upload(what: string, folder: string, names: readonly string[]): void {
    if (this.#storesNoFiles) return;
    for (const name of names) this.#tasks.push({ what, run: (run) => this.#uploadFile(run, folder, name) });
  }

  async #uploadFile(run: ServerRun, folder: string, name: string): Promise<void> {
    if (this.#storesNoFiles || (await this.#client.upload(run, name, join(folder, name)))) return;
    this.#storesNoFiles = true;
    this.#note(
      `MLflow at ${this.#place.url} does not store files itself (${run.artifacts}): model and report are not logged`,
    );
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#note(
      `warning: MLflow at ${this.#place.url}: ${messageOf(error)}; training continues, and logging is tried again`,
    );
  }

  #giveUp(error: unknown): void {
    this.#gaveUp = true;
    const missing = [
      ...(this.#epochs.length > 0 ? [`${this.#epochs.length} epochs`] : []),
      ...new Set(this.#tasks.map(({ what }) => what).filter((what) => what !== "the end")),
    ];
    const lost = missing.length > 0 ? `; not logged: ${missing.join(", ")}` : "";
    const later = this.#isClosing ? "" : "; training continues, and nothing more is logged";
    this.#note(`warning: MLflow at ${this.#place.url}: ${messageOf(error)}${lost}${later}`);
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof MlflowError)) return error instanceof Error ? error.message : String(error);
  const { status, message } = error;
  if (status === 0) return message;
  if (status === 401 || status === 403)
    return `the login is refused (${status}): check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN`;
  return `${message} (${status})`;
}

/** MLflow accepts letters, digits and _ - . / : and blanks: "ndcg@100" is "ndcg_at_100", as in MLflow's own metrics. */
const keyOf = (name: string): string => name.replaceAll("@", "_at_").replace(/[^\w\-./: ]/g, "_");

function tagsOf({ model, dataset, foldin }: TrackedRun): Record<string, string> {
  return {
    ...{ "mlflow.source.name": "foldin", "mlflow.source.type": "LOCAL" },
    ...{ "foldin.version": foldin, "foldin.model": model },
    ...{ "foldin.dataset": dataset.name, "foldin.fingerprint": dataset.fingerprint },
  };
}

/** The files of a finished run that are logged with its model. */
function modelFiles(folder: string): string[] {
  const model = readdirSync(join(folder, "model")).filter((name) =>
    statSync(join(folder, "model", name)).isFile(),
  );
  return [
    ...["config.json", "metrics.jsonl"].filter((name) => existsSync(join(folder, name))),
    ...model.map((name) => `model/${name}`),
  ];
}
