import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { TitleIndex, withoutYear } from "../../src/recommender/titles.js";

describe("titles", async () => {
  const titles = ["Godfather, The (1972)", "Alien (1979)", "Alien  (1992)", "2001", null];
  const index = await TitleIndex.of(new Vocabulary(["a", "b", "c", "d", "e"], titles));

  it("are found in any case, with the article in front, with and without the year", () => {
    expect(index.find("the godfather")).toEqual([0]);
    expect(index.find("GODFATHER, THE (1972)")).toEqual([0]);
    expect(index.find("alien (1979)")).toEqual([1]);
    expect(index.find("Alien")).toEqual([1, 2]);
    expect(index.find("2001")).toEqual([3]);
    expect(index.find("nothing")).toEqual([]);
  });

  it("lose a year in brackets at the end, and the blanks before it", () => {
    expect(withoutYear("alien  (1979)")).toBe("alien");
    expect(withoutYear("alien (1979) ")).toBe("alien (1979) ");
    expect(withoutYear("alien (79)")).toBe("alien (79)");
    expect(withoutYear("(1979)")).toBe("");
  });

  it.each([
    `a${" ".repeat(1_000_000)}b`,
    `a${", the".repeat(200_000)}`,
    `a${", the ".repeat(200_000)}(197)`,
    `${"(1972)".repeat(200_000)}`,
    `a, the${"\t".repeat(1_000_000)}(1972`,
  ])("of a million characters are looked up in linear time (%#)", async (title) => {
    // Quadratic time would be minutes.
    const hostile = await TitleIndex.of(new Vocabulary(["x"], [title]));
    const before = process.cpuUsage();
    expect(hostile.find(title)).toEqual([0]);
    expect(hostile.find(`${title}!`)).toEqual([]);
    expect(process.cpuUsage(before).user).toBeLessThan(5e6);
  });
});

describe("a search", () => {
  /** The definition: titles that begin with the text, then titles that contain it, by index. */
  function naive(titles: readonly (string | null)[], text: string, most: number): number[] {
    const fold = (title: string) => title.normalize("NFC").trim().toLowerCase();
    const folded = titles.map((title) => fold(title ?? ""));
    const places = folded.map((title) => (title === "" ? -1 : title.indexOf(fold(text))));
    const items = [...titles.keys()];
    return [...items.filter((i) => places[i] === 0), ...items.filter((i) => places[i] > 0)].slice(0, most);
  }
  const indexOf = (titles: readonly (string | null)[]) =>
    TitleIndex.of(
      new Vocabulary(
        titles.map((_, item) => `i${item}`),
        titles,
      ),
    );

  it("finds what comparing every title finds", async () => {
    const unit = fc.constantFrom("a", "b", "A", "\n", " ", "\u00e9", "e\u0301", "\u03a3", "\u{1f600}");
    const text = fc.string({ unit, maxLength: 6 });
    const titles = fc.array(fc.option(text, { nil: null }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(titles, text, fc.integer({ min: 1, max: 6 }), async (titles, asked, most) => {
        expect(await (await indexOf(titles)).search(asked, most)).toEqual(naive(titles, asked, most));
      }),
      { numRuns: 2000 },
    );
  });

  it("finds titles across the pieces in which they are searched", { timeout: 60_000 }, async () => {
    const titles = Array.from({ length: 60_000 }, (_, i) =>
      i % 15_000 === 7 ? `needle ${i}` : `a title of forty-four bytes in haystack ${i} x`,
    );
    const index = await indexOf(titles);
    const asked = [
      ["needle", 3],
      ["needle", 10],
      ["haystack 4", 5],
      ["29999", 5],
      ["stack", 60_000],
    ] as const;
    for (const [text, most] of asked)
      expect(await index.search(text, most)).toEqual(naive(titles, text, most));
  });
});
