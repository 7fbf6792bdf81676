// One pass of optimiser steps over batches of rows, which is the epoch of most models. The engine is a queue, so the next batch is
// assembled while it works on the previous one; reading the running totals two steps late keeps the queue short, detects a loss
// that is not finite, and never makes the engine wait.

import { type Division, histories, releaseHistories } from "../compute/division.js";
import { type SparseTensor, viewColumns } from "../compute/tensor.js";
import { throwIfAborted } from "../core/errors.js";
import { Turns } from "../core/turns.js";
import { type CsrMatrix, takeRows } from "../sparse/csr.js";
import { DivergedError } from "./divergence.js";
import { type StepOptions, trainingStep } from "./step.js";
import type { Epoch } from "./trainable.js";

/** A pass over batches of histories. The first of the `reports` is checked for divergence. */
export interface Minimisation extends StepOptions<SparseTensor> {
  /** [users, items] */
  readonly histories: CsrMatrix;
  /** The division of the items among the members of the run, if they are divided. */
  readonly division?: Division;
  readonly batchSize: number;
  readonly epoch: Epoch;
}

/** A pass over batches of any kind: the rows of each batch are known in advance, the contents are fetched when needed. */
export interface BatchPass<Batch> extends StepOptions<Batch> {
  readonly epoch: Pick<Epoch, "number" | "updates" | "signal" | "onProgress">;
  /** The rows of each update. */
  readonly batches: readonly Uint32Array[];
  readonly take: (rows: Uint32Array) => Batch | Promise<Batch>;
  /** Releases the result of `take`, after the step is queued. */
  readonly release: (batch: Batch) => void;
}

/** Maximum number of queued and unfinished updates. */
const QUEUED_UPDATES = 2;
/** Milliseconds between progress reports. */
const TELL = 500;

export interface PassReport {
  /** Number of updates since the start of the run, after this pass. */
  readonly updates: number;
  /** The mean of each report over the users. */
  readonly means: Record<string, number>;
}

/** The number of updates of one pass over `users`. */
export function updatesPerPass(users: number, batchSize: number): number {
  return Math.ceil(users / batchSize);
}

/** Updates once per batch, in the epoch's order (the last batch may be smaller). Throws DivergedError, AbortedError. */
export async function minimise(pass: Minimisation): Promise<PassReport> {
  const { engine, division, batchSize, epoch } = pass;
  const { order } = epoch;
  const batches = Array.from({ length: updatesPerPass(order.length, batchSize) }, (_, b) =>
    order.subarray(b * batchSize, (b + 1) * batchSize),
  );
  const before = division?.connection.sent ?? 0;
  const report = await minimiseBatches({
    ...pass,
    batches,
    take: (users) => histories(engine, division, takeRows(pass.histories, users)),
    release: (batch) => releaseHistories(engine, batch),
  });
  if (division) {
    division.traffic.bytes += division.connection.sent - before;
    division.traffic.updates += batches.length;
  }
  return report;
}

/** Updates once per batch. Throws DivergedError, AbortedError. */
export async function minimiseBatches<Batch>(pass: BatchPass<Batch>): Promise<PassReport> {
  const { engine, batches, epoch, reports } = pass;
  const step = trainingStep(pass);
  const { signal } = epoch;
  const all = batches.reduce((sum, rows) => sum + rows.length, 0);
  const totals = engine.zeros(1, reports.length);
  const columns = reports.map((_, column) => viewColumns(totals, column, column + 1));
  const queued: { rows: number; update: number; totals: Promise<ArrayLike<number>> }[] = [];
  let means: Record<string, number> = {};
  // Check for an abort before each batch.
  const turns = new Turns();
  let lastTold = performance.now();

  async function finishOldest(): Promise<void> {
    const { rows, update, totals } = queued[0];
    const sums = await totals;
    queued.shift();
    means = Object.fromEntries(reports.map((name, column) => [name, sums[column] / rows]));
    if (!Number.isFinite(sums[0]))
      throw new DivergedError(
        `the ${reports[0]} became ${sums[0]} in epoch ${epoch.number}, update ${update}`,
      );
  }

  let { updates } = epoch;
  let done = 0;
  try {
    for (const rows of batches) {
      throwIfAborted(signal);
      const batch = await pass.take(rows);
      try {
        step(batch, ++updates, columns, rows);
      } finally {
        pass.release(batch);
      }
      done += rows.length;
      queued.push({ rows: done, update: updates, totals: engine.read(totals) });
      if (queued.length > QUEUED_UPDATES) await finishOldest();
      if (turns.due) await turns.yield();
      const now = performance.now();
      if (now - lastTold > TELL) {
        epoch.onProgress?.(done / all, means);
        lastTold = now;
      }
    }
    while (queued.length > 0) await finishOldest();
  } finally {
    await Promise.allSettled(queued.map((update) => update.totals));
    engine.release(totals);
  }
  return { updates, means };
}
