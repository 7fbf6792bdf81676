// A worker: takes tasks from a queue in PostgreSQL and does them in processes of this machine. This process only watches: it
// reports that the tasks are alive, and answers whether an attempt is still the current one.

import { setTimeout as sleep } from "node:timers/promises";
import { duration } from "../../core/duration.js";
import { AbortedError } from "../../core/errors.js";
import { version } from "../../core/version.js";
import { Unusable, WorkerProcess } from "../worker-process.js";
import { Outage } from "./outage.js";
import { blindness } from "./shared-folder.js";
import { type TakenTask, type TaskQueue, TRIES } from "./task-queue.js";

export interface QueueWorkerOptions {
  /** Number of tasks at a time. */
  readonly jobs: number;
  /** Compute threads for each. */
  readonly threads: number;
  /** Name of this machine, for messages that are read elsewhere. */
  readonly host: string;
  /** End after so many seconds without a task. Default: never. */
  readonly idle?: number;
  readonly signal: AbortSignal;
  onNote(text: string): void;
}

/** Milliseconds between two looks at an empty queue. */
const LOOK = 1_000;
/** Seconds until a task that this machine cannot do is offered again. */
const PAUSE = 5;
/** Milliseconds between two looks for silent workers. */
const EXPIRY = 5_000;
/** Milliseconds between two cleanings of the queue. */
const MAINTENANCE = 3_600_000;
/** Milliseconds between two looks for tasks of other versions. */
const OTHERS = 30_000;

/** Does tasks until the signal aborts, or until it has been idle for long enough; tasks that are stopped are given back. */
export async function workOn(queue: TaskQueue, options: QueueWorkerOptions): Promise<void> {
  const notes = new Set<string>();
  const once = (text: string) => {
    if (!notes.has(text)) options.onNote(text);
    notes.add(text);
  };
  const outage = new Outage({ shown: queue.shown, explain: (error) => queue.explain(error) }, options.onNote);
  const shared = { queue, outage, once, lastTask: performance.now(), busy: 0 };
  const housekeeping = new AbortController();
  const keeping = keepHouse(shared, AbortSignal.any([options.signal, housekeeping.signal]));
  try {
    await Promise.all(Array.from({ length: options.jobs }, () => lane(shared, options)));
  } finally {
    housekeeping.abort();
    await keeping;
  }
}

interface Shared {
  readonly queue: TaskQueue;
  readonly outage: Outage;
  /** Prints a line unless it was printed before. */
  readonly once: (text: string) => void;
  /** When the last task ended (performance.now()), and how many run. */
  lastTask: number;
  busy: number;
}

