// The preset `baselines`: every model on one data set, with its recipe or the best point of a small search, chosen on the
// validation users; then one table on the test users, with significance tests. Everything is written into one folder:
//   <model>/       a search's folder
//   results.json, results.csv, report.html
// Started again with the same folder, it resumes. A model that cannot be trained (too large, for example) gets a row with the reason.

import { join, resolve } from "node:path";
import type { EngineChoice } from "../../compute/open-engine.js";
import { writeFileWhole } from "../../core/atomic-file.js";
import { AbortedError, throwIfAborted, UserError } from "../../core/errors.js";
import { withLock } from "../../core/lock.js";
import { suggestion } from "../../core/nearest.js";
import type { ProgressListener } from "../../core/progress.js";
import { readManifest } from "../../data/dataset.js";
import { describeOptions, parseOptions } from "../../models/options.js";
import { algorithmNames, findAlgorithm } from "../../models/registry.js";
import { claimFolder } from "../claim-folder.js";
import { compare } from "../compare/compare.js";
import { writeComparisonCsv } from "../compare/report.js";
import { findRecipe, recipesOf } from "../recipes/registry.js";
import { search } from "../search/search.js";
import { optionsAt, parseSpace } from "../search/space.js";
import { type Baseline, baselines } from "./plan.js";
import { reportOnBaselines } from "./report.js";
import type { BaselineRow, Baselines } from "./result.js";

export interface BaselinesOptions {
  /** Registered names. Default: all models of the plan. */
  models?: readonly string[];
  out: string;
  /** Maximum number of epochs, for a quick trial. Recorded in the result. */
  epochs?: number;
  seed?: number;
  engine?: EngineChoice;
  jobs?: number;
  threads?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called before each model. */
  onModel?: (model: string, how: string, number: number, models: number) => void;
  /** Called after each model. */
  onRow?: (row: BaselineRow) => void;
}

const METRIC = "ndcg@100";
/** Number of best models that are blended. */
const BLENDED = 2;

/**
 * Trains and compares. Throws UserError for an unknown model, for a folder that is not a dataset, and if fewer than two
 * models could be trained; AbortedError when the signal aborts.
 */
export async function runBaselines(dataset: string, given: BaselinesOptions): Promise<Baselines> {
  const { out, progress } = given;
  return withLock(out, () => trainAll(dataset, given), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Trains and compares; the caller holds the folder's lock. */
async function trainAll(dataset: string, given: BaselinesOptions): Promise<Baselines> {
  const { out, signal, epochs } = given;
  const manifest = await readManifest(dataset);
  const known = baselines.map(({ model }) => model);
  const unknown = given.models?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UserError({
      place: "models",
      problem: `"${unknown}" is not one of the baselines`,
      remedy: suggestion(unknown, known),
    });
  const plan = baselines.filter(({ model }) => given.models?.includes(model) ?? true);
  const head = { formatVersion: 1, dataset: manifest.name };
  const former = [...algorithmNames, "results.json", "results.csv", "report.html"];
  await claimFolder(out, { marker: "baselines.json", head, what: "foldin reproduce baselines", former });
  const blends = plan.length > BLENDED && algorithmNames.includes("blend");
  const total = plan.length + (blends ? 1 : 0);
  const rows: BaselineRow[] = [];
  for (const baseline of plan) {
    throwIfAborted(signal);
    rows.push(await trainOne(dataset, manifest.name, baseline, rows.length + 1, total, given));
    given.onRow?.(rows[rows.length - 1]);
  }
  if (blends) {
    const best = rows
      .filter(({ run }) => run !== undefined)
      .sort((a, b) => (b.validation?.mean ?? 0) - (a.validation?.mean ?? 0))
      .slice(0, BLENDED);
    if (best.length === BLENDED) {
      const options = { runs: best.map(({ run }) => resolve(run ?? "")) };
      const how = `of ${best.map(({ model }) => model).join(" and ")}, weights chosen on validation`;
      rows.push(
        await trainOne(dataset, manifest.name, { model: "blend", options }, total, total, given, how),
      );
      given.onRow?.(rows[rows.length - 1]);
    }
  }
  const trained = rows.flatMap(({ run, model }) => (run === undefined ? [] : [{ path: run, name: model }]));
  if (trained.length < 2)
    throw new UserError({
      place: out,
      problem: `only ${trained.length} of ${rows.length} models could be trained, which is too few to compare`,
      expected: rows.find(({ failure }) => failure)?.failure,
      remedy: "Name more models with --models",
    });
  const comparison = await compare(trained, {
    dataset,
    engine: given.engine,
    progress: given.progress,
    signal,
  });
  const result: Baselines = {
    dataset: manifest.name,
    metric: METRIC,
    rows,
    comparison,
    ...(epochs === undefined ? {} : { shortenedTo: epochs }),
  };
  await writeFileWhole(join(out, "results.json"), (file) =>
    file.writeFile(`${JSON.stringify(result, null, 2)}\n`),
  );
  await writeComparisonCsv(join(out, "results.csv"), comparison);
  await reportOnBaselines(join(out, "report.html"), result);
  return result;
}

async function trainOne(
  dataset: string,
  name: string,
  { model, options = {}, grid = [] }: Baseline,
  number: number,
  total: number,
  given: BaselinesOptions,
  blended?: string,
): Promise<BaselineRow> {
  const algorithm = await findAlgorithm(model);
  const hasRecipe = (await recipesOf(model)).some((recipe) => recipe.dataset === name);
  const space = hasRecipe ? [] : parseSpace(algorithm, grid);
  const points = space.reduce(
    (product, { alternatives }) => product * (alternatives as readonly unknown[]).length,
    1,
  );
  const how =
    blended ?? (hasRecipe ? `recipe ${name}` : points > 1 ? `best of ${points} points` : "defaults");
  given.onModel?.(model, how, number, total);
  const recipe = hasRecipe ? await findRecipe(name, model) : undefined;
  const base = { ...(recipe?.options ?? options) };
  const own = describeOptions(algorithm).some((option) => option.name === "epochs");
  if (given.epochs !== undefined && own) {
    const { epochs } = parseOptions(algorithm, optionsAt(base, {})) as { epochs?: number };
    base.epochs = Math.min(given.epochs, epochs ?? given.epochs);
  }
  const row: BaselineRow = { model, how, chosen: {} };
  try {
    const { engine, jobs, threads, seed, progress, signal } = given;
    const found = await search(dataset, {
      ...{ model, space, options: base, out: join(given.out, model), metric: METRIC },
      ...{ engine, jobs, threads, seed, progress, signal },
    });
    return {
      ...row,
      chosen: found.best.setting,
      validation: found.best.metrics?.[METRIC],
      seconds: found.best.seconds,
      searchSeconds: found.points.reduce((sum, point) => sum + (point.seconds ?? 0), 0),
      run: found.run,
    };
  } catch (error) {
    if (error instanceof AbortedError || signal(given)) throw error;
    if (!(error instanceof UserError)) throw error;
    return { ...row, failure: error.message };
  }
}

function signal({ signal }: BaselinesOptions): boolean {
  return signal?.aborted ?? false;
}
