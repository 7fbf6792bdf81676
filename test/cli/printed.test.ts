// No command prints control characters other than line breaks, whatever titles, ids, file and folder names contain.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import * as compare from "../../src/cli/commands/compare.js";
import * as describeCommand from "../../src/cli/commands/describe.js";
import * as embed from "../../src/cli/commands/embed.js";
import * as evaluate from "../../src/cli/commands/evaluate.js";
import * as exportModel from "../../src/cli/commands/export.js";
import * as prepare from "../../src/cli/commands/prepare.js";
import * as recommend from "../../src/cli/commands/recommend.js";
import * as score from "../../src/cli/commands/score.js";
import * as train from "../../src/cli/commands/train.js";
import { createProgress } from "../../src/cli/progress.js";
import { run } from "../../src/cli/run.js";
import { displayWidth, table } from "../../src/cli/table.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { controlCharacters } from "../support/control-characters.js";

const commands = [
  compare,
  describeCommand,
  embed,
  evaluate,
  exportModel,
  prepare,
  recommend,
  score,
  train,
].map(({ register }) => register);
const folder = mkdtempSync(join(tmpdir(), "foldin-printed-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs one command line in this process, on a stream that is a terminal or is none. */
async function foldin(terminal: boolean, args: string[]) {
  let text = "";
  const stream = () => {
    const made = Object.assign(new PassThrough(), { isTTY: terminal, columns: 80 });
    made.on("data", (chunk) => {
      text += String(chunk);
    });
    return made as unknown as NodeJS.WriteStream;
  };
  const streams = { stdout: stream(), stderr: stream() };
  const code = await run(args, commands, streams, new AbortController().signal);
  return { code, text };
}

const hostile = [
  "\u001b[2J\u001b[31mred\u001b[0m",
  "two\nlines\r\nand\ta tab",
  "\u009b31m\u0007\u007f\u0000",
  "\u202egnp.exe\u2066\u2069\u200b\ufeff",
  "\ufeff",
  "one\u2028two\u2029three\u0085",
  "\u001b]0;title\u0007\u001b[?25l",
  "\u{1b}[1mbold\u{1b}[22m",
];
/** A piece of text that may be hostile, and is never quite the same. */
const piece = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: "binary", maxLength: 8 }).filter((text) => !/\p{Cs}/u.test(text)),
);

