import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { answerAll, askedOf, recommend } from "../../src/recommender/recommend.js";
import { similarItems } from "../../src/recommender/similar.js";
import { scoring } from "../support/fixed-scores.js";

// Five items, scores 1, 5, 3, 5, 2, plus 100 for the neighbour to the right of each item of the history.
const recommender = scoring(5, (history) => {
  const scores = [1, 5, 3, 5, 2];
  for (const item of history) scores[(item + 1) % 5] += 100;
  return scores;
});
const ids = async (...call: Parameters<typeof recommend> extends [unknown, ...infer Rest] ? Rest : never) =>
  (await recommend(recommender, ...call)).items.map(({ id }) => id);

describe("recommend", () => {
  it("folds the history in, masks it, and returns ids and titles", async () => {
    const { history, unknown, items } = await recommend(recommender, ["item1", "nobody", "item1"], { k: 2 });
    expect(history).toEqual([{ index: 1, id: "item1", title: "Title of item1" }]);
    expect(unknown).toEqual(["nobody"]);
    expect(items).toEqual([
      { rank: 1, index: 2, id: "item2", title: "Title of item2", score: 103 },
      { rank: 2, index: 3, id: "item3", title: "item3", score: 5 },
    ]);
  });

  it("accepts an empty history; equal scores are ordered by item index", async () => {
    expect(await ids([])).toEqual(["item1", "item3", "item2", "item4", "item0"]);
  });

  it("never recommends excluded items, and history items only on request", async () => {
    expect(await ids(["item1"], { exclude: ["item2", "item0", "?"] })).toEqual(["item3", "item4"]);
    expect(await ids(["item1"], { includeHistory: true, k: 2 })).toEqual(["item2", "item1"]);
  });

  it("accepts indices; a history of all items leaves nothing to recommend", async () => {
    expect(await ids(Uint32Array.of(1, 1), { k: 1 })).toEqual(["item2"]);
    expect(await ids(Uint32Array.of(0, 1, 2, 3, 4))).toEqual([]);
    await expect(ids(Uint32Array.of(5))).rejects.toThrow(RangeError);
  });

  it.each([
    ["the 49,999th", 49_998, true],
    ["the 50,000th", 49_999, true],
    ["the 50,001st", 50_000, false],
  ])("the nearest id is looked for among the first 50,000: %s", async (_, place, found) => {
    const catalogue = Array.from({ length: 50_001 }, (_, item) => `${item}`);
    catalogue[place] = "zebra-crossing";
    const large = { ...scoring(50_001, () => []), items: new Vocabulary(catalogue) };
    for (const asking of [recommend(large, ["zebra-crosing"]), similarItems(large, "zebra-crosing")]) {
      const message = await asking.then(
        () => "",
        (error: Error) => error.message,
      );
      expect(message).toContain('"zebra-crosing" is not in the model\'s catalogue');
      expect(message.includes('Did you mean "zebra-crossing"?')).toBe(found);
    }
  });

  it("rejects a history with only unknown ids, and suggests the most similar id", async () => {
    await expect(ids(["itm1"])).rejects.toThrow(
      /"itm1" is not in the model's catalogue.*Did you mean "item1"/,
    );
    await expect(ids([17, 18])).rejects.toThrow(UserError);
    await expect(ids(["item1"], { k: 0 })).rejects.toThrow(UserError);
  });
});

describe("recommending among candidates", () => {
  it("chooses only from them, without the history and excluded items", async () => {
    expect(await ids(["item1"], { candidates: ["item4", "item2", "?", "item1"] })).toEqual([
      "item2",
      "item4",
    ]);
    expect(await ids([], { candidates: ["item4", "item2"], exclude: ["item2"] })).toEqual(["item4"]);
    expect(await ids(["item1"], { candidates: ["item1", "item4"], includeHistory: true })).toEqual(
      ["item4", "item1"].reverse(),
    );
    expect(await ids(["item1"], { candidates: [] })).toEqual([]);
  });
});

