import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digamma, projectOnSimplex, stepOnSimplex } from "../../../src/models/content/topics.js";

describe("the topics of ctr", () => {
  it("know the digamma function", () => {
    // Abramowitz and Stegun, table 6.1 and 6.3.3: psi(1) = -gamma, psi(1/2) = -gamma - 2 ln 2.
    const euler = 0.5772156649015329;
    expect(digamma(1)).toBeCloseTo(-euler, 10);
    expect(digamma(0.5)).toBeCloseTo(-euler - 2 * Math.log(2), 10);
    expect(digamma(2)).toBeCloseTo(1 - euler, 10);
    expect(digamma(1e-3)).toBeCloseTo(-1000.5755719318103, 6);
    expect(digamma(40)).toBeCloseTo(3.6763273691, 8);
  });

  it("project on the simplex: the nearest point, by the conditions of optimality", () => {
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

  it("increase the objective on the simplex in every step", () => {
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
