import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { SharedTurns } from "../../src/core/shared-turns.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { AmbiguousTitlesError } from "../../src/recommender/look-up.js";
import { choiceOf, leftOut, questionOf } from "../../src/recommender/question.js";
import { type ItemId, type RecommendOptions, recommend } from "../../src/recommender/recommend.js";
import { similarItems } from "../../src/recommender/similar.js";
import { TitleIndex, withoutYear } from "../../src/recommender/titles.js";
import { scoring } from "../support/fixed-scores.js";
import { longestTurn } from "../support/longest-turn.js";

const titles = ["Hamlet (1948)", "Alien", "Hamlet (1996)", "The Tempest", null, "Tempest, The", "1984"];
const recommender = {
  ...scoring(7, () => [7, 6, 5, 4, 3, 2, 1]),
  items: new Vocabulary(["10", "11", "12", "13", "9007199254740993", "15", "16"], titles),
};
const ids = async (history: unknown, options: RecommendOptions | Record<string, unknown> = {}) =>
  (await recommend(recommender, history as ItemId[], { k: 7, ...options } as RecommendOptions)).items.map(
    ({ id }) => id,
  );

describe("a title that several items have", () => {
  it("is rejected in a history, with the ids to choose from", async () => {
    const error = await ids(["11", "hamlet"]).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(AmbiguousTitlesError);
    expect((error as Error).message).toBe(
      'history[1]: 2 items are called "hamlet". Give the id of the one you mean: 10 (Hamlet (1948)), 12 (Hamlet (1996))',
    );
    await expect(similarItems(recommender, "Hamlet")).rejects.toThrow(AmbiguousTitlesError);
    // Both spellings of one title.
    await expect(ids(["the tempest"])).resolves.not.toContain("13");
  });

  it("means all of them in exclusions and candidates", async () => {
    expect(await ids([], { exclude: ["Hamlet"] })).toEqual(["11", "13", "9007199254740993", "15", "16"]);
    expect(await ids([], { candidates: ["HAMLET", "Alien"] })).toEqual(["10", "11", "12"]);
    expect((await similarItems(recommender, "Alien", { candidates: ["hamlet"] })).items).toHaveLength(2);
  });

  it("with its year is one item", async () => {
    expect(await ids(["Hamlet (1996)"])).not.toContain("12");
  });
});

