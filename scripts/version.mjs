// Makes a version of the changesets in .changeset/: `npm run release:version`. `changeset version` chooses the version and removes the files;
// this adds their texts to CHANGELOG.md, in the form of Keep a Changelog, and sets the version in every other file that states it.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const project = join(import.meta.dirname, "..");
const headings = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/** Where the version stands apart from package.json, each with the part before it and the version itself. */
export const places = [
  ["package-lock.json", /^(\{\n {2}"name": "foldin",\n {2}"version": ")([^"]+)/],
  ["package-lock.json", /(\n {4}"": \{\n {6}"name": "foldin",\n {6}"version": ")([^"]+)/],
  ["native/Cargo.toml", /(\nname = "foldin-native"\nversion = ")([^"]+)/],
  ["native/Cargo.lock", /(\nname = "foldin-native"\nversion = ")([^"]+)/],
  ["CITATION.cff", /(\nversion: )(\S+)/],
];

/** {heading, text} of a changeset. Throws where the text has none of the headings. */
export function entryOf(changeset, name) {
  const [, body] = /^---\n[\s\S]*?\n---\n+([\s\S]*)$/.exec(changeset) ?? [];
  const [, heading, text] = /^(\w+): ([\s\S]+)$/.exec(body?.trim() ?? "") ?? [];
  if (!headings.includes(heading))
    throw new Error(`.changeset/${name}: the text must begin with one of ${headings.join(", ")} and a colon`);
  return { heading, text: text.trim() };
}

/** The changesets below a folder that no version has yet. */
export function changesetsOf(root) {
  const folder = join(root, ".changeset");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort()
    .map((name) => entryOf(readFileSync(join(folder, name), "utf8"), name));
}

/** The changelog with a section for a version in front of the former ones; what stood under "Unreleased" joins it. */
export function withSection(changelog, version, date, entries) {
  const [start, ...sections] = changelog.split(/^(?=## \[)/m);
  const [unreleased, ...rest] = sections;
  const title = "## [Unreleased]\n";
  if (!unreleased?.startsWith(title))
    throw new Error('the first section of CHANGELOG.md is not "## [Unreleased]"');
  const lists = new Map(headings.map((heading) => [heading, []]));
  for (const [, heading, items] of unreleased.matchAll(/^### (\w+)\n+([\s\S]*?)(?=^### |(?![\s\S]))/gm))
    lists.get(heading)?.push(items.trim());
  for (const { heading, text } of entries) lists.get(heading).push(`- ${text.replaceAll("\n", "\n  ")}`);
  const filled = [...lists].filter(([, items]) => items.length > 0);
  const section = filled.map(([heading, items]) => `### ${heading}\n\n${items.join("\n")}\n`).join("\n");
  return `${start}${title}\n## [${version}] - ${date}\n\n${section}\n${rest.join("")}`;
}

/** Sets the version of package.json in every other file. */
export function agree(root, version) {
  for (const [file, pattern] of places) {
    const text = readFileSync(join(root, file), "utf8");
    if (!pattern.test(text)) throw new Error(`${file} does not state the version where expected`);
    writeFileSync(
      join(root, file),
      text.replace(pattern, (_, before) => before + version),
    );
  }
}

function main(root) {
  const entries = changesetsOf(root);
  if (entries.length === 0) throw new Error("there are no changesets: npm run changeset writes one");
  const cli = join(project, "node_modules", "@changesets", "cli", "bin.js");
  const { status } = spawnSync(process.execPath, [cli, "version"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("changeset version failed; see the lines above");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  agree(root, version);
  const changelog = join(root, "CHANGELOG.md");
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(changelog, withSection(readFileSync(changelog, "utf8"), version, date, entries));
  console.log(`foldin ${version}: commit, tag v${version} and push the tag to publish`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    main(resolve(process.argv[2] ?? project));
  } catch (error) {
    console.error(`foldin version: ${error.message}`);
    process.exitCode = 1;
  }
}
