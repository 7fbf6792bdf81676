// Failures of DuckDB that the user can fix: a full temporary folder, too little memory, a failing disk.

import { dirname } from "node:path";
import { UserError } from "../core/errors.js";
import { systemFault } from "../core/system-errors.js";

/** Turns an error about memory, a file or `folder`, DuckDB's temporary folder, into a UserError; other errors are returned unchanged. */
export function databaseFault(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const temporary = dirname(folder);
  const fault = systemFault(error);
  const { path } = error as NodeJS.ErrnoException;
  const isTemporary =
    error.message.includes(folder) || path === temporary || path?.startsWith(folder) === true;
  if (/^Out of Memory Error|max_temp_directory_size/.test(error.message))
    return new UserError({
      place: temporary,
      problem:
        "the data does not fit into memory, and this temporary folder has too little space for the rest",
      remedy: "Free some space there, or choose another folder with --temp <folder>",
      cause: error,
    });
  if (fault && isTemporary)
    return new UserError({
      place: temporary,
      problem: `the temporary folder cannot be used: ${fault.reason}`,
      remedy: `${fault.code === "ENOSPC" ? "Free some space there" : "Fix the cause"}, or choose another folder with --temp <folder>`,
      cause: error,
    });
  if (fault)
    return new UserError({
      place: fault.path,
      problem: `cannot be ${fault.what}: ${fault.reason}`,
      remedy: fault.remedy,
      cause: error,
    });
  return error;
}