describe("explaining", () => {
  it("returns the contribution of each history item to a score, largest first", async () => {
    const { items } = await recommend(recommender, ["item1", "item2"], { k: 2, explain: true });
    // item3 = 5 + 100 because of item2; then item4 = 2 (next to nobody's left).
    expect(items.map(({ id }) => id)).toEqual(["item3", "item4"].toSorted());
    expect(items[0].because).toEqual([
      { index: 2, id: "item2", title: "Title of item2", influence: 100 },
      { index: 1, id: "item1", title: "Title of item1", influence: 0 },
    ]);
    expect(items[1].because?.map(({ influence }) => influence)).toEqual([0, 0]);
    expect((await recommend(recommender, [], { k: 1, explain: true })).items[0].because).toEqual([]);
    expect((await recommend(recommender, ["item1"], { k: 1 })).items[0].because).toBeUndefined();
  });
});

describe("rules", () => {
  // Scores 10, 9, 8, ..., 1; items 0 and 1 are alike, and so are the others.
  const alike = scoring(10, ([item]) =>
    item === undefined
      ? Array.from({ length: 10 }, (_, i) => 10 - i)
      : Array.from({ length: 10 }, (_, i) => Number(i < 2 === item < 2)),
  );
  const counts = Uint32Array.from({ length: 10 }, (_, i) => 2 ** (9 - i));
  const counted = { ...alike, items: alike.items.withPopularity({ users: 512, counts }) };
  const chosen = async (options: Parameters<typeof recommend>[2]) =>
    (await recommend(counted, [], options)).items.map(({ index }) => index);

  it("re-rank; scores and ranks remain those of the model and of the list", async () => {
    expect(await chosen({ k: 3 })).toEqual([0, 1, 2]);
    expect(await chosen({ k: 3, diversity: 0.4 })).toEqual([0, 2, 1]);
    const { items } = await recommend(counted, [], { k: 3, diversity: 0.4 });
    expect(items.map(({ rank, score }) => [rank, score])).toEqual([
      [1, 10],
      [2, 8],
      [3, 9],
    ]);
    // Item i has i of 9 bits and a relevance of (9 - i) / 9.
    expect(await chosen({ k: 2, novelty: 0.49 })).toEqual([0, 1]);
    expect(await chosen({ k: 2, novelty: 0.51 })).toEqual([9, 8]);
  });

  it("choose from what the other options leave", async () => {
    expect(await chosen({ k: 3, diversity: 0.4, exclude: ["item0", "item2"] })).toEqual([1, 3, 4]);
    expect(await chosen({ k: 9, diversity: 0.4, candidates: ["item1", "item0", "item9"] })).toEqual([
      0, 9, 1,
    ]);
    const { items } = await recommend(counted, ["item0"], { k: 2, diversity: 0.5, explain: true });
    expect(items.map(({ index }) => index)).not.toContain(0);
    expect(items[0].because?.map(({ index }) => index)).toEqual([0]);
    const all = { k: 10, diversity: 0.5, includeHistory: true };
    expect((await recommend(counted, ["item0"], all)).items).toHaveLength(10);
  });

  it("are refused with the name of the option", async () => {
    await expect(chosen({ diversity: 2 })).rejects.toThrow(/diversity: 2 is not a weight/);
    await expect(recommend(alike, [], { novelty: 0.1 })).rejects.toThrow(/novelty: .*popularity/);
  });
});

describe("similar items", () => {
  it("are the recommendations for a history with that item alone", async () => {
    const { item, items } = await similarItems(recommender, "item3", { k: 2 });
    expect(item.id).toBe("item3");
    expect(items.map(({ id, score }) => [id, score])).toEqual([
      ["item4", 102],
      ["item1", 5],
    ]);
    await expect(similarItems(recommender, "itm3")).rejects.toThrow(/"itm3" is not.*Did you mean "item3"/);
  });
});

describe("many questions at once", () => {
  it("have the same answers as each alone, whatever their options", async () => {
    const asked: Parameters<typeof ids>[] = [
      [["item1"], { k: 1 }],
      [[], { k: 5 }],
      [["item0", "?"], { candidates: ["item1", "item2"] }],
      [["item2", "item1"], { explain: true, k: 3 }],
      [["item4"], { diversity: 0.6, k: 2 }],
    ];
    const questions = await Promise.all(
      asked.map(([history, options]) => askedOf(recommender.items, history, options)),
    );
    const together = await answerAll(recommender, questions);
    for (const [q, [history, options]] of asked.entries())
      expect(together[q]).toEqual(await recommend(recommender, history, options));
    expect(await answerAll(recommender, [])).toEqual([]);
  });
});