/** Takes tasks, one after the other. A process is kept for the next task if that has the same setup. */
async function lane(shared: Shared, options: QueueWorkerOptions): Promise<void> {
  const { queue, outage } = shared;
  const { signal, idle = Number.POSITIVE_INFINITY } = options;
  let kept: Kept | undefined;
  try {
    while (!signal.aborted) {
      const task = await outage.insist(() => queue.take(), signal).catch(() => undefined);
      if (task) {
        shared.busy++;
        kept = await attempt(task, kept, shared, options);
        shared.busy--;
        shared.lastTask = performance.now();
        continue;
      }
      if (shared.busy === 0 && performance.now() - shared.lastTask > 1000 * idle) return;
      await sleep(LOOK * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    }
  } finally {
    await kept?.stop();
  }
}

/** A worker process and the setup that it is ready for. */
interface Kept {
  readonly setup: string;
  readonly process: WorkerProcess;
  /** Asks it to stop, and waits. */
  stop(): Promise<void>;
}

/** One attempt at a task; returns the process if it can do another. */
async function attempt(
  task: TakenTask,
  kept: Kept | undefined,
  { queue, outage, once }: Shared,
  options: QueueWorkerOptions,
): Promise<Kept | undefined> {
  const { signal, host, onNote } = options;
  const { setup, task: work, token } = task.data;
  const settle = (report: () => Promise<boolean>) => outage.insist(report, signal);
  const blind = await blindness(setup.folder, token);
  if (blind !== undefined) {
    const message = `worker ${host} ${blind}`;
    once(`${message}; mount it here, at the same path: its tasks are left to other workers`);
    await settle(() => queue.handBack(task, PAUSE, message));
    return kept;
  }

  const text = JSON.stringify(setup);
  let own = kept;
  if (own && own.setup !== text) {
    await own.stop();
    own = undefined;
  }
  own ??= processFor(text, setup, options);
  const { process } = own;
  const begun = performance.now();
  const again = task.number > 1 ? ` (try ${task.number} of ${TRIES})` : "";
  onNote(`started ${work.name}${again}`);

  const over = new AbortController();
  let share = 0;
  const beating = beat(task, () => share, { queue, outage }, over);
  const running = own;
  const stop = () => void running.stop();
  over.signal.addEventListener("abort", stop, { once: true });
  signal.addEventListener("abort", stop, { once: true });
  try {
    const ending = await process.run(work, {
      attempt: task.attempt,
      onShare: (now) => {
        share = now;
      },
      isCurrent: async () => {
        if (over.signal.aborted) return false;
        const current = await outage.insist(() => queue.beat(task, share), over.signal);
        if (!current) over.abort();
        return current;
      },
    });
    beating.stop();
    const took = duration((performance.now() - begun) / 1000);
    const counts =
      ending.state === "done"
        ? await settle(() => queue.complete(task, ending.result))
        : await settle(() => queue.fail(task, ending.message, ending.final));
    if (!counts) onNote(`${work.name}: this attempt was given up; another one counts`);
    else if (ending.state === "done") onNote(`finished ${work.name} in ${took}`);
    else onNote(`${work.name} failed after ${took}: ${ending.message}`);
  } catch (error) {
    beating.stop();
    if (error instanceof Unusable) {
      const message = `worker ${host} cannot do it: ${error.message}`;
      once(error.message);
      await settle(() => queue.handBack(task, PAUSE, message)).catch(() => false);
    } else if (!(error instanceof AbortedError)) {
      await running.stop();
      throw error;
    } else if (over.signal.aborted) onNote(`${work.name}: this attempt was given up or withdrawn; stopped`);
    else {
      await running.stop();
      // The database may be away for long, and the user waits: without this, the task is taken again after its heartbeat.
      const given = await queue.handBack(task, 0).catch(() => false);
      onNote(`${work.name}: stopped${given ? ", and given back to the queue" : ""}`);
    }
    await running.stop();
  } finally {
    beating.stop();
    signal.removeEventListener("abort", stop);
    over.signal.removeEventListener("abort", stop);
  }
  return process.ended ? undefined : own;
}

function processFor(
  text: string,
  setup: TakenTask["data"]["setup"],
  { threads, onNote }: QueueWorkerOptions,
): Kept {
  const stopped = new AbortController();
  const process = new WorkerProcess(setup, { threads, signal: stopped.signal, onNote });
  return {
    setup: text,
    process,
    stop: () => {
      stopped.abort();
      return process.stop();
    },
  };
}

/** Reports regularly that the task is alive, until stopped; aborts `over` when the attempt is over. */
function beat(
  task: TakenTask,
  share: () => number,
  { queue, outage }: Pick<Shared, "queue" | "outage">,
  over: AbortController,
): { stop(): void } {
  const stopped = new AbortController();
  const every = Math.max(200, (1000 * task.heartbeat) / 4);
  void (async () => {
    for (;;) {
      await sleep(every, undefined, { signal: stopped.signal });
      if (!(await outage.insist(() => queue.beat(task, share()), stopped.signal))) break;
    }
    over.abort();
  })().catch(() => {});
  return { stop: () => stopped.abort() };
}

/** Gives up silent workers, cleans the queue, and says which other versions have tasks waiting. */
async function keepHouse({ queue, outage, once }: Shared, signal: AbortSignal): Promise<void> {
  let [maintained, looked] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  while (!signal.aborted) {
    const now = performance.now();
    try {
      if (now - outage.backAt > EXPIRY_AFTER_OUTAGE) await queue.expire();
      if (now - maintained > MAINTENANCE) {
        maintained = now;
        await queue.maintain();
      }
      if (now - looked > OTHERS) {
        looked = now;
        for (const other of await queue.otherVersions())
          once(
            `tasks of foldin ${other} wait in this queue; this worker is foldin ${version} and leaves them`,
          );
      }
    } catch (error) {
      outage.failed(error);
    }
    await sleep(EXPIRY * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
  }
}

/** Milliseconds after an outage in which nobody is given up, so that workers can report. */
const EXPIRY_AFTER_OUTAGE = 60_000;
