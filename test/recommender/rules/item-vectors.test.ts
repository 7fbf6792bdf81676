import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { ProductRanking } from "../../../src/recommender/product-ranking.js";
import { unitVectors } from "../../../src/recommender/rules/item-vectors.js";
import { productSpace, vectorsFrom } from "../../../src/recommender/vectors.js";
import { scoring } from "../../support/fixed-scores.js";

const engine = new ReferenceEngine();
const weights = engine.tensor(5, 2, Float32Array.of(3, 4, 0, 0, -5, 12, 1, 0, 0, 2));
const bias = engine.tensor(1, 5, Float32Array.of(9, 9, 9, 9, 9));
const encode = () => engine.empty(1, 2);
const plain = scoring(5, () => []);
const expected = [
  [-5 / 13, 12 / 13],
  [0.6, 0.8],
  [0, 0],
  [1, 0],
];
const chosen = Uint32Array.of(2, 0, 1, 3);
const rows = (data: Float64Array, width: number) =>
  Array.from({ length: data.length / width }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);

describe("vectors of a pool", () => {
  it("are the item vectors of the scores, of length 1, without a bias", async () => {
    const recommender = { ...plain, ranking: new ProductRanking(engine, { encode, weights, bias }) };
    const { width, data } = await unitVectors(recommender, chosen);
    expect(rows(data, width)).toEqual(expected);
  });

  it("of a model that only exports its vectors are these", async () => {
    const what = { users: "u", items: "v", encode, weights };
    const recommender = { ...plain, ...vectorsFrom(plain, [productSpace(engine, what)]) };
    const { width, data } = await unitVectors(recommender, chosen);
    expect(rows(data, width)).toEqual(expected);
  });

  it("of other models are the scores of a history with the item, in the pool, minus their mean", async () => {
    // The pool of items 0, 1 and 2 has the scores 1, 2, 3 after item 0 (centred -1, 0, 1), 5, 5, 8 (-1, -1, 2) after item 1.
    const after = [
      [1, 2, 3, 100],
      [5, 5, 8, -100],
      [Number.NaN, Number.NEGATIVE_INFINITY, 0, 7],
    ];
    const recommender = scoring(4, ([item]) => after[item]);
    const { width, data } = await unitVectors(recommender, Uint32Array.of(0, 1, 2));
    expect(width).toBe(3);
    const [first, second, third] = rows(data, width);
    for (const [found, vector] of [
      [first, [-1, 0, 1].map((x) => x / Math.sqrt(2))],
      [second, [-1, -1, 2].map((x) => x / Math.sqrt(6))],
      [third, [0, 0, 0]],
    ])
      for (const [c, number] of vector.entries()) expect(found[c]).toBeCloseTo(number, 12);
  });

  it("of an empty pool are none", async () => {
    expect(await unitVectors(plain, new Uint32Array())).toEqual({ width: 0, data: new Float64Array() });
  });
});
