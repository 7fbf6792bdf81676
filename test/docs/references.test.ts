import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { leavesDocs } from "../../docs/.vitepress/links.js";
import { sidebars, titleOf } from "../../docs/.vitepress/navigation.js";
import { commandLinePages, fileOf } from "../../docs/.vitepress/references/command-line.js";
import { httpPages } from "../../docs/.vitepress/references/http.js";
import { escapeText, table } from "../../docs/.vitepress/references/markdown.js";
import { modelPages } from "../../docs/.vitepress/references/models.js";
import { servingPages } from "../../docs/.vitepress/references/serving.js";
import type { CliContext } from "../../src/cli/context.js";
import { recipesOf } from "../../src/experiments/recipes/registry.js";
import { describeOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";

const root = resolve(import.meta.dirname, "../..");

describe("the generated references", () => {
  it("have a page for every command, with each of its options and examples", async () => {
    const program = new Command();
    const folder = join(root, "src/cli/commands");
    for (const file of readdirSync(folder))
      (await import(join(folder, file))).register(program, {} as CliContext);
    const pages = commandLinePages(program.commands);
    for (const command of program.commands) {
      const text = pages[`command-line/${fileOf(command.name())}`];
      expect(text).toContain(`# foldin ${command.name()}`);
      for (const { flags } of command.options)
        expect(text).toContain(`| \`${flags.replaceAll("|", "\\|")}\` |`);
    }
    expect(pages["command-line/train.md"]).toContain(
      "foldin train data/ml-1m --model mult-vae --out runs/vae",
    );
    expect(Object.keys(pages)).toHaveLength(program.commands.length + 1);
  });

  it("move a default out of an option's text into its column", () => {
    const command = new Command("try")
      .description("tries")
      .option("--a <n>", "seconds (default: 10)")
      .option("--b <name>", "the model (see foldin models; default: ease)")
      .option("--c", "as it is");
    const text = commandLinePages([command])["command-line/try.md"];
    expect(text).toContain("| `--a <n>` | 10 | Seconds. |");
    expect(text).toContain("| `--b <name>` | ease | The model (see `foldin models`). |");
    expect(text).toContain("| `--c` |  | As it is. |");
  });

  it("list every export of foldin/serving, with a link to its page", async () => {
    const text = servingPages(join(root, "src/serving/index.ts"))["serving.md"];
    for (const [name, value] of Object.entries(await import("../../src/serving/index.js"))) {
      const kind = /^class\b/.test(String(value)) ? "classes" : "functions";
      expect(text).toContain(`[\`${name}\`](library/${kind}/${name}.md)`);
    }
    expect(text).toContain("[`Recommender`](library/interfaces/Recommender.md)");
  });

  it("have a page for every model, with each of its options", async () => {
    const models = await Promise.all(
      algorithmNames.map(async (name) => ({
        algorithm: await findAlgorithm(name),
        recipes: await recipesOf(name),
      })),
    );
    const pages = modelPages(models);
    for (const { algorithm } of models)
      for (const { name } of describeOptions(algorithm))
        expect(pages[`models/${algorithm.name}.md`]).toContain(`| \`${name}\` |`);
  });

  it("show the fields of objects in lists of objects, and refuse to show two kinds of problems as one", () => {
    const problem = (type: string) => ({
      "4XX": {
        content: { "application/problem+json": { schema: { type: "object", properties: { a: { type } } } } },
      },
    });
    const answer = {
      type: "object",
      required: ["items"],
      properties: {
        items: {
          type: "array",
          items: { type: "object", properties: { id: { type: "string", maxLength: 9 } } },
        },
      },
    };
    const responses = {
      "200": { content: { "application/json": { schema: answer } } },
      ...problem("string"),
    };
    const document = {
      openapi: "3.1.0",
      paths: { "/v1/x/{id}": { get: { summary: "finds it", responses } } },
    };
    const text = httpPages(document)["http.md"];
    expect(text).toContain("## `GET /v1/x/{id}` {#get-v1-x-id}");
    expect(text).toContain("| `items[].id` | text, optional | At most 9 characters. |");
    const other = { "/v1/y": { get: { responses: problem("integer") } } };
    expect(() => httpPages({ ...document, paths: { ...document.paths, ...other } })).toThrow(
      "different ways",
    );
  });

  it("escape what Markdown, Vue and tables would read", () => {
    expect(escapeText("log q(z | x), <name>, {{ x }}, a_b, [1], $2")).toBe(
      "log q(z | x), &lt;name&gt;, &#123;&#123; x }}, a\\_b, \\[1\\], \\$2",
    );
    expect(escapeText("with `a_b` as code")).toBe("with `a_b` as code");
    expect(table(["x"], [["a | b\nc"]])).toBe("| x |\n| --- |\n| a \\| b c |");
  });
});

describe("the navigation", () => {
  it("reaches every page that is written by hand", () => {
    const items = (list: ReturnType<typeof sidebars>[string]): string[] =>
      list.flatMap(({ link, items: inner = [] }) => [...(link ? [link] : []), ...items(inner)]);
    const reached = new Set(items(sidebars()["/"]));
    const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md") && !/^(?:reference|\.vitepress)\b/.test(name))
      .map((name) => `/${name.replaceAll("\\", "/").replace(/\.md$/, "")}`);
    expect(pages.filter((page) => page !== "/index" && !reached.has(page))).toEqual([]);
    expect(pages.length).toBeGreaterThan(25);
  });

  it("shows a page's first heading without its markup", () => {
    expect(titleOf("<!-- a note -->\n\n# Use `foldin serve` {#serve}\n\n# Another")).toBe("Use foldin serve");
  });

  it("knows which links leave the folder of documents", () => {
    expect(leavesDocs("../CONTRIBUTING.md#rules", "datasets.md")).toBe(true);
    expect(leavesDocs("../datasets.md", "guides/serving.md")).toBe(false);
    expect(leavesDocs("../../src/index.ts", "guides/serving.md")).toBe(true);
    for (const href of ["https://example.org/..", "#metrics", "/results"])
      expect(leavesDocs(href, "results.md")).toBe(false);
  });
});
