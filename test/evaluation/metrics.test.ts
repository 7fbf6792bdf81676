import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { gain, parseMetric } from "../../src/evaluation/metrics.js";

/** A ranking as text, "x" for a hit, "." for a miss, from rank 1. */
const of = (metric: string, ranking: string, heldOut: number) =>
  parseMetric(metric).ofUser?.(
    Uint8Array.from(ranking, (mark) => (mark === "x" ? 1 : 0)),
    heldOut,
  );

describe("metrics of one user", () => {
  it("recall@k divides by min(k, held-out), recall-plain@k by held-out", () => {
    expect(of("recall@5", "x.x..xx", 4)).toBe(2 / 4);
    expect(of("recall@2", "x.x..xx", 4)).toBe(1 / 2);
    expect(of("recall-plain@2", "x.x..xx", 4)).toBe(1 / 4);
    expect(of("recall@100", "x.x..xx", 4)).toBe(1);
  });

  it("recall@5 may exceed recall@20", () => {
    expect(of("recall@5", `xxxx.${".".repeat(15)}`, 20)).toBe(0.8);
    expect(of("recall@20", `xxxx.${".".repeat(15)}`, 20)).toBe(0.2);
  });

  it("ndcg@k: hits at ranks 1 and 3 of three held-out items", () => {
    // (1 / log2 2 + 1 / log2 4) / (1 / log2 2 + 1 / log2 3 + 1 / log2 4) = 1.5 / 2.13093
    expect(of("ndcg@5", "x.x..", 3)).toBeCloseTo(1.5 / 2.1309297535714578, 12);
    // The ideal is cut at k: one of one.
    expect(of("ndcg@1", "x.x..", 3)).toBe(1);
    expect(of("ndcg@10", ".".repeat(10), 3)).toBe(0);
    expect(of("ndcg@3", "xxx", 3)).toBe(1);
  });

  it("precision@k divides by k, also where the list is shorter", () => {
    expect(of("precision@4", ".xx.x", 9)).toBe(0.5);
    expect(of("precision@10", ".xx", 9)).toBe(0.2);
  });

  it("map@k: precision at each hit, over min(k, held-out)", () => {
    expect(of("map@5", "x.x.x", 10)).toBeCloseTo((1 / 1 + 2 / 3 + 3 / 5) / 5, 12);
    expect(of("map@5", "x.x.x", 3)).toBeCloseTo((1 / 1 + 2 / 3 + 3 / 5) / 3, 12);
  });

  it("mrr@k and hit-rate@k look for the first hit within k", () => {
    expect(of("mrr@5", "...xx", 2)).toBe(1 / 4);
    expect(of("mrr@3", "...xx", 2)).toBe(0);
    expect(of("hit-rate@3", "...xx", 2)).toBe(0);
    expect(of("hit-rate@4", "...xx", 2)).toBe(1);
  });
});

describe("names of metrics", () => {
  it("are read in any case, and written in one form", () => {
    expect(parseMetric(" NDCG@0100 ").name).toBe("ndcg@100");
    for (const name of [
      "coverage@10",
      "gini@10",
      "novelty@10",
      "diversity@10",
      "long-tail@10",
      "calibration@10",
    ])
      expect(parseMetric(name).ofUser).toBeUndefined();
  });

  it("say which of two values is better", () => {
    expect(gain("NDCG@10", 0.5, 0.25)).toBe(0.25);
    expect(gain("calibration@10", 0.5, 0.25)).toBe(-0.25);
    expect(gain("gini@10", 0.25, 0.5)).toBe(0.25);
  });

  it("an unknown one is rejected with the most similar name", () => {
    expect(() => parseMetric("ndgc@10")).toThrow(/"ndgc@10" is unknown.*Did you mean "ndcg"/);
    expect(() => parseMetric("recal@10")).toThrow(/Did you mean "recall"/);
    expect(() => parseMetric("qqq@10")).toThrow(/Known: recall, recall-plain, ndcg/);
    expect(() => parseMetric("constructor@10")).toThrow(UserError);
    for (const text of ["ndcg", "ndcg@", "ndcg@0", "ndcg@1.5", "ndcg@-1", "ndcg@10@20"])
      expect(() => parseMetric(text)).toThrow(/has no valid depth.*ndcg@100/);
  });
});
