// Many computations on one event loop, as the requests of a server are: together they take a few milliseconds of each turn
// of the loop, and whichever has had the least time so far goes first. So a small computation is not held up by large ones.

import { throwIfAborted } from "./errors.js";

/** What a long loop asks now and then: whether it is time to yield, and then to wait for its next turn. */
export interface Pauses {
  readonly due: boolean;
  /** Throws AbortedError where the computation is to stop. */
  yield(): Promise<void>;
}

/** Milliseconds that one computation may take of a turn of the event loop. */
const SLICE = 4;

interface Waiting {
  readonly used: number;
  readonly resume: () => void;
}

export class SharedTurns {
  readonly #waiting: Waiting[] = [];
  #scheduled = false;

  /** The pauses of one computation, which ends early once the signal is aborted. */
  begin(signal?: AbortSignal): Pauses {
    let used = 0;
    let since = performance.now();
    return {
      get due() {
        return performance.now() - since > SLICE;
      },
      yield: async () => {
        // What it waited for in between is not its own time.
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

  /** One computation goes on in each turn of the event loop; sockets and timers come in between. */
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
