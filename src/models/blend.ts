// A blend: the weighted sum of the scores of trained models, each standardised per user, so that their scales do not matter:
//
//   score(x)_i = sum over the parts m of w_m (s_mi - mean_m) / deviation_m,   w >= 0, sum w = 1
//
// with the mean and (population) standard deviation of the part's scores over the items that are not in the history x. The
// weights are chosen by a metric on the validation users, among all multiples of a step. A saved blend contains its parts.

import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { type Engine, NO_ITEM } from "../compute/engine.js";
import type { Tensor } from "../compute/tensor.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { readJson } from "../core/json-file.js";
import { requireMemory } from "../core/memory.js";
import { Turns } from "../core/turns.js";
import { contentForm } from "../data/content.js";
import type { Dataset } from "../data/dataset.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Metric } from "../evaluation/metrics.js";
import type { Algorithm } from "../recommender/algorithm.js";
import { findModelFolder, readModelFiles, sizeOfModel } from "../recommender/model-files.js";
import type { ModelFiles, NamedTensors, Recommender } from "../recommender/recommender.js";
import type { RunContext } from "../recommender/run-context.js";
import { SavedModel } from "../recommender/saved-model.js";
import { blockwiseScores, rowsPerBlock } from "../recommender/scores.js";
import { type CsrMatrix, rowIndices, sliceRows, takeRows } from "../sparse/csr.js";

/** Maximum number of parts of a blend, including the parts of nested blends: every part scores every history. */
const MOST_PARTS = 100;

const options = z.strictObject({
  runs: z
    .array(z.string().min(1))
    .max(MOST_PARTS)
    .default([])
    .describe("two or more trained runs (or model folders) to blend, all trained on this dataset"),
  weights: z
    .array(z.number().min(0))
    .optional()
    .describe("one weight per run, in the order of runs; unset = chosen on the validation users"),
  step: z
    .number()
    .min(0.01)
    .max(0.5)
    .default(0.1)
    .describe("grid step of the candidate weights, which are multiples of it that add up to 1 (our choice)"),
  metric: z
    .string()
    .default("ndcg@100")
    .describe("metric on the validation users by which the weights are chosen"),
});
export type BlendOptions = z.infer<typeof options>;

/** Maximum number of weight combinations to evaluate. */
const MOST_CANDIDATES = 5000;

interface Part {
  /** The run's name, for messages. */
  readonly name: string;
  readonly weight: number;
  readonly recommender: Recommender;
}

/** A part of a saved blend; its tensors are those whose names begin with "<index>.". */
const savedPart = z.object({
  name: z.string(),
  weight: z.number().min(0),
  algorithm: z.string(),
  config: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** The form of the content of new items, for content-based models. */
  content: contentForm.optional(),
});
type SavedPart = z.infer<typeof savedPart>;
const savedBlend = z.object({ parts: z.array(savedPart).min(1), chosen: z.json().optional() });

/** Standardises scores [rows, items] in place, row by row, over the items that are not in the row's history. A row of equal scores becomes 0. */
export function standardise(scores: Float32Array, histories: CsrMatrix): void {
  const items = histories.columns;
  const known = new Uint8Array(items);
  for (let row = 0; row < histories.rows; row++) {
    const line = scores.subarray(row * items, (row + 1) * items);
    const history = rowIndices(histories, row);
    for (const item of history) known[item] = 1;
    let count = 0;
    let sum = 0;
    for (let i = 0; i < items; i++)
      if (known[i] === 0) {
        count++;
        sum += line[i];
      }
    const mean = sum / count;
    let squares = 0;
    for (let i = 0; i < items; i++) if (known[i] === 0) squares += (line[i] - mean) ** 2;
    const deviation = Math.sqrt(squares / count);
    // Rounding errors of equal scores do not count as a deviation.
    const scale = deviation > 1e-6 * Math.abs(mean) ? 1 / deviation : 0;
    if (scale === 0) line.fill(0);
    else for (let i = 0; i < items; i++) line[i] = (line[i] - mean) * scale;
    for (const item of history) known[item] = 0;
  }
}

/** Scores that are standardised between two checks of the clock. */
const SCORES_AT_ONCE = 1 << 18;

/** Calls `use` for a few rows of the histories at a time, with scores [from, to); yields to the event loop in between. Throws AbortedError. */
async function inRows(
  histories: CsrMatrix,
  signal: AbortSignal | undefined,
  use: (rows: CsrMatrix, from: number, to: number) => void,
): Promise<void> {
  const { rows, columns } = histories;
  const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / Math.max(1, columns)));
  const turns = new Turns(signal);
  for (let first = 0; first < rows; first += atOnce) {
    const last = Math.min(rows, first + atOnce);
    use(sliceRows(histories, first, last), first * columns, last * columns);
    if (turns.due) await turns.yield();
  }
}

