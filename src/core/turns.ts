// A long computation on the event loop lets timers, signals and other requests have their turn now and then.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "./errors.js";

/** Milliseconds after which the others get a turn. */
const TURN = 20;

export class Turns {
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether it is time for `give`: for loops whose rounds are too short for a promise each. */
  get due(): boolean {
    return performance.now() - this.#last > TURN;
  }

  /** The others' turn. Throws AbortedError where the computation is to stop. */
  async give(): Promise<void> {
    await setImmediate();
    throwIfAborted(this.#signal);
    this.#last = performance.now();
  }
}
