// A UserError is an error that the user can fix: it names the place, what was expected and what to do. The CLI prints only
// its message, without a stack trace, and exits with 2. Any other error is a bug or a system failure and exits with 1.

import { printable } from "./printable.js";
import { withoutPasswords } from "./secrets.js";

/** The parts of a `UserError`; only `problem` is required. */
export interface UserErrorParts {
  /** The place: a file, `file:line`, a column, an option. */
  place?: string;
  /** What is wrong, in one sentence without a full stop. */
  problem: string;
  /** What was expected instead. */
  expected?: string;
  /** What to do. */
  remedy?: string;
  cause?: unknown;
}

/**
 * An error that a user can cause and fix. Its message is one line, `place: problem (expected ...). Remedy`, with control
 * characters escaped and passwords in URLs removed. Its parts are unchanged.
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

/** Thrown when an `AbortSignal` has stopped the work. */
export class AbortedError extends Error {
  override readonly name = "AbortedError";
  constructor(message = "stopped on request") {
    super(message);
  }
}

/** Throws `AbortedError` if the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError();
}
