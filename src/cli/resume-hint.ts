// How to resume a command that was stopped, or that failed for a reason the user can fix, such as a full disk.

import { addRemedy } from "../core/system-errors.js";
import type { CliContext } from "./context.js";

/** If the command was stopped, prints how to resume it and returns the error; otherwise returns it with the hint added. */
export function withResumeHint(error: unknown, command: string, { signal, say }: CliContext): unknown {
  if (signal.aborted) say(`to resume: ${command}`);
  return signal.aborted ? error : addRemedy(error, `Finished work is kept; to resume: ${command}`);
}
