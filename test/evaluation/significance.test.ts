import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomSequence } from "../../src/core/philox.js";
import { holm, pairedTests, tTail } from "../../src/evaluation/significance.js";

interface Fixture {
  cases: { a: number[]; b: number[]; t: number; randomisation: number }[];
  tails: [t: number, degreesOfFreedom: number, p: number][];
}
const { cases, tails }: Fixture = JSON.parse(
  readFileSync(new URL("fixtures/scipy-significance.json", import.meta.url), "utf8"),
);
const differences = (a: readonly number[], b: readonly number[]) =>
  Float64Array.from(a, (value, i) => value - b[i]);

describe("the tails of Student's t", () => {
  it("are SciPy's, from a half down to 1e-300", () => {
    for (const [t, degreesOfFreedom, p] of tails)
      expect(Math.abs(tTail(t, degreesOfFreedom) - p)).toBeLessThanOrEqual(1e-10 * p + 1e-300);
  });
});

describe("paired tests", () => {
  it("give SciPy's p of the paired t test", () => {
    for (const { a, b, t } of cases) {
      const [test] = pairedTests([differences(a, b)]);
      expect(Math.abs(test.t / t - 1)).toBeLessThan(1e-10);
    }
  });

  it("give the exact p of the randomisation test where all signs can be tried, ties among them", () => {
    const small = cases.filter(({ a }) => a.length <= 13);
    expect(small.length).toBeGreaterThan(3);
    for (const { a, b, randomisation } of small)
      expect(pairedTests([differences(a, b)])[0].randomisation).toBeCloseTo(randomisation, 12);
  });

  it("estimate it by random signs within what 50,000 of them allow", () => {
    const large = cases.filter(({ a }) => a.length > 13);
    expect(large.length).toBeGreaterThan(1);
    for (const { a, b, randomisation } of large) {
      const [test] = pairedTests([differences(a, b)], { rounds: 50_000 });
      // Four standard errors of the difference of two estimates, ours and SciPy's of 200,000.
      const error = Math.sqrt(randomisation * (1 - randomisation) * (1 / 50_000 + 1 / 200_000));
      expect(Math.abs(test.randomisation - randomisation)).toBeLessThan(4 * error + 2e-5);
    }
    // What is tried at a small number of pairs, too, when there are fewer rounds than signs.
    const { a, b, randomisation } = cases[3];
    const [test] = pairedTests([differences(a, b)], { rounds: 4000 });
    expect(test.randomisation).not.toBe(randomisation);
    expect(Math.abs(test.randomisation - randomisation)).toBeLessThan(0.04);
  });

  it("do not depend on the other tests or on the sign", () => {
    const [first, second] = cases.slice(-1).map(({ a, b }) => [differences(a, b), differences(b, a)])[0];
    const together = pairedTests([first, second, first]);
    expect(together[2]).toEqual(together[0]);
    expect(pairedTests([second])[0]).toEqual(together[1]);
    expect(together[1].randomisation).toBe(together[0].randomisation);
    expect(pairedTests([first], { seed: 1 })[0].randomisation).not.toBe(together[0].randomisation);
  });

  it("give the same for many users, whose tables are not all in memory at a time", () => {
    const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
    const lists = Array.from({ length: 9 }, () =>
      Float64Array.from({ length: 40_000 }, () => random.normal()),
    );
    const together = pairedTests(lists, { rounds: 50 }).map(({ randomisation }) => randomisation);
    expect(together).toEqual(lists.map((list) => pairedTests([list], { rounds: 50 })[0].randomisation));
    expect(new Set(together).size).toBeGreaterThan(3);
  });

  it("try every sign of 13 users, 8,192 of them, and 10,000 random ones of 14, which come near the exact p", () => {
    const random = new RandomSequence({ seed: 8, step: 0, stream: 0 });
    const list = Float64Array.from({ length: 14 }, () => 0.4 + random.normal());
    const exact = (of: Float64Array) => {
      const sum = (signs: number) =>
        Math.abs(of.reduce((total, value, i) => total + ((signs >> i) & 1 ? -value : value), 0));
      const observed = sum(0) - 1e-9;
      let hits = 0;
      for (let signs = 0; signs < 2 ** of.length; signs++) if (sum(signs) >= observed) hits++;
      return hits / 2 ** of.length;
    };
    const [few, many] = [list.subarray(0, 13), list];
    expect(pairedTests([few])[0].randomisation).toBe(exact(few));
    const { randomisation } = pairedTests([many])[0];
    expect((randomisation * 10_001) % 1).toBeCloseTo(0, 6);
    const p = exact(many);
    expect(Math.abs(randomisation - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 10_000));
    // As many rounds as there are signs, and one fewer.
    expect(pairedTests([many], { rounds: 2 ** 14 })[0].randomisation).toBe(p);
    expect(pairedTests([many], { rounds: 2 ** 14 - 1 })[0].randomisation).not.toBe(p);
  });

  it.each([
    [8 * 4096, "eight lists of tables"],
    [8 * 4096 + 1, "seven"],
  ])("of %i users hold %s in memory, and give the same", (users) => {
    // 256 x 8 bytes for eight users: 64 MiB are 32,768 such tables.
    const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
    const lists = Array.from({ length: 8 }, () =>
      Float64Array.from({ length: users }, () => random.normal()),
    );
    const p = (some: Float64Array[]) => pairedTests(some, { rounds: 20 }).map((test) => test.randomisation);
    expect(p(lists)).toEqual(lists.flatMap((list) => p([list])));
  });

  it("give p = 1 without a difference, and the smallest p if all users agree", () => {
    const [none, all] = pairedTests([new Float64Array(100), new Float64Array(100).fill(0.1)], {
      rounds: 999,
    });
    expect([none.randomisation, none.t]).toEqual([1, 1]);
    expect([all.randomisation, all.t]).toEqual([1 / 1000, 0]);
  });

  it("refuse lists of different lengths", () => {
    expect(() => pairedTests([new Float64Array(3), new Float64Array(4)])).toThrow(RangeError);
  });
});

describe("Holm's correction", () => {
  it("gives the worked example of R's p.adjust", () => {
    // p.adjust(c(.01, .02, .03, .04, .05), "holm") and an unsorted list with ties.
    const round = (ps: number[]) => ps.map((p) => Number(p.toFixed(10)));
    expect(round(holm([0.01, 0.02, 0.03, 0.04, 0.05]))).toEqual([0.05, 0.08, 0.09, 0.09, 0.09]);
    expect(round(holm([0.03, 0.001, 0.6, 0.03]))).toEqual([0.09, 0.004, 0.6, 0.09]);
    expect(holm([])).toEqual([]);
  });

  it("never lowers a p, keeps their order, and is at most Bonferroni's", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), (ps) => {
        const adjusted = holm(ps);
        for (const [i, p] of ps.entries()) {
          expect(adjusted[i]).toBeGreaterThanOrEqual(p);
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, ps.length * p));
          for (const [j, q] of ps.entries()) if (p < q) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]);
        }
      }),
    );
  });
});