describe("ids in programs", () => {
  it("are text, whole numbers or BigInts, everywhere", async () => {
    for (const id of ["11", 11, 11n]) {
      expect(await ids([id])).not.toContain("11");
      expect(await ids([], { exclude: [id] })).not.toContain("11");
      expect(await ids([], { candidates: [id] })).toEqual(["11"]);
      expect((await similarItems(recommender, id)).item.id).toBe("11");
    }
    expect(await ids([], { exclude: new Set([9007199254740993n]) })).not.toContain("9007199254740993");
  });

  it("are passed in lists: a string is not split into letters", async () => {
    for (const list of ["11", "", new String("11"), 11, 11n, null, {}, true, () => []]) {
      await expect(ids(list), String(list)).rejects.toThrow(UserError);
      await expect(ids([], { exclude: list })).rejects.toThrow(/exclude: .* is not a list/);
      await expect(ids([], { candidates: list })).rejects.toThrow(/candidates: .* is not a list/);
    }
    await expect(ids("11")).rejects.toThrow(
      "history: '11' is not a list (expected an array of ids). Pass ['11']",
    );
  });

  it("are not anything else", async () => {
    for (const id of [null, undefined, 1.5, Number.NaN, {}, ["11"], true, Symbol("11"), new Date(0)]) {
      await expect(ids(["10", id])).rejects.toThrow(
        /^history\[1\]: .* is not an id \(expected text, a whole/,
      );
      await expect(ids([], { exclude: [id] })).rejects.toThrow(/^exclude\[0\]: .* is not an id/);
      await expect(similarItems(recommender, id as string)).rejects.toThrow(/^item: .* is not an id/);
    }
    await expect(ids([2 ** 53])).rejects.toThrow(/too large to be exact/);
  });

  it("are not confused with indices, which must be a Uint32Array", async () => {
    expect(await ids(Uint32Array.of(1))).not.toContain("11");
    expect(await ids([], { exclude: Uint32Array.of(1) })).not.toContain("11");
    expect(await ids([], { candidates: Uint32Array.of(1, 1, 0) })).toEqual(["10", "11"]);
    await expect(ids([], { exclude: Uint32Array.of(7) })).rejects.toThrow(RangeError);
    for (const other of [Int32Array.of(1), Float64Array.of(1), BigInt64Array.of(1n), Buffer.from("11")])
      await expect(ids(other)).rejects.toThrow(/is not a list of ids/);
  });
});

describe("what is left out", () => {
  it("is the history and what is excluded, each item once, ascending", () => {
    const index = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(
        fc.uniqueArray(index),
        fc.uniqueArray(index),
        fc.boolean(),
        (history, excluded, includeHistory) => {
          const question = {
            ...{
              history: Uint32Array.from(history),
              excluded: Uint32Array.from(excluded).sort(),
              includeHistory,
            },
            ...{ unknown: [], ambiguous: [], candidates: undefined, k: 1, explain: false },
          };
          const expected = new Set(includeHistory ? excluded : [...excluded, ...history]);
          expect([...leftOut(question)]).toEqual([...expected].sort((a, b) => a - b));
        },
      ),
    );
  });

  it("is looked up once for all histories of a request", async () => {
    const choice = await choiceOf(recommender.items, { exclude: ["Hamlet"], candidates: ["11", "hamlet"] });
    const one = await questionOf(recommender.items, ["13"], choice);
    const other = await questionOf(recommender.items, [], choice);
    expect(one.excluded).toBe(other.excluded);
    expect(one.candidates).toBe(other.candidates);
  });
});

describe("titles", () => {
  it("are found as users write them", async () => {
    const index = await TitleIndex.of(recommender.items);
    const found = (text: string) => [...index.find(text)];
    expect(found(" hamlet (1948) ")).toEqual([0]);
    expect(found("HAMLET")).toEqual([0, 2]);
    expect(found("tempest, the")).toEqual([5]);
    expect(found("the tempest")).toEqual([3]);
    expect(found("1984")).toEqual([6]);
    expect(found("9007199254740993")).toEqual([]);
    expect(await index.search("tempest", 10)).toEqual([5, 3]);
    expect(await index.search("hamlet", 1)).toEqual([0]);
  });

  it("of several spellings are all found by the spoken form", async () => {
    const both = new Vocabulary(
      ["1", "2", "3"],
      ["Raven, The (1935)", "The Raven (1963)", "Raven, The (2012)"],
    );
    expect((await TitleIndex.of(both)).find("the raven")).toEqual([0, 1, 2]);
  });

  it("of many blanks take no longer than others", () => {
    // With a search for the blanks by a regular expression these were 10^10 steps.
    const title = `x${" ".repeat(160_000)}y`;
    const started = performance.now();
    expect(withoutYear(title)).toBe(title);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("of 200,000 items are indexed and searched in steps", { timeout: 60_000 }, async () => {
    const catalogue = () =>
      new Vocabulary(
        Array.from({ length: 200_000 }, (_, item) => `i${item}`),
        Array.from({ length: 200_000 }, (_, item) => `Film, The number ${item} (${1900 + (item % 100)})`),
      );
    const items = Array.from({ length: 3 }, catalogue);
    let index: TitleIndex | undefined;
    let round = 0;
    const building = await longestTurn(async () => {
      index = await TitleIndex.of(items[round++]);
    });
    // The whole takes many times as long; what remains is the growth of the maps.
    expect(building).toBeLessThan(50);
    const turns = new SharedTurns();
    const searching = await longestTurn(() =>
      Promise.all(Array.from({ length: 20 }, () => index?.search("no such title", 10, turns.begin()))),
    );
    expect(searching).toBeLessThan(50);
  });
});
