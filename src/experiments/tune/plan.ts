// The models that `tune` tries: which of them fit the shape of the data, the options they start from, and roughly what a training
// costs. The ranges that are searched stand in the models' option schemas (models/tuned.ts).

import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject, JsonValue } from "../../core/json.js";
import { describeOptions, layeredOptions, parseOptions } from "../../models/options.js";
import { algorithmNames, findAlgorithm } from "../../models/registry.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { recipesOf } from "../recipes/registry.js";
import { type Dimension, optionsAt } from "../search/space.js";
import type { Shape } from "../shape.js";

/** A model to try. */
export interface Candidate {
  readonly algorithm: Algorithm;
  /** Options of all its trials, unless a setting overrides them. */
  readonly options: Readonly<JsonObject>;
  /** The defaults of all options of the model. */
  readonly defaults: Readonly<JsonObject>;
  readonly space: readonly Dimension[];
  /** The settings that are tried first. The first one has the model's defaults. */
  readonly starts: readonly Readonly<JsonObject>[];
  /** The epochs after which trainings are compared, and only the better ones continue; empty = every training runs to its end. */
  readonly rungs: readonly number[];
  /** A rough estimate of one training on one core, in seconds. */
  readonly coreSeconds: number;
}

/** A model that is not tried, and the reason. */
export interface LeftOut {
  readonly model: string;
  readonly reason: string;
}

interface Entry {
  /** Why the model is not tried on this shape. */
  without?(shape: Shape): string | undefined;
  options?(shape: Shape): JsonObject;
  /** Options that are not searched on this shape, and not taken from recipes. */
  fixed?(shape: Shape): readonly string[];
  readonly rungs?: readonly number[];
  /** Floating-point operations of one training. */
  flops(shape: Shape): number;
}

/** Epochs of a network; early stopping usually ends it before. */
const EPOCHS = 100;
const EARLY = { epochs: EPOCHS, patience: 15 };
const RUNGS = [10, 30];

/** Products with all items for every training user, forward and backward, `width` wide, and as much again for the optimiser. */
const network =
  (width: number, epochs: number) =>
  ({ users, items }: Shape) =>
    6 * (users + 500) * items * width * epochs;

const requiresContent = ({ content }: Shape) =>
  content ? undefined : "it needs the content of the items (foldin prepare --content)";

/** Items up to which a matrix of items x items is worth its time. */
const DENSE_ITEMS = 40_000;
const tooManyItems = ({ items }: Shape) =>
  items > DENSE_ITEMS
    ? `its matrix of ${items.toLocaleString("en")} x ${items.toLocaleString("en")} items is too large; sansa and elsa are tried instead`
    : undefined;
/** Items from which the softmax of a network is sampled. */
const SAMPLED_ITEMS = 100_000;
const sampled = ({ items }: Shape): JsonObject => (items >= SAMPLED_ITEMS ? { negatives: 4096 } : {});

/** Items up to which the factors of sansa have many entries. */
const SPARSE_ITEMS = 200_000;

/** Entries per item of each of sansa's factors: more of them are a little more accurate, and slower by their square. */
export function sparseDensity(items: number): number {
  const perItem = items <= SPARSE_ITEMS ? 75 : 25;
  return Number(Math.min(0.01, perItem / items).toPrecision(2));
}

