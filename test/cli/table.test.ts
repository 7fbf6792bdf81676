import { describe, expect, it } from "vitest";
import { clip, displayWidth, number, plural, table, wrap } from "../../src/cli/table.js";

describe("tables", () => {
  it("are aligned by display width, not by code units", () => {
    const lines = table(
      [{ heading: "title" }, { heading: "n", align: "right" }],
      [
        ["七人の侍", "9"],
        ["Ame\u0301lie", "10"],
        ["\u001b[1mBold\u001b[22m", "100"],
      ],
    );
    expect(lines).toEqual([
      "title       n",
      "七人の侍    9",
      "Ame\u0301lie     10",
      "\u001b[1mBold\u001b[22m      100",
    ]);
  });

  it("leave out a row of empty headings", () => {
    expect(table([{ heading: "" }, { heading: "" }], [["a", "b"]])).toEqual(["a  b"]);
  });
});

describe("texts", () => {
  it("are truncated to the width, including the ellipsis", () => {
    expect(clip("Seven Samurai", 13)).toBe("Seven Samurai");
    expect(clip("Seven Samurai", 7)).toBe("Seven…");
    expect(displayWidth(clip("七人の侍", 6))).toBeLessThanOrEqual(6);
  });

  it("wrap at spaces", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
  });
});

describe("numbers", () => {
  it("are short, with exponents only for extreme values", () => {
    expect([365.2341, 0.2, 0.00123456, 0, 1e-7, 12345678, Number.NaN].map(number)).toEqual([
      "365.2",
      "0.2",
      "0.001235",
      "0",
      "1.00e-7",
      "1.23e+7",
      "NaN",
    ]);
  });

  it("name their unit", () => {
    expect([plural(1, "epoch"), plural(20000, "user")]).toEqual(["1 epoch", "20,000 users"]);
  });
});

describe("a table of 300,000 rows", () => {
  it("is as wide as its widest cell", () => {
    const rows = Array.from({ length: 300_000 }, (_, k) => [String(k)]);
    expect(table([{ heading: "n", align: "right" }], rows).slice(0, 2)).toEqual(["     n", "     0"]);
  });
});
