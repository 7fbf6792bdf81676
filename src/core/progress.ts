// Long work reports what it does through one listener; who listens (a bar, plain lines, nobody) is the caller's business.

/** One thing that a long piece of work has to say. */
export type ProgressEvent =
  /** A task begins; `total` counts `unit`s (epochs, rows, users) where it is known. */
  | { type: "start"; task: string; total?: number; unit?: string }
  /** `done` of the task's units are finished; `values` are the numbers worth showing (loss, beta, ndcg@100). */
  | { type: "advance"; task: string; done: number; values?: Record<string, number> }
  | { type: "end"; task: string }
  /** One line for the reader. */
  | { type: "note"; text: string };

export type ProgressListener = (event: ProgressEvent) => void;

/** A listener that hears nothing. */
export const silent: ProgressListener = () => {};
