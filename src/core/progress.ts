// Progress of long work, reported to a single listener; the caller decides how to display it.

/** A progress report of long work. */
export type ProgressEvent =
  /** A task starts; `total` is its number of `unit`s (epochs, rows, users), if known. */
  | { type: "start"; task: string; total?: number; unit?: string }
  /** `done` units of the task are complete; `values` are numbers to display (loss, beta, ndcg@100). */
  | { type: "advance"; task: string; done: number; values?: Record<string, number> }
  | { type: "end"; task: string }
  /** A message of one line for the user. */
  | { type: "note"; text: string };

export type ProgressListener = (event: ProgressEvent) => void;

/** A listener that ignores all events. */
export const silent: ProgressListener = () => {};
