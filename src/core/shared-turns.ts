// Schedules many computations on one event loop, such as the requests of a server. One of them runs for a few milliseconds
// in each turn of the loop, and the one with the least time so far goes first, so that large computations do not delay small
// ones.

import { throwIfAborted } from "./errors.js";

/** For long loops: tells when to yield, and waits for the next turn. */
export interface Pauses {
  readonly due: boolean;
  /** Throws AbortedError if the signal is aborted. */
  yield(): Promise<void>;
}

/** Milliseconds that a computation may use in one turn of the event loop. */
const SLICE = 4;

interface Waiting {
  readonly used: number;
  readonly resume: () => void;
}

export class SharedTurns {
  readonly #waiting: Waiting[] = [];
  #scheduled = false;

  /** The pauses of one computation, which throw AbortedError once the signal is aborted. */
  begin(signal?: AbortSignal): Pauses {
    let used = 0;
    let since = performance.now();
    return {
      get due() {
        return performance.now() - since > SLICE;
      },
      yield: async () => {
        // Time spent waiting for other work does not count.
        used += Math.min(performance.now() - since, 2 * SLICE);
        await new Promise<void>((resume) => this.#wait({ used, resume }));
        throwIfAborted(signal);
        since = performance.now();
      },
    };
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#schedule();
  }

  /** Resumes one computation per turn of the event loop, so that sockets and timers are served in between. */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      let least = 0;
      for (let w = 1; w < this.#waiting.length; w++)
        if (this.#waiting[w].used < this.#waiting[least].used) least = w;
      const [next] = this.#waiting.splice(least, 1);
      next?.resume();
      this.#schedule();
    });
  }
}
