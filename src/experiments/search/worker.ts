// The process that trains points of a search, one after the other, as its parent sends them. It ends when the parent tells it to
// or exits. Ctrl-C reaches every process of a terminal; workers ignore it, since the parent stops them.

import type { Engine } from "../../compute/engine.js";
import { type EngineChoice, openEngine } from "../../compute/open-engine.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import { AbortedError, UserError } from "../../core/errors.js";
import { type Dataset, loadDataset } from "../../data/dataset.js";
import { type PointJob, type PointResult, runPoint } from "./point.js";

export interface WorkerSetup {
  readonly dataset: string;
  readonly engine: EngineChoice;
  readonly threads: number;
  readonly precision?: EnginePrecision;
}

export type ToWorker = { setup: WorkerSetup } | { point: PointJob } | { stop: true };

export type FromWorker =
  | { ready: true }
  /** It could not be set up at all: no point can be trained. */
  | { unusable: string; mendable: boolean }
  /** The share of the point's training that is done. */
  | { share: number }
  | { note: string }
  | { result: PointResult }
  | { failure: string }
  | { stopped: true };

const stop = new AbortController();
let ready: Promise<{ engine: Engine; dataset: Dataset }> | undefined;
let training: Promise<void> | undefined;

const orphaned = () => process.exit(1);
process.on("SIGINT", () => {});
process.on("disconnect", orphaned);
process.on("message", (message: ToWorker) => {
  if ("setup" in message) {
    ready = setUp(message.setup);
    // The failure is reported where the promise is awaited.
    ready.catch(() => {});
  } else if ("point" in message) training = train(message.point);
  else {
    stop.abort();
    void end();
  }
});

function send(message: FromWorker): void {
  process.send?.(message);
}

async function setUp({
  dataset,
  engine,
  threads,
  precision,
}: WorkerSetup): Promise<{ engine: Engine; dataset: Dataset }> {
  try {
    const opened = await openEngine({ engine, threads, precision, onNote: (note) => send({ note }) });
    const loaded = await loadDataset(dataset, { signal: stop.signal });
    send({ ready: true });
    return { engine: opened, dataset: loaded };
  } catch (error) {
    // Stopped while reading the dataset: not an error of the worker.
    if (error instanceof AbortedError) send({ stopped: true });
    else send({ unusable: messageOf(error), mendable: error instanceof UserError });
    throw error;
  }
}

async function train(point: PointJob): Promise<void> {
  if (!ready) throw new Error("received a point before the setup");
  const { engine, dataset } = await ready;
  let told = 0;
  let total = 0;
  try {
    const result = await runPoint(dataset, engine, point, {
      signal: stop.signal,
      onNote: (note) => send({ note }),
      progress: (event) => {
        if (event.type === "note" || event.task !== "train") return;
        if (event.type === "start") total = event.total ?? 0;
        if (event.type !== "advance" || total === 0 || performance.now() - told < 200) return;
        told = performance.now();
        send({ share: Math.min(1, event.done / total) });
      },
    });
    send({ result });
  } catch (error) {
    send(error instanceof AbortedError ? { stopped: true } : { failure: messageOf(error) });
  }
}

/** Aborts the current training, after which nothing keeps the process alive. */
async function end(): Promise<void> {
  const setup = await ready?.catch(() => undefined);
  await training?.catch(() => {});
  await setup?.engine.close();
  process.off("disconnect", orphaned);
  process.disconnect();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
