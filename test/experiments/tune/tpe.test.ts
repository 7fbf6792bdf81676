import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Dimension, isRange } from "../../../src/experiments/search/space.js";
import { type Observation, suggest } from "../../../src/experiments/tune/tpe.js";

const space: readonly Dimension[] = [
  { name: "rate", alternatives: { low: 1e-4, high: 1, scale: "log" } },
  { name: "width", alternatives: { low: 10, high: 200, scale: "linear" }, whole: true },
  { name: "layers", alternatives: { low: 100, high: 900, scale: "log" }, whole: true, list: true },
  { name: "kind", alternatives: ["a", "b", "c", null] },
];

/** Largest (0) at rate 0.01, width 150, layers [300], kind b. */
function quality({ rate, width, layers, kind }: Record<string, unknown>): number {
  return -(
    (Math.log10(Number(rate)) + 2) ** 2 / 4 +
    ((Number(width) - 150) / 100) ** 2 +
    Math.log(Number((layers as number[])[0]) / 300) ** 2 +
    (kind === "b" ? 0 : 0.5)
  );
}

function run(seed: number, trials: number, isRandom = false): Observation[] {
  const tried: Observation[] = [];
  for (let number = 0; number < trials; number++) {
    const setting = suggest(space, isRandom ? [] : tried, { seed, stream: "test", number });
    tried.push({ setting, value: quality(setting) });
  }
  return tried;
}

describe("the model-based sampler", () => {
  it("gives the same settings for the same seed, and others for another", () => {
    expect(run(1, 25)).toEqual(run(1, 25));
    expect(run(1, 25)).not.toEqual(run(2, 25));
  });

  it("stays within the space, whatever was observed", () => {
    const observation = fc.record({
      setting: fc.record({
        rate: fc.double({ min: 1e-6, max: 10, noNaN: true }),
        width: fc.integer({ min: 0, max: 1000 }),
        layers: fc.tuple(fc.integer({ min: 1, max: 2000 })),
        kind: fc.constantFrom("a", "b", "c", "other", null),
      }),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    });
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 40 }), fc.nat(), fc.nat(), (seen, seed, number) => {
        const setting = suggest(space, seen as Observation[], { seed, stream: "test", number });
        for (const { name, alternatives, list, whole } of space) {
          const value = list ? (setting[name] as number[])[0] : setting[name];
          if (!isRange(alternatives)) {
            expect(alternatives).toContainEqual(value);
            continue;
          }
          expect(value).toBeGreaterThanOrEqual(alternatives.low);
          expect(value).toBeLessThanOrEqual(alternatives.high);
          if (whole) expect(Number.isInteger(value)).toBe(true);
        }
      }),
    );
  });

  it("comes closer to the best setting than random draws", () => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const mean = (isRandom: boolean) =>
      seeds.reduce((sum, seed) => sum + Math.max(...run(seed, 60, isRandom).map(({ value }) => value)), 0) /
      seeds.length;
    // Both are distances from 0.
    expect(-mean(false)).toBeLessThan(0.5 * -mean(true));
  });
});