function blendRecommender(
  engine: Engine,
  parts: readonly Part[],
  items: Vocabulary,
  chosen: JsonObject | undefined,
): Recommender {
  return {
    algorithm: "blend",
    items,
    score: (histories, options) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        async (block) => {
          const sum = new Float32Array(block.rows * items.size);
          for (const { weight, recommender } of parts) {
            const scores = await recommender.score(block, options).read();
            await inRows(block, options?.signal, (rows, from, to) => {
              const some = scores.subarray(from, to);
              standardise(some, rows);
              for (let i = 0; i < some.length; i++) sum[from + i] += weight * some[i];
            });
          }
          return engine.tensor(block.rows, items.size, sum);
        },
        options,
      ),
    async save() {
      const files = await Promise.all(parts.map(({ recommender }) => recommender.save()));
      const tensors: [string, NamedTensors[string]][] = files.flatMap((part, place) =>
        Object.entries(part.tensors).map(
          ([name, tensor]) => [`${place}.${name}`, tensor] as [string, typeof tensor],
        ),
      );
      const described = files.map(({ algorithm, config, content }, place) => {
        const { name, weight } = parts[place];
        return { name, weight, algorithm, config, ...(content && { content }) };
      });
      return {
        algorithm: "blend",
        config: { parts: described, ...(chosen && { chosen }) },
        tensors: Object.fromEntries(tensors),
        items,
      };
    },
    dispose() {
      for (const { recommender } of parts) recommender.dispose();
    },
  };
}

/** All weight vectors of `parts` parts that are multiples of 1 / units and add up to 1. */
export function simplex(parts: number, units: number): number[][] {
  const points: number[][] = [];
  const extend = (point: number[], left: number) => {
    if (point.length === parts - 1) {
      points.push([...point, left].map((unit) => unit / units));
      return;
    }
    for (let unit = 0; unit <= left; unit++) extend([...point, unit], left - unit);
  };
  extend([], units);
  return points;
}

/** The mean metric over the validation users for each candidate; every part computes its scores once. */
async function evaluateAll(
  dataset: Dataset,
  parts: readonly Recommender[],
  candidates: readonly (readonly number[])[],
  metric: Metric & { ofUser: NonNullable<Metric["ofUser"]> },
  { engine, signal, progress }: RunContext,
): Promise<Float64Array> {
  const { foldIn, heldOut } = dataset.validation;
  const items = dataset.items.size;
  const rows = [...Array(heldOut.rows).keys()].filter((row) => rowIndices(heldOut, row).length > 0);
  if (rows.length === 0)
    throw new UserError({
      place: "weights",
      problem: `${dataset.name} has no validation users on which to choose the weights`,
      remedy: "Set the weights, or prepare the dataset with validation users",
    });
  const sums = new Float64Array(candidates.length);
  const isHeldOut = new Uint8Array(items);
  const hits = new Uint8Array(Math.min(metric.k, items));
  const task = "choose the weights";
  progress?.({ type: "start", task, total: rows.length, unit: "users" });
  for (let first = 0; first < rows.length; first += rowsPerBlock(items)) {
    const block = rows.slice(first, first + rowsPerBlock(items));
    const histories = takeRows(foldIn, block);
    const held: Tensor[] = [];
    const without = engine.sparse(histories);
    const sum = engine.empty(block.length, items);
    try {
      for (const part of parts) {
        throwIfAborted(signal);
        const scores = await part.score(histories, { signal }).read();
        await inRows(histories, signal, (rows, from, to) => standardise(scores.subarray(from, to), rows));
        held.push(engine.tensor(block.length, items, scores));
      }
      for (const [candidate, weights] of candidates.entries()) {
        throwIfAborted(signal);
        engine.fill(sum, 0);
        for (const [p, weight] of weights.entries()) if (weight > 0) engine.addScaled(sum, held[p], weight);
        const best = await engine.topK(sum, metric.k, without);
        for (const [b, row] of block.entries()) {
          const relevant = rowIndices(heldOut, row);
          for (const item of relevant) isHeldOut[item] = 1;
          for (let rank = 0; rank < best.k; rank++) {
            const item = best.items[b * best.k + rank];
            hits[rank] = item === NO_ITEM ? 0 : isHeldOut[item];
          }
          sums[candidate] += metric.ofUser(hits, relevant.length);
          for (const item of relevant) isHeldOut[item] = 0;
        }
      }
    } finally {
      for (const tensor of [...held, sum]) engine.release(tensor);
      engine.releaseSparse(without);
    }
    progress?.({ type: "advance", task, done: first + block.length });
  }
  progress?.({ type: "end", task });
  return sums.map((sum) => sum / rows.length);
}

