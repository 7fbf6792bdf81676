// A command that several processes run together. Member 0 alone prints. An error is reported once: member 0 reports its own and
// ends the job; another member waits until member 0 could have met the same error.

import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { MpiConnection } from "../compute/mpi/connection.js";
import { AbortedError } from "../core/errors.js";
import type { CliContext } from "./context.js";

/** Milliseconds for which a member leaves an error to the one before it. */
const LEFT_TO_FIRST = 3000;

/**
 * Runs `command` as one of the processes that an MPI launcher has started, with a context that prints only in member 0. An error ends
 * the processes of the job, and does not return.
 */
export async function asMember(
  context: CliContext,
  rank: number,
  explain: (error: unknown) => { message: string; code: number },
  command: (context: CliContext, connection: MpiConnection) => Promise<void>,
): Promise<void> {
  const [{ MpiConnection }, { requireMpi }] = await Promise.all([
    import("../compute/mpi/connection.js"),
    import("../compute/mpi/library.js"),
  ]);
  try {
    requireMpi(process.env);
  } catch (error) {
    // Without a library the processes do not know each other, but each knows its number.
    if (rank === 0) throw error;
    await setTimeout(LEFT_TO_FIRST);
    process.exit(explain(error).code);
  }
  const connection = new MpiConnection();
  // The context itself, which also says that a signal stops the program: the launcher sends it to every process.
  if (connection.rank > 0) silence(context);
  try {
    await command(context, connection);
    await connection.end();
  } catch (error) {
    const { message, code } = explain(error);
    const isFirst = connection.rank === 0;
    if (!isFirst) await setTimeout(LEFT_TO_FIRST * connection.rank);
    if (isFirst || !(error instanceof AbortedError)) {
      const where = isFirst ? "" : `process ${connection.rank} on ${hostname()}: `;
      writeSync(process.stderr.fd, `${where}${message}\n`);
    }
    connection.abort(code);
    process.exit(code);
  }
}

/** From now on the context prints nothing. */
function silence(context: CliContext): void {
  const nothing = () => {};
  Object.assign(context, { out: nothing, say: nothing, json: nothing, progress: nothing });
}
