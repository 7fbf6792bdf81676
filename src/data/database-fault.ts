// What keeps DuckDB from its work and is the user's to mend: a full temporary folder, too little memory, a disk that fails.

import { dirname } from "node:path";
import { UserError } from "../core/errors.js";
import { systemFault } from "../core/system-errors.js";

/** The error as a UserError where it says that `folder`, DuckDB's temporary one, or memory, or a file is the matter; others as they are. */
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
      problem: "the work does not fit into memory, and this temporary folder has no room for the rest",
      remedy: "Free some space there, or name another folder with --temp <folder>",
      cause: error,
    });
  if (fault && isTemporary)
    return new UserError({
      place: temporary,
      problem: `the temporary folder cannot be used: ${fault.reason}`,
      remedy: `${fault.code === "ENOSPC" ? "Free some space there" : "Mend that"}, or name another folder with --temp <folder>`,
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
