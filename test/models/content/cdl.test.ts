import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { sum } from "../../../src/compute/objective.js";
import { Tape } from "../../../src/compute/tape.js";
import { streamOf } from "../../../src/core/philox.js";
import type { ContentRows } from "../../../src/models/content/batches.js";
import { cdl } from "../../../src/models/content/cdl.js";
import { TiedLayers } from "../../../src/models/content/tied-mlp.js";
import { parseOptions } from "../../../src/models/options.js";
import { allocate } from "../../../src/nn/parameters.js";
import type { RunContext } from "../../../src/recommender/run-context.js";
import {
  expectToResumeAnywhere,
  memoryCache,
  modelFixture,
  smallCatalogue,
  trainedOn,
  worstError,
} from "../../support/content-models.js";
import { precisions } from "../../support/engine-names.js";

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

  it("shares all pretraining with other lambdas, and that of the layers below with another latent", async () => {
    const cache = memoryCache();
    const train = async (changed: Record<string, unknown>, run: Partial<RunContext> = { cache }) => {
      const options = { hidden: [5], batchSize: 4, epochs: 2, layerEpochs: 2, finalSweeps: 2, ...changed };
      return trainedOn(smallCatalogue, cdl, options, {
        engine: new ReferenceEngine({ precision: "float64" }),
        ...run,
      });
    };
    const layer = (number: number) => `pretraining, layer ${number}`;
    expect([...(await train({ latent: 3 })).pretraining.keys()]).toEqual([layer(1), layer(2), "train"]);
    for (const [changed, phases] of [
      [{ latent: 3, lambdaU: 0.1, lambdaV: 1, lambdaN: 10 }, []],
      [{ latent: 2 }, [layer(2)]],
      [{ latent: 3, lambdaW: 1e-3 }, [layer(1), layer(2)]],
    ] as const) {
      const { pretraining, tensors } = await train(changed);
      expect([...pretraining.keys()]).toEqual([...phases, "train"]);
      expect(tensors).toEqual((await train(changed, {})).tensors);
    }
    expect(cache.kept.size).toBe(2 + 1 + 2);
  });

  it("has the authors' options as defaults", () => {
    expect(parseOptions(cdl)).toEqual({
      ...{ hidden: [200], latent: 50, lambdaX: 1, lambdaU: 1, lambdaV: 10, lambdaN: 1000, lambdaW: 1e-4 },
      ...{ a: 1, b: 0.01, corruption: 0.3, dropout: 0.1, rho: 0.99, epsilon: 1e-8, batchSize: 128 },
      ...{ epochs: 200, sweeps: 1, finalSweeps: 100, layerEpochs: 500 },
      ...{ sparsity: 0.1, pretrainingShare: 0.75 },
    });
  });
});

describe("the layers that cdl pretrains", () => {
  async function* blocks(...rows: number[][]): AsyncGenerator<ContentRows> {
    for (const row of rows)
      yield { kind: "dense", rows: row.length / 2, columns: 2, data: Float64Array.from(row) };
  }

  it.each([
    // Means (1/2, 1/4), and (1, 0), whose log-odds are cut off.
    ["bernoulli", [0.5, 0, 0.5, 0.5], [0, -Math.log(3)]],
    ["bernoulli", [1, 0, 1, 0], [4, -4]],
    ["gaussian", [3, 0, -1, 8], [1, 4]],
  ] as const)("reconstruct from a bias that fits the means (%s, %j)", async (likelihood, rows, wanted) => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const layers = new TiedLayers({
      ...{ inputs: 2, hidden: [3], likelihood, precision: 1, corruption: 0, visible: "means" },
    });
    allocate(engine, [...layers.parameters, ...layers.visibleBiases], 7);
    await layers.parts[0].begin?.(blocks(rows.slice(0, 2), rows.slice(2)));
    const found = await engine.read(layers.visibleBiases[0].value);
    expect(worstError(found, wanted)).toBeLessThan(1e-12);
  });

  it("penalise the activity of their units as deepmat does: its gradient is the activity itself", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const row = { kind: "dense", rows: 1, dense: engine.tensor(1, 2, [0.25, 0.75]) } as const;
    const gradientOf = async (sparsity: number) => {
      const layers = new TiedLayers({
        ...{ inputs: 2, hidden: [3], likelihood: "bernoulli", precision: 1, corruption: 0, sparsity },
      });
      allocate(engine, [...layers.parameters, ...layers.visibleBiases], 7);
      const tape = new Tape(engine);
      const key = (name: string) => ({ seed: 7, step: 1, stream: streamOf(name) });
      tape.backward(sum(layers.parts[0].loss(tape, { clean: row, noisy: row }, key)));
      const h = await engine.read(layers.encode(tape, row).value);
      return { h, gradient: await layers.biases[0].fullGradient() };
    };
    const [without, held] = [await gradientOf(0), await gradientOf(0.5)];
    const wanted = Array.from(without.gradient, (g, unit) => g + 0.5 * without.h[unit]);
    expect(worstError(held.gradient, wanted)).toBeLessThan(1e-12);
  });
});