const entries: Readonly<Record<string, Entry>> = {
  popularity: {
    fixed: ({ times }) => (times ? [] : ["window", "halfLife"]),
    flops: ({ interactions }) => interactions,
  },
  "item-knn": { flops: ({ interactions, history }) => 40 * interactions * history },
  // The Cholesky factor and the inverse of a matrix of items x items.
  ease: { without: tooManyItems, flops: ({ items }) => items ** 3 },
  slim: {
    without: tooManyItems,
    options: () => ({ maxIterations: 500 }),
    flops: ({ items }) => 2000 * items ** 2,
  },
  "infinite-ae": {
    without: ({ users, items }) =>
      users * items > 2e9 ? "its kernel over all users and items is too large" : undefined,
    // The inverse of the kernel of users; the model keeps the sparse histories.
    flops: ({ users }) => (4 / 3) * Math.min(users, 30_000) ** 3,
  },
  sansa: {
    options: ({ items }): JsonObject =>
      items <= 20_000
        ? { inverse: "exact", density: 0.03 }
        : { variant: "incomplete", density: sparseDensity(items) },
    // The range of densities suits small catalogues; a tenth of a million items' pairs would not fit.
    fixed: ({ items }) => (items <= 20_000 ? [] : ["variant", "inverse", "density"]),
    flops: ({ items, interactions, history }) =>
      items <= 20_000 ? 2 * items ** 3 : 4000 * interactions * history,
  },
  elsa: {
    options: ({ items }) => ({
      patience: 3,
      ...(items >= SAMPLED_ITEMS ? { outputs: 30_000, batchSize: 512, factors: 64 } : {}),
    }),
    flops: network(256, 20),
  },
  wmf: {
    options: () => ({ weighting: "unobserved", frequencyExponent: 1, regularization: 0.003 }),
    flops: ({ users, items, interactions }) => 15 * (4 * interactions * 1e4 + ((users + items) * 1e6) / 3),
  },
  "mult-dae": {
    options: (shape) => ({ ...EARLY, ...sampled(shape), ...(sampled(shape).negatives ? { l2: 0 } : {}) }),
    // Lazy Adam cannot be combined with an L2 term.
    fixed: (shape) => (sampled(shape).negatives ? ["l2"] : []),
    rungs: RUNGS,
    flops: network(200, EPOCHS),
  },
  "mult-vae": {
    options: (shape) => ({ ...EARLY, ...sampled(shape) }),
    rungs: RUNGS,
    flops: network(600, EPOCHS),
  },
  "rec-vae": {
    options: (shape) => ({ ...EARLY, epochs: 50, ...sampled(shape) }),
    rungs: RUNGS,
    // Its encoder of five layers is trained three times per epoch.
    flops: ({ users, items }) => 24 * 50 * users * (400 * items + 5 * 600 * 600),
  },
  vasp: {
    without: tooManyItems,
    options: () => ({
      ...{ hidden: 256, latent: 128, batchSize: 128, learningRate: 1e-3 },
      ...{ epochs: 30, patience: 8 },
    }),
    rungs: [5, 12],
    // Every user is in an epoch twice; the optimiser updates all weights of items x items.
    flops: ({ users, items, history }) =>
      30 * (12 * users * (items * (384 + history) + 14 * 256 ** 2) + (users / 128) * 10 * items ** 2),
  },
  vamp: {
    options: () => ({ epochs: 80, patience: 15, warmup: 30, beta: 0.2, pseudoInputs: 200 }),
    rungs: [20, 40],
    flops: network(1000, 80),
  },
  "h-vamp": {
    options: () => ({ epochs: 80, patience: 15, warmup: 30, beta: 0.2, pseudoInputs: 200 }),
    rungs: [20, 40],
    flops: network(1200, 80),
  },
  "content-knn": { without: requiresContent, flops: ({ items }) => 1e5 * items },
};

/** Why models are never tried. */
const never: Readonly<Record<string, string>> = {
  blend: "the best models are blended at the end",
  vae: "it repeats a notebook; mult-vae has the better likelihood for rankings",
  nmf: "it is for ratings; wmf is its counterpart for rankings",
  cdae: "it learns a vector per user, so new users need gradient steps; mult-dae is tried instead",
};
const slowContent = "its pretraining takes too long for a search; train it with foldin train";

/** Floating-point operations per second and core that trainings reach on a common machine, roughly. */
const FLOPS_PER_CORE = 2e10;
/** The part of the speed of a product that trainings reach. */
export const EFFICIENCY = 0.7;
/** A model is not begun if its first training would take more than this share of the budget. */
const LARGEST_FIRST = 0.5;

