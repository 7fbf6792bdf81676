// Lets a long computation yield to the event loop regularly, so that timers, signals and other requests are served.

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

  /** Whether it is time to yield, for loops whose iterations are too short for a promise each. */
  get due(): boolean {
    return performance.now() - this.#last > TURN;
  }

  /** Yields to the event loop. Throws AbortedError if the signal is aborted. */
  async yield(): Promise<void> {
    await setImmediate();
    throwIfAborted(this.#signal);
    this.#last = performance.now();
  }
}
