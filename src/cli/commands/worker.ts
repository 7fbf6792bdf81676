// foldin worker --queue <url>: does tasks of searches, scorings and reproductions that were started with --queue.

import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { wholeNumber } from "../engine-options.js";
import { QUEUE_HELP } from "../queue-options.js";
import { plural } from "../table.js";

interface Flags {
  queue?: string;
  jobs: number;
  threads?: number;
  idle?: number;
}

export function register(program: Command, context: CliContext): void {
  program
    .command("worker")
    .summary("do the work of commands with --queue")
    .description(
      "Take tasks of foldin search, score and reproduce with --queue, and do them on this machine. The folders of these commands must have the same paths here. Stop it with Ctrl-C: its tasks continue elsewhere from their checkpoints.",
    )
    .option("--queue <url>", `${QUEUE_HELP} (default: env)`)
    .option("--jobs <n>", "number of tasks at a time", wholeNumber(1), 1)
    .option(
      "--threads <n>",
      "compute threads per task (default: the cores divided by --jobs)",
      wholeNumber(1),
    )
    .option("--idle <seconds>", "end after so long without a task (default: wait forever)", wholeNumber(0))
    .addHelpText(
      "after",
      `
Workers do only tasks of their own version of foldin.

Examples:
  foldin worker --queue postgres://me@database.internal/foldin
  foldin worker --queue @queue-url.txt --jobs 4
  FOLDIN_QUEUE=postgres://me:secret@database.internal/foldin foldin worker --idle 600`,
    )
    .action((flags: Flags) => runWorker(flags, context));
}

async function runWorker({ queue = "env", jobs, threads, idle }: Flags, context: CliContext): Promise<void> {
  const [{ queueAddress }, { TaskQueue }, { workOn }, { availableParallelism, hostname }, { version }] =
    await Promise.all([
      import("../../tasks/queue-address.js"),
      import("../../tasks/postgres/task-queue.js"),
      import("../../tasks/postgres/queue-worker.js"),
      import("node:os"),
      import("../../core/version.js"),
    ]);
  const { throwIfAborted } = await import("../../core/errors.js");
  const opened = await TaskQueue.open(await queueAddress(queue));
  const { signal } = context;
  try {
    context.say(`foldin ${version} waits for tasks in ${opened.shown}, ${plural(jobs, "task")} at a time`);
    await workOn(opened, {
      ...{ jobs, idle, signal, host: hostname(), onNote: context.say },
      threads: threads ?? Math.max(1, Math.floor(availableParallelism() / jobs)),
    });
    throwIfAborted(signal);
  } finally {
    await opened.close();
  }
}
