import { describe, expect, it } from "vitest";
import { streamOf } from "../../src/core/philox.js";
import { fromRows } from "../../src/sparse/csr.js";
import { negativeSampler, type Proposal, type SampledLoss } from "../../src/training/negatives.js";
import { wordOf } from "../support/engines.js";

/** Ten items with 0, 1, 4, 9, ... interactions. */
const histories = fromRows(
  10,
  Array.from({ length: 81 }, (_, user) =>
    Array.from({ length: 10 }, (_, i) => i).filter((i) => i * i > user),
  ),
);
/** The probabilities that the definition gives. */
const expected: Record<Proposal, number[]> = {
  uniform: new Array(10).fill(0.1),
  popularity: (() => {
    const weights = [1, 1, 4, 9, 16, 25, 36, 49, 64, 81].map((count) => Math.sqrt(Math.sqrt(count ** 3)));
    const total = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / total);
  })(),
};
const proposals = ["uniform", "popularity"] as const;

function sampleOf(proposal: Proposal, negatives: number, { seed = 1, update = 1, targets = [3] } = {}) {
  const sampler = negativeSampler(histories, { negatives, proposal }, seed);
  if (!sampler) throw new Error("no sampler");
  return sampler(Uint32Array.from(targets), update);
}

describe.each(proposals)("negatives drawn by %s", (proposal) => {
  it("have the defined frequencies, within four standard errors, and the logarithms of the expected draws as correction", () => {
    const negatives = 200_000;
    const { items, draws, logQ } = sampleOf(proposal, negatives);
    expect([...items]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const [i, p] of expected[proposal].entries()) {
      expect(Math.abs(draws[i] - negatives * p)).toBeLessThan(4 * Math.sqrt(negatives * p * (1 - p)));
      expect(logQ[i]).toBeCloseTo(Math.log(negatives * p), 5);
    }
  });

  it("depend on seed and update only, and not on what was drawn before", () => {
    const sampler = negativeSampler(histories, { negatives: 7, proposal }, 1);
    const targets = Uint32Array.of(3);
    const [first, second] = [sampler?.(targets, 1), sampler?.(targets, 2)];
    expect(sampler?.(targets, 1)).toEqual(first);
    expect(second).not.toEqual(first);
    expect(sampleOf(proposal, 7, { update: 2 })).toEqual(second);
    expect(sampleOf(proposal, 7, { seed: 2 })).not.toEqual(first);
  });

  it("are united with the targets, which were not drawn", () => {
    const targets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    const { items, draws } = sampleOf(proposal, 3, { targets });
    expect([...items]).toEqual(targets);
    expect(draws.reduce((a, b) => a + b)).toBe(3);
  });

  it("come with exact targets, or with FastVAE's", () => {
    const ownTargets = (sampledLoss?: SampledLoss) =>
      negativeSampler(histories, { negatives: 3, proposal, sampledLoss }, 1)?.(Uint32Array.of(), 1)
        .ownTargets;
    expect(ownTargets()).toBe("exact");
    expect(ownTargets("exact-targets")).toBe("exact");
    expect(ownTargets("fastvae")).toBe("added");
  });
});

describe("negatives", () => {
  it("by popularity are where 53 random bits fall in their hundredth of the cumulative weights", () => {
    const key = { seed: 1, step: 4, stream: streamOf("negatives") };
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 100; n++) {
      const bits = (BigInt(wordOf(key, 2 * n)) >> 5n) * 2n ** 26n + (BigInt(wordOf(key, 2 * n + 1)) >> 6n);
      let rest = (n + Number(bits) / 2 ** 53) / 100;
      const item = expected.popularity.findIndex((p) => {
        rest -= p;
        return rest < 0;
      });
      counts[item]++;
    }
    const { items, draws } = sampleOf("popularity", 100, { update: 4, targets: [] });
    expect(counts.flatMap((count, item) => (count > 0 ? [[item, count]] : []))).toEqual(
      Array.from(items, (item, at) => [item, draws[at]]),
    );
  });

  it("are stratified: an item is never drawn a whole draw more or less often than its neighbours leave open", () => {
    for (let update = 1; update <= 50; update++) {
      const { items, draws } = sampleOf("popularity", 100, { update, targets: [] });
      for (const [at, item] of items.entries())
        expect(Math.abs(draws[at] - 100 * expected.popularity[item])).toBeLessThan(2);
    }
  });

  it("have the defined frequencies over many updates of few draws", () => {
    const counts = new Array<number>(10).fill(0);
    const [updates, negatives] = [20_000, 3];
    for (let update = 1; update <= updates; update++) {
      const { items, draws } = sampleOf("popularity", negatives, { update, targets: [] });
      for (const [at, item] of items.entries()) counts[item] += draws[at];
    }
    for (const [i, p] of expected.popularity.entries())
      expect(Math.abs(counts[i] - updates * negatives * p)).toBeLessThan(
        4 * Math.sqrt(updates * negatives * p),
      );
  });

  it("are not drawn for 0 negatives, which means all items", () => {
    expect(negativeSampler(histories, {}, 1)).toBeUndefined();
    expect(negativeSampler(histories, { negatives: 0 }, 1)).toBeUndefined();
  });
});
