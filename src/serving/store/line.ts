// Operations that stand in line: everything that waits is done together, and what arrives meanwhile goes next. So many writers
// share one commit. A request that waits too long, or finds too many before it, is refused with a message.

import { StoreError } from "./history-store.js";

/** Milliseconds within which everything is answered, and how many may wait. */
const ANSWER_WITHIN = 5_000;
const MOST_WAITING = 10_000;

type Outcome = { readonly result: unknown } | { readonly error: unknown };

interface Waiting<Operation> {
  readonly operation: Operation;
  /** Ends the waiting; only the first call counts. */
  settle(outcome: Outcome): void;
  settled: boolean;
}

/** The operations' results, in order; rejects where none of them was done. */
export type Perform<Operation> = (operations: readonly Operation[]) => Promise<readonly unknown[]>;

export class Line<Operation> {
  readonly #perform: Perform<Operation>;
  #waiting: Waiting<Operation>[] = [];
  #running: Promise<void> | undefined;

  constructor(perform: Perform<Operation>) {
    this.#perform = perform;
  }

  /** The operation's result. Rejects with StoreError where it has to wait for too long; it may then be done all the same. */
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

  /** Resolves once nothing is being done and nobody waits. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // After all that is asked in this turn.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      // Nobody waits any longer for what was answered with "busy".
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
