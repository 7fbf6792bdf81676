// A model on disk: everything that serving needs, in a folder that is written atomically.
//   config.json        formatVersion, algorithm, and what the algorithm needs to rebuild the model
//   model.safetensors  the weights
//   content.json       the form of the content of new items, for content-based models
//   items.json         the items' ids and titles, in the order of the model's columns
//   attributes.safetensors  the items' attributes, if they have any (attribute-files.ts)
//   popularity.safetensors  how many training users have each item; absent in models of earlier versions
//   index.safetensors  the items in blocks, if foldin index has written it (item-index.ts)

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { findTensor } from "../compute/named-tensors.js";
import type { EnginePrecision, NamedTensors } from "../compute/tensor.js";
import { type FolderKind, restoreReplaced } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import { readPieces, requireFile } from "../core/input-file.js";
import type { JsonObject } from "../core/json.js";
import { checkJson, type JsonRules, readJson, refuseNewer } from "../core/json-file.js";
import { contentForm } from "../data/content.js";
import type { ItemPopularity } from "../data/item-popularity.js";
import { Vocabulary } from "../data/vocabulary.js";
import { ATTRIBUTES_FILE, readAttributes, writeAttributes } from "./attribute-files.js";
import type { ModelFiles } from "./recommender.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

/** The format version that is written, and the newest one that can be read. */
const MODEL_FORMAT_VERSION = 1;
/** Limits of the JSON files: config.json describes a model; the others have two or three long lists of names and numbers. */
const CONFIG_RULES: JsonRules = { most: 64 << 20, containers: 100_000 };
const LIST_RULES: JsonRules = { most: 400 << 20, containers: 100 };
/** Larger weights are copied from the file to the engine piece by piece, so that they are not in memory twice. */
export const STORED_FROM = 64 << 20;
export const POPULARITY_FILE = "popularity.safetensors";
const EXPECTED = "a model folder written by foldin train";

const configSchema = z.object({
  formatVersion: z.int(),
  algorithm: z.string(),
  config: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** Absent: float32. */
  precision: z.enum(["float32", "float64", "bf16"]).optional(),
});
const itemsSchema = z.object({
  ids: z.array(z.string()),
  titles: z.array(z.string().nullable()).nullable(),
});

/** How a model folder is recognised before it is replaced. */
export const modelFolderKind: FolderKind = {
  marker: "config.json",
  recognises: (head) => configSchema.safeParse(head).success,
  own: /^((config|items|content)\.json|(model|index|attributes|popularity)\.safetensors)$/,
};

/** Writes a model into an existing empty folder. Call it within `writeFolder` (core/atomic-folder.ts) to write atomically. */
export async function writeModelFiles(folder: string, files: ModelFiles): Promise<void> {
  const { algorithm, config, tensors, items, content, precision } = files;
  await writeTensors(join(folder, "model.safetensors"), tensors);
  if (items.popularity) {
    const { users, counts } = items.popularity;
    await writeTensors(join(folder, POPULARITY_FILE), {
      users: { shape: [1], data: Uint32Array.of(users) },
      counts: { shape: [items.size], data: counts },
    });
  }
  await writeFile(
    join(folder, "items.json"),
    `${JSON.stringify({ ids: items.ids, titles: items.titles ?? null })}\n`,
  );
  if (items.attributes && items.attributes.described.length > 0)
    await writeAttributes(join(folder, ATTRIBUTES_FILE), items.attributes);
  if (content) await writeFile(join(folder, "content.json"), `${JSON.stringify(content)}\n`);
  const head: z.input<typeof configSchema> = {
    ...{ formatVersion: MODEL_FORMAT_VERSION, algorithm, config },
    ...(precision !== undefined && precision !== "float32" && { precision }),
  };
  await writeFile(join(folder, "config.json"), `${JSON.stringify(head, null, 2)}\n`);
}

