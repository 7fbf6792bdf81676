// The memory that a command needs to load and use models, estimated from the sizes of their files and from the dataset's manifest
// before either is loaded: a run that cannot succeed is rejected at the start, with a number. docs/large-catalogues.md compares the
// estimate with measured peaks, which were 0.92 to 1.3 times as large.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { EnginePrecision } from "../compute/tensor.js";
import { bytesText, requireMemory } from "../core/memory.js";
import type { ProgressListener } from "../core/progress.js";
import type { DatasetCounts } from "../data/manifest.js";
import { ATTRIBUTES_FILE } from "../recommender/attribute-files.js";
import { INDEX_FILE } from "../recommender/item-index.js";
import {
  findModelFolder,
  POPULARITY_FILE,
  precisionOfModel,
  STORED_FROM,
} from "../recommender/model-files.js";
import { rowsPerBlock } from "../recommender/scores.js";

export interface ModelUse {
  /** What is done, for the message: "serving". */
  readonly what: string;
  /** Run or model folders; all of them are held at the same time. */
  readonly models: readonly string[];
  /** The engine's precision. Default: that of each model. */
  readonly precision?: EnginePrecision;
  /** The counts of the dataset that is held, if there is one. */
  readonly dataset?: Pick<DatasetCounts, "users" | "items" | "interactions" | "validation" | "test">;
  /** Whether the histories of all users are held as well. */
  readonly histories?: boolean;
  /** Whether many histories are scored at a time. */
  readonly blocks?: boolean;
}

/** Bytes by what needs them. */
export interface MemoryNeed {
  /** Weights and other tensors of the models. */
  readonly models: number;
  /** Small weights, which are in memory twice while a model is loaded. */
  readonly loading: number;
  /** Ids and titles. */
  readonly items: number;
  /** Interactions and users of the dataset. */
  readonly dataset: number;
  /** Two blocks of scores. */
  readonly scores: number;
  /** Code that is loaded later, and what it needs itself. */
  readonly program: number;
}

/** Bytes per byte of items.json: the text, and the strings of ids and titles with the tables that find them. */
const ITEM_TABLE = 3;
/** A user's id, and where the user's interactions are. */
const BYTES_PER_USER = 60;
/** While a matrix is made: the coordinates of an interaction, and its entry. */
const BYTES_PER_INTERACTION = 12;
/** An id and a title in memory. */
const BYTES_PER_ITEM = 100;
/** Measured, see docs/large-catalogues.md: the kernels, and DuckDB, which reads datasets. */
const KERNELS = 25 * 2 ** 20;
const DATABASE = 75 * 2 ** 20;

/** Estimates the memory. Throws UserError, naming the run, if it has no model yet. */
export async function memoryNeed({
  models: places,
  precision,
  dataset,
  histories = false,
  blocks = false,
}: ModelUse): Promise<MemoryNeed> {
  let [models, loading, items, scores] = [0, 0, 0, 0];
  for (const place of places) {
    const folder = await findModelFolder(place);
    // A model that cannot be read is reported where it is loaded.
    const own = await precisionOfModel(folder).catch(() => "float32" as const);
    const perNumber = bytesPerNumber(precision ?? own);
    const [weights, popularity] = await Promise.all([
      sizeOf(folder, "model.safetensors"),
      sizeOf(folder, POPULARITY_FILE),
    ]);
    models += (weights * perNumber) / bytesPerNumber(own) + popularity;
    loading = Math.max(loading, Math.min(weights, STORED_FROM));
    for (const file of [ATTRIBUTES_FILE, INDEX_FILE]) models += await sizeOf(folder, file);
    items += ITEM_TABLE * (await sizeOf(folder, "items.json"));
    // The popularity of an item is one number of four bytes.
    const count = dataset?.items ?? Math.floor(popularity / 4);
    if (blocks) scores = Math.max(scores, 2 * perNumber * rowsPerBlock(count) * count);
  }
  return {
    models,
    loading,
    items,
    dataset: dataset ? bytesOfDataset(dataset, histories) : 0,
    scores,
    program: KERNELS + (blocks ? DATABASE : 0),
  };
}

function bytesOfDataset(
  { users, items, interactions, validation, test }: NonNullable<ModelUse["dataset"]>,
  histories: boolean,
): number {
  const entries = [validation, test].reduce(
    (sum, { foldIn, heldOut }) => sum + foldIn + heldOut,
    interactions,
  );
  const all = users + validation.users + test.users;
  return (
    BYTES_PER_INTERACTION * entries +
    BYTES_PER_USER * all +
    BYTES_PER_ITEM * items +
    (histories ? 4 * (entries + all) : 0)
  );
}

const bytesPerNumber = (precision: EnginePrecision): number => (precision === "float64" ? 8 : 4);

/** The size of a file in bytes, 0 if there is none. */
async function sizeOf(folder: string, name: string): Promise<number> {
  return (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
}

/**
 * Throws UserError, with the amount and alternatives, if this process cannot get the memory; reports large needs. `place` is what the
 * message begins with.
 */
export async function requireModelMemory(
  place: string,
  use: ModelUse,
  progress?: ProgressListener,
): Promise<void> {
  const need = await memoryNeed(use);
  const several = use.models.length > 1;
  const parts = (
    [
      [need.models, several ? `${use.models.length} models` : "the model"],
      [need.items, "its items"],
      [need.dataset, "the dataset"],
      [need.scores, "scores"],
    ] as const
  )
    .filter(([bytes]) => bytes >= WORTH_NAMING)
    .map(([bytes, name]) => `${name}: ${bytesText(bytes)}`);
  requireMemory({
    place,
    bytes: Object.values(need).reduce((sum, bytes) => sum + bytes, 0),
    what: parts.length > 0 ? `${use.what} (${parts.join(", ")})` : use.what,
    alternatives: `${several ? "Use fewer models at a time, train" : "Train"} a smaller model or one for large catalogues (such as sansa or item-knn), leave out rare items (foldin prepare --min-item), close other programs, or use a machine with more memory`,
    progress,
  });
}

/** Smaller parts are not listed in messages. */
const WORTH_NAMING = 2 ** 20;
