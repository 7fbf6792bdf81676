import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { parseJson, readJson } from "../../src/core/json-file.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-json-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("JSON", () => {
  it("is parsed like JSON.parse within the limits", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        expect(parseJson(text, "x")).toEqual(JSON.parse(text));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it("may contain any number of brackets and quotes in strings", () => {
    const text = JSON.stringify([`${"[{".repeat(5000)}\\"`, '"', "\\"]);
    expect(parseJson(text, "x", { containers: 1 })).toEqual(JSON.parse(text));
  });

  it.each<[string, string, RegExp]>([
    ["cut short", '{"a": [1, 2', /x\.json: is not JSON/],
    ["a text that never ends", '{"a', /is not JSON/],
    ["nothing", "", /is not JSON/],
    [
      "nested 50,000 levels deep",
      "[".repeat(50_000) + "]".repeat(50_000),
      /nested more than 100 levels deep/,
    ],
    ["a list of 2 million empty lists", `[${"[],".repeat(2e6)}[]]`, /has 2000002 lists and objects/],
    ["a prototype", '{"a":[{"__proto__":{"polluted":1}}]}', /has a field "__proto__"/],
    ["a prototype in disguise", '{"\\u005f_proto__":1}', /has a field "__proto__"/],
  ])("is refused with a clear message: %s", async (_, text, message) => {
    const path = join(home, "x.json");
    writeFileSync(path, text);
    await expect(readJson(path)).rejects.toThrow(message);
    await expect(readJson(path)).rejects.toBeInstanceOf(UserError);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("may begin with a byte order mark", async () => {
    const path = join(home, "mark.json");
    writeFileSync(path, '\ufeff{"a":1}');
    expect(await readJson(path)).toEqual({ a: 1 });
  });
});
