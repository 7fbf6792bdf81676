// Removes what an earlier build left in dist/ of modules that src/ no longer has: tsc never deletes. Only those files go, so that a
// process that runs from dist/ keeps the rest. `npm run build`, the setup and scripts/pack.mjs run it.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");

/** The files below `dist` that no module below `src` compiles to, by their paths in `dist`. */
export function staleFiles(dist = join(root, "dist"), src = join(root, "src")) {
  if (!existsSync(dist)) return [];
  return (
    readdirSync(dist, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1))
      .filter((name) => name !== ".tsbuildinfo")
      // The built page; its build empties the folder.
      .filter((name) => !name.startsWith(join("studio", "page")))
      .filter((name) => !existsSync(join(src, name.replace(/\.(?:js|d\.ts)(?:\.map)?$/, ".ts"))))
      .sort()
  );
}

/** Deletes those files. */
export function prune(dist = join(root, "dist"), src = join(root, "src")) {
  const stale = staleFiles(dist, src);
  for (const name of stale) rmSync(join(dist, name), { force: true });
  return stale;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const stale = prune();
  if (stale.length > 0) console.error(`foldin build: removed ${stale.length} stale files from dist/`);
}
