import { describe, expect, it } from "vitest";
import { ctr } from "../../../src/models/content/ctr.js";
import {
  expectToResumeAnywhere,
  modelFixture,
  newItems,
  smallCatalogue,
  trainedOn,
  worstError,
} from "../../support/content-models.js";
import { precisions } from "../../support/engine-names.js";

describe("ctr", () => {
  const fixture = modelFixture<{
    seed: number;
    options: Record<string, unknown>;
    topicLosses: number[];
    losses: number[];
    topics: number[];
    items: number[];
    newItem: number[];
  }>("numpy-ctr");
  const { options, seed } = fixture;

  it.each(precisions(1e-7, 1e-3))(
    "ends with NumPy's and SciPy's numbers, LDA, then factors and topics in turns, on the %s engine",
    async (_, tolerance, open) => {
      const engine = await open();
      const { model, pretraining, records, tensors } = await trainedOn(smallCatalogue, ctr, options, {
        seed,
        engine,
      });
      // LDA runs in float64 on every engine.
      expect(worstError(pretraining.get("pretraining, topics") ?? [], fixture.topicLosses)).toBeLessThan(
        1e-9,
      );
      const losses = records.map((record) => record.values.loss);
      expect(worstError(losses, fixture.losses)).toBeLessThan(tolerance);
      expect(worstError(tensors.topics.data, fixture.topics)).toBeLessThan(tolerance);
      expect(worstError(tensors.items.data, fixture.items)).toBeLessThan(tolerance);
      const grown = await model.withItems(newItems, "content");
      const V = (await grown.save()).tensors.items.data;
      expect(worstError(V.subarray(tensors.items.data.length), fixture.newItem)).toBeLessThan(tolerance);
      grown.dispose();
      await engine.close();
    },
  );

  it("stops when the likelihood converges, but not before epoch 15", async () => {
    const still = { ...options, tolerance: 0.5, epochs: 40 };
    expect((await trainedOn(smallCatalogue, ctr, still)).records).toHaveLength(15);
    expect((await trainedOn(smallCatalogue, ctr, { ...still, tolerance: 0 })).records).toHaveLength(40);
  });

  it("resumed anywhere, within pretraining too, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(smallCatalogue, ctr, { topics: 3, topicEpochs: 3, epochs: 3 }));
});
