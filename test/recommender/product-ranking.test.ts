// Scores that are products are ranked by bounds, as a whole, or in blocks of items. The results must be the same.

import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { mergeTopK } from "../../src/compute/merge-top-k.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { RandomSequence } from "../../src/core/philox.js";
import { ProductRanking, type RankingOptions } from "../../src/recommender/product-ranking.js";
import { blockwiseScores } from "../../src/recommender/scores.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { engineNames } from "../support/engine-names.js";

const [ROWS, WIDTH] = [5, 6];

/** Small whole numbers, so that products are exact in any order, and many are equal. */
function make(engine: Engine, items: number, options: RankingOptions & { readonly biased?: boolean }) {
  const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
  const whole = (rows: number, columns: number) =>
    engine.tensor(
      rows,
      columns,
      Array.from({ length: rows * columns }, () => random.below(5) - 2),
    );
  const weights = whole(items, WIDTH);
  const bias = options.biased ? whole(1, items) : undefined;
  const hidden = whole(ROWS, WIDTH);
  const encode = () => hidden;
  return { hidden, ranking: new ProductRanking(engine, { encode, weights, bias }, options) };
}

describe.each(engineNames)("ranking by products on the %s engine", (name) => {
  it.each([true, false])("in blocks of items is as ranking all at once, biased: %s", async (biased) => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const without = fromRows(
      97,
      Array.from({ length: ROWS }, (_, row) => [row, 20 + row, 96]),
    );
    // 97, 96, 20 and 1 items at a time.
    for (const k of [1, 10, 200]) {
      const { ranking, hidden } = make(engine, 97, { biased });
      const expected = await ranking.topK(hidden, k, without);
      expect(expected.k).toBe(Math.min(k, 97));
      for (const atOnce of [97 * ROWS, 96 * ROWS, 20 * ROWS, 1]) {
        const blocks = make(engine, 97, { biased, atOnce });
        expect(await blocks.ranking.topK(blocks.hidden, k, without)).toEqual(expected);
      }
    }
    await engine.close();
  });

  it("of shares, merged, is ranking the whole", async () => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const { ranking, hidden } = make(engine, 97, { biased: true, atOnce: 100 });
    const without = fromRows(97, [[0], [], [50, 51], [96], []]);
    for (const k of [1, 10, 200])
      for (const cuts of [[97], [40, 97], [0, 1, 50, 50, 96, 97]]) {
        const parts = await Promise.all(
          cuts.map((to, i) => ranking.topK(hidden, k, without, { from: cuts[i - 1] ?? 0, to })),
        );
        expect(mergeTopK(parts, k)).toEqual(await ranking.topK(hidden, k, without));
      }
    await engine.close();
  });

  it("answers for 511, 512 and 513 histories as for each alone", async () => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const { ranking, hidden } = make(engine, 97, { biased: true });
    const { weights, bias } = ranking.products;
    const sizes: number[] = [];
    const encode = ({ rows, offsets, indices }: CsrMatrix) => {
      sizes.push(rows);
      const out = engine.empty(rows, WIDTH);
      // A history's only item is the row of `hidden` that stands for it.
      engine.takeRows(out, hidden, indices.subarray(offsets[0], offsets[rows]));
      return out;
    };
    const whole = new ProductRanking(engine, { encode, weights, bias });
    const best = await ranking.topK(hidden, 4);
    for (const [count, expected] of [
      [511, [511]],
      [512, [512]],
      [513, [512, 1]],
    ] as const) {
      sizes.length = 0;
      const histories = fromRows(
        97,
        Array.from({ length: count }, (_, row) => [row % ROWS]),
      );
      const unused = () => engine.empty(0, 0);
      const found = await blockwiseScores(engine, histories, 97, unused, { ranking: whole }).topK(4);
      expect(sizes).toEqual(expected);
      for (let row = 0; row < count; row++)
        expect(found.items.subarray(4 * row, 4 * row + 4)).toEqual(
          best.items.subarray(4 * (row % ROWS), 4 * (row % ROWS) + 4),
        );
    }
    await engine.close();
  });

  it("keeps at most the allowed number of scores in memory", async () => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const { ranking, hidden } = make(engine, 20_000, { atOnce: 1000 * ROWS });
    await engine.finished();
    const before = engine.memory();
    const answer = ranking.topK(hidden, 3);
    expect(engine.memory() - before).toBeLessThan(1.3 * 4 * 1000 * ROWS);
    await answer;
    expect(engine.memory() - before).toBeLessThan(1.3 * 4 * 1000 * ROWS);
    await engine.close();
  });
});
