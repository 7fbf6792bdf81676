// Turns DuckDB's errors about a file into user errors.

import { UserError } from "../../core/errors.js";
import type { TableSource } from "./table.js";

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

/** `explainReadError` for an opened table; names the damaged file of a table in parts. */
export async function explainTableError(
  error: unknown,
  { file, damaged }: Pick<TableSource, "file" | "damaged">,
): Promise<unknown> {
  const explained = explainReadError(error, file);
  if (explained === error || !damaged) return explained;
  return explainReadError(error, (await damaged()) ?? file);
}
