// Tasks in processes of this machine, several at a time. A worker that crashes or runs out of memory does not affect the others
// and is replaced.

import { AbortedError, throwIfAborted } from "../core/errors.js";
import type { Task, TaskRunOptions, TaskSetup, Tasks } from "./tasks.js";
import { Unusable, WorkerProcess } from "./worker-process.js";

export interface PoolOptions {
  /** Number of worker processes. */
  readonly jobs: number;
  /** Compute threads of each. */
  readonly threads: number;
}

/** A failed task is not tried again. `run` ends when every worker has ended. */
export function localPool(pool: PoolOptions): Tasks {
  return { run: (setup, tasks, options) => runAll(setup, tasks, pool, options) };
}

async function runAll(
  setup: TaskSetup,
  tasks: readonly Task[],
  { jobs, threads }: PoolOptions,
  options: TaskRunOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  let next = 0;
  const notes = new Set<string>();
  const onNote = (text: string) => {
    // All workers send the same notes.
    if (!notes.has(text)) options.onNote?.(text);
    notes.add(text);
  };
  const lane = async () => {
    let worker: WorkerProcess | undefined;
    try {
      while (next < tasks.length) {
        throwIfAborted(signal);
        const task = next++;
        worker ??= new WorkerProcess(setup, { threads, signal, onNote });
        const ending = await worker.run(tasks[task], {
          onShare: (share) => options.onShare?.(task, share),
        });
        if (worker.ended) worker = undefined;
        await options.onOutcome(task, ending);
      }
    } catch (error) {
      failed.abort();
      throw error instanceof Unusable ? error.asError : error;
    } finally {
      await worker?.stop();
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(jobs, tasks.length) }, lane));
  const errors = lanes.flatMap((lane) => (lane.status === "rejected" ? [lane.reason as unknown] : []));
  // Report the original error, not the aborts that it caused.
  const reason = errors.find((error) => !(error instanceof AbortedError)) ?? errors[0];
  if (reason) throw reason;
}
