// A queue of operations: all waiting operations are done together, so that many writers share one commit, and those that
// arrive in the meantime form the next batch. A request is rejected if it waits too long or if the queue is full.

import { StoreError } from "./history-store.js";

/** Milliseconds until a waiting operation is rejected, and the maximum number of waiting operations. */
const ANSWER_WITHIN = 5_000;
const MOST_WAITING = 10_000;

type Outcome = { readonly result: unknown } | { readonly error: unknown };

interface Waiting<Operation> {
  readonly operation: Operation;
  /** Settles the operation; only the first call has an effect. */
  settle(outcome: Outcome): void;
  settled: boolean;
}

/** Returns the results of the operations, in order; rejects if none of them was done. */
export type Perform<Operation> = (operations: readonly Operation[]) => Promise<readonly unknown[]>;

export class BatchQueue<Operation> {
  readonly #perform: Perform<Operation>;
  #waiting: Waiting<Operation>[] = [];
  #running: Promise<void> | undefined;

  constructor(perform: Perform<Operation>) {
    this.#perform = perform;
  }

  /** The result of the operation. Rejects with StoreError if it waits too long; the operation may still be done later. */
  ask(operation: Operation): Promise<unknown> {
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.reject(new StoreError("busy", `${MOST_WAITING} operations are waiting`));
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => waiting.settle({ error: new StoreError("busy", `no answer within ${ANSWER_WITHIN / 1000} s`) }),
        ANSWER_WITHIN,
      );
      const waiting: Waiting<Operation> = {
        operation,
        settled: false,
        settle(outcome) {
          if (waiting.settled) return;
          waiting.settled = true;
          clearTimeout(late);
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.result);
        },
      };
      this.#waiting.push(waiting);
      this.#running ??= this.#run();
    });
  }

  /** Resolves once the queue is empty and no operation is running. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // Run after all operations that are added in this turn.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      // Skip operations that were already rejected as "busy".
      const batch = this.#waiting.filter(({ settled }) => !settled);
      this.#waiting = [];
      if (batch.length === 0) break;
      try {
        const results = await this.#perform(batch.map(({ operation }) => operation));
        for (const [place, waiting] of batch.entries()) waiting.settle({ result: results[place] });
      } catch (error) {
        for (const waiting of batch) waiting.settle({ error });
      }
    }
    this.#running = undefined;
  }
}
