// A folder of tensors shared by runs: the outcome of pretraining, named by a hash of everything that it depends on.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeFileWhole } from "../core/atomic-file.js";
import { makeFolders } from "../core/folders.js";
import type { JsonObject } from "../core/json.js";
import type { RunContext, TensorCache } from "../recommender/run-context.js";
import { readSafetensors, writeSafetensors } from "../recommender/safetensors.js";

/** The cache in a folder, which is created when something is saved. */
export function fileCache(folder: string): TensorCache {
  const path = (name: string) => join(folder, `${name}.safetensors`);
  return {
    place: folder,
    async load(name) {
      return readSafetensors(path(name)).then(
        ({ tensors }) => tensors,
        () => undefined,
      );
    },
    async save(name, tensors) {
      await makeFolders(folder);
      await writeFileWhole(path(name), (file) => writeSafetensors(file, tensors, {}));
    },
  };
}

/** The name of the outcome of an algorithm for `key` with this seed on this engine. */
export function cachedAs(
  algorithm: string,
  key: JsonObject,
  { engine, seed }: Pick<RunContext, "engine" | "seed">,
): string {
  const identity = JSON.stringify({ key, seed, engine: engine.name, precision: engine.precision });
  return `${algorithm}-${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
}
