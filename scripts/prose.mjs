// Checks documents and the strings of src/ for wording that foldin avoids: scripts/prose.json lists it, with replacements. Files in
// its "notYetClean" are not checked. A file that has become clean must leave the list, so the check only becomes stricter.
// `node scripts/prose.mjs --update` removes such files; it never adds one. "notProse" lists files whose strings are data, such as
// the words of the demo's plots.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

const root = join(import.meta.dirname, "..");

/** Replaces everything except line ends by blanks, so that positions stay the same. */
const blank = (text) => text.replace(/[^\n]/g, " ");

/** The prose of a document, without front matter, code, equations and addresses. */
export function proseOfMarkdown(text) {
  return text
    .replace(/^---\n[\s\S]*?\n---\n/, blank)
    .replace(/^( *)(`{3,}|~{3,})[\s\S]*?^\1\2/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/\$\$[\s\S]*?\$\$/g, blank)
    .replace(/`(?:[^`\n]|\n(?!\n))+`/g, blank)
    .replace(/\]\([^)\n]*\)/g, blank)
    .replace(/https?:\/\/\S+/g, blank);
}

/** The text of a program's string literals and templates at their positions, without imports. */
export function proseOfProgram(text) {
  const source = ts.createSourceFile("file.ts", text, ts.ScriptTarget.Latest, false);
  const prose = [...blank(text)];
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      for (let at = node.getStart(source); at < node.end; at++) prose[at] = text[at];
    ts.forEachChild(node, visit);
  };
  visit(source);
  return prose.join("");
}

/** The banned wording in a text: line, words and replacement. */
export function findings(prose, banned) {
  return banned.flatMap(({ pattern, instead }) =>
    [...prose.matchAll(new RegExp(pattern.replaceAll(" ", "\\s+"), "gi"))].map((match) => ({
      line: prose.slice(0, match.index).split("\n").length,
      words: match[0].replace(/\s+/g, " "),
      instead,
    })),
  );
}

function filesBelow(folder, ending) {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(ending) && !/\/(?:reference|\.vitepress)\//.test(path));
}

function main(update) {
  const place = join(root, "scripts", "prose.json");
  const settings = JSON.parse(readFileSync(place, "utf8"));
  const { banned, notProse, notYetClean } = settings;
  const documents = readdirSync(root).filter(
    (name) => name.endsWith(".md") && name !== "THIRD_PARTY_LICENSES.md",
  );
  const files = [
    ...documents,
    ...filesBelow("docs", ".md"),
    ...filesBelow("src", ".ts"),
    ...filesBelow("studio/src", ".ts"),
    ...filesBelow("studio/src", ".tsx"),
  ]
    .filter((file) => !notProse.includes(file))
    .sort();
  const problems = [];
  const stillUnclean = [];
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8");
    const found = findings(file.endsWith(".md") ? proseOfMarkdown(text) : proseOfProgram(text), banned);
    if (found.length === 0) continue;
    if (notYetClean.includes(file)) stillUnclean.push(file);
    else
      for (const { line, words, instead } of found)
        problems.push(`${file}:${line}: "${words}": write ${instead}`);
  }
  const clean = notYetClean.filter((file) => !stillUnclean.includes(file));
  if (update)
    writeFileSync(place, `${JSON.stringify({ banned, notProse, notYetClean: stillUnclean }, null, 2)}\n`);
  else
    for (const file of clean)
      problems.push(`scripts/prose.json: ${file} is clean: run node scripts/prose.mjs --update`);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else
    console.log(
      `prose: ${files.length - stillUnclean.length} files are clean, ${stillUnclean.length} are not yet`,
    );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv.includes("--update"));
