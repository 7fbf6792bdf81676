// The work on one request: it ends when its time is over or when nobody waits for it any more, and what it computes on the
// event loop it computes in slices, in turns with that on other requests.

import type { ServerResponse } from "node:http";
import { AbortedError } from "../../core/errors.js";
import type { Pauses, SharedTurns } from "../../core/shared-turns.js";

export interface Work {
  /** Aborted after the time, and when the client goes away. */
  readonly signal: AbortSignal;
  readonly pauses: Pauses;
  /** The outcome of a step; rejects with AbortedError as soon as the signal is aborted, also where the step does not heed it. */
  race<T>(step: Promise<T>): Promise<T>;
  /** Tells that the answer is on its way: its time is limited otherwise. */
  answering(): void;
}

export class Works {
  readonly #turns: SharedTurns;
  readonly #time: number;

  /** `time` in milliseconds is what each work may take. */
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