/**
 * Throws UserError if there is not enough memory for the models of the runs (all of them in the engine, the largest also while
 * it is read) and for their scores of a block of users.
 */
async function requireBlendMemory(runs: readonly string[], items: number): Promise<void> {
  const sizes = await Promise.all(runs.map(async (run) => sizeOfModel(await findModelFolder(run))));
  const models = sizes.reduce((sum, bytes) => sum + bytes, 0) + Math.max(...sizes);
  const scores = 4 * rowsPerBlock(items) * items * (runs.length + 2);
  requireMemory({
    place: "blend",
    bytes: models + scores,
    what: `blending ${runs.length} runs of ${items.toLocaleString("en")} items`,
    alternatives:
      "Blend fewer or smaller runs, leave out rare items (foldin prepare --min-item), or use a machine with more memory",
  });
}

/** A trained model, and the data that it was trained on if its run records it. */
export async function readPart(
  path: string,
  restore: (files: ModelFiles) => Promise<Recommender>,
): Promise<{ recommender: Recommender; data: string | undefined }> {
  const folder = await findModelFolder(path);
  const recommender = await restore(await readModelFiles(folder));
  const run = folder === path ? undefined : await readJson(join(path, "config.json"));
  const config = z.object({ dataset: z.object({ fingerprint: z.string() }) }).safeParse(run);
  return { recommender, data: config.data?.dataset.fingerprint };
}

/** Throws UserError unless the model was trained on this dataset. */
export async function requireSameData(
  run: string,
  part: { recommender: Recommender; data?: string },
  dataset: Dataset,
): Promise<void> {
  const { fingerprint } = await import("../training/identity.js");
  const { ids } = part.recommender.items;
  const sameItems =
    ids.length === dataset.items.size && ids.every((id, index) => id === dataset.items.ids[index]);
  if (sameItems && (part.data === undefined || part.data === fingerprint(dataset))) return;
  throw new UserError({
    place: run,
    problem: `was not trained on this version of ${dataset.name}: ${sameItems ? "its users or interactions differ, and may include those held out here" : `its ${ids.length} items differ`}`,
    expected: "runs that were trained on the same dataset",
    remedy: "Train it on this dataset, or leave it out",
  });
}

/** Names for the runs: the names of their folders, made unique. */
export function namesOfRuns(runs: readonly string[]): string[] {
  const short = runs.map((run) => basename(resolve(run)));
  return new Set(short).size === short.length ? short : [...runs];
}

function checkWeights(weights: readonly number[], runs: readonly string[]): readonly number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (weights.length !== runs.length || sum <= 0)
    throw new UserError({
      place: "weights",
      problem:
        weights.length === runs.length
          ? "all weights are 0"
          : `${weights.length} weights for ${runs.length} runs: ${weights.join(", ")}`,
      expected: `${runs.length} numbers of at least 0, in the order of the runs`,
    });
  return weights.map((weight) => weight / sum);
}

function candidatesOf(runs: readonly string[], step: number): number[][] {
  const units = Math.round(1 / step);
  if (Math.abs(units * step - 1) > 1e-6)
    throw new UserError({
      place: "step",
      problem: `${step} does not divide 1`,
      expected: "a step that divides 1, such as 0.25, 0.1 or 0.05",
    });
  const candidates = countOf(runs.length, units) <= MOST_CANDIDATES ? simplex(runs.length, units) : undefined;
  if (candidates) return candidates;
  throw new UserError({
    place: "step",
    problem: `a step of ${step} gives ${countOf(runs.length, units)} weight combinations for ${runs.length} runs`,
    expected: `at most ${MOST_CANDIDATES}`,
    remedy: "Use a larger step or fewer runs, or blend a blend with the other runs",
  });
}

/** (units + parts - 1) choose (parts - 1) */
function countOf(parts: number, units: number): number {
  let count = 1;
  for (let k = 1; k < parts; k++) count = (count * (units + k)) / k;
  return Math.round(count);
}

/** The candidate weights and the metric that selects them. Throws UserError for invalid options; reads no files. */
export async function planBlend({ runs, weights, step, metric: name }: BlendOptions) {
  const { parseAccuracyMetric } = await import("../evaluation/metrics.js");
  if (runs.length < 2)
    throw new UserError({
      place: "runs",
      problem: runs.length === 0 ? "no runs are given" : "only one run is given",
      expected: "two or more trained runs",
      remedy: "Give them as in foldin blend <run> <run> --out <run>",
    });
  const metric = parseAccuracyMetric(name);
  const candidates = weights ? [checkWeights(weights, runs)] : candidatesOf(runs, step);
  return { metric, candidates };
}

