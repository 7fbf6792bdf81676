// A search that is started several times, as batch systems do: each process trains its share of the points, without knowing of
// the others, and the one that ends last chooses the best point.

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { asJson } from "../../core/json.js";
import { withLock } from "../../core/lock.js";
import { localPool } from "../../tasks/local-pool.js";
import { type Point, planSearch } from "./plan.js";
import { discardModel, readResult } from "./point.js";
import type { PointSetup } from "./point-task.js";
import type { SearchResult } from "./result.js";
import { search } from "./search.js";
import type { SearchOptions } from "./search-options.js";

export interface SearchShard {
  /** From 1 to `of`. */
  readonly number: number;
  readonly of: number;
}

export interface ShardResult {
  /** Points of this share, and those of them that failed, with the reason. */
  readonly points: number;
  readonly failed: readonly { readonly key: string; readonly message: string }[];
  /** Points without a result, of all shares. */
  readonly missing: number;
  /** The search, if this share ended last. */
  readonly search?: SearchResult;
}

/** Milliseconds that a share waits for another one that is choosing the best point. */
const PATIENCE = 600_000;

/** Trains the points with number, number + of, ... of the search. Throws like `search`, except that a failed point is reported. */
export async function searchShard(
  dataset: string,
  { number, of }: SearchShard,
  given: SearchOptions,
): Promise<ShardResult> {
  const { out, progress, signal } = given;
  const locked = <T>(work: () => Promise<T>) =>
    withLock(out, work, { patience: PATIENCE, onNote: (text) => progress?.({ type: "note", text }) });
  const { points, metric } = await locked(() => planSearch(dataset, given));
  const possible = points.filter(({ misfit }) => misfit === undefined);
  const own = points.filter((point, p) => p % of === number - 1 && point.misfit === undefined);
  const isMissing = async ({ job }: Point) => (await readResult(job.folder, job)) === undefined;
  const wanted = await filtered(own, isMissing);
  const failed: { key: string; message: string }[] = [];
  const cores = availableParallelism();
  const jobs = given.jobs ?? Math.min(cores, 4, Math.max(1, wanted.length));
  const threads = given.threads ?? Math.max(1, Math.floor(cores / jobs));
  const setup: PointSetup = {
    dataset: resolve(dataset),
    engine: given.engine ?? "auto",
    precision: given.precision,
  };
  const task = "search";
  let ended = 0;
  progress?.({ type: "start", task, total: wanted.length, unit: "points" });
  await localPool({ jobs, threads }).run(
    { kind: "point", folder: resolve(out), setup: asJson(setup) },
    wanted.map(({ key, job }) => ({ name: key, job: asJson(job) })),
    {
      signal,
      onNote: (text) => progress?.({ type: "note", text }),
      onOutcome: async (p, outcome) => {
        ended++;
        if (outcome.state === "failed") failed.push({ key: wanted[p].key, message: outcome.message });
        progress?.({ type: "advance", task, done: ended });
      },
    },
  );
  progress?.({ type: "end", task });
  if (!given.keepModels) await keepBest(own, given.chooseOn ?? "validation", metric.name);
  const missing = (await filtered(possible, isMissing)).length;
  const result = { points: own.length, failed, missing };
  if (missing > 0) return result;
  return { ...result, search: await search(dataset, { ...given, patience: PATIENCE }) };
}

/** Discards the models of all points of a share but the best one. */
async function keepBest(own: readonly Point[], on: "validation" | "test", metric: string): Promise<void> {
  let best: { point: Point; score: number } | undefined;
  for (const point of own) {
    const score = (await readResult(point.job.folder, point.job))?.[on]?.metrics[metric].mean;
    if (score !== undefined && score > (best?.score ?? Number.NEGATIVE_INFINITY)) best = { point, score };
  }
  for (const point of own) if (point !== best?.point) await discardModel(point.job.folder);
}

async function filtered(
  points: readonly Point[],
  keeps: (point: Point) => Promise<boolean>,
): Promise<Point[]> {
  const kept: Point[] = [];
  for (const point of points) if (await keeps(point)) kept.push(point);
  return kept;
}
