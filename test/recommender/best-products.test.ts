// One history is answered by bounds and a few products; many by all of their scores. Nobody may see a difference.

import { describe, expect, it } from "vitest";
import { openEngine } from "../../src/compute/open-engine.js";
import { sparseLinear } from "../../src/compute/ops/sparse-linear.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { networkRecommender } from "../../src/models/multinomial-autoencoder.js";
import { normal } from "../../src/nn/initializers.js";
import { makeParameter } from "../../src/nn/linear.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { fromRows } from "../../src/sparse/csr.js";
import { vocabulary } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";

const [ITEMS, WIDTH] = [2200, 480];
const histories = [[3, 77, 2100], [], [5, 6, 7, 8, 1000], [2199]];

describe.each(engineNames)("the best of a few histories on the %s engine", (name) => {
  it("are those of all their scores, to the last bit", async () => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const make = (final: boolean) => {
      const weight = makeParameter(engine, "in.weight", ITEMS, WIDTH, 3, normal(0.3));
      const bias = makeParameter(engine, "in.bias", 1, WIDTH, 3, normal(0.1));
      const output = new OutputLayer(engine, { name: "out", inputs: WIDTH, outputs: ITEMS, seed: 3 });
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
