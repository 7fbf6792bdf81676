import { describe, expect, it } from "vitest";
import { halves, quantised } from "../../../src/serving/onnx/graph.js";

describe("reduced precision", () => {
  it("float16 is rounded to nearest, ties to even", () => {
    // numpy.float16(x).view(numpy.uint16)
    const known: [number, number][] = [
      ...([
        [0, 0],
        [1, 0x3c00],
        [-2, 0xc000],
        [65504, 0x7bff],
        [1e6, 0x7bff],
        [0.1, 0x2e66],
      ] as const),
      ...([
        [2 ** -14, 0x0400],
        [2 ** -24, 1],
        [2 ** -25, 0],
        [3e-8, 1],
      ] as const),
      ...([
        [1.00048828125, 0x3c00],
        [1.00146484375, 0x3c02],
        [2047.5, 0x6800],
      ] as const),
    ].map(([value, bits]) => [value, bits]);
    expect([...halves(Float32Array.from(known, ([value]) => value))]).toEqual(known.map(([, bits]) => bits));
  });

  it("int8 has one scale per row", () => {
    const { numbers, scales } = quantised(Float32Array.of(1, -0.5, 0.004, 0, 0, 0), 2, 3);
    expect([...numbers]).toEqual([127, -64, 1, 0, 0, 0]);
    expect(scales[0]).toBeCloseTo(1 / 127, 6);
  });
});
