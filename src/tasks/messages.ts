// What a process that does tasks and its parent send to each other.

import type { JsonValue } from "../core/json.js";
import type { Task, TaskSetup } from "./tasks.js";

export type ToWorker =
  | { readonly setup: TaskSetup; readonly threads?: number }
  /** `attempt` names the attempt where others may attempt the task too. */
  | { readonly task: Task; readonly attempt?: string }
  /** The answer to `fence`. */
  | { readonly current: boolean }
  | { readonly stop: true };

export type FromWorker =
  | { readonly ready: true }
  /** It could not be set up at all: it can do no task. */
  | { readonly unusable: string; readonly mendable: boolean }
  /** The share of the task that is done. */
  | { readonly share: number }
  | { readonly note: string }
  /** Asks whether the attempt is still the current one. */
  | { readonly fence: true }
  | { readonly result: JsonValue }
  /** `final`: trying again would fail in the same way. */
  | { readonly failure: string; readonly final: boolean }
  | { readonly stopped: true };
