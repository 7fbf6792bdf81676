import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { SharedTurns } from "../../../src/core/shared-turns.js";
import { popularityIn } from "../../../src/data/item-popularity.js";
import { evaluateSplit } from "../../../src/evaluation/evaluate.js";
import { wmf } from "../../../src/models/factors/wmf.js";
import { parseOptions } from "../../../src/models/options.js";
import { ProductRanking } from "../../../src/recommender/product-ranking.js";
import { recommend } from "../../../src/recommender/recommend.js";
import type { Recommender } from "../../../src/recommender/recommender.js";
import { rerank } from "../../../src/recommender/rules/rerank.js";
import { rulesOf } from "../../../src/recommender/rules/rules.js";
import { emptyMatrix, fromRows, rowIndices } from "../../../src/sparse/csr.js";
import { split, tastes, vocabulary } from "../../support/datasets.js";
import { itemsOf } from "../../support/filters.js";
import { scoring } from "../../support/fixed-scores.js";

interface Fixture {
  cases: {
    k: number;
    novelty: number;
    diversity: number;
    items: number[];
    scores: number[];
    users: number;
    counts: number[];
    vectors: number[][];
    order: number[];
  }[];
}
const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-rules.json", import.meta.url), "utf8"),
) as Fixture;

describe("re-ranking", () => {
  it.each(fixture.cases)("gives NumPy's list: novelty $novelty, diversity $diversity", async (given) => {
    const { items, scores, users, counts, vectors, order, k, ...options } = given;
    const engine = new ReferenceEngine();
    const width = vectors[0].length;
    const weights = new Float32Array(100 * width);
    for (const [place, item] of items.entries()) weights.set(vectors[place], item * width);
    const encode = () => engine.empty(1, width);
    const products = { encode, weights: engine.tensor(100, width, weights) };
    const recommender = {
      ...scoring(100, () => []),
      items: vocabulary("item", 100).withPopularity({ users, counts: Uint32Array.from(counts) }),
      ranking: new ProductRanking(engine, products),
    };
    const rules = await rulesOf(recommender.items, options);
    if (!rules) throw new Error("no rules");
    const pool = { items: Uint32Array.from(items), scores: Float32Array.from(scores) };
    const reranking = { k, rules, depth: 200, deeper: () => Promise.reject(new Error("not needed")) };
    const list = await rerank(recommender, pool, reranking, new SharedTurns().begin());
    expect([...list.items]).toEqual(order);
    expect([...list.scores]).toEqual(order.map((item) => scores[items.indexOf(item)]));
  });

  describe("with limits", () => {
    // 300 items, best first; the first 250 are red, and the others have one of two colours.
    const colour = (item: number) => (item < 250 ? "red" : item % 2 === 0 ? "blue" : "7");
    const items = itemsOf(
      Array.from({ length: 300 }, (_, item) => ({
        ...{ genre: [], year: item, released: null, inStock: null },
        colour: colour(item),
      })),
    );
    const depths: number[] = [];
    const fixed = scoring(300, () => Array.from({ length: 300 }, (_, item) => -item));
    const recommender: Recommender = {
      ...fixed,
      items,
      score: (histories) => {
        const scores = fixed.score(histories);
        return {
          ...scores,
          topK: (k, without, allowed) => {
            depths.push(k);
            return scores.topK(k, without, allowed);
          },
        };
      },
    };
    const chosen = async (options: Parameters<typeof recommend>[2]) => {
      depths.length = 0;
      return (await recommend(recommender, [], options)).items.map(({ index }) => index);
    };

    it("takes at most n items per value, from a larger pool if the first has too few", async () => {
      expect(await chosen({ k: 2, atMost: { colour: 2 } })).toEqual([0, 1]);
      expect(depths).toEqual([200]);
      expect(await chosen({ k: 6, atMost: { colour: 2 } })).toEqual([0, 1, 250, 251, 252, 253]);
      expect(depths).toEqual([200, 2000]);
    });

    it("gives fewer than k items if there are no more", async () => {
      expect(await chosen({ k: 6, atMost: { colour: 1 } })).toEqual([0, 250, 251]);
      expect(
        await chosen({ k: 6, atMost: { colour: 1 }, filter: { attribute: "colour", is: "red" } }),
      ).toEqual([0]);
    });

    it("is the same in an evaluation", async () => {
      const users = split(emptyMatrix(1, 300), fromRows(300, [[252]]), "user");
      const rules = { atMost: { colour: 2 } };
      const { metrics } = await evaluateSplit(recommender, users, { metrics: ["mrr@6"], rules });
      expect(metrics["mrr@6"].mean).toBe(1 / 5);
    });

    it("combines with boosts, diversity and filters", async () => {
      // Of the pool 0 to 199, the last one has relevance 0.
      const late = { where: { attribute: "year", atLeast: 198 }, by: 0.999 };
      expect(await chosen({ k: 3, boost: [late] })).toEqual([198, 0, 199]);
      expect(
        await chosen({ k: 2, boost: [{ ...late, where: { attribute: "year", below: 2 }, by: -0.05 }] }),
      ).toEqual([2, 3]);
      const some = { attribute: "year", below: 260 };
      expect(await chosen({ k: 4, atMost: { colour: 1 }, filter: some, diversity: 0.1 })).toHaveLength(3);
    });
  });

  it("in an evaluation gives the lists of recommend", async () => {
    const dataset = tastes();
    const engine = new ReferenceEngine();
    const items = dataset.items.withPopularity(popularityIn(dataset.train));
    const options = parseOptions(wmf, { factors: 4 });
    const model = await wmf.fit({ ...dataset, items }, options, { engine, seed: 1 });
    const rules = { diversity: 0.4, novelty: 0.2 };
    const metrics = ["novelty@10", "diversity@10", "hit-rate@10"];
    const evaluation = await evaluateSplit(model, dataset.test, { metrics, rules, train: dataset.train });
    const plain = await evaluateSplit(model, dataset.test, { metrics, train: dataset.train });
    for (const name of ["novelty@10", "diversity@10"])
      expect(evaluation.metrics[name].mean).toBeGreaterThan(plain.metrics[name].mean);
    for (const [u, row] of evaluation.rows.entries()) {
      const { items } = await recommend(model, rowIndices(dataset.test.foldIn, row).slice(), {
        k: 10,
        ...rules,
      });
      const heldOut = rowIndices(dataset.test.heldOut, row);
      expect(evaluation.perUser["hit-rate@10"][u]).toBe(
        items.some(({ index }) => heldOut.includes(index)) ? 1 : 0,
      );
    }
    model.dispose();
  });
});
