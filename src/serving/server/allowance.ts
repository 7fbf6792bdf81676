// How much of something all clients together may hold: what is taken is given back, and what is not there is refused.

import { OverloadedError } from "../batcher.js";

export class Allowance {
  readonly #what: string;
  readonly #most: { readonly number: number; readonly bytes: number };
  #number = 0;
  #bytes = 0;

  constructor(what: string, most: { number: number; bytes: number }) {
    this.#what = what;
    this.#most = most;
  }

  /** Returns how to give it back. Throws OverloadedError where too much is taken; a first one may be of any size. */
  take(bytes: number): () => void {
    const full = this.#number >= this.#most.number || this.#bytes + bytes > this.#most.bytes;
    if (full && this.#number > 0) throw new OverloadedError(`too many ${this.#what} at the same time`);
    this.#number++;
    this.#bytes += bytes;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#number--;
      this.#bytes -= bytes;
    };
  }
}
