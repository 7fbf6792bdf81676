import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pathArgument, shellCommand, shellWord } from "../../src/core/shell.js";

/** What a program gets that the shell starts with this command line. */
function wordsPassedOn(line: string, cwd?: string): string[] {
  const show = `${shellWord(process.execPath)} -e 'process.stdout.write(JSON.stringify(process.argv.slice(1)))' -- `;
  return JSON.parse(execFileSync("/bin/sh", ["-c", show + line], { encoding: "utf8", cwd })) as string[];
}

const names = [
  ...[
    "plain",
    "with space",
    "d$(touch x)",
    "`touch x`",
    "$HOME",
    "a'b",
    'a"b',
    "a\\b",
    "*",
    "[ab]",
    "~",
    "~user",
    "#x",
  ],
  ...[
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "(a)",
    "{a,b}",
    "!x",
    "-x",
    "--force",
    "=x",
    "",
    " ",
    "a\nb",
    "tab\there",
    "%s%n",
    "\\n",
  ],
  ...[
    "line\n",
    "\u001b[31mred\u001b[0m",
    "'\u0007'",
    "100%\u0001",
    "\\\u0001\\",
    "\r",
    "\u202etxt.exe",
    "žluť",
    "日本",
    "👍\u0008",
  ],
];

describe("a command line for the shell", () => {
  it("passes every name unchanged and executes nothing", () => {
    const folder = mkdtempSync(join(tmpdir(), "foldin-shell-"));
    expect(wordsPassedOn(shellCommand(...names), folder)).toEqual(names);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("passes any text unchanged", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 }).filter((word) => !word.includes("\0"));
    const wild = fc.string({
      unit: fc.constantFrom(..."ab $`'\"\\%;&|<>(){}[]*?!#~=-\n\t\u0001\u001b0123"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(text, wild), { minLength: 40, maxLength: 80 }), (words) => {
        expect(wordsPassedOn(shellCommand(...words))).toEqual(words);
      }),
      { numRuns: 15 },
    );
  });

  it("contains no control character, so that printing it does not affect the terminal", () => {
    for (const name of names.filter((word) => !word.endsWith("\n")))
      expect(shellWord(name), name).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  });

  it("does not quote plain words and omits undefined ones", () => {
    expect(shellCommand("foldin", "train", "data/ml-1m", undefined, "--set", "beta=0.2")).toBe(
      "foldin train data/ml-1m --set beta=0.2",
    );
  });

  it("a path that looks like an option is written as a path", () => {
    expect([pathArgument("-x"), pathArgument("a-x"), pathArgument("/x")]).toEqual(["./-x", "a-x", "/x"]);
  });
});
