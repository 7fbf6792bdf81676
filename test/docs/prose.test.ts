import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { checkSite } from "../../scripts/check-site.mjs";
// @ts-expect-error: scripts are plain JavaScript.
import { findings, proseOfMarkdown, proseOfProgram } from "../../scripts/prose.mjs";

const banned = [
  { pattern: "\\bwhoever\\b", instead: "any user who" },
  { pattern: "(?<!\\bthere )\\bis no (?!longer)\\w+", instead: "is not a" },
];

describe("the check of wording", () => {
  it("finds words and phrases in prose, across line ends, with their lines", () => {
    expect(findings("First.\nWhoever comes\nis no\nstranger.", banned)).toEqual([
      { line: 2, words: "Whoever", instead: "any user who" },
      { line: 3, words: "is no stranger", instead: "is not a" },
    ]);
    expect(findings("There is no file. It is no longer there.", banned)).toEqual([]);
  });

  it("leaves out code, equations and addresses", () => {
    const text = "`whoever`\n\n```sh\nwhoever\n```\n\n$$\nwhoever\n$$\n[x](whoever.md)\nwhoever";
    expect(findings(proseOfMarkdown(text), banned).map(({ line }: { line: number }) => line)).toEqual([11]);
  });

  it("reads strings and templates of a program, and nothing else of it", () => {
    const program = `import "whoever";\n// whoever\nconst whoever = 1;\nf("whoever", \`\${whoever} is no name\`);`;
    expect(findings(proseOfProgram(program), banned).map(({ words }: { words: string }) => words)).toEqual([
      "whoever",
      "is no name",
    ]);
  });
});

describe("the check of the built site", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-site-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

  it("names dead pages, dead anchors and whatever is loaded from elsewhere", () => {
    mkdirSync(join(folder, "guides"));
    write(
      "index.html",
      '<a href="/guides/a.html#one">a</a><a href="/missing">b</a><a href="https://example.org">c</a>',
    );
    write(
      "guides/a.html",
      '<h2 id="one"></h2><a href="../index.html#two">a</a><script src="https://example.org/x.js">',
    );
    write("style.css", "@font-face { src: url(https://example.org/font.woff2) }");
    expect(checkSite(folder)).toEqual({
      pages: 2,
      links: 4,
      problems: [
        "guides/a.html: loads https://example.org/x.js",
        "guides/a.html: index.html has no anchor #two",
        "index.html: the page /missing does not exist",
        "style.css: loads https://example.org/font.woff2",
      ],
    });
  });
});
