// Where the real data lies, for tests that check against it; it is never copied into the project.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder of a real data set ("ml-1m"), or undefined where it is not at hand: then skip, visibly (`describe.skipIf`). */
export function realData(name: string): string | undefined {
  const roots = [process.env.FOLDIN_DATA, resolve(import.meta.dirname, "../../../shared/data")];
  return (
    roots.map((root) => root && join(root, name)).find((folder) => folder && existsSync(folder)) || undefined
  );
}
