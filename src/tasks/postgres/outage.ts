// A database that goes away and comes back: one line when it goes, one when it is back, and in between one try every few seconds.

import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.js";

const LONGEST_WAIT = 5_000;

export class Outage {
  readonly #shown: string;
  readonly #explain: (error: unknown) => string;
  readonly #onNote: (text: string) => void;
  #away = false;
  /** When the database was last seen to come back (performance.now()). */
  backAt = Number.NEGATIVE_INFINITY;

  constructor(
    { shown, explain }: { shown: string; explain: (error: unknown) => string },
    onNote: (text: string) => void,
  ) {
    this.#shown = shown;
    this.#explain = explain;
    this.#onNote = onNote;
  }

  failed(error: unknown): void {
    if (!this.#away)
      this.#onNote(`the queue ${this.#shown} does not answer (${this.#explain(error)}); waiting for it`);
    this.#away = true;
  }

  succeeded(): void {
    if (!this.#away) return;
    this.#away = false;
    this.backAt = performance.now();
    this.#onNote(`the queue ${this.#shown} answers again`);
  }

  /** Asks until there is an answer. Throws AbortedError when the signal aborts. */
  async insist<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let wait = 250; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      throwIfAborted(signal);
      try {
        const answer = await ask();
        this.succeeded();
        return answer;
      } catch (error) {
        this.failed(error);
        await sleep(wait, undefined, { signal }).catch(() => {});
      }
    }
  }
}
