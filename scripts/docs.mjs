// Builds the documentation site into docs/.vitepress/dist: the generated references, then the site, then a check of every
// link. Nothing is fetched. `--references` writes the references alone, which `vitepress dev docs` needs once.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";
import { checkSite } from "./check-site.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a program of node_modules; its output is shown only if it fails. */
function program(path, ...args) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(root, "node_modules", path), ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    child.once("error", fail);
    child.once("exit", (code) =>
      code === 0 ? done(output) : fail(new Error(`${path} failed with code ${code}:\n${output}`)),
    );
  });
}

async function timed(what, work) {
  const started = performance.now();
  await work();
  console.log(`docs: ${what} took ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

try {
  await timed("the references", async () => {
    rmSync(join(root, "docs", "reference"), { recursive: true, force: true });
    await Promise.all([
      program("typedoc/bin/typedoc", "--options", "typedoc.json"),
      runnerImport(join(root, "docs/.vitepress/references/write.ts"), {
        root,
        configFile: false,
        logLevel: "error",
      }),
    ]);
  });
  if (!process.argv.includes("--references")) {
    await timed("the site", () =>
      Promise.all([
        program("vitepress/bin/vitepress.js", "build", "docs"),
        // Texts of commands and options come from src/; `npm run lint` checks only the files in docs/.
        program(
          "cspell/bin.mjs",
          ...["--no-progress", "--no-summary"],
          ...["docs/reference/{http,serving}.md", "docs/reference/{command-line,models}/*.md"],
        ),
      ]),
    );
    await timed("the check of its links", () => {
      const { pages, links, problems } = checkSite(
        join(root, "docs", ".vitepress", "dist"),
        process.env.FOLDIN_DOCS_BASE,
      );
      for (const problem of problems) console.error(problem);
      if (problems.length > 0) throw new Error(`${problems.length} problems in the built pages`);
      console.log(`docs: ${pages} pages, ${links} links`);
    });
  }
} catch (error) {
  console.error(`docs: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
