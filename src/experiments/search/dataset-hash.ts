// Hashes by which the folders of searches recognise their dataset and their points.

import { createHash } from "node:crypto";
import type { Manifest } from "../../data/manifest.js";

/** A hash of everything in a dataset folder. */
export function hashOf({ tables }: Manifest): string {
  const sums = Object.entries(tables).map(([file, { sha256 }]) => `${file} ${sha256}`);
  return hash(sums.sort());
}

/** A short hash of a JSON value. */
export function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
