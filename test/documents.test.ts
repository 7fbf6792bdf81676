import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
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

describe("the documents", () => {
  it("link to files that exist", () => {
    const missing = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(dirname(path), match[1]))
        // Generated pages are there only after `npm run docs`, which checks the links to them.
        .filter((target) => !target.startsWith("docs/reference/") && !existsSync(join(root, target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(missing).toEqual([]);
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
