// Tasks through a queue in PostgreSQL, from the side that asks for them: adds them, follows them, and withdraws them when it is
// stopped. If it is killed, the workers go on; started again, it follows the tasks that are still there.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.js";
import type { JsonValue } from "../../core/json.js";
import { version } from "../../core/version.js";
import type { Task, TaskRunOptions, TaskSetup, Tasks } from "../tasks.js";
import { Outage } from "./outage.js";
import { tokenOf } from "./shared-folder.js";
import { type NewTask, type TaskQueue, type TaskState, TRIES } from "./task-queue.js";

export interface QueueTasksOptions {
  /** Seconds without a sign of life after which a worker is given up. Default 60. */
  readonly heartbeat?: number;
}

/** Milliseconds between two looks at the queue. */
const LOOK = 500;
/** Milliseconds without any worker after which a note says how to start one. */
const LONELY = 10_000;

/** A task is tried three times; the caller closes the queue. */
export function queueTasks(queue: TaskQueue, options: QueueTasksOptions = {}): Tasks {
  return { run: (setup, tasks, run) => runAll(queue, setup, tasks, options, run) };
}

async function runAll(
  queue: TaskQueue,
  setup: TaskSetup,
  tasks: readonly Task[],
  { heartbeat = 60 }: QueueTasksOptions,
  { signal, onShare, onNote = () => {}, onOutcome }: TaskRunOptions,
): Promise<void> {
  if (tasks.length === 0) return;
  const outage = new Outage({ shown: queue.shown, explain: (error) => queue.explain(error) }, onNote);
  const token = await tokenOf(setup.folder);
  const all = tasks.map((task): NewTask => {
    const key = createHash("sha256").update(JSON.stringify({ setup, task, token })).digest("hex");
    return { key, data: { setup, task, token }, heartbeat };
  });
  const open = new Map<string, number>();
  const add = async (numbers: readonly number[]) => {
    const ids = await outage.insist(() => queue.add(numbers.map((t) => all[t])), signal);
    for (const [n, id] of ids.entries()) open.set(id, numbers[n]);
  };
  const notes = new Set<string>();
  const once = (text: string) => {
    if (!notes.has(text)) onNote(text);
    notes.add(text);
  };
  let companyAt = performance.now();
  let expiredAt = performance.now();
  try {
    await add(tasks.map((_, t) => t));
    while (open.size > 0) {
      const asked = [...open];
      const states = await outage.insist(() => queue.states(asked.map(([id]) => id)), signal);
      let company = false;
      for (const state of states) {
        const task = open.get(state.id);
        if (task === undefined) continue;
        const outcome = outcomeOf(state);
        if (state.state === "active") {
          company = true;
          if (state.share) onShare?.(task, state.share);
        } else if (!outcome && state.message !== null) once(noteOf(state, tasks[task]));
        if (!outcome) continue;
        company = true;
        open.delete(state.id);
        await onOutcome(task, outcome);
        await queue.withdraw([state.id]).catch(() => {});
      }
      // The queue may have been emptied, or restored from a backup.
      const known = new Set(states.map(({ id }) => id));
      const lost = asked.filter(([id]) => !known.has(id));
      for (const [id] of lost) open.delete(id);
      if (lost.length > 0) await add(lost.map(([, task]) => task));
      if (company) companyAt = performance.now();
      else if (performance.now() - companyAt > LONELY)
        once(
          `no worker takes the tasks of foldin ${version}: start some with foldin worker --queue ${queue.shown}, of the same version, where ${setup.folder} is seen`,
        );
      // After an outage, the workers are given time to report first.
      const now = performance.now();
      if (now - expiredAt > (1000 * heartbeat) / 4 && now - outage.backAt > 1000 * heartbeat) {
        expiredAt = now;
        await queue.expire().catch((error: unknown) => outage.failed(error));
      }
      throwIfAborted(signal);
      // Ten thousand tasks are looked at every ten seconds.
      if (open.size > 0) await sleep(Math.max(LOOK, open.size), undefined, { signal }).catch(() => {});
    }
  } catch (error) {
    await queue.withdraw([...open.keys()]).catch(() => {});
    throw error;
  }
}

const LOST = "job failed by timeout in active state";

function outcomeOf({ state, message, result }: TaskState) {
  if (state === "completed")
    return { state: "done", result: JSON.parse(result ?? "null") as JsonValue } as const;
  if (state === "cancelled") return { state: "failed", message: "was withdrawn from the queue" } as const;
  if (state !== "failed") return undefined;
  const why =
    message === LOST
      ? `its worker stopped responding ${TRIES} times (killed, out of memory, or cut off)`
      : (message ?? "failed");
  return { state: "failed", message: why } as const;
}

function noteOf({ state, message }: TaskState, { name }: Task): string {
  if (message === LOST) return `${name}: its worker stopped responding; it is taken again`;
  return state === "retry" ? `${name}: is tried again: ${message}` : String(message);
}
