// A folder into which many runs are written, and which is resumed when the same command is given again. A marker file says what
// the folder is for, so that a user's files in another folder are never overwritten.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../core/atomic-file.js";
import { UserError } from "../core/errors.js";
import { makeFolders } from "../core/folders.js";
import type { JsonObject } from "../core/json.js";
import { readJson } from "../core/json-file.js";

export interface Claim {
  /** The file that says what the folder is for. */
  readonly marker: string;
  /** The name of that file in an earlier version of foldin; a folder that has it keeps it. */
  readonly formerMarker?: string;
  /** Its contents. */
  readonly head: JsonObject;
  /** "a search", for messages. */
  readonly what: string;
  /** Names of files that an earlier version of foldin, which had no marker, left in such a folder. */
  readonly former?: readonly string[];
}

/**
 * Creates the folder, or reuses an existing one; returns the contents of its marker: `head`, or those of the existing marker.
 * Throws UserError if the folder contains anything else. The caller holds the folder's lock.
 */
export async function claimFolder(
  out: string,
  { marker, formerMarker, head, what, former = [] }: Claim,
): Promise<unknown> {
  await makeFolders(out);
  const named = (name: string) => join(out, name);
  const isFormer =
    formerMarker !== undefined && existsSync(named(formerMarker)) && !existsSync(named(marker));
  const path = named(isFormer ? formerMarker : marker);
  if (!existsSync(path)) {
    const others = (await readdir(out)).filter((name) => !name.startsWith(".") && !former.includes(name));
    if (others.length > 0)
      throw new UserError({
        place: out,
        problem: `is not empty (${others.slice(0, 3).join(", ")}${others.length > 3 ? ", ..." : ""})`,
        expected: `a new folder, or a folder of ${what}`,
        remedy: "Choose another folder with --out",
      });
    await writeFileAtomic(path, `${JSON.stringify(head, null, 2)}\n`);
    return head;
  }
  return readJson(path, { remedy: "Choose another folder with --out" });
}
