import { describe, expect, it } from "vitest";
import { cdl } from "../../src/models/cdl.js";
import { parseOptions } from "../../src/models/options.js";
import {
  expectToResumeAnywhere,
  modelFixture,
  smallCatalogue,
  trainedOn,
  worstError,
} from "../support/content-models.js";
import { precisions } from "../support/engine-names.js";

describe("cdl", () => {
  const fixture = modelFixture<{
    seed: number;
    options: Record<string, unknown>;
    pretraining: number[][];
    reports: Record<string, number[]>;
    weights: Record<string, number[]>;
    items: number[];
  }>("torch-cdl");

  it.each(precisions(1e-8, 2e-4))(
    "ends with PyTorch's numbers, its AdaDelta's too, on the %s engine",
    async (_, tolerance, open) => {
      const { options, seed } = fixture;
      const engine = await open();
      const { pretraining, records, tensors } = await trainedOn(smallCatalogue, cdl, options, {
        seed,
        engine,
      });
      for (const [l, losses] of fixture.pretraining.entries())
        expect(worstError(pretraining.get(`pretraining, layer ${l + 1}`) ?? [], losses)).toBeLessThan(
          tolerance,
        );
      for (const [name, values] of Object.entries(fixture.reports)) {
        const found = records.map((record) => record.values[name]);
        expect(worstError(found, values), name).toBeLessThan(tolerance);
      }
      for (const [name, values] of Object.entries(fixture.weights))
        expect(worstError(tensors[name].data, values), name).toBeLessThan(tolerance);
      expect(worstError(tensors.items.data, fixture.items)).toBeLessThan(tolerance);
      await engine.close();
    },
  );

  it("resumed anywhere, within pretraining too, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(smallCatalogue, cdl, {
      ...{ hidden: [5], latent: 3, batchSize: 4, epochs: 2, layerEpochs: 2, finalSweeps: 2 },
    }));

  it("has the authors' options as defaults", () => {
    expect(parseOptions(cdl)).toEqual({
      ...{ hidden: [200], latent: 50, lambdaX: 1, lambdaU: 1, lambdaV: 10, lambdaN: 1000, lambdaW: 1e-4 },
      ...{ a: 1, b: 0.01, corruption: 0.3, dropout: 0.1, rho: 0.99, epsilon: 1e-8, batchSize: 128 },
      ...{ epochs: 200, sweeps: 1, finalSweeps: 100, layerEpochs: 500, pretrainingShare: 0.75 },
    });
  });
});