/**
 * The models to try, the cheapest first, and those left out. `models` restricts the choice; `flopsPerCore` is the speed of a core, in
 * operations per second.
 */
export async function planFor(
  shape: Shape,
  models: readonly string[] = algorithmNames,
  flopsPerCore = FLOPS_PER_CORE,
): Promise<{ candidates: Candidate[]; leftOut: LeftOut[] }> {
  const candidates: Candidate[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of algorithmNames) {
    if (!models.includes(name)) {
      leftOut.push({ model: name, reason: "it was not asked for" });
      continue;
    }
    const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
    const reason = entry
      ? entry.without?.(shape)
      : (never[name] ?? (shape.content ? slowContent : requiresContent(shape)));
    if (!entry || reason !== undefined) leftOut.push({ model: name, reason: reason ?? "it has no plan" });
    else candidates.push(await candidateOf(name, entry, shape, flopsPerCore));
  }
  candidates.sort((a, b) => a.coreSeconds - b.coreSeconds);
  return { candidates, leftOut };
}

/** The candidates whose first training fits a budget, and the others; trainings have `threads` threads. */
export function affordable(
  candidates: readonly Candidate[],
  budgetSeconds: number,
  threads: number,
): { candidates: Candidate[]; leftOut: LeftOut[] } {
  const leftOut = candidates.flatMap(({ algorithm, coreSeconds }): LeftOut[] => {
    const seconds = coreSeconds / threads;
    if (seconds <= LARGEST_FIRST * budgetSeconds) return [];
    const reason = `one training takes about ${duration(seconds)}, too much of a budget of ${duration(budgetSeconds)}`;
    return [{ model: algorithm.name, reason }];
  });
  const names = new Set(leftOut.map(({ model }) => model));
  return { candidates: candidates.filter(({ algorithm }) => !names.has(algorithm.name)), leftOut };
}

async function candidateOf(
  name: string,
  entry: Entry,
  shape: Shape,
  flopsPerCore: number,
): Promise<Candidate> {
  const algorithm = await findAlgorithm(name);
  const options = entry.options?.(shape) ?? {};
  const recipes = await recipesOf(name);
  const { rungs = [] } = entry;
  const fixed = entry.fixed?.(shape) ?? [];
  const searched = (given: JsonObject) =>
    Object.fromEntries(Object.entries(given).filter(([option]) => !fixed.includes(option)));
  return {
    algorithm,
    options,
    defaults: defaultsOf(algorithm),
    space: spaceOf(algorithm).filter((dimension) => !fixed.includes(dimension.name)),
    // Options of a recipe may not go together with those that this shape needs.
    starts: [{}, ...recipes.map((recipe) => searched(recipe.options))].filter((start) =>
      isValid(algorithm, optionsAt(layeredOptions(algorithm, options), start)),
    ),
    rungs,
    coreSeconds: 0.5 + entry.flops(shape) / flopsPerCore,
  };
}

function isValid(algorithm: Algorithm, options: Record<string, unknown>): boolean {
  try {
    parseOptions(algorithm, options);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** The defaults of all options; null = unset. */
export function defaultsOf(algorithm: Algorithm): JsonObject {
  return Object.fromEntries(
    describeOptions(algorithm).map(({ name, default: value }) => [name, (value ?? null) as JsonValue]),
  );
}

/** The options of a model that are searched, with their ranges. */
export function spaceOf(algorithm: Algorithm): Dimension[] {
  return describeOptions(algorithm).flatMap(({ name, type, tuned }): Dimension[] => {
    if (!tuned) return [];
    return [
      {
        name,
        alternatives: tuned,
        whole: type.includes("whole number"),
        list: type.endsWith("[]") && !Array.isArray(tuned),
      },
    ];
  });
}
