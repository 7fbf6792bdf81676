// Whether this machine sees the folder of a task: a marker file in it has the token that the task names. A folder of the same
// name on another disk has another token, or none.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../core/atomic-file.js";

const MARKER = ".foldin-queue";

/** The folder's token, written if it has none. */
export async function tokenOf(folder: string): Promise<string> {
  const path = join(folder, MARKER);
  const found = await readFile(path, "utf8").catch(() => undefined);
  if (found !== undefined && found.trim() !== "") return found.trim();
  const token = randomUUID();
  await writeFileAtomic(path, `${token}\n`);
  return token;
}

/** Why the folder is not the one with this token; undefined if it is. */
export async function blindness(folder: string, token: string): Promise<string | undefined> {
  const found = await readFile(join(folder, MARKER), "utf8").catch(() => undefined);
  if (found === undefined) return `does not see ${folder}`;
  return found.trim() === token ? undefined : `has another folder at ${folder}`;
}
