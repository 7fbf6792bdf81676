// Loaded datasets, each in a process of its own that is started when the dataset is asked for. A dataset whose manifest has changed is
// loaded again. Descriptions are kept after the process has ended.

import { resolve } from "node:path";
import { AskedProcess } from "./asked-process.js";
import type { DatasetAnswer } from "./dataset-api.js";
import type { DatasetQuestions, DatasetStart } from "./dataset-messages.js";

const WORKER = resolve(import.meta.dirname, "../../dist/studio/dataset-worker.js");
/** Datasets in memory at the same time. */
const MOST_LOADED = 2;
/** Milliseconds without questions after which the memory is released. */
const IDLE = 10 * 60_000;

/** A dataset of the folder. */
export interface LocatedDataset {
  readonly path: string;
  /** Time and size of its manifest. */
  readonly stamp: string;
}

interface Loaded {
  readonly stamp: string;
  readonly process: AskedProcess<DatasetQuestions>;
  timer?: NodeJS.Timeout;
}

export class Datasets {
  readonly #idle: number;
  /** By path, the one asked last at the end. */
  readonly #loaded = new Map<string, Loaded>();
  readonly #descriptions = new Map<string, { readonly stamp: string; readonly answer: DatasetAnswer }>();

  constructor({ idle = IDLE } = {}) {
    this.#idle = idle;
  }

  /** The number of datasets in memory. */
  get loaded(): number {
    return this.#loaded.size;
  }

  /** The description, from memory if the manifest has not changed. Throws like `ask`. */
  async describe(dataset: LocatedDataset): Promise<DatasetAnswer> {
    const { path, stamp } = dataset;
    const known = this.#descriptions.get(path);
    if (known?.stamp === stamp) return known.answer;
    const answer = await this.ask(dataset, "describe", {});
    this.#descriptions.set(path, { stamp, answer });
    return answer;
  }

  /** Asks a dataset, which is loaded if necessary. Throws UserError if it cannot be loaded, and for a wrong question. */
  async ask<K extends keyof DatasetQuestions>(
    { path, stamp }: LocatedDataset,
    kind: K,
    question: DatasetQuestions[K]["question"],
  ): Promise<DatasetQuestions[K]["answer"]> {
    const loaded = this.#get(path, stamp);
    clearTimeout(loaded.timer);
    try {
      return await loaded.process.ask(kind, question);
    } finally {
      clearTimeout(loaded.timer);
      if (!loaded.process.isBusy)
        loaded.timer = setTimeout(() => this.#release(path, loaded), this.#idle).unref();
    }
  }

  /** Ends all processes. */
  close(): void {
    for (const [path, loaded] of this.#loaded) this.#release(path, loaded);
  }

  #get(path: string, stamp: string): Loaded {
    const known = this.#loaded.get(path);
    this.#loaded.delete(path);
    if (known && known.stamp === stamp && !known.process.isOver) {
      this.#loaded.set(path, known);
      return known;
    }
    if (known) this.#release(path, known);
    for (const [other, loaded] of this.#loaded)
      if (this.#loaded.size >= MOST_LOADED) this.#release(other, loaded);
    const start: DatasetStart = { folder: path };
    const loaded: Loaded = { stamp, process: new AskedProcess(WORKER, start, `the process of ${path}`) };
    this.#loaded.set(path, loaded);
    return loaded;
  }

  #release(path: string, loaded: Loaded): void {
    clearTimeout(loaded.timer);
    loaded.process.close();
    if (this.#loaded.get(path) === loaded) this.#loaded.delete(path);
  }
}
