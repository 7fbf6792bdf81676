import { describe, expect, it } from "vitest";
import {
  permutation,
  philoxBlock,
  RandomSequence,
  randomNormals,
  randomUniforms,
  randomWords,
  streamOf,
  uniformOf,
} from "../../src/core/philox.js";

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("Philox 4x32-10", () => {
  // Random123 1.14, tests/kat_vectors, lines "philox4x32 10".
  it.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ],
  ])("gives the published words for counter %j", ([c0, c1, c2, c3], [k0, k1], expected) => {
    const out = new Uint32Array(4);
    philoxBlock(out, 0, c0, c1, c2, c3, k0, k1);
    expect(hex(out)).toBe(expected);
  });

  it("arranges seed, step, stream and block as documented", () => {
    // The third vector cannot be reached (counter word 1 is 0), so compare with the bare block.
    const seed = 0x1234 * 2 ** 32 + 0x89abcdef;
    const words = new Uint32Array(10);
    randomWords({ seed, step: 0x80000001, stream: 0xfffffffe }, 8, words);
    const expected = new Uint32Array(12);
    for (let block = 2; block < 5; block++)
      philoxBlock(expected, 4 * (block - 2), block, 0, 0x80000001, 0xfffffffe, 0x89abcdef, 0x1234);
    expect([...words]).toEqual([...expected.subarray(0, 10)]);
  });

  it("refuses keys out of range", () => {
    for (const key of [
      { seed: -1, step: 0, stream: 0 },
      { seed: 2 ** 53, step: 0, stream: 0 },
      { seed: 0.5, step: 0, stream: 0 },
      { seed: 0, step: 2 ** 32, stream: 0 },
      { seed: 0, step: 0, stream: -1 },
    ])
      expect(() => new RandomSequence(key)).toThrow(RangeError);
  });
});

describe("numbers derived from the words", () => {
  it("has FNV-1a's published value for the empty string, 'a' and 'foobar'", () => {
    expect([streamOf(""), streamOf("a"), streamOf("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });

  it("keeps uniforms inside (0, 1), exactly representable in float32", () => {
    for (const word of [0, 0x1ff, 0x200, 0xffffffff]) {
      expect(uniformOf(word)).toBeGreaterThan(0);
      expect(uniformOf(word)).toBeLessThan(1);
      expect(Math.fround(uniformOf(word))).toBe(uniformOf(word));
    }
    const uniforms = new Float64Array(100_000);
    randomUniforms({ seed: 5, step: 1, stream: 2 }, uniforms);
    // Mean 1/2 with standard error sqrt(1/12/n) = .0009.
    expect(uniforms.reduce((a, b) => a + b) / uniforms.length).toBeCloseTo(0.5, 2);
  });

  it("has the first normals of key 0 by hand", () => {
    // Words 6627e8d5 e169c58d bc57ac4c 9b00dbd8; computed with NumPy from the formula at randomNormals.
    const normals = new Float64Array(3);
    randomNormals({ seed: 0, step: 0, stream: 0 }, normals);
    expect(normals[0]).toBeCloseTo(0.9911374751458971, 12);
    expect(normals[1]).toBeCloseTo(-0.9246627803544332, 12);
    expect(normals[2]).toBeCloseTo(-0.6176090549848544, 12);
  });

  it("draws normals whose moments are 0, 1, 0, 3, the same in chunks and whole", () => {
    const n = 200_001;
    const normals = new Float64Array(n);
    randomNormals({ seed: 7, step: 3, stream: 1 }, normals);
    const moment = (power: number) => normals.reduce((sum, x) => sum + x ** power, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
    const short = new Float64Array(4099);
    randomNormals({ seed: 7, step: 3, stream: 1 }, short);
    expect(short).toEqual(normals.subarray(0, 4099));
  });
});

describe("more numbers than one chunk", () => {
  const key = { seed: 9, step: 2, stream: 4 };
  const wordAt = (element: number) => {
    const block = new Uint32Array(4);
    philoxBlock(block, 0, Math.floor(element / 4), 0, key.step, key.stream, key.seed, 0);
    return block[element % 4];
  };

  it.each([4095, 4096, 4097, 8193])("%i uniforms and normals match their words", (length) => {
    const [uniforms, normals] = [new Float64Array(length), new Float64Array(length)];
    randomUniforms(key, uniforms);
    randomNormals(key, normals);
    for (const element of [0, 1, 4094, 4095, 4096, 4097, 8191, 8192].filter((place) => place < length)) {
      expect(uniforms[element]).toBe(uniformOf(wordAt(element)));
      const even = element - (element % 2);
      const radius = Math.sqrt(-2 * Math.log(uniformOf(wordAt(even))));
      const angle = 2 * Math.PI * uniformOf(wordAt(even + 1));
      expect(normals[element]).toBe(radius * (element % 2 === 0 ? Math.cos(angle) : Math.sin(angle)));
    }
  });

  it("the sequential generator continues with the next words after 256", () => {
    const sequence = new RandomSequence(key);
    for (let element = 0; element < 515; element++) expect(sequence.word()).toBe(wordAt(element));
  });
});

describe("the sequential generator", () => {
  it("permutes: all orders of three are equally frequent", () => {
    const seen = new Map<string, number>();
    for (let step = 0; step < 6000; step++) {
      const order = permutation(11, step, 4, 3).join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    // Chi-squared with 5 degrees of freedom exceeds 20.5 with probability .001.
    const chiSquared = [...seen.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(20.5);
  });

  it("contains each number once and repeats only for the same key", () => {
    const order = permutation(1, 2, 3, 1000);
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect(permutation(1, 2, 3, 1000)).toEqual(order);
    expect(permutation(1, 3, 3, 1000)).not.toEqual(order);
    expect(permutation(1, 2, 3, 0).length).toBe(0);
  });

  it("draws below a bound without modulo bias", () => {
    // bound = 3 * 2^30: plain modulo would give [0, 2^30) half of all draws instead of a third.
    const sequence = new RandomSequence({ seed: 3, step: 0, stream: 0 });
    let low = 0;
    for (let i = 0; i < 9000; i++) if (sequence.below(3 * 2 ** 30) < 2 ** 30) low++;
    expect(Math.abs(low - 3000)).toBeLessThan(5 * Math.sqrt(9000 * (1 / 3) * (2 / 3)));
    expect(sequence.below(1)).toBe(0);
    expect(() => sequence.below(0)).toThrow(RangeError);
  });
});
