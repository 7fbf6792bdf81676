// A limit on a resource that all clients share, such as memory for large answers. Requests beyond the limit are rejected.

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

  /** Reserves bytes and returns the function that releases them. Throws OverloadedError beyond the limit; a single reservation may have any size. */
  take(bytes: number): () => void {
    const full = this.#number >= this.#most.number || this.#bytes + bytes > this.#most.bytes;
    if (full && this.#number > 0) throw new OverloadedError(`too many ${this.#what} in progress`);
    this.#number++;
    this.#bytes += bytes;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#number--;
      this.#bytes -= bytes;
    };
  }
}
