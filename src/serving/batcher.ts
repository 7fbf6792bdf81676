// Questions that come together are scored together: a pass over a large model's weights costs nearly the same for one
// history as for sixteen. Nobody waits for company: an idle model takes what is there, and what arrives meanwhile makes
// the next batch.

import { answerAll, type Question, type Recommendations } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";

export interface BatcherOptions {
  /** Questions scored at once, at most. */
  readonly mostAtOnce: number;
  /** Questions that may wait, at most. */
  readonly mostWaiting: number;
  /** Hears of every batch: its questions and how many seconds they took. */
  onBatch?(questions: number, seconds: number): void;
}

/** More questions wait already than may. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

interface Waiting {
  readonly question: Question;
  readonly resolve: (answer: Recommendations) => void;
  readonly reject: (reason: unknown) => void;
}

export class Batcher {
  readonly #recommender: Recommender;
  readonly #options: BatcherOptions;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(recommender: Recommender, options: BatcherOptions) {
    this.#recommender = recommender;
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The answer, as `recommend` would give it. Rejects with OverloadedError where too many wait. */
  ask(question: Question): Promise<Recommendations> {
    if (this.#waiting.length >= this.#options.mostWaiting)
      return Promise.reject(new OverloadedError(`${this.#waiting.length} requests are waiting`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // After all requests that were read in this turn of the event loop.
      setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      const started = performance.now();
      try {
        const answers = await answerAll(
          this.#recommender,
          batch.map(({ question }) => question),
        );
        for (const [b, { resolve }] of batch.entries()) resolve(answers[b]);
      } catch (reason) {
        for (const { reject } of batch) reject(reason);
      }
      this.#options.onBatch?.(batch.length, (performance.now() - started) / 1000);
    }
    this.#running = false;
  }

  /** The next batch; a question that wants reasons costs as much as many, and goes alone. */
  #next(): Waiting[] {
    const { mostAtOnce } = this.#options;
    const alone = this.#waiting.findIndex(({ question }) => question.explain);
    const size = alone === 0 ? 1 : Math.min(mostAtOnce, alone < 0 ? mostAtOnce : alone);
    return this.#waiting.splice(0, size);
  }
}