/** The number of models in a saved blend, including those of nested blends. */
function countParts(config: unknown): number {
  const parts = typeof config === "object" && config !== null ? Reflect.get(config, "parts") : undefined;
  if (!Array.isArray(parts)) return 1;
  return parts.reduce<number>(
    (sum, part) => sum + countParts((part as Partial<SavedPart> | null)?.config),
    0,
  );
}

/** The index of the part that a tensor belongs to: "0" for "0.weights". */
const partOf = (name: string) => name.slice(0, Math.max(0, name.indexOf(".")));

/** The tensors of each part, under their names within the part. */
function tensorsByPart(tensors: NamedTensors): Map<string, NamedTensors> {
  const parts = new Map<string, [string, NamedTensors[string]][]>();
  for (const [name, tensor] of Object.entries(tensors)) {
    const place = partOf(name);
    const own = parts.get(place);
    const entry: [string, NamedTensors[string]] = [name.slice(place.length + 1), tensor];
    if (own) own.push(entry);
    else parts.set(place, [entry]);
  }
  return new Map([...parts].map(([place, own]) => [place, Object.fromEntries(own)]));
}

/** The algorithm. `find` looks up the models of the parts by name: the registry passes itself in, since it also contains the blend. */
export function blendOf(find: (name: string) => Promise<Algorithm>): Algorithm<BlendOptions> {
  return {
    name: "blend",
    summary:
      "Weighted sum of the scores of trained models, standardised per user; weights chosen on validation users.",
    source:
      "No paper; linear blending of models as in Jahrer, Toescher, Legenstein: Combining predictions for accurate recommender systems, KDD 2010",
    options,

    async fit(dataset, { runs, weights: given, step, metric: metricName }, run) {
      const { engine, progress } = run;
      const { metric, candidates } = await planBlend({ runs, weights: given, step, metric: metricName });
      await requireBlendMemory(runs, dataset.items.size);
      const names = namesOfRuns(runs);
      const parts: Recommender[] = [];
      try {
        for (const path of runs) {
          const part = await readPart(path, async (files) =>
            (await find(files.algorithm)).restore(files, { engine }),
          );
          parts.push(part.recommender);
          await requireSameData(path, part, dataset);
        }
        let weights = candidates[0];
        let chosen: JsonObject | undefined;
        if (!given) {
          const means = await evaluateAll(dataset, parts, candidates, metric, run);
          // The first of equal means: candidates are ordered so that later runs weigh more.
          const best = means.reduce((at, mean, candidate) => (mean > means[at] ? candidate : at), 0);
          weights = candidates[best];
          chosen = { metric: metric.name, validation: means[best], candidates: candidates.length };
          const alone = names.map((name, p) => {
            const place = candidates.findIndex((candidate) => candidate[p] === 1);
            return `${name} alone ${means[place].toFixed(4)}`;
          });
          progress?.({
            type: "note",
            text: `validation ${metric.name} ${means[best].toFixed(4)}, the best of ${candidates.length} weight combinations; ${alone.join(", ")}`,
          });
        }
        const used = names
          .map((name, p) => ({ name, weight: weights[p], recommender: parts[p] }))
          .filter(({ weight, recommender }) => {
            if (weight === 0) recommender.dispose();
            return weight > 0;
          });
        return blendRecommender(engine, used, dataset.items, chosen);
      } catch (error) {
        for (const part of parts) part.dispose();
        throw error;
      }
    },

    async restore(files, { engine }) {
      const { items } = files;
      const saved = new SavedModel(files);
      const described = saved.config(savedBlend);
      const count = countParts(files.config);
      if (count > MOST_PARTS) throw saved.unsound(`it has ${count} parts; the maximum is ${MOST_PARTS}`);
      const places = new Set(described.parts.map((_, place) => String(place)));
      const stray = Object.keys(files.tensors).find((name) => !places.has(partOf(name)));
      if (stray !== undefined) throw saved.unsound(`tensor ${stray}: is not one of its parts' tensors`);
      const tensorsOf = tensorsByPart(files.tensors);
      const parts: Part[] = [];
      try {
        for (const [place, { name, weight, ...part }] of described.parts.entries()) {
          const { algorithm } = part;
          const files = { ...part, items, tensors: tensorsOf.get(String(place)) ?? {} };
          parts.push({ name, weight, recommender: await (await find(algorithm)).restore(files, { engine }) });
        }
      } catch (error) {
        for (const { recommender } of parts) recommender.dispose();
        throw error;
      }
      return blendRecommender(engine, parts, items, described.chosen as JsonObject | undefined);
    },
  };
}
