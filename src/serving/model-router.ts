// The models of a server: assigns users to models (traffic shares, sticky per user) and replaces models without failed
// requests. A new model is loaded while the old one still serves; the old one is disposed after its last request.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Engine } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { type Approximate, hasIndex, INDEX_FILE } from "../recommender/item-index.js";
import { findModelFolder } from "../recommender/model-files.js";
import { ranksByProducts } from "../recommender/product-ranking.js";
import type { Recommender } from "../recommender/recommender.js";
import { TitleIndex } from "../recommender/titles.js";
import { Batcher, type BatcherOptions } from "./batcher.js";
import { loadRecommender } from "./load.js";

export interface ModelPlace {
  /** The name in requests and metrics. */
  readonly name: string;
  /** A run folder or a model folder. */
  readonly folder: string;
  /** Its share of the traffic, relative to the other models. */
  readonly share: number;
}

export interface ServedModel {
  readonly name: string;
  /** Changes whenever the files change. */
  readonly version: string;
  readonly loadedAt: Date;
  readonly recommender: Recommender;
  /** Being built while the server starts. */
  readonly titles: Promise<TitleIndex>;
  readonly batcher: Batcher;
}

interface Slot {
  readonly place: ModelPlace;
  current: Held;
  /** The version that could not be loaded, and why; without a version if there were no files. */
  failed?: { readonly version: string | undefined; readonly message: string; readonly at: number };
}

/** Milliseconds after which loading is retried: the failure may have been a temporary lack of memory. */
const TRY_AGAIN = 60_000;

/** A model and the requests that use it. */
interface Held {
  readonly model: ServedModel;
  users: number;
  retired: boolean;
}

export interface ModelRouterOptions {
  readonly engine: Engine;
  batcher(name: string): BatcherOptions;
  /** As in `LoadOptions`. */
  readonly approximate?: Approximate;
  onNote?(note: string): void;
  /** Called once for each changed model that was loaded or failed to load. */
  onReload?(outcome: Reloaded): void;
}

/** The outcome of reloading one model. */
export interface Reloaded {
  readonly name: string;
  readonly version?: string;
  /** Why the new files are not used; the previous model stays. */
  readonly error?: unknown;
}

export class ModelRouter {
  readonly #slots: readonly Slot[];
  readonly #options: ModelRouterOptions;
  #reloading: Promise<Reloaded[]> | undefined;

  private constructor(slots: readonly Slot[], options: ModelRouterOptions) {
    this.#slots = slots;
    this.#options = options;
  }

