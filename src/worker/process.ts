// The process that does tasks, one after the other, as its parent sends them. It ends when the parent tells it to or exits.
// Ctrl-C reaches every process of a terminal; workers ignore it, since the parent stops them.

import { AbortedError, UserError } from "../core/errors.js";
import type { FromWorker, ToWorker } from "../tasks/messages.js";
import type { Attempt, Performer } from "../tasks/performer.js";
import type { Task, TaskSetup } from "../tasks/tasks.js";
import { DivergedError } from "../training/divergence.js";
import { makeReady } from "./kinds.js";

const stop = new AbortController();
let ready: Promise<Performer> | undefined;
let performing: Promise<void> | undefined;
let answer: ((current: boolean) => void) | undefined;

const orphaned = () => process.exit(1);
process.on("SIGINT", () => {});
process.on("disconnect", orphaned);
process.on("message", (message: ToWorker) => {
  if ("setup" in message) {
    ready = setUp(message.setup, message.threads);
    // The failure is reported where the promise is awaited.
    ready.catch(() => {});
  } else if ("task" in message) performing = perform(message.task, message.attempt);
  else if ("current" in message) answer?.(message.current);
  else {
    stop.abort();
    void end();
  }
});

function send(message: FromWorker): void {
  process.send?.(message);
}

async function setUp({ kind, setup }: TaskSetup, threads: number | undefined): Promise<Performer> {
  try {
    const options = { threads, signal: stop.signal, onNote: (note: string) => send({ note }) };
    const performer = await (await makeReady[kind]())(setup, options);
    send({ ready: true });
    return performer;
  } catch (error) {
    // Stopped while reading the dataset: not an error of the worker.
    if (error instanceof AbortedError) send({ stopped: true });
    else send({ unusable: messageOf(error), mendable: error instanceof UserError });
    throw error;
  }
}

async function perform({ job }: Task, id: string | undefined): Promise<void> {
  if (!ready) throw new Error("received a task before the setup");
  const performer = await ready;
  let told = 0;
  try {
    const result = await performer.perform(job, {
      signal: stop.signal,
      attempt: id === undefined ? undefined : fencedBy(id),
      onNote: (note) => send({ note }),
      onShare: (share) => {
        if (performance.now() - told < 200) return;
        told = performance.now();
        send({ share: Math.min(1, share) });
      },
    });
    send({ result });
  } catch (error) {
    if (error instanceof AbortedError) send({ stopped: true });
    else send({ failure: messageOf(error), final: error instanceof DivergedError });
  }
}

/** An attempt whose parent knows whether it is still the current one. */
function fencedBy(id: string): Attempt {
  return {
    id,
    async fence() {
      const current = await new Promise<boolean>((answered) => {
        answer = answered;
        if (stop.signal.aborted) answered(false);
        stop.signal.addEventListener("abort", () => answered(false), { once: true });
        send({ fence: true });
      });
      if (!current) throw new AbortedError("the attempt is over");
    },
  };
}

/** Aborts the current task, after which nothing keeps the process alive. */
async function end(): Promise<void> {
  const performer = await ready?.catch(() => undefined);
  await performing?.catch(() => {});
  await performer?.close();
  process.off("disconnect", orphaned);
  process.disconnect();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
