import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRange, optionsAt } from "../../../src/experiments/search/space.js";
import type { Shape } from "../../../src/experiments/shape.js";
import { affordable, planFor, spaceOf } from "../../../src/experiments/tune/plan.js";
import { suggest } from "../../../src/experiments/tune/tpe.js";
import { describeOptions, layeredOptions, parseOptions } from "../../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../../src/models/registry.js";

function shape(users: number, items: number, interactions: number, content = false): Shape {
  return {
    ...{ users, items, interactions, content, validationUsers: 100, times: true },
    density: interactions / users / items,
    history: interactions / users,
  };
}

const ml1m = shape(4834, 3497, 462_827);

describe("the plan of tune", () => {
  it("has every model, or the reason why it is left out", async () => {
    for (const size of [ml1m, shape(800_000, 1_000_000, 30_000_000), shape(5000, 20_000, 100_000, true)]) {
      const { candidates, leftOut } = await planFor(size);
      const named = [
        ...candidates.map(({ algorithm }) => algorithm.name),
        ...leftOut.map(({ model }) => model),
      ];
      expect(named.sort()).toEqual([...algorithmNames].sort());
      for (const { reason } of leftOut) expect(reason).toMatch(/^[a-z].{20,}/);
    }
  });

  it("leaves out what needs a matrix of all items on a large catalogue, and samples the networks", async () => {
    const { candidates, leftOut } = await planFor(shape(800_000, 1_000_000, 30_000_000));
    expect(leftOut.find(({ model }) => model === "ease")?.reason).toMatch(/1,000,000 x 1,000,000/);
    const network = candidates.find(({ algorithm }) => algorithm.name === "mult-vae");
    expect(network?.options).toMatchObject({ negatives: 4096 });
  });

  it("keeps the factors of sansa small on a large catalogue, whatever is searched or in a recipe", async () => {
    for (const items of [30_000, 1_000_000]) {
      const { candidates } = await planFor(shape(items, items, 30 * items));
      const sansa = candidates.find(({ algorithm }) => algorithm.name === "sansa");
      expect(sansa?.options).toMatchObject({ variant: "incomplete" });
      expect(Number(sansa?.options.density) * items).toBeLessThan(100);
      const chosen = [
        ...(sansa?.space ?? []).map(({ name }) => name),
        ...(sansa?.starts ?? []).flatMap(Object.keys),
      ];
      expect([...new Set(chosen)]).toEqual(["lambda"]);
    }
  });

  it("leaves out what does not fit half of the budget at the speed of the machine", async () => {
    const namesAt = async (flops: number, budget: number, threads = 1) => {
      const { candidates, leftOut } = affordable(
        (await planFor(ml1m, undefined, flops)).candidates,
        budget,
        threads,
      );
      for (const { reason } of leftOut)
        expect(reason).toMatch(/^one training takes about \S+.*, too much of a budget of/);
      const tried = candidates.map(({ algorithm }) => algorithm.name);
      expect(tried.some((name) => leftOut.some(({ model }) => model === name))).toBe(false);
      return tried;
    };
    // RecVAE takes 24 x 50 epochs x 4,834 users x 3.2 million weights: 18.5 Tflop.
    expect(await namesAt(3.2e10, 1200)).toContain("rec-vae");
    expect(await namesAt(3e10, 1200)).not.toContain("rec-vae");
    expect(await namesAt(3e10, 1200, 2)).toContain("rec-vae");
    // The Cholesky factor and the inverse of 3,497 x 3,497: 0.0428 Tflop.
    expect(await namesAt(1e9, 88)).toContain("ease");
    expect(await namesAt(1e9, 85)).not.toContain("ease");
    expect(await namesAt(1e9, 10)).toContain("popularity");
  });

  it("tries options that need times only with times", async () => {
    const starts = async (size: Shape) =>
      (await planFor(size)).candidates.find(({ algorithm }) => algorithm.name === "popularity")?.starts;
    expect(await starts(ml1m)).toContainEqual({ halfLife: 365 });
    expect((await starts({ ...ml1m, times: false }))?.flatMap(Object.keys)).toEqual([]);
  });

  it("tries content-based models only with content", async () => {
    const names = async (size: Shape) =>
      (await planFor(size)).candidates.map(({ algorithm }) => algorithm.name);
    expect(await names(ml1m)).not.toContain("content-knn");
    expect(await names(shape(5000, 20_000, 100_000, true))).toContain("content-knn");
  });

  it("has valid options at every start, and at every setting of the space", async () => {
    for (const size of [ml1m, shape(800_000, 1_000_000, 30_000_000)])
      for (const { algorithm, options, space, starts } of (await planFor(size)).candidates) {
        for (const start of starts)
          parseOptions(algorithm, optionsAt(layeredOptions(algorithm, options), start));
        fc.assert(
          fc.property(fc.nat(), (number) => {
            const setting = suggest(space, [], { seed: 1, stream: algorithm.name, number });
            parseOptions(algorithm, optionsAt(layeredOptions(algorithm, options), setting));
          }),
          { numRuns: 30 },
        );
      }
  });

  it("searches ranges that contain the defaults", async () => {
    for (const name of algorithmNames) {
      const algorithm = await findAlgorithm(name);
      const defaults = new Map(describeOptions(algorithm).map((option) => [option.name, option.default]));
      for (const { name: option, alternatives } of spaceOf(algorithm)) {
        const value = defaults.get(option) ?? null;
        if (!isRange(alternatives)) expect(alternatives, `${name} ${option}`).toContainEqual(value);
        else {
          expect(value, `${name} ${option}`).toBeGreaterThanOrEqual(alternatives.low);
          expect(value, `${name} ${option}`).toBeLessThanOrEqual(alternatives.high);
        }
      }
    }
  });
});
