import { describe, expect, it } from "vitest";
import { differencesOf } from "../../src/experiments/shape.js";

describe("shapes of datasets", () => {
  const ml1m = { users: 4834, items: 3497, interactions: 462_827 };

  it("are alike within a factor of four", () => {
    expect(differencesOf(ml1m, ml1m)).toEqual([]);
    expect(differencesOf({ users: 9000, items: 6000, interactions: 1_600_000 }, ml1m)).toEqual([]);
  });

  it("differ in what is named, with both numbers", () => {
    expect(differencesOf({ users: 4177, items: 24_103, interactions: 102_343 }, ml1m)).toEqual([
      "items 24,103 instead of 3,497",
      "density 0.0010 instead of 0.027",
    ]);
    expect(differencesOf(ml1m, { ...ml1m, users: 400_000, interactions: 38_000_000 })).toEqual([
      "training users 4,834 instead of 400,000",
    ]);
  });
});
