// A folder that many runs are written into, bit by bit, and that is gone on with when the same command is given again. A small
// file in it says what it is for, so that nothing of the user's in another folder is written over.

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
  /** What a former version of foldin called that file; a folder that has it keeps it. */
  readonly formerMarker?: string;
  /** What it holds. */
  readonly head: JsonObject;
  /** "a search", for messages. */
  readonly what: string;
  /** Names that a former version of foldin left in such a folder, which had no marker then. */
  readonly former?: readonly string[];
}

/**
 * Makes the folder, or takes the one that is there; returns what its marker holds: `head`, or what was there before. Throws
 * UserError where something else is in the folder. The caller holds the folder's lock.
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
        expected: `a new folder, or one of ${what}`,
        remedy: "Choose another folder with --out",
      });
    await writeFileAtomic(path, `${JSON.stringify(head, null, 2)}\n`);
    return head;
  }
  return readJson(path, { remedy: "Choose another folder with --out" });
}
