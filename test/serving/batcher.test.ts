import { describe, expect, it } from "vitest";
import { askedOf } from "../../src/recommender/recommend.js";
import { Batcher } from "../../src/serving/batcher.js";
import { scoring } from "../support/fixed-scores.js";

describe("questions that come together", () => {
  it.each([
    [63, [63]],
    [64, [64]],
    [65, [64, 1]],
  ])("%i of them are answered 64 at a time, each as it would be alone", async (questions, expected) => {
    const recommender = scoring(100, ([item = 0]) =>
      Array.from({ length: 100 }, (_, i) => (i * (item + 1)) % 101),
    );
    const batches: number[] = [];
    const batcher = new Batcher(recommender, {
      ...{ mostAtOnce: 64, mostWaiting: 1000 },
      onBatch: (count) => batches.push(count),
    });
    const asked = Array.from({ length: questions }, (_, n) =>
      askedOf(recommender.items, [`item${n}`], { k: 3 }),
    );
    const answers = await Promise.all(asked.map((question) => batcher.ask(question)));
    for (const [n, { items }] of answers.entries()) {
      const best = Array.from({ length: 100 }, (_, i) => i)
        .filter((i) => i !== n)
        .sort((a, b) => ((b * (n + 1)) % 101) - ((a * (n + 1)) % 101));
      expect(items.map(({ index }) => index)).toEqual(best.slice(0, 3));
    }
    // The last batch is counted after its answers are given.
    await new Promise((resolve) => setImmediate(resolve));
    expect(batches).toEqual(expected);
  });
});
