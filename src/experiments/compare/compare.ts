// Compares trained models on the same held-out users: means with standard errors, and a significance test for each pair. Accepts
// run folders and tables of per-user values (per-user.ts).

import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { type EngineChoice, openEngine } from "../../compute/open-engine.js";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { printable } from "../../core/printable.js";
import type { ProgressListener } from "../../core/progress.js";
import { type Dataset, loadDataset } from "../../data/dataset.js";
import { evaluate, type MetricValue } from "../../evaluation/evaluate.js";
import { meanOf } from "../../evaluation/mean.js";
import { defaultMetrics, gain, parseMetric } from "../../evaluation/metrics.js";
import { holm, type PairedTest, pairedTests } from "../../evaluation/significance.js";
import { restoreModel } from "../../models/registry.js";
import { readModelFiles } from "../../recommender/model-files.js";
import { fingerprint } from "../../training/identity.js";
import {
  chosenOn,
  modelFolderOf,
  type RunFolder,
  readRunFolder,
  requireComplete,
  requireHeldOut,
} from "../run-folder.js";
import { type PerUser, readPerUser } from "./per-user.js";

/** The pairs that are tested: all, each system with the best, or each with the first. Holm's correction is over these pairs. */
export type Against = "all" | "best" | "first";

export interface CompareOptions {
  /** Default ndcg@100, recall@20, recall@50; systems are sorted by the first. */
  metrics?: readonly string[];
  /** Default "test". */
  on?: "test" | "validation";
  /** Default "all". */
  against?: Against;
  /** Rounds of the randomisation test. Default 10,000. */
  rounds?: number;
  /** The seed of the randomisation test. Default 98765. */
  seed?: number;
  /** The attribute with the categories of items, which calibration@k compares. */
  categories?: string;
  /** The dataset's folder. Default: its location when the first run was trained. */
  dataset?: string;
  engine?: EngineChoice;
  threads?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

/** A run folder or the file of a table, optionally with a name. */
export type Compared = string | { readonly path: string; readonly name: string };

/** One run, or one table. */
export interface ComparedSystem {
  /** The name of the folder or file; the whole path if two have the same name. */
  name: string;
  path: string;
  /** The model of a run; absent for a table. */
  model?: string;
  seed?: number;
  metrics: Record<string, MetricValue>;
}

export interface ComparedPair extends PairedTest {
  metric: string;
  /** Names of the systems; the difference is the mean of a minus the mean of b. */
  a: string;
  b: string;
  /** Both p-values, Holm-corrected over all pairs of this metric. */
  randomisationHolm: number;
  tHolm: number;
}

export interface Comparison {
  /** Null if only tables were compared. */
  dataset: string | null;
  on: "test" | "validation";
  users: number;
  metrics: string[];
  against: Against;
  rounds: number;
  seed: number;
  /** Best first, by the first metric. */
  systems: ComparedSystem[];
  /** By metric, then in the order of the systems. */
  pairs: ComparedPair[];
}

/**
 * Evaluates the runs on one dataset and tests their differences. Throws UserError for fewer than two systems, for runs on different
 * data, for tables of other users or without a metric, and like `evaluate`.
 */
export async function compare(given: readonly Compared[], options: CompareOptions = {}): Promise<Comparison> {
  const paths = given.map((one) => (typeof one === "string" ? one : one.path));
  const { on = "test", against = "all", rounds = 10_000, seed = 98765 } = options;
  const metrics = [...new Set((options.metrics ?? defaultMetrics).map(userMetric))];
  const distinct = [...new Set(paths.map((path) => resolve(path)))];
  if (distinct.length < 2 || distinct.length < paths.length)
    throw new UserError({
      place: "compare",
      problem: distinct.length < paths.length ? "the same run is given twice" : "only one run is given",
      expected: "at least two runs, each once",
    });
  const evaluated = await perUserOf(paths, metrics, { ...options, on });
  const names = given.map((one) => (typeof one === "string" ? nameOf(one) : one.name));
  const systems = paths.map((path, p): ComparedSystem & { values: Record<string, Float64Array> } => ({
    name: names.filter((name) => name === names[p]).length > 1 ? path : names[p],
    path,
    ...evaluated.systems[p].head,
    metrics: Object.fromEntries(metrics.map((name) => [name, meanOf(evaluated.systems[p].values[name])])),
    values: evaluated.systems[p].values,
  }));
  const first = systems[0];
  const ranked = [...systems].sort((a, b) =>
    gain(metrics[0], b.metrics[metrics[0]].mean, a.metrics[metrics[0]].mean),
  );
  const pairs = metrics.flatMap((metric) => {
    const best = systems.reduce((a, b) =>
      gain(metric, b.metrics[metric].mean, a.metrics[metric].mean) > 0 ? b : a,
    );
    const reference = against === "first" ? first : best;
    const tested =
      against === "all"
        ? ranked.flatMap((a, i) => ranked.slice(i + 1).map((b) => ({ a, b })))
        : ranked.filter((system) => system !== reference).map((b) => ({ a: reference, b }));
    const tests = pairedTests(
      tested.map(({ a, b }) => a.values[metric].map((value, u) => value - b.values[metric][u])),
      { rounds, seed },
    );
    const randomisationHolm = holm(tests.map(({ randomisation }) => randomisation));
    const tHolm = holm(tests.map(({ t }) => t));
    return tested.map(
      ({ a, b }, p): ComparedPair => ({
        metric,
        a: a.name,
        b: b.name,
        ...tests[p],
        randomisationHolm: randomisationHolm[p],
        tHolm: tHolm[p],
      }),
    );
  });
  return {
    dataset: evaluated.dataset,
    on,
    users: evaluated.users,
    metrics,
    against,
    rounds,
    seed,
    systems: ranked.map(({ values: _, ...system }) => system),
    pairs,
  };
}

function userMetric(text: string): string {
  const { name, ofLists } = parseMetric(text);
  if (ofLists)
    throw new UserError({
      place: "metric",
      problem: `${name} has no value per user, so differences cannot be tested`,
      expected: "a metric with a value per user, such as ndcg@100",
    });
  return name;
}

function nameOf(path: string): string {
  return basename(resolve(path)).replace(/\.csv$/i, "");
}

interface Evaluated {
  dataset: string | null;
  users: number;
  /** In the given order; the users of all systems are in the same order. */
  systems: { head: { model?: string; seed?: number }; values: Record<string, Float64Array> }[];
}

async function perUserOf(
  paths: readonly string[],
  metrics: readonly string[],
  options: CompareOptions & { on: "test" | "validation" },
): Promise<Evaluated> {
  const isTable = (path: string) => /\.csv$/i.test(path);
  const runs = new Map<string, RunFolder>();
  for (const path of paths) if (!isTable(path)) runs.set(path, requireComplete(await readRunFolder(path)));
  for (const run of runs.values()) requireHeldOut(run, options.on);
  const dataset = await commonDataset([...runs.values()], options);
  const tables = new Map<string, PerUser>();
  for (const path of paths)
    if (isTable(path)) {
      const table = await readPerUser(path);
      const missing = metrics.find((name) => !table.values[name]);
      if (missing)
        throw new UserError({
          place: path,
          problem: `has no column ${missing}`,
          expected: metrics.join(", "),
          remedy: `Use --metrics ${Object.keys(table.values).join(" ")}, or create the table with the missing metric`,
        });
      tables.set(path, table);
    }

  /** The users, in the order of all values: the evaluated users of the split, or those of the first table. */
  let users: readonly string[] | undefined;
  const systems: Evaluated["systems"] = [];
  const engine = dataset
    ? await openEngine({
        engine: options.engine ?? "auto",
        threads: options.threads,
        onNote: (text) => options.progress?.({ type: "note", text }),
      })
    : undefined;
  try {
    const evaluated = new Map<string, Record<string, Float64Array>>();
    for (const path of runs.keys()) {
      throwIfAborted(options.signal);
      if (!dataset || !engine) throw new Error("there are runs, but no dataset");
      const recommender = await restoreModel(await readModelFiles(modelFolderOf(path)), { engine });
      try {
        const { on, categories, signal, progress } = options;
        const { perUser, rows } = await evaluate(recommender, dataset, {
          ...{ on, metrics, categories, signal, progress },
        });
        evaluated.set(path, perUser);
        users ??= Array.from(rows, (row) => printable(dataset[on].users.ids[row]));
      } finally {
        recommender.dispose();
      }
    }
    for (const path of paths) {
      const table = tables.get(path);
      const config = runs.get(path)?.config;
      users ??= table?.users;
      systems.push(
        table
          ? { head: {}, values: inOrder(table, users ?? [], path) }
          : { head: { model: config?.model, seed: config?.seed }, values: evaluated.get(path) ?? {} },
      );
    }
  } finally {
    await engine?.close();
  }
  return { dataset: dataset?.name ?? null, users: users?.length ?? 0, systems };
}

/** The table's values for these users. Throws UserError if its users differ. */
function inOrder(table: PerUser, users: readonly string[], path: string): Record<string, Float64Array> {
  const rowOf = new Map(table.users.map((user, row) => [user, row]));
  const missing = users.find((user) => !rowOf.has(user));
  if (missing !== undefined || rowOf.size !== users.length)
    throw new UserError({
      place: path,
      problem: `has ${rowOf.size} users, the others have ${users.length}${missing === undefined ? "" : `; user ${missing} is missing`}`,
      expected: "the same held-out users in all of them",
    });
  return Object.fromEntries(
    Object.entries(table.values).map(([name, values]) => [
      name,
      Float64Array.from(users, (user) => values[rowOf.get(user) ?? 0]),
    ]),
  );
}

/** The dataset that all runs were trained on; undefined without runs. */
async function commonDataset(
  runs: readonly RunFolder[],
  { dataset: given, signal }: CompareOptions,
): Promise<Dataset | undefined> {
  const [first, ...others] = runs;
  if (!first) return undefined;
  for (const other of others)
    if (chosenOn(other.config) !== chosenOn(first.config))
      throw new UserError({
        place: other.path,
        problem: `was trained on different data (${describe(other)}) than ${first.path} (${describe(first)})`,
        expected: "runs on the same dataset with the same split",
        remedy: "Train them on one dataset folder",
      });
  const folder = given ?? first.config.dataset.path;
  if (folder === null || !existsSync(folder))
    throw new UserError({
      place: folder ?? first.path,
      problem: folder === null ? "was trained on a dataset that is not on disk" : "no longer exists",
      expected: "the dataset that the runs were trained on",
      remedy: "Give its location with --dataset <folder>",
    });
  const dataset = await loadDataset(folder, { signal });
  if (fingerprint(dataset) !== chosenOn(first.config))
    throw new UserError({
      place: folder,
      problem: `is not the data that ${first.path} was trained on: it was prepared again, or differently`,
      remedy: "Give the location of the original data with --dataset <folder>",
    });
  return dataset;
}

function describe({ config }: RunFolder): string {
  return `${config.dataset.name}, fingerprint ${chosenOn(config)}`;
}
