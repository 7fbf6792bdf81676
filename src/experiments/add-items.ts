// Adds items without interactions to a trained model by their content, without training. Writes a new run (or model) folder,
// completely or not at all.

import { existsSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { refuseToOverwrite, restoreReplaced, writeFolder } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import { makeFolders } from "../core/folders.js";
import { suggestion } from "../core/nearest.js";
import type { ProgressListener } from "../core/progress.js";
import { ItemAttributes } from "../data/attributes/attributes.js";
import { attributesOf, typesOf } from "../data/attributes/of-items.js";
import type { StatedTypes } from "../data/attributes/types.js";
import { WantedItems } from "../data/content/draft.js";
import { type ContentInput, readContent } from "../data/content/read-content.js";
import { keepContent } from "../data/content/store.js";
import { type ItemFile, type ItemRecord, itemRecords, readItems } from "../data/items.js";
import { itemsWarning } from "../data/match-items.js";
import { Vocabulary } from "../data/vocabulary.js";
import { restoreModel } from "../models/registry.js";
import { isContentAware } from "../recommender/content-aware.js";
import { modelFolderKind, readModelFiles, writeModelFiles } from "../recommender/model-files.js";
import type { ModelFiles } from "../recommender/recommender.js";
import {
  modelFolderOf,
  type RunFolder,
  readRunFolder,
  requireComplete,
  runFolderKind,
} from "./run-folder.js";

export interface AddItemsOptions {
  /** A finished run folder, or a model folder. */
  run: string;
  /** The content of the new items: files as for `prepareDataset`, or records. */
  content: string | ContentInput;
  /** Titles and attributes of the new items: a file, or records. Default: those in the content table, if it has any. */
  items?: string | ItemFile | Iterable<ItemRecord>;
  /** The types of attributes that the model's items do not have, as in `prepareDataset`. */
  itemTypes?: StatedTypes;
  /** The rule by which new items are added; one of the model's `itemRules`. Default: the first of them. */
  rule?: string;
  /** The folder to write: a run folder if `run` is one, otherwise a model folder. */
  out: string;
  /** Replace the folder in `out`. */
  force?: boolean;
  /** An open engine (which stays open), or the name of the engine to open. Default "auto". */
  engine?: Engine | EngineChoice;
  threads?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

export interface AddedItems {
  /** Ids of the new items, in the order in which they were appended to the catalogue. */
  readonly added: readonly string[];
  /** Number of items in the catalogue afterwards. */
  readonly items: number;
  readonly rule: string;
  /** Number of skipped entries by reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** The first hundred skipped entries for each reason. */
  readonly examples: readonly { readonly id: string; readonly why: string }[];
}

/**
 * Adds items to a trained model by their content. Throws UserError if the model is not content-based, the content does not
 * have the form that the model was trained on, or `out` exists.
 */
export async function addItems(options: AddItemsOptions): Promise<AddedItems> {
  const { run, out, force, signal, threads, engine: choice = "auto" } = options;
  await restoreReplaced(run);
  const isModel = existsSync(join(run, "model.safetensors"));
  const place = { force, signal, ...(isModel ? modelFolderKind : runFolderKind) };
  await refuseToOverwrite(out, place);
  const before = isModel ? undefined : requireComplete(await readRunFolder(run));
  const files = await readModelFiles(before ? modelFolderOf(run) : run);
  const engine = typeof choice === "string" ? await openEngine({ engine: choice, threads }) : choice;
  try {
    const { files: extended, result } = await extend(files, options, engine);
    const after = { ...extended, precision: files.precision };
    await writeFolder(out, place, async (folder) => {
      if (!before) return writeModelFiles(folder, after);
      await makeFolders(modelFolderOf(folder));
      await writeModelFiles(modelFolderOf(folder), after);
      await writeRunHead(folder, before, options, result);
    });
    return result;
  } finally {
    if (choice !== engine) await engine.close();
  }
}

async function extend(
  files: ModelFiles,
  { run, content: input, items: titled, itemTypes, rule: asked, progress, signal }: AddItemsOptions,
  engine: Engine,
): Promise<{ files: ModelFiles; result: AddedItems }> {
  const model = await restoreModel(files, { engine });
  try {
    if (!isContentAware(model))
      throw new UserError({
        place: run,
        problem: `${model.algorithm} learns items from interactions only, so items without interactions cannot be added`,
        expected: "a content-based model",
        remedy: "Prepare the dataset with --content, and train cvae or content-knn on it",
      });
    const rule = asked ?? model.itemRules[0];
    if (!model.itemRules.includes(rule))
      throw new UserError({
        place: "rule",
        problem: `${model.algorithm} has no rule "${rule}"`,
        expected: model.itemRules.join(", "),
        remedy: suggestion(rule, model.itemRules),
      });
    const wanted = new WantedItems({ present: files.items });
    const draft = await readContent(input, wanted, { form: model.content, progress, signal });
    const content = await keepContent(draft, wanted);
    if (wanted.size === 0)
      throw new UserError({
        place: draft.files[0],
        problem: "contains no usable entry",
        expected: "at least one item that the model does not have yet",
      });
    const items = await describedItems(wanted.ids, files.items, {
      titled,
      itemTypes,
      input,
      progress,
      signal,
    });
    const extended = await model.withItems({ items, content }, rule);
    try {
      const result: AddedItems = {
        added: items.ids,
        items: extended.items.size,
        rule,
        skipped: { ...wanted.skipped.counts },
        examples: wanted.skipped.examples,
      };
      return { files: await extended.save(), result };
    } finally {
      extended.dispose();
    }
  } finally {
    model.dispose();
  }
}

/**
 * The new items with titles and attributes from the source that the caller gives, otherwise with those in the content table. Attributes
 * that the model's items have keep their types; a content table adds no others.
 */
async function describedItems(
  ids: readonly string[],
  { attributes }: Vocabulary,
  {
    titled,
    itemTypes,
    input,
    ...listening
  }: Pick<AddItemsOptions, "itemTypes" | "progress" | "signal"> & {
    titled: AddItemsOptions["items"];
    input: AddItemsOptions["content"];
  },
): Promise<Vocabulary> {
  const own = typeof input === "string" ? { file: input } : "records" in input ? undefined : input;
  const isTable = own && /\.(csv|tsv|jsonl|ndjson|json|parquet|pq)(\.gz)?$/i.test(own.file);
  const source = titled ?? (isTable ? { ...own, title: undefined } : undefined);
  const added = new Vocabulary(ids);
  if (source === undefined) return added;
  const said =
    typeof source === "string"
      ? await readItems({ file: source }, listening)
      : "file" in source
        ? await readItems(source, listening)
        : itemRecords(source);
  const matched = said.matching(added);
  const warning = titled && itemsWarning(said, matched, added, "the added items");
  if (warning) listening.progress?.({ type: "note", text: `warning: ${warning}` });
  const { table } = matched;
  const known = attributes?.described ?? [];
  const names = new Set(known.map(({ name }) => name));
  const columns = attributesOf(added, table, {
    types: typesOf(known, table.columns),
    place: said.file,
  }).filter(({ name }) => titled !== undefined || names.has(name));
  return new Vocabulary(
    ids,
    table.columns[0] === "title" ? ids.map((id) => table.byId.get(id)?.[0] ?? null) : undefined,
    columns.length > 0 ? ItemAttributes.of(ids.length, columns) : undefined,
  );
}

/** The files of a run folder besides its model: those of the original run, and a record of the added items. */
async function writeRunHead(
  folder: string,
  { path, config }: RunFolder,
  { content }: AddItemsOptions,
  { added, rule }: AddedItems,
): Promise<void> {
  const file = typeof content === "string" ? content : "file" in content ? content.file : null;
  const addedItems = [...(config.addedItems ?? []), { items: added.length, content: file, rule }];
  await writeFile(join(folder, "config.json"), `${JSON.stringify({ ...config, addedItems }, null, 2)}\n`);
  const metrics = join(path, "metrics.jsonl");
  if (existsSync(metrics)) await copyFile(metrics, join(folder, "metrics.jsonl"));
}
