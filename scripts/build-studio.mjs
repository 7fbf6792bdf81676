// Builds the studio's page from studio/ into dist/studio/page/, unless it is up to date. `npm run build` and the setup run it.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");
const source = join(root, "studio");
const page = join(root, "dist", "studio", "page");

/** Whether the built page is newer than everything that it is built from. */
function isUpToDate() {
  const built = join(page, "index.html");
  if (!existsSync(built)) return false;
  const sources = readdirSync(source, { recursive: true }).map((name) => join(source, name));
  const inputs = [...sources, join(root, "package-lock.json"), join(root, "src", "studio", "api.ts")];
  const newest = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
  return newest <= statSync(built).mtimeMs;
}

export async function buildStudio() {
  if (isUpToDate()) return;
  const { build } = await import("vite");
  const started = Date.now();
  try {
    await build({ configFile: join(source, "vite.config.ts"), root: source, logLevel: "warn" });
  } catch (error) {
    // A failed build writes files that would pass for an up-to-date page.
    rmSync(page, { recursive: true, force: true });
    throw error;
  }
  console.error(`foldin build: the studio's page took ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildStudio();
