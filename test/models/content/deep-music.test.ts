import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { vectorContent } from "../../../src/data/content/in-memory.js";
import { deepMusic } from "../../../src/models/content/deep-music.js";
import {
  expectToResumeAnywhere,
  histories,
  modelFixture,
  newItems,
  smallCatalogue,
  trainedOn,
  worstError,
} from "../../support/content-models.js";
import { precisions } from "../../support/engine-names.js";
import { coldOrder, datasetOf, pictures, sequences } from "../../support/modalities.js";

const small = { hidden: [4], latent: 3, batchSize: 4, factorSweeps: 2, epochs: 2 };

describe("deep-music", () => {
  const fixture = modelFixture<{
    seed: number;
    options: Record<string, unknown>;
    losses: number[];
    items: number[];
    scored: number[];
    scores: number[];
    newItem: number[];
  }>("torch-deep-music");

  it.each(precisions(1e-8, 2e-4))(
    "ends with NumPy's factors and PyTorch's network, on the %s engine",
    async (_, tolerance, open) => {
      const { options, seed } = fixture;
      const engine = await open();
      const { model, records, tensors } = await trainedOn(smallCatalogue, deepMusic, options, {
        seed,
        engine,
      });
      const losses = records.map((record) => record.values.loss);
      expect(worstError(losses, fixture.losses)).toBeLessThan(tolerance);
      for (const name of ["items", "scored"] as const)
        expect(worstError(tensors[name].data, fixture[name]), name).toBeLessThan(tolerance);
      // Scores come back in float32.
      const scores = await model.score(histories).read();
      expect(worstError(scores, fixture.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
      const grown = await model.withItems(newItems, "content");
      const { scored } = (await grown.save()).tensors;
      expect(worstError(scored.data.subarray(tensors.scored.data.length), fixture.newItem)).toBeLessThan(
        tolerance,
      );
      grown.dispose();
      await engine.close();
    },
  );

  it("scores an item without content by its clicks", async () => {
    const { tensors } = await trainedOn(smallCatalogue, deepMusic, small);
    const [scored, items] = [tensors.scored, tensors.items].map(({ data }) => [...data.subarray(12, 15)]);
    expect(scored).toEqual(items);
    expect(scored.some((value) => value !== 0)).toBe(true);
  });

  it("reads vectors too", async () => {
    const numbers = Float32Array.from({ length: smallCatalogue.items.size * 2 }, (_, k) => Math.sin(k));
    const dataset = { ...smallCatalogue, content: vectorContent(numbers, 2) };
    const { model } = await trainedOn(dataset, deepMusic, small, { engine: new ReferenceEngine() });
    expect((await model.score(histories).read()).every(Number.isFinite)).toBe(true);
  });

  it("resumed anywhere, within the factorisation too, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(smallCatalogue, deepMusic, small));
});

describe("deep-music of pictures and sequences", () => {
  const training = { latent: 4, batchSize: 30, epochs: 60, learningRate: 0.01 };

  it.each([
    ["pictures", pictures, { filters: [8, 16] }],
    ["sequences", sequences, { filters: [16, 16], embedding: 8 }],
  ] as const)("ranks cold items by their %s, far above chance", async (_, content, options) => {
    expect(await coldOrder(deepMusic, content, { ...training, ...options })).toBeGreaterThan(0.8);
  });

  it("resumed anywhere, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(datasetOf(sequences), deepMusic, {
      ...{ filters: [3, 3], latent: 3, factorSweeps: 2, epochs: 2 },
    }));
});
