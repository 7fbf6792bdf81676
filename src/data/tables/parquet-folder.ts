// A table in parts, as Spark, Dask and DuckDB write it: a folder of Parquet files, possibly in hive partitions (day=2024-01-01/),
// whose keys are columns too. Parts are read in the order of their paths. Names that start with "_" or "." are ignored, as Spark
// does (_SUCCESS, .part-0.parquet.crc).

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../core/errors.js";
import { withSystemFault } from "../../core/system-errors.js";

/** A folder's parts, and the keys of its partitions. */
export interface ParquetParts {
  /** In the order of their paths. */
  readonly files: readonly string[];
  /** The hive keys, outermost first: "day". */
  readonly keys: readonly string[];
}

/** Finds the parts. Throws UserError for a folder without parts, another file in it, or parts with different keys. */
export async function partsOf(folder: string): Promise<ParquetParts> {
  const found: { readonly file: string; readonly keys: readonly string[] }[] = [];
  let other: string | undefined;
  const visit = async (place: string, keys: readonly string[]): Promise<void> => {
    const entries = await readdir(place, { withFileTypes: true }).catch((error: unknown) => {
      throw withSystemFault(error, place);
    });
    entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    for (const entry of entries) {
      const path = join(place, entry.name);
      if (/^[_.]/.test(entry.name)) continue;
      if (entry.isDirectory()) {
        const key = /^([^=]+)=/.exec(entry.name)?.[1];
        await visit(path, key === undefined ? keys : [...keys, key]);
      } else if (/\.(parquet|parq|pq)$/i.test(entry.name)) found.push({ file: path, keys });
      else other ??= path;
    }
  };
  await visit(folder, []);
  if (found.length === 0)
    throw new UserError({
      place: folder,
      problem: "the folder has no Parquet files",
      expected: "parts such as part-00000.parquet",
    });
  if (other !== undefined)
    throw new UserError({
      place: other,
      problem: "a file in a folder of Parquet parts is not named .parquet",
      expected: "only .parquet files, folders, and names that start with _ or .",
      remedy: "Move it elsewhere, or pass the files themselves instead of the folder",
    });
  const [{ keys }] = found;
  const stranger = found.find((part) => part.keys.join("/") !== keys.join("/"));
  if (stranger)
    throw new UserError({
      place: stranger.file,
      problem: `the part belongs to ${partition(stranger.keys)}, but ${found[0].file} to ${partition(keys)}`,
      expected: "the same keys for all parts",
      remedy: "Prepare one of the folders only",
    });
  return { files: found.map(({ file }) => file), keys };
}

const partition = (keys: readonly string[]): string =>
  keys.length === 0 ? "no partition" : `the partition ${keys.map((key) => `${key}=...`).join("/")}`;
