// A long computation yields to the event loop now and then, so that timers, signals and other requests are served.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "./errors.js";

/** Milliseconds after which a computation yields. */
const TURN = 20;

export class Turns {
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether it is time to yield: for loops whose rounds are too short for a promise each. */
  get due(): boolean {
    return performance.now() - this.#last > TURN;
  }

  /** Yields to the event loop. Throws AbortedError where the computation is to stop. */
  async yield(): Promise<void> {
    await setImmediate();
    throwIfAborted(this.#signal);
    this.#last = performance.now();
  }
}
