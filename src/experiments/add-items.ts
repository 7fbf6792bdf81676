// Items that nobody has touched, taken into a trained model by their content: a new run (or model) folder beside the old one,
// whole or not at all. Nothing is trained.

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
  /** Titles of the new items: a file, or records. Default: the titles in the content's table, where there are any. */
  items?: string | ItemFile | Iterable<ItemRecord>;
  /** How a new item gets its place; one of the model's `itemRules`. Default: the first of them. */
  rule?: string;
  /** The folder to write: a run folder where `run` is one, else a model folder. */
  out: string;
  /** Replace the folder in `out`. */
  force?: boolean;
  /** An open engine (which stays open), or which one to open. Default "auto". */
  engine?: Engine | EngineChoice;
  threads?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

export interface AddedItems {
  /** Ids of the new items, in the order of the catalogue, which they follow. */
  readonly added: readonly string[];
  /** Items of the catalogue now. */
  readonly items: number;
  readonly rule: string;
  /** What was left out, by why. */
  readonly skipped: Readonly<Record<string, number>>;
  /** The first hundred of each kind. */
  readonly examples: readonly { readonly id: string; readonly why: string }[];
}

/**
 * Adds items to a trained model by their content. Throws UserError where the model knows items by clicks alone, the
 * content is not of its form, or `out` is taken.
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
    const { files: after, result } = await extend(files, options, engine);
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
  { run, content: input, items: titled, rule: asked, progress, signal }: AddItemsOptions,
  engine: Engine,
): Promise<{ files: ModelFiles; result: AddedItems }> {
  const model = await restoreModel(files, { engine });
  try {
    if (!isContentAware(model))
      throw new UserError({
        place: run,
        problem: `${model.algorithm} knows items by who touched them, so it can take in none that nobody has`,
        expected: "a model of content",
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
        problem: "nothing in it can be used",
        expected: "at least one item that the model does not know yet",
      });
    const items = new Vocabulary(wanted.ids, await titlesOf(wanted.ids, titled, input, { progress, signal }));
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

/** Titles from where the caller says, else from the content's own table. */
async function titlesOf(
  ids: readonly string[],
  titled: AddItemsOptions["items"],
  input: string | ContentInput,
  listening: Pick<AddItemsOptions, "progress" | "signal">,
): Promise<(string | null)[] | undefined> {
  const own = typeof input === "string" ? { file: input } : "records" in input ? undefined : input;
  const isTable = own && /\.(csv|tsv|jsonl|ndjson|json|parquet|pq)(\.gz)?$/i.test(own.file);
  const source = titled ?? (isTable ? { ...own, title: undefined } : undefined);
  if (source === undefined) return undefined;
  const said =
    typeof source === "string"
      ? await readItems({ file: source }, listening)
      : "file" in source
        ? await readItems(source, listening)
        : itemRecords(source);
  const added = new Vocabulary(ids);
  const matched = said.matching(added);
  const warning = titled && itemsWarning(said, matched, added, "the added items");
  if (warning) listening.progress?.({ type: "note", text: `warning: ${warning}` });
  const { table } = matched;
  if (table.columns[0] !== "title") return undefined;
  return ids.map((id) => table.byId.get(id)?.[0] ?? null);
}

/** What a run folder has besides its model: where it comes from is kept, and what was added is told. */
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
