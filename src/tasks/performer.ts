// The code of a kind of task, as the process that does it calls it.

import type { JsonObject, JsonValue } from "../core/json.js";

/** One attempt at a task that others may attempt too, because this process was wrongly believed to be dead. */
export interface Attempt {
  /** Unique among all attempts. */
  readonly id: string;
  /** Returns if the attempt is still the current one; throws AbortedError if it was given up. Call it before a write counts. */
  fence(): Promise<void>;
}

export interface PerformOptions {
  readonly signal: AbortSignal;
  /** Absent where nobody else can attempt the task. */
  readonly attempt?: Attempt;
  onShare(share: number): void;
  onNote(text: string): void;
}

/** A process that is ready for tasks of one setup. */
export interface Performer {
  perform(job: JsonObject, options: PerformOptions): Promise<JsonValue>;
  close(): Promise<void>;
}

export interface ReadyOptions {
  /** Compute threads. Default: all cores. */
  readonly threads?: number;
  readonly signal: AbortSignal;
  onNote(text: string): void;
}

/** Prepares for tasks of a setup. Throws UserError if this machine cannot do them. */
export type MakeReady = (setup: JsonObject, options: ReadyOptions) => Promise<Performer>;
