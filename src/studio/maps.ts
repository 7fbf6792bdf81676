// Maps of items: computed once for each model in a process of its own, and kept as files in the cache folder. A file of other model
// files is not used; the next map of the run replaces it.

import { createHash } from "node:crypto";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.js";
import { makeFolders } from "../core/folders.js";
import { readText } from "../core/input-file.js";
import { Jobs } from "./jobs.js";
import type { MapAnswer } from "./map-api.js";
import type { MapJob, MapResult } from "./map-messages.js";
import { filesOf } from "./models-loaded.js";

const MOST_BYTES = 1 << 30;

/** What decides whether a file can be used. */
const head = z.object({ formatVersion: z.literal(1), stamp: z.string(), x: z.array(z.number()) });

export class Maps {
  readonly #jobs = new Jobs<MapJob, MapResult>("map-worker.js", "map");
  readonly #started = new Map<string, MapJob>();
  #cache: string | undefined;
  #temporary: string | undefined;

  /** `cache`: the folder of the maps; by default a temporary one that `close` removes. */
  constructor(cache?: string) {
    this.#cache = cache;
  }

  /** Starts to compute the map of a run, unless there is one. Throws UserError if the run has no model. */
  async start(path: string): Promise<MapAnswer> {
    const { stamp } = await filesOf(path);
    const job: MapJob = { path, stamp, file: await this.#fileOf(path) };
    const isThere = (await readMap(job)) !== undefined;
    // The file was removed or replaced meanwhile.
    if (!isThere) this.#jobs.forget(job);
    const answer = isThere ? this.#jobs.done(job, { file: job.file }) : this.#jobs.start(job);
    this.#started.set(answer.id, job);
    return withoutFile(answer);
  }

  /** The state of a map; undefined if none of this id was started. */
  get(id: string): MapAnswer | undefined {
    const answer = this.#jobs.get(id);
    return answer && withoutFile(answer);
  }

  /** The map as JSON text; undefined if there is none of this id, or not yet. */
  async read(id: string): Promise<string | undefined> {
    const job = this.#started.get(id);
    return job && readMap(job);
  }

  /** Stops a map that waits or is computed; returns whether there was one. */
  stop(id: string): boolean {
    return this.#jobs.stop(id);
  }

  /** Stops everything. */
  async close(): Promise<void> {
    this.#jobs.close();
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
  }

  async #fileOf(path: string): Promise<string> {
    if (this.#cache === undefined) {
      this.#temporary ??= await mkdtemp(join(tmpdir(), "foldin-maps-"));
      this.#cache = this.#temporary;
    }
    await makeFolders(this.#cache);
    const name = createHash("sha256")
      .update(await realpath(path))
      .digest("hex")
      .slice(0, 24);
    return join(this.#cache, `map-${name}.json`);
  }
}

/** The text of a map's file; undefined if it is missing, damaged, or of other model files. */
async function readMap({ file, stamp }: MapJob): Promise<string | undefined> {
  try {
    const text = await readText(file, { most: MOST_BYTES });
    const parsed = head.safeParse(JSON.parse(text));
    return parsed.success && parsed.data.stamp === stamp ? text : undefined;
  } catch (error) {
    if (error instanceof UserError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function withoutFile({ id, state, progress, problem }: MapAnswer): MapAnswer {
  return {
    id,
    state,
    ...(progress !== undefined && { progress }),
    ...(problem !== undefined && { problem }),
  };
}
