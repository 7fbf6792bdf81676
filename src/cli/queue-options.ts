// --queue: gives the work of a command to workers on other machines, through a queue in PostgreSQL.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import type { Tasks } from "../tasks/tasks.js";
import type { CliContext } from "./context.js";
import { type EngineFlags, wholeNumber } from "./engine-options.js";

export interface QueueFlags {
  queue?: string;
  heartbeat?: number;
}

export const QUEUE_HELP =
  "a PostgreSQL database: postgres://user@host/database without a password, @file = a file with the URL, or env = the URL in FOLDIN_QUEUE";

/** Adds --queue and --heartbeat to a command. */
export function addQueueOptions(command: Command, what: string): Command {
  return command
    .option("--queue <url>", `let foldin worker on any machine ${what}, through ${QUEUE_HELP}`)
    .option(
      "--heartbeat <seconds>",
      "with --queue: seconds without a sign of life after which a worker is given up (default: 60)",
      wholeNumber(1),
    );
}

export interface RemoteTasks {
  readonly tasks: Tasks;
  /** The engine of all workers: a run must be resumed on the engine that began it. */
  readonly engine: EngineFlags["engine"];
}

/** Calls `work` with the tasks of the queue; without --queue, with undefined. Throws UserError for options that only make sense here. */
export async function withQueue<T>(
  { queue, heartbeat, ...flags }: QueueFlags & EngineFlags & { jobs?: number },
  context: CliContext,
  work: (remote: RemoteTasks | undefined) => Promise<T>,
): Promise<T> {
  if (queue === undefined) {
    if (heartbeat !== undefined) throw needless("--heartbeat", "requires --queue", "Add --queue <url>");
    return work(undefined);
  }
  for (const name of ["jobs", "threads"] as const)
    if (flags[name] !== undefined)
      throw needless(`--${name}`, "cannot be used with --queue", `Set --${name} of each foldin worker`);
  const [{ queueAddress }, { TaskQueue }, { queueTasks }, { openEngine }] = await Promise.all([
    import("../tasks/queue-address.js"),
    import("../tasks/postgres/task-queue.js"),
    import("../tasks/postgres/queue-tasks.js"),
    import("../compute/open-engine.js"),
  ]);
  const opened = await TaskQueue.open(await queueAddress(queue));
  try {
    const engine = await openEngine({ engine: flags.engine, threads: 1, onNote: context.say });
    await engine.close();
    return await work({
      tasks: queueTasks(opened, { heartbeat }),
      engine: engine.name as EngineFlags["engine"],
    });
  } finally {
    await opened.close();
  }
}

function needless(place: string, problem: string, remedy: string): UserError {
  return new UserError({ place, problem, remedy });
}
