import { describe, expect, it } from "vitest";
import { NumpyRandom } from "../../src/core/numpy-random.js";

const words = (seed: number, count: number) => {
  const random = new NumpyRandom(seed);
  return Array.from({ length: count }, () => random.uint32());
};
const head = (values: Uint32Array, count = 5) => [...values.subarray(0, count)];

// The vectors are what numpy 2.4.6 prints for RandomState(seed).
describe("NumpyRandom draws what numpy.random.RandomState draws", () => {
  it("words", () => {
    expect(words(42, 5)).toEqual([1608637542, 3421126067, 4083286876, 787846414, 3143890026]);
    expect(words(98765, 5)).toEqual([381816597, 462228979, 4069238124, 3270897581, 3428218845]);
  });

  it("permutations", () => {
    expect([...new NumpyRandom(42).permutation(10)]).toEqual([8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
    expect(head(new NumpyRandom(42).permutation(3125))).toEqual([817, 2084, 346, 1765, 1071]);
    expect(head(new NumpyRandom(42).permutation(6034))).toEqual([5317, 3218, 5117, 1666, 3659]);
    expect([...new NumpyRandom(98765).permutation(10)]).toEqual([8, 7, 1, 2, 0, 6, 9, 4, 3, 5]);
    expect(head(new NumpyRandom(98765).permutation(136677))).toEqual([104323, 11053, 111295, 50587, 126873]);
    expect([...new NumpyRandom(123).permutation(10)]).toEqual([4, 0, 7, 5, 8, 3, 1, 6, 9, 2]);
  });

  it("choices without replacement, continuing the state between calls", () => {
    const random = new NumpyRandom(98765);
    expect([...random.choice(10, 2)]).toEqual([8, 7]);
    expect([...random.choice(7, 1)]).toEqual([4]);
  });

  it("the same sequence after reseeding", () => {
    const random = new NumpyRandom(98765);
    random.permutation(1000);
    random.reseed(98765);
    expect([...random.choice(10, 2)]).toEqual([8, 7]);
  });

  it("sequences of choices as in a split", () => {
    const random = new NumpyRandom(98765);
    const runs = [random.choice(5, 1), random.choice(30, 6), random.choice(3, 0), random.choice(8, 8)];
    expect(runs.map((run) => [...run])).toEqual([[4], [25, 1, 19, 28, 13, 12], [], [1, 5, 6, 2, 0, 3, 4, 7]]);
  });

  it("with the largest seed", () => {
    const random = new NumpyRandom(4294967295);
    expect(head(random.permutation(700))).toEqual([224, 305, 447, 532, 698]);
  });

  it("uniform and normal numbers", () => {
    const random = new NumpyRandom(42);
    expect([random.random(), random.random(), random.random()]).toEqual([
      0.3745401188473625, 0.9507143064099162, 0.7319939418114051,
    ]);
    const normals = [-1.1118801180469204, 0.31890218468938336, 0.2790412922001377, 1.0105152848065264];
    for (const expected of normals) expect(random.normal()).toBeCloseTo(expected, 14);
  });
});

it("refuses what NumPy refuses", () => {
  expect(() => new NumpyRandom(-1)).toThrow(RangeError);
  expect(() => new NumpyRandom(2 ** 32)).toThrow(RangeError);
  expect(() => new NumpyRandom(0).choice(3, 4)).toThrow(RangeError);
});
