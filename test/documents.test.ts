import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import type { CliContext } from "../src/cli/context.js";

const root = resolve(import.meta.dirname, "..");
const documents = ["README.md", "CONTRIBUTING.md", ...markdown("docs")];

function markdown(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/^(?:reference|\.vitepress)\b/.test(name))
    .map((name) => join(folder, name));
}

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

const codeFolders = ["src", "test", "bench", "native/src", "examples", "scripts"];
const codeFiles = codeFolders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    // Dependencies, builds and inputs that the bench makes for itself.
    .filter((name) => !/(^|\/)(node_modules|\.[^/]+|__pycache__)\//.test(name))
    .filter((name) => [".ts", ".mjs", ".js", ".rs", ".py"].includes(extname(name)))
    .map((name) => join(folder, name)),
);

/** What a file of code cites: its comments, and in programs its messages too (a test's strings may name files that it makes). */
function citing(path: string): string {
  const text = read(path);
  return path.startsWith("test/") && !path.endsWith(".md")
    ? [...text.matchAll(/\/\/.*|\/\*[\s\S]*?\*\/|^\s*#.*/gm)].map(([comment]) => comment).join("\n")
    : text;
}

/** Paths with one of these endings that a text names. */
function pathsIn(text: string, endings: string): string[] {
  const path = new RegExp(`(?<![\\w./-])(?:\\./)?((?:[\\w.-]+/)*[\\w.-]+\\.(?:${endings}))\\b(?!\\.)`, "g");
  return [...text.matchAll(path)].map(([, found]) => found);
}

/** The long options of every command, by the command's name. */
async function optionsByCommand(): Promise<Map<string, Set<string>>> {
  const program = new Command();
  for (const file of readdirSync(join(root, "src/cli/commands"))) {
    const { register } = await import(join(root, "src/cli/commands", file));
    register(program, {} as CliContext);
  }
  return new Map(
    program.commands.map((command) => [
      command.name(),
      new Set(command.options.flatMap(({ long, short }) => [long, short]).filter((name) => name != null)),
    ]),
  );
}

/** What stands in code, in a block or between backticks, and calls foldin. */
function calls(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n(.*?)^```/gms)].flatMap(([, block]) => block.split("\n"));
  const inline = [...text.replace(/^```.*?^```/gms, "").matchAll(/`([^`]+)`/g)].map(([, code]) => code);
  return [...blocks, ...inline].flatMap((code) => /^(?:npx )?foldin ([a-z].*)/.exec(code)?.[1] ?? []);
}

/** Whether `npm run docs` makes the page, and checks the links to it. */
const isGenerated = (path: string) => path.startsWith("docs/reference/");

describe("the documents", () => {
  it("link to files that exist", () => {
    const missing = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(dirname(path), match[1]))
        .filter((target) => !isGenerated(target) && !existsSync(join(root, target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it("and the code name no document that is not here", () => {
    const named = [...documents, ...markdown("test"), ...codeFiles].flatMap((path) =>
      pathsIn(citing(path), "md").map((document) => [path, document]),
    );
    // What lies outside the repository is not there for its readers.
    const isHere = (path: string) =>
      !path.startsWith("..") && (isGenerated(path) || existsSync(join(root, path)));
    const missing = named.filter(
      ([path, document]) => !isHere(document) && !isHere(join(dirname(path), document)),
    );
    expect(missing.map((pair) => pair.join(": "))).toEqual([]);
    expect(named.length).toBeGreaterThan(20);
  });

  it("and the code cite no issue by its number", () => {
    const citations = [...documents, ...codeFiles].flatMap((path) =>
      [...citing(path).matchAll(/\bissues? #?\d+/gi)].map(([citation]) => `${path}: ${citation}`),
    );
    expect(citations).toEqual([]);
  });

  it("name files of code that exist", () => {
    const names = new Set(codeFiles.map((path) => basename(path)));
    const exists = (path: string) =>
      path.includes("/")
        ? ["", "src", "native/src", "test"].some((folder) => existsSync(join(root, folder, path)))
        : names.has(path);
    const built = /^(dist|bench\/\.build)\//;
    const named = documents.flatMap((document) =>
      pathsIn(read(document), "ts|mjs|rs").map((path) => [document, path]),
    );
    const missing = named.filter(([, path]) => !built.test(path) && !exists(path));
    expect(missing.map((pair) => pair.join(": "))).toEqual([]);
    expect(named.length).toBeGreaterThan(100);
  });

  it("name tests of thresholds that exist", () => {
    const rows = [...read("docs/decisions/thresholds.md").matchAll(/^\|.*\| (`[^|]*`) +\|$/gm)];
    const tests = rows.flatMap(([, cell]) => [...cell.matchAll(/`([\w/-]+)`/g)].map(([, test]) => test));
    expect(tests.filter((test) => !existsSync(join(root, "test", `${test}.test.ts`)))).toEqual([]);
    expect(tests.length).toBeGreaterThan(30);
  });

  it("date every decision, give its status, and list it in the index", () => {
    const index = read("docs/decisions/README.md");
    const pages = readdirSync(join(root, "docs/decisions")).filter((name) => name !== "README.md");
    for (const page of pages) {
      const name = basename(page, ".md");
      const statusLine = read(join("docs/decisions", page)).split("\n")[2];
      const [, date, successor] =
        /^_Accepted (\d{4}-\d\d-\d\d)(?:, superseded by \[[^\]]+\]\(([\w-]+\.md)\))?\._$/.exec(statusLine) ??
        [];
      expect(date, `the third line of ${page}: ${statusLine}`).toBeDefined();
      if (successor) expect(pages).toContain(successor);
      const status = successor ? `superseded by [^|]*\\(${successor}\\)` : "accepted";
      expect(index).toMatch(
        new RegExp(`^\\| \\[${name}\\]\\(${page}\\) +\\|[^|]+\\| ${date} +\\| ${status} +\\|$`, "m"),
      );
    }
    expect(index.match(/^\| \[/gm)).toHaveLength(pages.length);
  });

  it("call commands and options that exist", async () => {
    const known = await optionsByCommand();
    const wrong: string[] = [];
    let checked = 0;
    for (const path of documents)
      for (const call of calls(read(path))) {
        const [name] = call.split(/[\s,)]/);
        if (name === "help") continue;
        const options = [...call.matchAll(/(?<=\s)--?[a-z][a-z0-9-]*/g)].map(([option]) => option);
        checked += 1 + options.length;
        if (!known.has(name)) wrong.push(`${path}: foldin ${name}`);
        for (const option of options)
          if (option !== "--help" && !known.get(name)?.has(option))
            wrong.push(`${path}: foldin ${name} ${option}`);
      }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(20);
  });

  it("name every model in the README's table", async () => {
    const { algorithmNames } = await import("../src/models/registry.js");
    for (const name of algorithmNames)
      expect(read("README.md")).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, "m"));
  });

  it("show the library as the example has it, which a test runs", () => {
    const [, file, code] = /<!-- The code of (\S+?);.*?-->\s*```ts\n(.*?)```/s.exec(read("README.md")) ?? [];
    // Without its opening comment.
    const example = read(file)
      .replace(/^(\/\/.*\n)+/, "")
      .trim();
    expect(code.trim()).toBe(example);
  });
});
