// The work on one request. It ends at its timeout or when the client disconnects. Computations on the event loop run in
// slices that alternate with those of other requests.

import type { ServerResponse } from "node:http";
import { AbortedError } from "../../core/errors.js";
import type { Pauses, SharedTurns } from "../../core/shared-turns.js";

export interface Work {
  /** Aborted at the timeout and when the client disconnects. */
  readonly signal: AbortSignal;
  readonly pauses: Pauses;
  /** The result of a step. Rejects with AbortedError as soon as the signal is aborted, even if the step ignores the signal. */
  race<T>(step: Promise<T>): Promise<T>;
  /** Stops the timeout when the answer is being sent; sending has a limit of its own. */
  answering(): void;
}

export class Works {
  readonly #turns: SharedTurns;
  readonly #time: number;

  /** `time` is the timeout of each work in milliseconds. */
  constructor(turns: SharedTurns, time: number) {
    this.#turns = turns;
    this.#time = time;
  }

  begin(response: ServerResponse): Work {
    const controller = new AbortController();
    const { signal } = controller;
    const timer = setTimeout(() => controller.abort(), this.#time);
    response.once("close", () => {
      clearTimeout(timer);
      controller.abort();
    });
    return {
      signal,
      pauses: this.#turns.begin(signal),
      answering: () => clearTimeout(timer),
      race: (step) =>
        new Promise((resolve, reject) => {
          const stop = () => reject(new AbortedError());
          if (signal.aborted) stop();
          signal.addEventListener("abort", stop);
          step.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
        }),
    };
  }
}
