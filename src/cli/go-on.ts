// What to do after a command was stopped, or ended by something that the user can mend, such as a full disk.

import { thenGoOn } from "../core/system-errors.js";
import type { CliContext } from "./context.js";

/** Tells how to go on: at once where the command was stopped; else as a part of the error, which is returned. */
export function tellHowToGoOn(error: unknown, command: string, { signal, say }: CliContext): unknown {
  if (signal.aborted) say(`to go on: ${command}`);
  return signal.aborted ? error : thenGoOn(error, `What is finished is kept; go on with: ${command}`);
}
