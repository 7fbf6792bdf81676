import { describe, expect, it } from "vitest";
import { filled } from "../../src/nn/initialise.js";
import {
  glorotUniform,
  heNormal,
  type Initializer,
  initialKey,
  truncatedNormal,
  uniform,
} from "../../src/nn/initializers.js";

const key = initialKey(98765, "encoder.0.weight");

const values = (initializer: Initializer, rows: number, columns: number, of = key) =>
  filled(rows * columns, initializer(rows, columns, of));

function moments(values: Float32Array) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) };
}

describe("initial values", () => {
  it("glorotUniform fills +-sqrt(6 / (fan-in + fan-out)) evenly: variance 2 / (fan-in + fan-out)", async () => {
    const { mean, variance, largest } = moments(await values(glorotUniform, 600, 400));
    expect(largest).toBeLessThanOrEqual(Math.sqrt(6 / 1000));
    expect(largest).toBeGreaterThan(0.999 * Math.sqrt(6 / 1000));
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(0.002 / 240_000));
    expect(Math.abs(variance / 0.002 - 1)).toBeLessThan(0.01);
  });

  it("heNormal has variance 2 / fan-in on the side that is the fan-in", async () => {
    expect(moments(await values(heNormal("rows"), 200, 900)).variance).toBeCloseTo(2 / 200, 3);
    expect(moments(await values(heNormal("columns"), 200, 900)).variance).toBeCloseTo(2 / 900, 4);
  });

  it("truncatedNormal stays within two deviations; its own deviation is .8796 of the untruncated", async () => {
    // Variance of a standard normal truncated at +-2: 1 - 4 phi(2) / (2 Phi(2) - 1) = .773741.
    const { mean, variance, largest } = moments(await values(truncatedNormal(0.001), 1, 100_000));
    expect(largest).toBeLessThanOrEqual(0.002);
    expect(Math.abs(mean)).toBeLessThan(5 * 0.001 * Math.sqrt(0.7737 / 100_000));
    expect(Math.abs(variance / (0.773741 * 1e-6) - 1)).toBeLessThan(0.02);
  });

  it("depend on seed and name alone", async () => {
    const of = (seed: number, name: string) => values(uniform(1), 2, 3, initialKey(seed, name));
    const own = await of(98765, "encoder.0.weight");
    expect(own).toEqual(await values(uniform(1), 2, 3));
    expect(own).not.toEqual(await of(98765, "encoder.1.weight"));
    expect(own).not.toEqual(await of(98764, "encoder.0.weight"));
  });
});