async function writeTensors(path: string, tensors: NamedTensors): Promise<void> {
  const file = await open(path, "w");
  try {
    await writeSafetensors(file, tensors);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The model folder of a path: the `model/` of a run folder, or the path itself. Throws UserError for an unfinished run. */
export async function findModelFolder(path: string): Promise<string> {
  await restoreReplaced(path);
  const has = async (...name: string[]) =>
    (await stat(join(path, ...name)).catch(() => undefined)) !== undefined;
  if (await has("model", "config.json")) return join(path, "model");
  if ((await has("config.json")) && !(await has("model.safetensors")))
    throw new UserError({
      place: path,
      problem: "this run has no model yet",
      remedy:
        "Finish it with foldin train ... --resume, or for a blend, repeat foldin blend ... with --force",
    });
  return path;
}

/** The size of a model folder's weights in bytes; 0 if there are none, which reading the model reports. */
export async function sizeOfModel(folder: string): Promise<number> {
  return (await stat(join(folder, "model.safetensors")).catch(() => undefined))?.size ?? 0;
}

/** A short hash of the configuration, weights and items of the model in a run or model folder. Throws UserError like `readModelFiles`. */
export async function digestOfModel(path: string): Promise<string> {
  const folder = await findModelFolder(path);
  const hash = createHash("sha256");
  for (const name of ["config.json", "items.json", "model.safetensors"]) {
    for await (const piece of readPieces(join(folder, name), { expected: EXPECTED })) hash.update(piece);
  }
  return hash.digest("hex").slice(0, 16);
}

/** The precision that the model in a run or model folder was trained with. Throws UserError as `readModelFiles`. */
export async function precisionOfModel(path: string): Promise<EnginePrecision> {
  const configPath = join(await findModelFolder(path), "config.json");
  const head = await readOwnJson(configPath, CONFIG_RULES);
  return parsed(configSchema, head, configPath).precision ?? "float32";
}

/** Reads a model folder. Throws UserError, naming the file, if a file is missing, damaged, or of a newer format. */
export async function readModelFiles(folder: string): Promise<ModelFiles> {
  const configPath = join(folder, "config.json");
  const head = await readOwnJson(configPath, CONFIG_RULES);
  refuseNewer(head, configPath, MODEL_FORMAT_VERSION, "model");
  const { algorithm, config, precision } = parsed(configSchema, head, configPath);
  // The weights are read while the names are parsed. If both are invalid, the error is always the one about the names.
  const weights = readWeights(join(folder, "model.safetensors"));
  weights.catch(() => {});
  const named = await readItems(folder);
  const popularity = await readPopularity(join(folder, POPULARITY_FILE), named.size);
  const items = popularity ? named.withPopularity(popularity) : named;
  const { tensors } = await weights;
  const contentPath = join(folder, "content.json");
  const content = existsSync(contentPath)
    ? parsed(contentForm, await readOwnJson(contentPath, LIST_RULES), contentPath)
    : undefined;
  return { algorithm, config, tensors, items, ...(content && { content }), ...(precision && { precision }) };
}

async function readWeights(path: string) {
  await requireOwnFile(path);
  return readSafetensors(path, { storedFrom: STORED_FROM });
}

/** Undefined if there is no such file. */
async function readPopularity(path: string, items: number): Promise<ItemPopularity | undefined> {
  if (!existsSync(path)) return undefined;
  await requireOwnFile(path);
  const { tensors } = await readSafetensors(path, {});
  const users = findTensor(tensors, "users", [1], "whole numbers");
  const counts = findTensor(tensors, "counts", [items], "whole numbers");
  if (!users || !counts || counts.some((count) => count > users[0]))
    throw damaged(path, `it does not have the number of users of ${items} items`);
  return { users: users[0], counts };
}

async function readItems(folder: string): Promise<Vocabulary> {
  const path = join(folder, "items.json");
  const read = await readOwnJson(path, LIST_RULES);
  // The schema takes seconds for a million items, and is only needed to describe what is wrong.
  const { ids, titles } = isItems(read) ? read : parsed(itemsSchema, read, path);
  if (titles && titles.length !== ids.length)
    throw damaged(path, `it has ${titles.length} titles for ${ids.length} ids`);
  const attributesPath = join(folder, ATTRIBUTES_FILE);
  const hasAttributes = existsSync(attributesPath);
  if (hasAttributes) await requireOwnFile(attributesPath);
  const attributes = hasAttributes ? await readAttributes(attributesPath, ids.length) : undefined;
  const items = new Vocabulary(ids, titles ?? undefined, attributes);
  if (!items.distinct) throw damaged(path, "an id appears twice");
  return items;
}

function isItems(value: unknown): value is z.infer<typeof itemsSchema> {
  if (typeof value !== "object" || value === null || !("ids" in value && "titles" in value)) return false;
  const { ids, titles } = value;
  const isText = (entry: unknown) => typeof entry === "string";
  return (
    Array.isArray(ids) &&
    ids.every(isText) &&
    (titles === null ||
      (Array.isArray(titles) && titles.every((title: unknown) => title === null || isText(title))))
  );
}

async function readOwnJson(path: string, rules: JsonRules): Promise<unknown> {
  await requireOwnFile(path);
  return readJson(path, { ...rules, expected: EXPECTED });
}

/**
 * Model folders are not trusted: their files must be regular files inside the folder (the folder itself may be a link).
 * Throws UserError otherwise.
 */
async function requireOwnFile(path: string): Promise<void> {
  await requireFile(path, { expected: EXPECTED });
  const [file, folder] = await Promise.all([realpath(path), realpath(dirname(path))]);
  if (dirname(file) !== folder) throw damaged(path, "it is a link to a file outside the folder");
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  return checkJson(schema, value, path, { problem: UNSOUND, remedy: "Train again" });
}

const UNSOUND = "is not part of a valid model folder";

function damaged(path: string, problem: string): UserError {
  return new UserError({ place: path, problem: `${UNSOUND}: ${problem}`, remedy: "Train again" });
}
