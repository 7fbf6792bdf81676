import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { entryPoints, firstDifference, reportOf } from "../scripts/api.mjs";

const entries: { name: string; report: string }[] = entryPoints();

describe("the public API", () => {
  it.each(entries)("of $name is what its reviewed report says (npm run api:update writes it)", (entry) => {
    const [reviewed, now] = [readFileSync(entry.report, "utf8"), reportOf(entry)];
    if (now === reviewed) return;
    expect.fail(
      `the public API of ${entry.name} differs from api/${entry.name}.api.md, ${firstDifference(reviewed, now)}. ` +
        "If the change is intended, run npm run api:update and commit the report",
    );
  });

  it("has an entry point each for the library, for serving and for clients", () => {
    expect(entries.map(({ name }) => name)).toEqual(["foldin", "serving", "client"]);
  });

  it("names the first line that differs", () => {
    expect(firstDifference("a\nb\nc", "a\nx\nc")).toBe('line 2: "b" is now "x"');
    expect(firstDifference("a\nb", "a")).toBe('line 2: "b" is now ""');
  });
});
