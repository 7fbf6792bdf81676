// Independent pieces of work: points of a search, parts of a scoring, runs of a preset. `Tasks` is the one interface to what does
// them: processes of this machine (local-pool.ts), or workers on any machine that take them from a queue (postgres/).
// A task is named by data alone, because it may be done by another program on another machine, and it can be repeated: doing it
// twice gives the same result as once.

import type { JsonObject, JsonValue } from "../core/json.js";

/** The kinds of tasks; worker/kinds.ts has their code. */
export type TaskKind = "point" | "training" | "part";

/** What a process prepares once for all of its tasks of a kind, such as a dataset and an engine. */
export interface TaskSetup {
  readonly kind: TaskKind;
  /** The folder, absolute, in which the tasks leave their results; every machine must see it. */
  readonly folder: string;
  readonly setup: JsonObject;
}

export interface Task {
  /** Short, for messages. */
  readonly name: string;
  readonly job: JsonObject;
}

export type TaskOutcome =
  | { readonly state: "done"; readonly result: JsonValue }
  | { readonly state: "failed"; readonly message: string };

export interface TaskRunOptions {
  readonly signal?: AbortSignal;
  /** The share of a running task that is done. */
  onShare?(task: number, share: number): void;
  onNote?(text: string): void;
  /** Called once for each task when it ends. */
  onOutcome(task: number, outcome: TaskOutcome): Promise<void>;
}

export interface Tasks {
  /**
   * Does all tasks, in any order. Throws AbortedError when the signal aborts; UserError if no task can be done; and any error of
   * `onOutcome`, after which no further task is started.
   */
  run(setup: TaskSetup, tasks: readonly Task[], options: TaskRunOptions): Promise<void>;
}
