// Sets up a fresh clone: dependencies, the native kernels if cargo is available, the TypeScript build. Plain JavaScript, because
// nothing is installed yet. Steps that are up to date are skipped. All output goes to standard error, so that standard output
// contains only that of the command that follows.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildStudio } from "./build-studio.mjs";
import { prune } from "./prune-dist.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function run(what, command, args) {
  console.error(`foldin setup: ${what} ...`);
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["inherit", 2, 2],
    shell: process.platform === "win32",
  });
  if (error || status !== 0) {
    console.error(`foldin setup: ${what} failed${error ? ` (${error.message})` : ""}; see the lines above.`);
    process.exit(1);
  }
  console.error(`foldin setup: ${what} took ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

const installed = join(root, "node_modules", ".package-lock.json");
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs)
  run("installing dependencies from the npm registry", "npm", ["ci", "--no-audit", "--no-fund"]);

const native = spawnSync(process.execPath, [join(root, "scripts", "build-native.mjs")], {
  stdio: ["inherit", 2, 2],
});
if (native.status !== 0) process.exit(1);

run("building the TypeScript", process.execPath, [
  join(root, "node_modules", "typescript", "bin", "tsc"),
  "-p",
  "tsconfig.json",
]);
prune();
await buildStudio();
