// Loaded models by folder: at most a number of them and of bytes; the one that was used least recently is disposed first. A model whose
// files have changed is loaded again. One model is loaded at a time.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/errors.js";
import { bytesText, requireMemory } from "../core/memory.js";
import { findModelFolder } from "../recommender/model-files.js";
import type { Recommender } from "../recommender/recommender.js";
import type { ModelLimits } from "./models-messages.js";

/** What a model needs in memory, for each byte of its files: its weights and what is computed from them. */
const BYTES_PER_BYTE = 1.5;

interface Loaded {
  readonly path: string;
  readonly stamp: string;
  readonly bytes: number;
  readonly recommender: Promise<Recommender>;
  uses: number;
  /** Is disposed after its last use. */
  isOld: boolean;
}

export class LoadedModels {
  readonly #limits: ModelLimits;
  readonly #load: (path: string) => Promise<Recommender>;
  /** The least recently used one first. */
  readonly #models = new Map<string, Loaded>();
  #loading: Promise<unknown> = Promise.resolve();

  constructor(limits: ModelLimits, load: (path: string) => Promise<Recommender>) {
    this.#limits = limits;
    this.#load = load;
  }

  /** The folders of the loaded models, the least recently used one first. */
  get paths(): string[] {
    return [...this.#models.keys()];
  }

  /** Calls `ask` with the model of a run folder. Throws UserError if it cannot be loaded or needs more memory than allowed. */
  async use<T>(path: string, ask: (recommender: Recommender) => Promise<T>): Promise<T> {
    // One after the other, so that two requests do not load the same model twice, nor more models than there is memory for.
    const turn = this.#loading.then(() => this.#take(path));
    this.#loading = turn.catch(() => {});
    const model = await turn;
    try {
      return await ask(await model.recommender);
    } finally {
      model.uses--;
      await this.#disposeIfOld(model);
    }
  }

  /** Disposes all models that are not in use, and the others after their last use. */
  async clear(): Promise<void> {
    for (const model of this.#models.values()) await this.#remove(model);
  }

  async #take(path: string): Promise<Loaded> {
    const { stamp, bytes } = await filesOf(path);
    const known = this.#models.get(path);
    if (known?.stamp === stamp) {
      this.#models.delete(path);
      this.#models.set(path, known);
      known.uses++;
      return known;
    }
    if (known) await this.#remove(known);
    const { models, bytes: most } = this.#limits;
    if (bytes > most)
      throw new UserError({
        place: path,
        problem: `the model needs about ${bytesText(bytes)} of memory, and the studio may use ${bytesText(most)}`,
        remedy: "Start foldin studio with a larger --memory",
      });
    const sum = () => [...this.#models.values()].reduce((total, one) => total + one.bytes, bytes);
    for (const oldest of this.#models.values())
      if (this.#models.size >= models || sum() > most) await this.#remove(oldest);
    requireMemory({ place: path, bytes, what: "the model", alternatives: "Close other programs" });
    const recommender = this.#load(path);
    const model: Loaded = { path, stamp, bytes, recommender, uses: 1, isOld: false };
    await recommender;
    this.#models.set(path, model);
    return model;
  }

  async #remove(model: Loaded): Promise<void> {
    if (this.#models.get(model.path) === model) this.#models.delete(model.path);
    model.isOld = true;
    await this.#disposeIfOld(model);
  }

  async #disposeIfOld(model: Loaded): Promise<void> {
    if (model.isOld && model.uses === 0) (await model.recommender).dispose();
  }
}

/** What identifies the files of a model, and what the model needs in memory. Throws UserError if there is no model. */
export async function filesOf(path: string): Promise<{ stamp: string; bytes: number }> {
  const folder = await findModelFolder(path);
  const names = (await readdir(folder).catch(() => [])).sort();
  const files = await Promise.all(
    names.map(async (name) => ({ name, status: await stat(join(folder, name)).catch(() => undefined) })),
  );
  const stamps = files.map(({ name, status }) => `${name}:${status?.mtimeMs}:${status?.size}:${status?.ino}`);
  const bytes = files.reduce((sum, { status }) => sum + (status?.size ?? 0), 0);
  return { stamp: stamps.join(" "), bytes: Math.ceil(BYTES_PER_BYTE * bytes) };
}
