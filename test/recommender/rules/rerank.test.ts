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
import { rerank } from "../../../src/recommender/rules/rerank.js";
import { rulesOf } from "../../../src/recommender/rules/rules.js";
import { rowIndices } from "../../../src/sparse/csr.js";
import { tastes, vocabulary } from "../../support/datasets.js";
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
    const rules = rulesOf(recommender.items, options);
    if (!rules) throw new Error("no rules");
    const pool = { items: Uint32Array.from(items), scores: Float32Array.from(scores) };
    const list = await rerank(recommender, pool, { k, rules }, new SharedTurns().begin());
    expect([...list.items]).toEqual(order);
    expect([...list.scores]).toEqual(order.map((item) => scores[items.indexOf(item)]));
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
