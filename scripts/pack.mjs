// Creates the tarballs that npm publishes: `node scripts/pack.mjs [folder]` (default: packages/). One for the main package
// from dist/, and one for every platform of native/npm/ whose addon is in native/ (after a setup, that of this machine; in a
// release, all of them). The main package lists exactly these as optional dependencies. In a clone it has none, because
// `npm ci` would look for them before they are published. Prints one JSON line per tarball.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { prune } from "./prune-dist.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = resolve(process.argv[2] ?? join(root, "packages"));
const main = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const notices = ["LICENSE", "THIRD_PARTY_LICENSES.md"].map((name) => [name, name]);
const staging = mkdtempSync(join(tmpdir(), "foldin-pack-"));

/** Packs a folder with the given package.json and copies of the given project files. */
function pack(manifest, copies) {
  const folder = join(staging, manifest.name.replace("/", "-"));
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of copies)
    if (existsSync(join(root, from))) cpSync(join(root, from), join(folder, to), { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const { status, stdout, stderr } = spawnSync("npm", ["pack", "--json", "--pack-destination", out], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm pack of ${manifest.name} failed: ${stderr}`);
  const answer = JSON.parse(stdout);
  const [{ filename }] = Array.isArray(answer) ? answer : Object.values(answer);
  console.log(JSON.stringify({ name: manifest.name, version: manifest.version, file: join(out, filename) }));
}

try {
  if (!existsSync(join(root, "dist", "index.js")))
    throw new Error("dist/ is missing: run npm run build first");
  prune();
  mkdirSync(out, { recursive: true });
  const { version, license, engines } = main;
  const { GITHUB_SERVER_URL = "https://github.com", GITHUB_REPOSITORY } = process.env;
  // npm compares the repository with the one that the provenance names.
  const repository = GITHUB_REPOSITORY && {
    type: "git",
    url: `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`,
  };
  const optionalDependencies = {};
  for (const platform of readdirSync(join(root, "native", "npm"))) {
    const addon = `foldin.${platform}.node`;
    if (!existsSync(join(root, "native", addon))) {
      console.error(`foldin pack: no native/${addon}, so no package for ${platform}`);
      continue;
    }
    const template = JSON.parse(readFileSync(join(root, "native", "npm", platform, "package.json"), "utf8"));
    const copies = [[join("native", addon), addon], ...notices];
    const files = [...template.files, "THIRD_PARTY_LICENSES.md"];
    pack({ ...template, version, license, engines, files, repository }, copies);
    optionalDependencies[template.name] = version;
  }
  const { scripts: _scripts, devDependencies: _devDependencies, ...shipped } = main;
  const copies = ["dist", "recipes", "README.md"].map((name) => [name, name]);
  pack({ ...shipped, repository, optionalDependencies }, [...copies, ...notices]);
} catch (error) {
  console.error(`foldin pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(staging, { recursive: true, force: true });
}
