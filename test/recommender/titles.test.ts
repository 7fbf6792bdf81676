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
