// Writes event files for TensorBoard: <folder>/<run>/events.out.tfevents.<seconds>.foldin.<n>. Every start or resume of a training
// writes a file of its own, which begins at its first epoch; TensorBoard drops later epochs of earlier files.

import { appendFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolders } from "../../../core/folders.js";
import { systemFault, withSystemFault } from "../../../core/system-errors.js";
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
  type Encoder,
  type Event,
  eventEncoder,
  type HparamsData,
  recordOf,
  type SummaryValue,
} from "./event.js";

/** Options of `openTensorboard`. */
export interface TensorboardOptions {
  /** Receives one line if the files cannot be written. */
  readonly onNote?: (text: string) => void;
  /** Seconds since 1970. */
  readonly now?: () => number;
}

/** A tracker that writes below a folder, which `tensorboard --logdir` shows. Throws UserError if the folder cannot be made. */
export async function openTensorboard(
  folder: string,
  { onNote = () => {}, now = () => Date.now() / 1000 }: TensorboardOptions = {},
): Promise<Tracker> {
  await makeFolders(folder).catch((error: unknown) => {
    throw withSystemFault(error, folder);
  });
  return new EventFiles(folder, await eventEncoder(), onNote, now);
}

class EventFiles implements Tracker {
  readonly #folder: string;
  readonly #encoder: Encoder;
  readonly #note: (text: string) => void;
  readonly #now: () => number;
  #run: TrackedRun | undefined;
  #file: string | undefined;
  #last = 0;
  #end: TrackedEnd | undefined;
  #failed = false;

  constructor(folder: string, encoder: Encoder, note: (text: string) => void, now: () => number) {
    this.#folder = folder;
    this.#encoder = encoder;
    this.#note = note;
    this.#now = now;
  }

  begin(run: TrackedRun): void {
    this.#run = run;
    this.#file = undefined;
  }

  epoch(record: EpochRecord): void {
    const { epoch } = record;
    this.#last = epoch;
    this.#append(epoch, (run) => numbers(trackedValues(record, run.options)));
  }

  end(end: TrackedEnd): void {
    this.#end = end;
  }

  report({ epoch, metrics }: TrackedReport): void {
    // A model without epochs has its only values here.
    const step = this.#last || epoch || 0;
    this.#append(step, () => numbers(metrics));
  }

  async close(): Promise<void> {
    const state = this.#end?.state;
    // A stopped run may be resumed.
    if (this.#file === undefined || state === undefined || state === "stopped") return;
    const info = { status: state === "finished" ? 1 : 2, endTimeSecs: this.#now() };
    this.#append(this.#last, () => [this.#setting("_hparams_/session_end_info", { sessionEndInfo: info })]);
  }

  /** Appends an event with the values of a step; the first one opens the file. */
  #append(step: number, values: (run: TrackedRun) => SummaryValue[]): void {
    if (this.#run === undefined || this.#failed) return;
    try {
      this.#file ??= this.#open(this.#run, step);
      this.#write(this.#file, { step, summary: { value: values(this.#run) } });
    } catch (error) {
      this.#failed = true;
      const fault = systemFault(error);
      this.#note(
        `warning: the event files in ${this.#folder} cannot be written: ${fault?.reason ?? String(error)}; training continues without them`,
      );
    }
  }

  #open(run: TrackedRun, step: number): string {
    const folder = join(this.#folder, run.name);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) mkdirSync(folder);
    const seconds = this.#now();
    // TensorBoard reads the files of a run in the order of their names.
    const taken = readdirSync(folder).map((name) =>
      Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0),
    );
    const stamp = Math.max(Math.floor(seconds), ...taken.map((time) => time + 1));
    const file = join(folder, `events.out.tfevents.${String(stamp).padStart(10, "0")}.foldin.${process.pid}`);
    const start = run.resumed && taken.length > 0 ? step : 0;
    writeFileSync(file, this.#record({ fileVersion: "brain.Event:2" }), { flag: "wx" });
    this.#write(file, { step: start, sessionLog: { status: 1 } });
    const options = trackedOptions(run);
    const hparams = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, settingOf(value)]),
    );
    const info = { hparams, groupName: run.name, startTimeSecs: seconds };
    this.#write(file, {
      step: start,
      summary: {
        value: [
          this.#setting("_hparams_/session_start_info", { sessionStartInfo: info }),
          text("options", tableOf({ ...options, threads: run.threads, foldin: run.foldin })),
        ],
      },
    });
    if (run.resumed && taken.length === 0)
      for (const record of run.earlier)
        if (record.epoch < step)
          this.#write(file, {
            step: record.epoch,
            summary: { value: numbers(trackedValues(record, run.options)) },
          });
    return file;
  }

  #setting(tag: string, data: Omit<HparamsData, "version">): SummaryValue {
    const content = this.#encoder.hparams({ version: 0, ...data });
    return {
      tag,
      metadata: { pluginData: { pluginName: "hparams", content } },
      // The plugin reads the metadata only; a tensor must be there.
      tensor: { dtype: 1, tensorShape: { dim: [{ size: 1 }] }, floatVal: [0] },
    };
  }

  #write(file: string, event: Omit<Event, "wallTime">): void {
    appendFileSync(file, this.#record(event));
  }

  #record(event: Omit<Event, "wallTime">): Uint8Array {
    return recordOf(this.#encoder.event({ wallTime: this.#now(), ...event }));
  }
}

function numbers(values: Readonly<Record<string, number>>): SummaryValue[] {
  return Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue }));
}

function text(tag: string, markdown: string): SummaryValue {
  return {
    tag,
    metadata: { pluginData: { pluginName: "text" }, dataClass: 2 },
    tensor: { dtype: 7, tensorShape: { dim: [] }, stringVal: [Buffer.from(markdown, "utf8")] },
  };
}

function tableOf(values: Readonly<Record<string, unknown>>): string {
  const cell = (value: unknown) => String(value).replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = Object.entries(values).map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`);
  return ["| option | value |", "| --- | --- |", ...rows].join("\n");
}

function settingOf(value: string | number | boolean) {
  if (typeof value === "number") return { numberValue: value };
  return typeof value === "boolean" ? { boolValue: value } : { stringValue: value };
}
