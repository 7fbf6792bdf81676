// The licences of what foldin brings with it: npm packages that an installation adds, on any platform, packages in the studio's built
// page, and Rust crates that are linked into the native addons, these with their texts. `node scripts/licences.mjs` fails where a licence is not allowed or
// THIRD_PARTY_LICENSES.md is out of date; with --update it writes that file. Needs cargo, and a build.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");
export const noticesFile = join(root, "THIRD_PARTY_LICENSES.md");

/** Licences that anything may have. */
const allowed = new Set([
  ...["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0"],
  ...["Unlicense", "Zlib"],
]);

/** libvips is a shared library in packages of its own, which sharp loads: a user can replace it, as the LGPL demands. */
const allowedFor = { "LGPL-3.0-or-later": /^@img\/sharp/ };

/** Packages that do not state their licence in package.json; the licence of their repository. */
const unstated = { "@duckdb/node-bindings-": "MIT" };

/** Whether an SPDX expression ("MIT OR Apache-2.0"; older crates write "MIT/Apache-2.0") can be met with allowed licences. */
export function isAllowed(expression, name) {
  const tokens = expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const primary = () => {
    const token = tokens[at++];
    if (token !== "(") return token !== undefined && (allowed.has(token) || !!allowedFor[token]?.test(name));
    const inner = either();
    at++;
    return inner;
  };
  const both = () => {
    let met = primary();
    while (tokens[at] === "AND") {
      at++;
      met = primary() && met;
    }
    return met;
  };
  const either = () => {
    let met = both();
    while (tokens[at] === "OR") {
      at++;
      met = both() || met;
    }
    return met;
  };
  const met = either();
  return met && at === tokens.length;
}

const byName = (a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1);

/** What `npm install foldin` adds, for every platform: [{name, version, licence}]. */
export function npmPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const found = Object.entries(packages)
    .filter(([path, entry]) => path !== "" && !entry.dev)
    .map(([path, { version, license }]) => {
      const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
      const known = Object.entries(unstated).find(([prefix]) => name.startsWith(prefix))?.[1];
      return { name, version, licence: license ?? known ?? "unknown" };
    });
  return [...new Map(found.map((entry) => [`${entry.name}@${entry.version}`, entry])).values()].sort(byName);
}

/** Where the build puts the licences of the packages in the studio's page. */
const pageLicences = join(root, "dist", "studio", "page", "licences.txt");

/** The packages in the studio's page: [{name, version, licence, text}]. Throws where the page was not built. */
export function pagePackages() {
  if (!existsSync(pageLicences)) throw new Error("the studio's page was not built: run npm run build");
  return readFileSync(pageLicences, "utf8")
    .split(/^## (?=\S+ - )/m)
    .slice(1)
    .map((section) => {
      const [, name, version, licence, text] = /^(\S+) - (\S+) \((.*)\)\n([\s\S]*)$/.exec(section) ?? [];
      return { name, version, licence: licence ?? "unknown", text: (text ?? "").trim() };
    })
    .sort(byName);
}

/** The crates linked into the addons, of any platform: [{name, version, licence, texts}]. Throws where cargo is missing. */
export function crates() {
  const { status, stdout, stderr, error } = spawnSync(
    "cargo",
    ["metadata", "--format-version", "1", "--locked"],
    { cwd: join(root, "native"), encoding: "utf8", maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Error(`cargo metadata failed: ${error?.message ?? stderr}`);
  const { packages, resolve } = JSON.parse(stdout);
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const reached = new Set();
  const visit = (id) => {
    if (reached.has(id)) return;
    reached.add(id);
    for (const { pkg, dep_kinds } of nodes.get(id).deps)
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
  };
  visit(resolve.root);
  return packages
    .filter(({ id }) => id !== resolve.root && reached.has(id))
    .map(({ name, version, license, manifest_path }) => ({
      ...{ name, version, licence: license ?? "unknown" },
      texts: licenceTexts(dirname(manifest_path)),
    }))
    .sort(byName);
}

function licenceTexts(folder) {
  return readdirSync(folder)
    .filter((name) => /^(?:licen[cs]e|copying|unlicense|notice)/i.test(name) && !/\.rs$/.test(name))
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim());
}

function table(entries) {
  const lines = entries.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
  return ["| name | version | licence |", "| --- | --- | --- |", ...lines].join("\n");
}

/** Each text once, under the crates that have it. */
function textSections(found) {
  const owners = new Map();
  for (const { name, texts } of found)
    for (const text of texts) owners.set(text, [...(owners.get(text) ?? []), name]);
  return [...owners].map(
    ([text, names]) => `### ${[...new Set(names)].join(", ")}\n\n\`\`\`text\n${text}\n\`\`\``,
  );
}

/** The npm part of THIRD_PARTY_LICENSES.md. */
export const npmSection = () =>
  `## npm packages\n\nAn installation of foldin adds these packages; of packages for one platform, only those that fit the machine.\n\n${table(npmPackages())}`;

/** The part of the studio's page. */
export const pageSection = () =>
  `## Packages in the studio's page\n\nThe page of \`foldin studio\` contains parts of these packages. Their licence texts are in dist/studio/page/licences.txt.\n\n${table(pagePackages())}`;

/** The Rust part. */
export function rustSection(found) {
  return [
    "## Rust crates\n\nThese crates, or those of them that a platform needs, are linked into the native addons or generate code for them.",
    table(found),
    ...textSections(found),
  ].join("\n\n");
}

const HEADING =
  "# Third-party licences\n\nGenerated by `npm run licences:update`. foldin itself: Apache-2.0, see LICENSE.";

/** "name version: licence" of each that has a licence which is not allowed. */
export const refused = (entries) =>
  entries
    .filter(({ name, licence }) => !isAllowed(licence, name))
    .map(({ name, version, licence }) => `${name} ${version}: ${licence}`);

function main(update) {
  const found = crates();
  const bundled = pagePackages();
  const problems = refused([...npmPackages(), ...bundled, ...found]).map(
    (line) => `${line} is not an allowed licence`,
  );
  for (const { name, version, text } of bundled)
    if (text === "") problems.push(`${name} ${version}: the studio's page lacks the text of its licence`);
  const now = `${HEADING}\n\n${npmSection()}\n\n${pageSection()}\n\n${rustSection(found)}\n`;
  if (update) writeFileSync(noticesFile, now);
  else if (readFileSync(noticesFile, "utf8") !== now)
    problems.push("THIRD_PARTY_LICENSES.md is out of date: run npm run licences:update");
  for (const problem of problems) console.error(`licences: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv.includes("--update"));
