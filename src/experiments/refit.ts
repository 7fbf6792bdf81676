// Trains a finished run again, with its options, on more of the data: the validation users are training users too, and on request
// the test users. A single model gives a run folder. Of a blend, every part is trained again, in one folder:
//   refit.json       what it is
//   parts/<n>/       a run folder per part, numbered in the order of the blend
//   blend/           the run of the blend, with the weights that were chosen before

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import type { EngineChoice } from "../compute/open-engine.js";
import { UserError } from "../core/errors.js";
import { checkJson, readJson } from "../core/json-file.js";
import { withLock } from "../core/lock.js";
import type { ProgressListener } from "../core/progress.js";
import type { Dataset } from "../data/dataset.js";
import { withHeldOut } from "../data/with-held-out.js";
import { namesOfRuns } from "../models/blend.js";
import { describeOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import type { Recommender } from "../recommender/recommender.js";
import { fingerprint } from "../training/identity.js";
import { claimFolder } from "./claim-folder.js";
import { modelFolderOf, type RunFolder, readRunFolder, requireComplete } from "./run-folder.js";
import { type TrainOptions, train } from "./train.js";

export interface RefitOptions {
  /** The folder to write; an unfinished one is resumed. */
  out: string;
  /** Whether the test users are training users too; the model can then no longer be evaluated. Default false. */
  test?: boolean;
  /** Replace what is in `out`. */
  force?: boolean;
  /** An open engine, or the name of the engine. Default: that of the run. */
  engine?: Engine | EngineChoice;
  threads?: number;
  /** The path of the dataset, for config.json. */
  datasetPath?: string;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called before each training of a blend's part. */
  onPart?: (name: string, number: number, parts: number) => void;
}

/** A run that was trained again. */
export interface Refitted {
  readonly recommender: Recommender;
  /** Its run folder: `out`, or for a blend the folder of the blend in it. */
  readonly run: string;
  /** What it was trained on. */
  readonly dataset: Dataset;
}

/** What is read from the configuration of a blend's model. */
const savedBlend = z.object({
  config: z.object({ parts: z.array(z.object({ name: z.string(), weight: z.number() })) }),
});

/**
 * Trains the options of a finished run again with the held-out users among the training users, for as many epochs as were best on
 * the validation users. A blend keeps its weights. Throws UserError for an unfinished run, and like `train`; AbortedError when the
 * signal aborts: the same call then resumes.
 */
export async function refit(dataset: Dataset, path: string, given: RefitOptions): Promise<Refitted> {
  return refitOn(withHeldOut(dataset, { test: given.test }), path, {
    ...given,
    chosenOn: fingerprint(dataset),
  });
}

/** The options, and the fingerprint of the dataset without its held-out users among the training users. */
interface Settings extends RefitOptions {
  readonly chosenOn: string;
}

async function refitOn(dataset: Dataset, path: string, given: Settings): Promise<Refitted> {
  const { out, progress } = given;
  const run = requireComplete(await readRunFolder(path));
  if (run.config.model !== "blend")
    return { recommender: await again(dataset, run, given), run: out, dataset };
  return withLock(out, () => blendAgain(dataset, run, given), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Trains a single model. */
async function again(dataset: Dataset, run: RunFolder, given: Settings): Promise<Recommender> {
  const { out, force = false, progress, engine, threads, datasetPath, signal } = given;
  const { model, options, seed, precision, blocks, initFrom, distill, addedItems } = run.config;
  if (distill)
    throw new UserError({
      place: run.path,
      problem: `learned from ${distill.path}, which does not know the held-out users`,
      expected: "a run without --distill",
      remedy: "Refit a run without a teacher",
    });
  const known = new Set(describeOptions(await findAlgorithm(model)).map(({ name }) => name));
  const kept = run.epochs.at(-1)?.kept;
  const { patience: _patience, ...rest } = options;
  if (addedItems && addedItems.length > 0)
    progress?.({ type: "note", text: `${run.path}: the items that were added later are left out` });
  return train(dataset, {
    model,
    // Without validation users, training ends early only by its number of epochs.
    options: { ...rest, ...(kept !== undefined && known.has("epochs") ? { epochs: kept } : {}) },
    refit: sourceOf(run, given),
    ...{ seed, blocks, initFrom: initFrom?.path, precision: precision as TrainOptions["precision"] },
    ...{ engine: engine ?? (run.config.engine as EngineChoice), threads },
    ...{ out, force, resume: !force && existsSync(out), datasetPath, progress, signal },
  });
}

function sourceOf(run: RunFolder, { chosenOn, test = false }: Settings): TrainOptions["refit"] {
  return { of: resolve(run.path), fingerprint: chosenOn, test };
}

async function blendAgain(dataset: Dataset, run: RunFolder, given: Settings): Promise<Refitted> {
  const { out, force, progress, engine, threads, datasetPath, signal, onPart } = given;
  const head = { formatVersion: 1, of: resolve(run.path) };
  const claimed = async () => {
    const found = await claimFolder(out, { marker: "refit.json", head, what: "a refitted blend" });
    const { of } = checkJson(z.object({ of: z.string() }), found, join(out, "refit.json"), {
      ...{ problem: "is damaged", expected: "a file written by foldin refit" },
      remedy: "Choose another folder with --out",
    });
    return of;
  };
  let of = await claimed();
  if (of !== head.of && force) {
    // Another blend, trained again: its parts and its blend are replaced.
    for (const name of ["parts", "blend", "refit.json"])
      await rm(join(out, name), { recursive: true, force: true });
    of = await claimed();
  }
  if (of !== head.of)
    throw new UserError({
      place: out,
      problem: `contains ${of}, trained again`,
      expected: `a new folder, or that of ${head.of}`,
      remedy: "Choose another folder with --out, or replace this one with --force",
    });
  const parts = await partsOf(run);
  const runs: string[] = [];
  for (const [p, { name, path }] of parts.entries()) {
    onPart?.(name, p + 1, parts.length);
    const place = join(out, "parts", String(p + 1));
    const part = await refitOn(dataset, path, { ...given, out: place });
    part.recommender.dispose();
    runs.push(part.run);
  }
  const place = join(out, "blend");
  const recommender = await train(dataset, {
    refit: sourceOf(run, given),
    ...{ model: "blend", options: { runs, weights: parts.map(({ weight }) => weight) } },
    ...{ seed: run.config.seed, engine: engine ?? (run.config.engine as EngineChoice), threads },
    ...{ out: place, force: true, datasetPath, progress, signal },
  });
  return { recommender, run: place, dataset };
}

interface Part {
  readonly name: string;
  readonly weight: number;
  /** Its run folder. */
  readonly path: string;
}

/** The parts of a blend, without the runs of weight 0. Throws UserError if a run folder no longer exists. */
async function partsOf({ path, config }: RunFolder): Promise<Part[]> {
  const { runs } = checkJson(z.object({ runs: z.array(z.string()) }), config.options, path, {
    ...{ problem: "its options are damaged", expected: "a run written by foldin blend" },
    remedy: "Blend the runs again",
  });
  const file = join(modelFolderOf(path), "config.json");
  const saved = checkJson(savedBlend, await readJson(file), file, {
    ...{ problem: "is damaged", expected: "a file written by foldin blend" },
    remedy: "Blend the runs again",
  });
  const names = namesOfRuns(runs);
  const gone = runs.find((run) => !existsSync(run));
  if (gone !== undefined)
    throw new UserError({
      place: path,
      problem: `its part ${gone} does not exist, so its options are unknown`,
      expected: "the run folders that were blended, as seen from this folder",
      remedy: "Run the command where foldin blend was run, or blend the runs again",
    });
  return saved.config.parts.map(({ name, weight }) => ({ name, weight, path: runs[names.indexOf(name)] }));
}
