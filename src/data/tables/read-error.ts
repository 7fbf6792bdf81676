// Turns DuckDB's errors about a file into user errors.

import { UserError } from "../../core/errors.js";

/** Returns DuckDB's error about a file as a UserError; other errors are returned unchanged. */
export function explainReadError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error.name === "AbortedError" || error instanceof UserError) return error;
  const [first] = error.message.split("\n");
  if (/CSV Error|Invalid Input Error|IO Error|Conversion Error|Invalid Error/.test(first))
    return new UserError({
      place: file,
      problem: `the file cannot be read: ${first}`,
      remedy: "If it is damaged, create or download it again",
      cause: error,
    });
  return error;
}