/** What the program may write to a terminal: its bold, dim and coloured text, and what moves its bar of progress. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
const own = /\u001b[78]|\u001b\[(?:1|2|22|36|39)m|\u001b\[(?:\?25[lh]|\?7[lh]|\d*[GKJABDsu]|0?K)|\r/g;

function expectClean(text: string, terminal: boolean, what: string): void {
  const found = controlCharacters.exec(terminal ? text.replace(own, "") : text);
  expect(
    found && `${what}: ${JSON.stringify(text.slice(Math.max(0, found.index - 40), found.index + 40))}`,
  ).toBe(null);
}

describe("what commands print", () => {
  it("has no control characters, whatever the data contain", { timeout: 240_000 }, async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        async (pieces, terminal) => {
          const place = join(folder, `${round++}-\u001b[31m\n\u202e`);
          mkdirSync(place);
          const [data, model, other] = ["data\t\u009b", "run\n", "other\r"].map((name) => join(place, name));
          const id = (item: number) => `${pieces[item % pieces.length]}#${item}`;
          const title = (item: number) => `${pieces[(item * 5) % pieces.length]}@${item}`;
          await prepareDataset({
            out: data,
            name: `of ${pieces[0]}`,
            input: Array.from({ length: 600 }, (_, n) => ({
              user: `${pieces[n % 3]}!${n % 40}`,
              item: id((n * 7 + Math.floor(n / 40)) % 24),
            })),
            items: Array.from({ length: 24 }, (_, item) => ({ id: id(item), title: title(item) })),
            options: { protocol: "strong", validationUsers: 8, testUsers: 8, minUser: 1 },
          });
          const unknown = `nothing like ${pieces[1]}`;
          const scores = join(place, "scores\u001b.csv");
          const perUser = join(place, "per-user.csv");
          const lines: [string[], number][] = [
            [["describe", data], 0],
            [["train", data, "--model", "popularity", "--out", model, "--engine", "reference"], 0],
            [["train", data, "--model", "item-knn", "--out", other, "--engine", "reference"], 0],
            [["train", data, "--model", "popularity", "--out", model], 2],
            [["train", data, "--model", unknown, "--out", `${model}2`], 2],
            [["evaluate", model, "--per-user", perUser], 0],
            [["evaluate", model, "--json"], 0],
            [["compare", model, other, perUser, "--metrics", "ndcg@100"], 0],
            [["recommend", model, "--history", id(3), "--history", title(4)], 0],
            [["recommend", model, "--history", id(3), "--json"], 0],
            [["recommend", model, "--history", ""], 0],
            [["recommend", model, "--history", unknown], 2],
            [["recommend", model, "--history", `@${unknown.replaceAll("\0", "")}`], 2],
            [["recommend", join(place, unknown.replaceAll(/[\0/]/g, "")), "--history", "1"], 2],
            [["recommend", model, `--${unknown}`], 2],
            [["score", model, "--out", scores, "-k", "4"], 0],
            [["score", model, "--out", join(place, unknown.replaceAll(/[\0/]/g, ""))], 2],
            [["embed", model, "--out", join(place, "vectors")], 2],
            [["export", model, "--onnx", join(place, "model.onnx")], 2],
            [["prepare", join(place, "no\u001bthing\n.csv"), "--out", join(place, "no")], 2],
          ];
          for (const [args, expected] of lines) {
            const { code, text } = await foldin(terminal, args);
            expect([args[0], code, code === expected ? "" : text]).toEqual([args[0], expected, ""]);
            expectClean(text, terminal, args.join(" "));
            // One line for one mistake.
            if (expected === 2 && !terminal)
              expect(
                text
                  .trimEnd()
                  .split("\n")
                  .filter((line) => !line.startsWith("the native engine")),
              ).toHaveLength(1);
          }
          for (const file of [scores, perUser]) expectClean(readFileSync(file, "utf8"), false, file);
          rmSync(place, { recursive: true });
        },
      ),
      { numRuns: 3 },
    );
  });

  it("names a file's columns without their control characters", async () => {
    const file = join(folder, "columns.csv");
    writeFileSync(file, "us\u001b[31mer,it\tem\u202e\n1,2\n3,4\n");
    for (const terminal of [false, true]) {
      const { code, text } = await foldin(terminal, [
        "prepare",
        file,
        "--user",
        "\u001b[2Jnone",
        "--out",
        join(folder, "none"),
      ]);
      expect(code).toBe(2);
      expectClean(text, terminal, "prepare");
    }
  });
});

describe("rows of a table", () => {
  it("are one line each, of equal width, in any script", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            piece,
            fc.constantFrom(
              "七人の侍",
              "기생충",
              "👨‍👩‍👧 family",
              "e\u0301\u0302",
              "ｆｕｌｌ",
              "🇫🇷 flag",
              "می‌خواهم",
            ),
          ),
          { minLength: 1, maxLength: 6 },
        ),
        (titles) => {
          const lines = table(
            [{ heading: "title" }, { heading: "n", align: "right" }],
            titles.map((title) => [title, "7"]),
          );
          expect(lines).toHaveLength(titles.length + 1);
          for (const line of lines) {
            expectClean(line, true, "table");
            expect(line).not.toContain("\n");
            expect(displayWidth(line)).toBe(displayWidth(lines[0]));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("progress", () => {
  it.each([true, false])("shows tasks and notes without control characters (terminal: %s)", (terminal) => {
    let text = "";
    const stream = Object.assign(new PassThrough(), { isTTY: terminal, columns: 80 });
    stream.on("data", (chunk) => {
      text += String(chunk);
    });
    let now = 0;
    const progress = createProgress(stream as unknown as NodeJS.WriteStream, () => now);
    for (const name of hostile) {
      progress.listener({ type: "start", task: name, total: 10, unit: name });
      now += 10;
      progress.listener({ type: "advance", task: name, done: 4, values: { [name]: 1 } });
      progress.listener({ type: "note", text: `a note on ${name}` });
      now += 10;
      progress.listener({ type: "end", task: name });
    }
    expectClean(text, terminal, "progress");
    expect(text.split("\n").filter((line) => line.includes("a note on"))).toHaveLength(hostile.length);
  });
});
