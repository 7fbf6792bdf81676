// Shared by the tests of the readers: files in a temporary folder, and what is read from them.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { ProgressEvent } from "../../../src/core/progress.js";
import type { ReadOptions } from "../../../src/data/columns.js";
import { readItems } from "../../../src/data/items.js";
import { readInteractions } from "../../../src/data/read.js";
import type { FileOptions } from "../../../src/data/table-source.js";

export function useFolder(): { file: (name: string, content: string | Uint8Array) => string } {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "foldin-test-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  return {
    file(name, content) {
      const path = join(home, name);
      writeFileSync(path, content);
      return path;
    },
  };
}

/** The notes that a listener received. */
export function notebook() {
  const notes: string[] = [];
  const progress = (event: ProgressEvent) => {
    if (event.type === "note") notes.push(event.text);
  };
  return { notes, progress };
}

/** Rows as "user item rating time", in their order. */
export async function rowsOf(path: string, columns?: ReadOptions, progress = notebook().progress) {
  const { users, items, userOf, itemOf, ratingOf, timeOf } = await readInteractions([path], {
    columns,
    progress,
  });
  return Array.from(userOf, (user, row) =>
    [users.ids[user], items.ids[itemOf[row]], ratingOf?.[row], timeOf?.[row]]
      .filter((value) => value !== undefined)
      .join(" "),
  );
}

/** Titles by id. */
export async function titlesOf(path: string, options?: FileOptions, progress = notebook().progress) {
  const { byId } = await readItems({ file: path, ...options }, { progress });
  return Object.fromEntries([...byId].map(([id, [title]]) => [id, title]));
}
