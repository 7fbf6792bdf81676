import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ctr } from "../../../src/models/content/ctr.js";
import { digamma, projectOnSimplex, stepOnSimplex } from "../../../src/models/content/topics.js";
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

  it("stops where the likelihood stands still, not before round 15", async () => {
    const still = { ...options, tolerance: 0.5, epochs: 40 };
    expect((await trainedOn(smallCatalogue, ctr, still)).records).toHaveLength(15);
    expect((await trainedOn(smallCatalogue, ctr, { ...still, tolerance: 0 })).records).toHaveLength(40);
  });

  it("resumed anywhere, within pretraining too, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(smallCatalogue, ctr, { topics: 3, topicEpochs: 3, epochs: 3 }));

  it("knows the digamma function", () => {
    // Abramowitz and Stegun, table 6.1 and 6.3.3: psi(1) = -gamma, psi(1/2) = -gamma - 2 ln 2.
    const euler = 0.5772156649015329;
    expect(digamma(1)).toBeCloseTo(-euler, 10);
    expect(digamma(0.5)).toBeCloseTo(-euler - 2 * Math.log(2), 10);
    expect(digamma(2)).toBeCloseTo(1 - euler, 10);
    expect(digamma(1e-3)).toBeCloseTo(-1000.5755719318103, 6);
    expect(digamma(40)).toBeCloseTo(3.6763273691, 8);
  });

  it("projects on the simplex: the nearest point, by the conditions of optimality", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 9 }),
        (list) => {
          const x = Float64Array.from(list);
          const p = x.slice();
          projectOnSimplex(p);
          expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 10);
          // x - p is one shift where p > 0, and no more than it where p = 0.
          const shift = Math.max(...x.map((value, k) => value - p[k]));
          p.forEach((value, k) => {
            expect(value).toBeGreaterThanOrEqual(0);
            if (value > 1e-12) expect(x[k] - value).toBeCloseTo(shift, 9);
          });
        },
      ),
    );
  });

  it("climbs on the simplex, never down", () => {
    const gamma = [3, 1.5, 1];
    const v = [0.1, 0.7, 0.4];
    const value = (theta: Float64Array) =>
      gamma.reduce((sum, g, k) => sum + g * Math.log(theta[k]) - 2 * (v[k] - theta[k]) ** 2, 0);
    const theta = Float64Array.of(0.2, 0.2, 0.6);
    let last = value(theta);
    for (let step = 0; step < 200; step++) {
      stepOnSimplex(gamma, v, 4, theta);
      expect(value(theta)).toBeGreaterThanOrEqual(last - 1e-12);
      expect(theta.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
      last = value(theta);
    }
    // At the top the slopes are one number.
    const slopes = gamma.map((g, k) => g / theta[k] + 4 * (v[k] - theta[k]));
    expect(Math.max(...slopes) - Math.min(...slopes)).toBeLessThan(1e-3);
  });
});
