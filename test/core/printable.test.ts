import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvCell } from "../../src/core/csv.js";
import { UserError } from "../../src/core/errors.js";
import { printable, printableJson, printableStyled } from "../../src/core/printable.js";
import { controlCharacters } from "../support/control-characters.js";

describe("untrusted text for display", () => {
  it.each([
    ["Toy Story (1995)", "Toy Story (1995)"],
    ["two\nlines\r\n\tand a tab", "two\\nlines\\r\\n\\tand a tab"],
    ["\u001b[2J\u001b]0;title\u0007", "\\u001b[2J\\u001b]0;title\\u0007"],
    ["\u0000 \u007f \u0085 \u009b31m", "\\u0000 \\u007f \\u0085 \\u009b31m"],
    ["abc\u202etxt.exe\u202c \u2066x\u2069 \u200f", "abc\\u202etxt.exe\\u202c \\u2066x\\u2069 \\u200f"],
    ["zero\u200bwidth\ufeff \u2060", "zero\\u200bwidth\\ufeff \\u2060"],
    ["one\u2028two\u2029three", "one\\u2028two\\u2029three"],
    ["half \ud83d of a pair", "half \\ud83d of a pair"],
    ["hidden \u{e0041}", "hidden \\u{e0041}"],
    // A joiner between Latin letters is invisible; between these it is how they are written.
    ["a\u200db \u200c", "a\\u200db \\u200c"],
    [
      "\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u2764\ufe0f\u200d\u{1f525}",
      "\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u2764\ufe0f\u200d\u{1f525}",
    ],
    ["می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"],
    [
      "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
      "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    ],
    ["七人の侍 Ame\u0301lie \u0600", "七人の侍 Ame\u0301lie \u0600"],
    ["C:\\temp\\new", "C:\\temp\\new"],
  ])("%j is shown as %j", (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  const anything = fc.string({ unit: "binary", maxLength: 60 });

  it("has no invisible characters left, and escaping is idempotent", () => {
    fc.assert(
      fc.property(anything, (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(controlCharacters);
        expect(shown).not.toContain("\n");
        expect(printable(shown)).toBe(shown);
      }),
      { numRuns: 5_000 },
    );
  });

  it("keeps the program's own colours, and no other sequence", () => {
    expect(printableStyled("\u001b[1mbold\u001b[22m \u001b[31mred\u001b[0m")).toBe(
      "\u001b[1mbold\u001b[22m \\u001b[31mred\\u001b[0m",
    );
  });

  it("is escaped in JSON without changing the data", () => {
    fc.assert(
      fc.property(fc.dictionary(anything, anything), (value) => {
        const json = printableJson(JSON.stringify(value, null, 2));
        expect(json).not.toMatch(controlCharacters);
        expect(JSON.parse(json)).toEqual(value);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is one cell of one line in CSV", () => {
    expect(["a", 'say "hi", then', "a\nb"].map(csvCell)).toEqual(["a", '"say ""hi"", then"', "a\\nb"]);
  });

  it("takes linear time for long and hostile text", () => {
    const started = performance.now();
    for (const text of [
      "\u200d".repeat(200_000),
      "\u{1f468}\u200d".repeat(100_000),
      `\u{1f3f4}${"\u{e0061}".repeat(100_000)}`,
    ])
      printable(text);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe("a UserError", () => {
  it("has a message of one line without control characters, and unchanged parts", () => {
    const error = new UserError({
      place: "a\nb.csv",
      problem: "the column '\u001b[31mred' is unknown",
      expected: "x\ty",
      remedy: "Do \u202ethis",
    });
    expect(error.message).toBe(
      "a\\nb.csv: the column '\\u001b[31mred' is unknown (expected x\\ty). Do \\u202ethis",
    );
    expect(error.place).toBe("a\nb.csv");
  });

  it("does not reveal passwords in URLs", () => {
    const message = (place: string) => new UserError({ place, problem: "no such file" }).message;
    expect(message("postgres://me:hush@db/x")).toBe("postgres://me:***@db/x: no such file");
    expect(message("postgres:/me:h@u/sh@db/x/config.json")).toBe(
      "postgres:/me:***@db/x/config.json: no such file",
    );
    expect(message("https://db/x?a=1&authToken=hush&b=2")).toBe(
      "https://db/x?a=1&authToken=***&b=2: no such file",
    );
    expect(message("C:/data/a:b.csv")).toBe("C:/data/a:b.csv: no such file");
  });
});
