// A UserError is a mistake the person at the keyboard can mend: it says where, what was expected and what to do.
// The CLI prints its message alone (no stack) and exits with 2; every other error is ours, or the machine's, and exits with 1.

import { printable } from "./printable.js";
import { withoutPasswords } from "./secrets.js";

/** What a `UserError` is made of; `problem` is the only part that must be there. */
export interface UserErrorParts {
  /** Where: a file, `file:line`, a column, an option. */
  place?: string;
  /** What is wrong, in one sentence without a final stop. */
  problem: string;
  /** What was expected instead. */
  expected?: string;
  /** What to do now. */
  remedy?: string;
  cause?: unknown;
}

/**
 * An error that a user can cause and mend. Its message is one clear line: `place: problem (expected ...). Remedy.`, in which
 * control characters of names and values are escaped and passwords of URLs left out; its parts are as they were given.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly place: string | undefined;
  readonly problem: string;
  readonly expected: string | undefined;
  readonly remedy: string | undefined;

  constructor({ place, problem, expected, remedy, cause }: UserErrorParts) {
    const where = place === undefined ? "" : `${place}: `;
    const instead = expected === undefined ? "" : ` (expected ${expected})`;
    const then = remedy === undefined ? "" : `. ${remedy}`;
    super(
      printable(withoutPasswords(`${where}${problem}${instead}${then}`)),
      cause === undefined ? undefined : { cause },
    );
    this.place = place;
    this.problem = problem;
    this.expected = expected;
    this.remedy = remedy;
  }
}

/** Thrown where an `AbortSignal` stopped the work. */
export class AbortedError extends Error {
  override readonly name = "AbortedError";
  constructor(message = "stopped on request") {
    super(message);
  }
}

/** Throws `AbortedError` once the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError();
}
