import { describe, expect, it } from "vitest";
import { chanceOfPublished, meanOfSeeds, meanOfSplits } from "../../src/experiments/repetitions.js";

const evaluated = (users: number[]) => ({
  metrics: {
    "recall@5": { mean: users.reduce((sum, value) => sum + value) / users.length, standardError: 0.5 },
  },
  perUser: { "recall@5": Float64Array.from(users) },
});

describe("several seeds", () => {
  it("have the mean over the runs, the runs' standard deviation, and the standard error over users of their mean values", () => {
    // Means .5, .6 and .7: deviation .1. Each user's mean over the runs: 0, .6, .6, 1.2, whose variance (ddof 0) is .18.
    const runs = [
      [0, 0.5, 0.5, 1],
      [0, 0.6, 0.6, 1.2],
      [0, 0.7, 0.7, 1.4],
    ].map(evaluated);
    const { "recall@5": value } = meanOfSeeds(runs);
    expect(value.mean).toBeCloseTo(0.6, 12);
    expect(value.runDeviation).toBeCloseTo(0.1, 12);
    expect(value.standardError).toBeCloseTo(Math.sqrt(0.18 / 4), 12);
  });

  it("of one run are that run", () => {
    const one = evaluated([0, 1]);
    expect(meanOfSeeds([one])).toEqual(one.metrics);
  });

  it("of a metric that is not a mean over users have no standard error", () => {
    const runs = [0.2, 0.4].map((mean) => ({ metrics: { "coverage@100": { mean } }, perUser: {} }));
    const { "coverage@100": coverage } = meanOfSeeds(runs);
    expect(coverage.standardError).toBeUndefined();
    expect(coverage.mean).toBeCloseTo(0.3, 12);
  });
});

it("several splits have the mean over them, and its standard error", () => {
  const { mean, standardError } = meanOfSplits([1, 2, 6].map((mean) => ({ mean })));
  expect(mean).toBeCloseTo(3, 12);
  expect(standardError).toBeCloseTo(Math.sqrt(7 / 3), 12);
});

describe("the chance of a published number", () => {
  const ours = { mean: 0.18, runDeviation: 0.03, standardError: 0.04, runs: 5 };

  it("is the tail of Student's predictive distribution", () => {
    // Two deviations away. SciPy 1.17: t.sf(2 / sqrt(1.2), 4).
    expect(chanceOfPublished(ours, { mean: 0.24 })).toBeCloseTo(0.07096372388702771, 12);
  });

  it("is the same on the other side of our mean", () => {
    expect(chanceOfPublished(ours, { mean: 0.12 })).toBeCloseTo(0.07096372388702771, 12);
  });

  it("is unknown without several runs or without a published number", () => {
    expect(chanceOfPublished({ mean: 0.18, standardError: 0.04 }, { mean: 0.24 })).toBeUndefined();
    expect(chanceOfPublished(ours, undefined)).toBeUndefined();
  });
});
