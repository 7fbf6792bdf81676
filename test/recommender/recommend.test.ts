import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { recommend } from "../../src/recommender/recommend.js";
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
  it("folds the history in, leaves it out, and names what it finds", async () => {
    const { history, unknown, items } = await recommend(recommender, ["item1", "nobody", "item1"], { k: 2 });
    expect(history).toEqual([{ index: 1, id: "item1", title: "Title of item1" }]);
    expect(unknown).toEqual(["nobody"]);
    expect(items).toEqual([
      { rank: 1, index: 2, id: "item2", title: "Title of item2", score: 103 },
      { rank: 2, index: 3, id: "item3", title: "item3", score: 5 },
    ]);
  });

  it("answers an empty history; equal scores come by item index", async () => {
    expect(await ids([])).toEqual(["item1", "item3", "item2", "item4", "item0"]);
  });

  it("never recommends what is excluded, and the history only on request", async () => {
    expect(await ids(["item1"], { exclude: ["item2", "item0", "?"] })).toEqual(["item3", "item4"]);
    expect(await ids(["item1"], { includeHistory: true, k: 2 })).toEqual(["item2", "item1"]);
  });

  it("takes indices too, and an all-items history leaves nothing to recommend", async () => {
    expect(await ids(Uint32Array.of(1, 1), { k: 1 })).toEqual(["item2"]);
    expect(await ids(Uint32Array.of(0, 1, 2, 3, 4))).toEqual([]);
    await expect(ids(Uint32Array.of(5))).rejects.toThrow(RangeError);
  });

  it("a history of nothing but unknown ids is the caller's mistake, with the nearest id", async () => {
    await expect(ids(["itm1"])).rejects.toThrow(
      /"itm1" is not in the model's catalogue.*Did you mean "item1"/,
    );
    await expect(ids([17, 18])).rejects.toThrow(UserError);
    await expect(ids(["item1"], { k: 0 })).rejects.toThrow(UserError);
  });
});
