// Checkpoints on disk: one safetensors file with the state of the training loop (as text), the state of the model and the best
// model so far. The file is written under a temporary name and renamed, so that a kill leaves either the old or the new one. If the
// items are divided, each member of the run has written its part before (checkpoint-parts.ts), and member 0 writes the file.

import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Division } from "../compute/division.js";
import type { StoredTensors } from "../compute/named-tensors.js";
import { syncFolder, writeFileWhole } from "../core/atomic-file.js";
import { UserError } from "../core/errors.js";
import { makeFolders } from "../core/folders.js";
import type { JsonObject } from "../core/json.js";
import { parseJson } from "../core/json-file.js";
import type { NamedTensors } from "../recommender/recommender.js";
import type { Checkpoint, CheckpointStore, PendingCheckpoint } from "../recommender/run-context.js";
import { readSafetensors, writeSafetensors } from "../recommender/safetensors.js";
import { partsSchema, readParts, removeOtherParts, separated, writePart } from "./checkpoint-parts.js";

const FORMAT_VERSION = 1;

const jsonObject = z.record(z.string(), z.json()) as z.ZodType<JsonObject>;
const headSchema = z.object({
  formatVersion: z.number(),
  epoch: z.int().min(0),
  loop: jsonObject,
  best: z.object({ algorithm: z.string(), config: jsonObject }).nullable(),
  /** Absent if the items are not divided. */
  parts: partsSchema.optional(),
});

export interface CheckpointOptions {
  /** As in `CheckpointStore`, default 10, but saving takes at most 5 % of the time; 0 = after every epoch, whatever it costs. */
  readonly everySeconds?: number;
  /** Called before each checkpoint is written; if it throws, nothing is written. */
  readonly beforeSave?: () => Promise<void>;
  /** The division of the items, if they are divided. */
  readonly division?: Division;
}

export interface FileCheckpoints extends CheckpointStore {
  /** Removes the stored checkpoint, if there is one. */
  clear(): Promise<void>;
}

/** Keeps one checkpoint in a folder, which is created when needed. */
export function fileCheckpoints(
  folder: string,
  { everySeconds = 10, beforeSave, division }: CheckpointOptions = {},
): FileCheckpoints {
  const path = join(folder, "checkpoint.safetensors");
  let secondsOfLastSave = 0;
  return {
    get everySeconds() {
      return everySeconds === 0 ? 0 : Math.max(everySeconds, 20 * secondsOfLastSave);
    },

    async load() {
      if (!(await stat(path).catch(() => undefined))) return undefined;
      const { tensors, metadata } = await readSafetensors(path);
      const damaged = (problem: string) =>
        new UserError({
          place: path,
          problem: `cannot be resumed: ${problem}`,
          remedy: "Train again with another output folder",
        });
      let parsed: unknown;
      try {
        parsed = parseJson(metadata.checkpoint ?? "null", path);
      } catch (error) {
        throw error instanceof UserError ? damaged(`its header ${error.problem}`) : error;
      }
      const head = headSchema.safeParse(parsed);
      if (!head.success) throw damaged("its header is not that of a checkpoint");
      if (head.data.formatVersion > FORMAT_VERSION)
        throw damaged(
          `its format ${head.data.formatVersion} is newer than the format of this version of foldin, ${FORMAT_VERSION}`,
        );
      const { epoch, loop, best, parts } = head.data;
      // Another number of blocks is another run, which is reported by the comparison of the identities.
      const divided =
        parts && division?.blocks === parts.blocks ? await readParts(folder, parts, division) : {};
      const all = { ...tensors, ...divided };
      return {
        epoch,
        loop,
        state: withPrefix(all, "state/"),
        best: best ? { ...best, tensors: withPrefix(all, "best/") } : undefined,
      };
    },

    ...(division && {
      /** The decision of member 0. */
      isDue: async (due: boolean) => (await division.communicator.broadcast(Number(due))) === 1,
    }),

    async save(checkpoint: Checkpoint) {
      await this.savePending?.(checkpoint);
    },

    async savePending({ epoch, loop, state, best }: PendingCheckpoint) {
      await beforeSave?.();
      const started = performance.now();
      const made = await makeFolders(folder);
      const all = { ...prefixed(state, "state/"), ...prefixed(best?.tensors ?? {}, "best/") };
      const { shared, divided } = separated(all);
      const parts = division && (await writePart(folder, epoch, divided, division));
      if (division && division.connection.rank > 0) {
        return;
      }
      const head: z.input<typeof headSchema> = {
        formatVersion: FORMAT_VERSION,
        epoch,
        loop,
        best: best ? { algorithm: best.algorithm, config: best.config } : null,
        ...(parts && { parts }),
      };
      await writeFileWhole(path, (file) =>
        writeSafetensors(file, shared, { checkpoint: JSON.stringify(head) }),
      );
      if (parts) await removeOtherParts(folder, parts);
      // The file is synced; a new folder is durable once its parent is synced.
      for (const one of made) await syncFolder(dirname(one));
      secondsOfLastSave = (performance.now() - started) / 1000;
    },

    async clear() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function prefixed(tensors: StoredTensors, prefix: string): StoredTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

function withPrefix(tensors: NamedTensors, prefix: string): NamedTensors {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}
