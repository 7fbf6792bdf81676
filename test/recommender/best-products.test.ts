// One history is ranked by bounds and a few products; many histories by all of their scores. The results must be the same.

import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { sparseLinear } from "../../src/compute/ops/sparse-linear.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import type { Tensor } from "../../src/compute/tensor.js";
import { networkRecommender } from "../../src/models/autoencoders/network.js";
import { normal } from "../../src/nn/initializers.js";
import { SparseLinear } from "../../src/nn/linear.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { BestProducts } from "../../src/recommender/best-products.js";
import { fromRows } from "../../src/sparse/csr.js";
import { allocatedOn } from "../support/allocated.js";
import { vocabulary } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";

const [ITEMS, WIDTH] = [2200, 480];
const histories = [[3, 77, 2100], [], [5, 6, 7, 8, 1000], [2199]];

/** A first layer over the items, and the output layer. */
function layersOf(engine: Engine, items: number, width: number) {
  const first = { name: "in", inputs: items, outputs: width, weight: normal(0.3), bias: normal(0.1) };
  const { weight, bias } = allocatedOn(engine, new SparseLinear(first));
  const output = allocatedOn(engine, new OutputLayer({ name: "out", inputs: width, outputs: items }));
  return { weight, bias, output };
}

describe.each(engineNames)("the best of a few histories on the %s engine", (name) => {
  it("are those of all their scores, to the last bit", async () => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const make = (final: boolean) => {
      const { weight, bias, output } = layersOf(engine, ITEMS, WIDTH);
      const network = {
        parameters: [weight, bias, ...output.parameters],
        output,
        activations: (tape: Parameters<typeof sparseLinear>[0], x: Parameters<typeof sparseLinear>[1]) =>
          tanh(tape, sparseLinear(tape, x, weight, bias)),
      };
      const files = { algorithm: "test", config: {}, items: vocabulary("i", ITEMS) };
      return networkRecommender(engine, network, files, { final });
    };
    const [bounded, all] = [make(true), make(false)];
    for (const lists of [[], histories, ...histories.map((history) => [history])]) {
      const given = fromRows(ITEMS, lists);
      for (const k of [1, 10, 3000]) {
        for (const without of [undefined, given]) {
          const found = await bounded.score(given).topK(k, without);
          expect(found).toEqual(await all.score(given).topK(k, without));
        }
      }
    }
    bounded.dispose();
    all.dispose();
    // Released memory is used again: a model more, and its copy, take none.
    await engine.finished();
    const before = engine.memory();
    const again = make(true);
    await again.score(fromRows(ITEMS, [[1]])).topK(5);
    again.dispose();
    await engine.finished();
    expect(engine.memory()).toBeLessThanOrEqual(before);
    await engine.close();
  });
});

/** A model whose scores are products with `items` rows of `width` weights, and how often its engine took each path. */
async function countingModel(items: number, width: number) {
  const calls = { bestProducts: 0, topK: 0 };
  const engine = new Proxy(await openEngine({ threads: 2 }), {
    get(target, name) {
      if (name === "bestProducts" || name === "topK") calls[name]++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { weight, bias, output } = layersOf(engine, items, width);
  const network = {
    parameters: [weight, bias, ...output.parameters],
    output,
    activations: (tape: Parameters<typeof sparseLinear>[0], x: Parameters<typeof sparseLinear>[1]) =>
      tanh(tape, sparseLinear(tape, x, weight, bias)),
  };
  const files = { algorithm: "test", config: {}, items: vocabulary("i", items) };
  const [bounded, all] = [true, false].map((final) => networkRecommender(engine, network, files, { final }));
  return { calls, bounded, all, close: () => engine.close() };
}

describe("bounds are used", () => {
  const histories = (count: number, items: number) =>
    fromRows(
      items,
      Array.from({ length: count }, (_, row) => [row, 5 * row + 1, items - 1 - row]),
    );

  it("for up to eight histories; nine are scored as a whole, with the same result", async () => {
    const { calls, bounded, all, close } = await countingModel(1024, 1024);
    for (const count of [1, 4, 5, 7, 8, 9]) {
      const given = histories(count, 1024);
      const expected = await all.score(given).topK(20, given);
      const before = { ...calls };
      const found = await bounded.score(given).topK(20, given);
      const [byBounds, whole] = count <= 8 ? [1, 0] : [0, 1];
      expect(calls, `${count} histories`).toEqual({
        bestProducts: before.bestProducts + byBounds,
        topK: before.topK + whole,
      });
      expect([...found.items]).toEqual([...expected.items]);
      // From five histories on the whole product sums in another order (docs/decisions/best-products.md).
      for (const [place, score] of found.scores.entries())
        if (count <= 4) expect(score).toBe(expected.scores[place]);
        else expect(score).toBeCloseTo(expected.scores[place], 4);
    }
    await close();
  });

  it("for up to 64 histories with an index, of weights of any size", async () => {
    const engine = await openEngine({ engine: "reference" });
    const weights = engine.zeros(3, 2);
    const best = new BestProducts(engine, { weights });
    expect(best.takes(1)).toBe(false);
    best.useIndex({ blocks: fromRows(3, [[0, 2], [1]]) });
    expect([0, 1, 64, 65].map((histories) => best.takes(histories))).toEqual([false, true, true, false]);
    await engine.close();
  });

  it("from the requested number of weights on, which is 2^24 for factors", async () => {
    const engine = await openEngine({ engine: "reference" });
    const takes = (rows: number, columns: number, least?: number) => {
      const weights = { rows, columns } as Tensor;
      return new BestProducts(engine, { weights }, least).takes(1);
    };
    expect([takes(2048, 8191, 2 ** 24), takes(2048, 8192, 2 ** 24)]).toEqual([false, true]);
    expect([takes(2048, 511), takes(2048, 512)]).toEqual([false, true]);
    await engine.close();
  });

  it.each([
    [1023, 1026, 0],
    [1024, 1023, 0],
    [1024, 1024, 1],
    [1025, 1024, 1],
    [1025, 1023, 0],
    [1026, 1023, 1],
  ])("of 1,024 items and 2^20 weights on: %i items by %i weights", async (items, width, byBounds) => {
    const { calls, bounded, all, close } = await countingModel(items, width);
    const given = histories(1, items);
    const expected = await all.score(given).topK(20, given);
    const found = await bounded.score(given).topK(20, given);
    expect(calls).toEqual({ bestProducts: byBounds, topK: 2 - byBounds });
    expect(found).toEqual(expected);
    await close();
  });
});
