// A model on disk: all that serving needs, in a folder that appears whole or not at all.
//   config.json        formatVersion, algorithm, and what the algorithm needs to rebuild the model
//   model.safetensors  the weights
//   content.json       what the content of new items must look like, where the model can take any in
//   items.json         the items' ids and titles, in the order of the model's columns

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type FolderKind, restoreReplaced } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { contentForm } from "../data/content.js";
import { Vocabulary } from "../data/vocabulary.js";
import type { ModelFiles } from "./recommender.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

/** What this version writes, and the newest that it reads. */
export const MODEL_FORMAT_VERSION = 1;
/** More than this does not fit into one text of JavaScript. */
const MOST_JSON_BYTES = 400 << 20;

const configSchema = z.object({
  formatVersion: z.int(),
  algorithm: z.string(),
  config: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
});
const itemsSchema = z.object({
  ids: z.array(z.string()),
  titles: z.array(z.string().nullable()).nullable(),
});

/** How a model folder is known when it is to be replaced. */
export const modelFolderKind: FolderKind = {
  marker: "config.json",
  recognises: (head) => configSchema.safeParse(head).success,
  own: /^((config|items|content)\.json|model\.safetensors)$/,
};

/** Writes a model into an existing empty folder; `writeFolder` (core/atomic-folder.ts) around it makes it appear at once. */
export async function writeModelFiles(folder: string, files: ModelFiles): Promise<void> {
  const { algorithm, config, tensors, items, content } = files;
  const file = await open(join(folder, "model.safetensors"), "w");
  try {
    await writeSafetensors(file, tensors);
    await file.sync();
  } finally {
    await file.close();
  }
  await writeFile(
    join(folder, "items.json"),
    `${JSON.stringify({ ids: items.ids, titles: items.titles ?? null })}\n`,
  );
  if (content) await writeFile(join(folder, "content.json"), `${JSON.stringify(content)}\n`);
  const head: z.input<typeof configSchema> = { formatVersion: MODEL_FORMAT_VERSION, algorithm, config };
  await writeFile(join(folder, "config.json"), `${JSON.stringify(head, null, 2)}\n`);
}

/** The model folder meant by a path: a run folder's `model/`, or the path itself. Throws UserError for a run that is not finished. */
export async function findModelFolder(path: string): Promise<string> {
  await restoreReplaced(path);
  const has = async (...name: string[]) =>
    (await stat(join(path, ...name)).catch(() => undefined)) !== undefined;
  if (await has("model", "config.json")) return join(path, "model");
  if ((await has("config.json")) && !(await has("model.safetensors")))
    throw new UserError({
      place: path,
      problem: "holds a run that has no model yet",
      remedy: "Finish it with foldin train ... --resume; a blend is made again with foldin blend ... --force",
    });
  return path;
}

/** A short hash of the model in a run or model folder: of its configuration, weights and items. Throws UserError as `readModelFiles`. */
export async function digestOfModel(path: string): Promise<string> {
  const folder = await findModelFolder(path);
  const hash = createHash("sha256");
  for (const name of ["config.json", "items.json", "model.safetensors"]) {
    const file = join(folder, name);
    try {
      for await (const piece of createReadStream(file)) hash.update(piece);
    } catch (cause) {
      throw unreadable(file, cause as NodeJS.ErrnoException);
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** Reads a model folder. Throws UserError, naming the file, where one is missing, damaged, or of a newer format. */
export async function readModelFiles(folder: string): Promise<ModelFiles> {
  const configPath = join(folder, "config.json");
  const version = z.object({ formatVersion: z.int() }).safeParse(await readJson(configPath));
  if (version.success && version.data.formatVersion > MODEL_FORMAT_VERSION)
    throw new UserError({
      place: configPath,
      problem: `the model has format ${version.data.formatVersion}, newer than this foldin understands`,
      expected: `at most ${MODEL_FORMAT_VERSION}`,
      remedy: "Update foldin",
    });
  const { algorithm, config } = parsed(configSchema, await readJson(configPath), configPath);
  // The weights are on their way from the disk while the names are parsed. Where both are bad, it is always the names that are named.
  const weights = readWeights(join(folder, "model.safetensors"));
  weights.catch(() => {});
  const items = await readItems(join(folder, "items.json"));
  const { tensors } = await weights;
  const contentPath = join(folder, "content.json");
  const content = existsSync(contentPath)
    ? parsed(contentForm, await readJson(contentPath), contentPath)
    : undefined;
  return { algorithm, config, tensors, items, ...(content && { content }) };
}

async function readWeights(path: string) {
  await requireOwnFile(path);
  return readSafetensors(path);
}

async function readItems(path: string): Promise<Vocabulary> {
  const { ids, titles } = parsed(itemsSchema, await readJson(path), path);
  if (titles && titles.length !== ids.length) throw damaged(path, "it has not as many titles as ids");
  if (new Set(ids).size !== ids.length) throw damaged(path, "an id stands in it twice");
  return new Vocabulary(ids, titles ?? undefined);
}

async function readJson(path: string): Promise<unknown> {
  const { size } = await requireOwnFile(path);
  if (size > MOST_JSON_BYTES) throw damaged(path, `it has ${size} bytes`);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(path, "it is not JSON");
  }
}

/**
 * A model folder may come from a stranger: its files are files, and lie in it (the folder itself may be a link). Throws
 * UserError where that is not so.
 */
async function requireOwnFile(path: string): Promise<{ size: number }> {
  try {
    const found = await stat(path);
    const [file, folder] = await Promise.all([realpath(path), realpath(dirname(path))]);
    if (!found.isFile()) throw damaged(path, "it is no file");
    if (dirname(file) !== folder) throw damaged(path, "it is a link out of the folder");
    return found;
  } catch (cause) {
    throw cause instanceof UserError ? cause : unreadable(path, cause as NodeJS.ErrnoException);
  }
}

function unreadable(path: string, cause: NodeJS.ErrnoException): UserError {
  return new UserError({
    place: path,
    problem: cause.code === "ENOENT" ? "no such file" : `cannot be read (${cause.code})`,
    expected: "a model folder, as foldin train writes it",
    cause,
  });
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = safelyParsed(schema, value, path);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw damaged(path, `${issue.path.join(".") || "it"}: ${issue.message}`);
}

/** JSON nested ten thousand deep is more than the parser's stack bears. */
function safelyParsed<T>(schema: z.ZodType<T>, value: unknown, path: string) {
  try {
    return schema.safeParse(value);
  } catch (cause) {
    if (cause instanceof RangeError) throw damaged(path, "it is nested too deeply");
    throw cause;
  }
}

function damaged(path: string, problem: string): UserError {
  return new UserError({
    place: path,
    problem: `is no part of a sound model folder: ${problem}`,
    remedy: "Train again",
  });
}