  /** Loads all models. Throws UserError if a name occurs twice, no share is above 0, or a model cannot be loaded. */
  static async open(places: readonly ModelPlace[], options: ModelRouterOptions): Promise<ModelRouter> {
    const names = places.map(({ name }) => name);
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice !== undefined)
      throw new UserError({
        place: "<run...>",
        problem: `two models have the name ${twice}`,
        remedy: `Give each a name, such as: ${twice}=runs/one other=runs/two`,
      });
    if (!places.some(({ share }) => share > 0))
      throw new UserError({
        place: "--share",
        problem: "all shares are 0",
        expected: "a share above 0 for at least one model",
      });
    const slots: Slot[] = [];
    try {
      for (const place of places) slots.push({ place, current: held(await load(place, options)) });
    } catch (error) {
      for (const { current } of slots) retire(current);
      throw error;
    }
    return new ModelRouter(slots, options);
  }

  get models(): { model: ServedModel; share: number }[] {
    const total = this.#slots.reduce((sum, { place }) => sum + place.share, 0);
    return this.#slots.map(({ place, current }) => ({ model: current.model, share: place.share / total }));
  }

  /** Runs `work` with the named model, or without a name with the model assigned to the key; undefined for an unknown name. */
  async use<T>(
    name: string | undefined,
    key: string,
    work: (model: ServedModel) => Promise<T>,
  ): Promise<T | undefined> {
    const slot =
      name === undefined ? this.#slotOf(key) : this.#slots.find(({ place }) => place.name === name);
    if (!slot) return undefined;
    const { current } = slot;
    current.users++;
    try {
      return await work(current.model);
    } finally {
      current.users--;
      if (current.retired && current.users === 0) current.model.recommender.dispose();
    }
  }

  /**
   * Loads models whose files have changed, one after the other; resolves to the outcomes. Files that failed to load are
   * retried after a minute, and only a different failure is reported again.
   */
  async reload(): Promise<Reloaded[]> {
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async close(): Promise<void> {
    await this.#reloading;
    for (const { current } of this.#slots) retire(current);
  }

  async #reload(): Promise<Reloaded[]> {
    const outcomes: Reloaded[] = [];
    for (const slot of this.#slots) {
      const outcome = await this.#reloadOne(slot);
      if (!outcome) continue;
      outcomes.push(outcome);
      this.#options.onReload?.(outcome);
    }
    return outcomes;
  }

  async #reloadOne(slot: Slot): Promise<Reloaded | undefined> {
    const { name, folder } = slot.place;
    const { failed } = slot;
    let version: string | undefined;
    try {
      version = await versionOf(folder);
      if (version === slot.current.model.version) {
        slot.failed = undefined;
        return undefined;
      }
      if (failed?.version === version && performance.now() - failed.at < TRY_AGAIN) return undefined;
      const before = slot.current;
      slot.current = held(await load(slot.place, this.#options));
      slot.failed = undefined;
      retire(before);
      return { name, version: slot.current.model.version };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      slot.failed = { version, message, at: performance.now() };
      return failed?.version === version && failed?.message === message ? undefined : { name, error };
    }
  }

  /** A key always gets the same model while the shares stay the same; if a share grows, only the necessary keys move. */
  #slotOf(key: string): Slot {
    if (this.#slots.length === 1) return this.#slots[0];
    const total = this.#slots.reduce((sum, { place }) => sum + place.share, 0);
    const point = (createHash("sha256").update(key).digest().readUInt32BE(0) / 2 ** 32) * total;
    let end = 0;
    for (const slot of this.#slots) {
      end += slot.place.share;
      if (point < end) return slot;
    }
    return this.#slots[this.#slots.length - 1];
  }
}

/** Parses `name=folder`, or a folder, whose base name becomes the name. */
export function parsePlace(text: string): { name: string; folder: string } {
  const [, name, folder] = /^([A-Za-z0-9._-]{1,64})=(.+)$/.exec(text) ?? [];
  if (name !== undefined) return { name, folder };
  const own = basename(resolve(text)).replace(/[^A-Za-z0-9._-]+/g, "-");
  return { name: own.slice(0, 64) || "model", folder: text };
}

function held(model: ServedModel): Held {
  return { model, users: 0, retired: false };
}

function retire(old: Held): void {
  if (old.retired) return;
  old.retired = true;
  if (old.users === 0) old.model.recommender.dispose();
}

async function load(
  { name, folder }: ModelPlace,
  { engine, batcher, approximate, onNote }: ModelRouterOptions,
): Promise<ServedModel> {
  const version = await versionOf(folder);
  const recommender = await loadRecommender(folder, { engine, approximate, onNote });
  // Prepared now, so that the first request does not pay for it. Titles take longer, and requests with ids do not need them.
  recommender.items.indexOf("");
  if (ranksByProducts(recommender)) recommender.ranking.prepare();
  // The folder may be replaced before the first filter.
  await recommender.items.attributes?.prepare();
  return {
    name,
    version,
    loadedAt: new Date(),
    recommender,
    titles: searchable(recommender.items),
    batcher: new Batcher(recommender, batcher(name)),
  };
}

async function searchable(items: Vocabulary): Promise<TitleIndex> {
  const titles = await TitleIndex.of(items);
  await titles.prepareSearch();
  return titles;
}

/** Twelve hexadecimal digits that change with the files' inodes, sizes and modification times. */
async function versionOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const model = await findModelFolder(folder);
  const files = ["config.json", "items.json", "model.safetensors", ...(hasIndex(model) ? [INDEX_FILE] : [])];
  for (const file of files) {
    const { ino, size, mtimeMs } = await stat(join(model, file)).catch((cause: NodeJS.ErrnoException) => {
      throw new UserError({
        place: join(model, file),
        problem: cause.code === "ENOENT" ? "no such file" : `cannot be read (${cause.code})`,
        expected: "a run folder written by foldin train",
        cause,
      });
    });
    hash.update(`${ino} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 12);
}
