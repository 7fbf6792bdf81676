import { describe, expect, it } from "vitest";
import { annealedBeta, warmedUpBeta } from "../../src/training/annealing.js";
import { shouldStop, withEpoch } from "../../src/training/early-stopping.js";

describe("beta", () => {
  it("follows the published schedule on ML-20M: .2 at update 40,000 of 46,800", () => {
    const beta = annealedBeta({ cap: 0.2, annealSteps: 200_000, plannedUpdates: 46_800 });
    expect(beta(0)).toBe(0);
    expect(beta(20_000)).toBeCloseTo(0.1, 12);
    expect(beta(39_999)).toBeLessThan(0.2);
    expect(beta(40_000)).toBe(0.2);
    expect(beta(46_800)).toBe(0.2);
  });

  it("without annealSteps reaches its cap at 85 % of the planned updates", () => {
    // RecoTour: steps per epoch * (200 - 30) / cap, here with 10 updates per epoch.
    const beta = annealedBeta({ cap: 0.2, plannedUpdates: 2000 });
    expect(beta(850)).toBeCloseTo(0.1, 12);
    expect(beta(1699)).toBeLessThan(0.2);
    expect(beta(1700)).toBeCloseTo(0.2, 12);
    expect(beta(1999)).toBe(0.2);
  });

  it("warms up by epochs, counted from 1 and constant within one", () => {
    // EVCF: beta = max_beta * min(1, epoch / warmup); 7 updates per epoch.
    const beta = warmedUpBeta({ cap: 0.4, warmup: 4, updatesPerEpoch: 7 });
    expect([0, 6, 7, 13, 20, 21, 700].map((updates) => Number(beta(updates).toFixed(12)))).toEqual([
      0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.4,
    ]);
    expect(warmedUpBeta({ cap: 0.4, warmup: 0, updatesPerEpoch: 7 })(0)).toBe(0.4);
  });

  it("may be constant or 0", () => {
    expect(annealedBeta({ cap: 0.3, annealSteps: 0, plannedUpdates: 10 })(0)).toBe(0.3);
    const none = annealedBeta({ cap: 0, plannedUpdates: 10 });
    expect([none(0), none(9)]).toEqual([0, 0]);
  });
});

describe("early stopping", () => {
  it("waits `patience` epochs after the best, and an equal value is no better", () => {
    let progress = withEpoch({ bestEpoch: 0 }, 1, 0.3);
    progress = withEpoch(progress, 2, 0.4);
    progress = withEpoch(progress, 3, 0.4);
    expect(progress).toEqual({ bestEpoch: 2, bestValue: 0.4 });
    expect([3, 4, 5].map((epoch) => shouldStop(progress, epoch, 3))).toEqual([false, false, true]);
    expect(shouldStop(progress, 1000, undefined)).toBe(false);
    // A warm-up's epochs do not count: with the last of them epoch 4, patience 3 ends after epoch 7.
    expect([5, 6, 7].map((epoch) => shouldStop(progress, epoch, 3, 4))).toEqual([false, false, true]);
    expect(shouldStop({ bestEpoch: 0 }, 5, 1)).toBe(false);
  });
});
