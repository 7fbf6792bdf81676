// Every regular expression of src/ takes time that is linear in its input, however hostile: recheck (makenowjust-labs)
// finds those that do not, and the input that shows it.

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkSync } from "recheck";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { printable } from "../src/core/printable.js";
import { withoutPasswords } from "../src/core/secrets.js";

// In this process, without Java or a native program.
process.env.RECHECK_BACKEND = "pure";

const source = resolve(import.meta.dirname, "../src");

/** Those that recheck takes for slow, and are not: every repetition is bounded, so that a place costs some 1,500 steps at most. */
const bounded = new Set([String.raw`/(:\/{1,2}[^\s:@/?#]{0,200}):\S{0,500}@/g`]);
/** Puts its pattern together from classes of characters; the last claim below is about it. */
const COMPOSED = "core/printable.ts";

/** The literals of all files, with the first place of each. */
function literals(): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const file = ts.createSourceFile(
      name,
      readFileSync(join(source, name), "utf8"),
      ts.ScriptTarget.Latest,
      true,
    );
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node) && !found.has(node.text))
        found.set(node.text, `${name}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

describe("the regular expressions of src/", () => {
  it("are linear in their input", { timeout: 300_000 }, () => {
    const all = literals();
    expect(all.size).toBeGreaterThan(50);
    const slow = [...all].flatMap(([literal, place]) => {
      if (bounded.has(literal)) return [];
      const end = literal.lastIndexOf("/");
      const found = checkSync(literal.slice(1, end), literal.slice(end + 1), { timeout: 60_000 });
      return found.status === "safe"
        ? []
        : [
            `${place}: ${literal} is ${found.status === "vulnerable" ? found.complexity.summary : found.status}`,
          ];
    });
    expect(slow).toEqual([]);
  });

  it("are all literals, which the test above can see", () => {
    for (const name of readdirSync(source, { recursive: true, encoding: "utf8" }))
      if (name.endsWith(".ts") && name !== COMPOSED)
        expect(readFileSync(join(source, name), "utf8"), name).not.toMatch(/\bRegExp\(/);
  });

  it("are quick on a megabyte of what they repeat, those of the exceptions too", () => {
    const before = process.cpuUsage();
    for (const unit of ["\u{1f3f4}", "\u{e0067}", "\u{1f3f4}\u{e0067}", "\u200d", "\u0627\u200d", "\x1b["])
      expect(printable(unit.repeat(300_000)).length).toBeGreaterThan(0);
    for (const unit of [":/", "://a", ":x", "@", "a:b@", "?token="])
      expect(withoutPasswords(unit.repeat(50_000)).length).toBeGreaterThan(0);
    expect(process.cpuUsage(before).user).toBeLessThan(20e6);
  });

  it("that are not linear are found", () => {
    expect(checkSync("\\s*\\(\\d{4}\\)$", "").status).toBe("vulnerable");
  });
});
