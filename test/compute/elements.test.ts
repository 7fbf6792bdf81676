// Element types: what tensors of bfloat16 and int8 hold, and that kernels refuse what they cannot compute with.

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Tensor } from "../../src/compute/tensor.js";
import { RandomSequence } from "../../src/core/philox.js";
import { nearestBfloat16 } from "../support/engines.js";

interface Fixture {
  readonly float32: readonly number[];
  readonly bfloat16: readonly number[];
  readonly float64: readonly number[];
  readonly bfloat16OfFloat64: readonly number[];
}

/** Bits by ml_dtypes, the bfloat16 of NumPy and JAX. */
const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/bfloat16.json", import.meta.url), "utf8"));

const native = loadNativeEngine({ threads: 2 });
const engines: Engine[] = [
  ...("engine" in native ? [native.engine] : []),
  new ReferenceEngine(),
  new ReferenceEngine({ precision: "float64" }),
];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

const floatsOf = (bits: readonly number[]) => new Float32Array(Uint32Array.from(bits).buffer);
const isNaNOf = (bits: number) => (bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0;

/** The bits of bfloat16 numbers that were read; a NaN stands for any. */
const bitsOf = (numbers: ArrayLike<number>) =>
  [...new Uint32Array(Float32Array.from(numbers).buffer)].map((bits) => {
    expect(isNaNOf(bits >>> 16) || (bits & 0xffff) === 0, "not a bfloat16").toBe(true);
    return isNaNOf(bits >>> 16) ? "NaN" : bits >>> 16;
  });
const expectedBits = (bits: readonly number[]) => bits.map((one) => (isNaNOf(one) ? "NaN" : one));

describe.each(engines.map((engine) => [`${engine.name} engine in ${engine.precision}`, engine] as const))(
  "on the %s",
  (_, engine) => {
    const t = (rows: number, columns: number, data: ArrayLike<number>) => engine.tensor(rows, columns, data);

    it("float32 becomes the bfloat16 that ml_dtypes makes of it, bit by bit", async () => {
      const floats = floatsOf(fixture.float32);
      const out = engine.empty(1, floats.length, "bfloat16");
      engine.convert(out, t(1, floats.length, floats));
      expect(bitsOf(await engine.read(out))).toEqual(expectedBits(fixture.bfloat16));
      const written = engine.tensor(1, floats.length, floats, "bfloat16");
      expect(bitsOf(await engine.read(written))).toEqual(expectedBits(fixture.bfloat16));
      // The rounding that the cases of the kernels use.
      const numbers = [...floats].flatMap((x, i) => (Number.isNaN(x) ? [] : [[x, fixture.bfloat16[i]]]));
      for (const [x, bits] of numbers) expect(nearestBfloat16(x)).toBeCloseTo(floatsOf([bits << 16])[0], 99);
    });

    it("float64 is rounded by way of float32, as in ml_dtypes", async () => {
      const { float64, bfloat16OfFloat64 } = fixture;
      const written = engine.tensor(1, float64.length, float64, "bfloat16");
      expect(bitsOf(await engine.read(written))).toEqual(bfloat16OfFloat64);
      const out = engine.empty(1, float64.length, "bfloat16");
      engine.convert(out, t(1, float64.length, float64));
      expect(bitsOf(await engine.read(out))).toEqual(bfloat16OfFloat64);
    });

    it("int8 comes back as its integers, and takes nothing else", async () => {
      const tensor = engine.tensor(2, 2, [-128, -1, 0, 127], "int8");
      expect([...(await engine.read(tensor))]).toEqual([-128, -1, 0, 127]);
      expect([...(await engine.read(engine.zeros(1, 3, "int8")))]).toEqual([0, 0, 0]);
      engine.write(tensor, [1, 2, 3, 4]);
      expect([...(await engine.read(tensor))]).toEqual([1, 2, 3, 4]);
      for (const wrong of [128, -129, 0.5, Number.NaN, 2 ** 32]) {
        expect(() => engine.write(tensor, [0, 0, 0, wrong])).toThrow(`write: ${wrong} is not an integer`);
        expect(() => engine.fill(tensor, wrong)).toThrow(`fill: ${wrong} is not an integer`);
      }
    });

    it("a number takes the bytes of its type", () => {
      const tensors: Tensor[] = [];
      for (const [element, bytes] of [
        ["int8", 1],
        ["bfloat16", 2],
        [engine.precision, engine.precision === "float64" ? 8 : 4],
      ] as const) {
        const before = engine.memory();
        // As large as no block that was released before.
        tensors.push(engine.empty(2 ** 11, 2 ** 10, element));
        expect(tensors.at(-1)?.storage.element).toBe(element);
        expect(engine.memory() - before, element).toBe(2 ** 21 * bytes);
      }
      for (const tensor of tensors) engine.release(tensor);
    });

    it("a kernel names the operand whose type it cannot compute with", () => {
      const [floats, whole] = [engine.zeros(2, 2), engine.zeros(2, 2, "int8")];
      const rounded = engine.zeros(2, 2, "bfloat16");
      const refusals: [() => void, string][] = [
        [() => engine.matmul(floats, floats, whole), "matmul: b is int8, expected float32 or bfloat16"],
        [() => engine.matmul(rounded, floats, floats), "matmul: out is bfloat16, expected float32"],
        [() => engine.addScaled(floats, rounded, 1), "addScaled: a is bfloat16, expected float32"],
        [() => engine.convert(whole, floats), "convert: out is int8, expected float32 or bfloat16"],
        [
          () => engine.quantise(floats, engine.zeros(2, 3), floats),
          `quantise: out is ${engine.precision}, expected int8`,
        ],
      ];
      for (const [call, message] of refusals) {
        expect(call).toThrow(RangeError);
        expect(call).toThrow(message);
      }
      const other = engine.precision === "float32" ? "float64" : "float32";
      for (const make of [engine.empty, engine.zeros])
        expect(() => make.call(engine, 2, 2, other)).toThrow(
          `an engine of ${engine.precision} supports ${engine.precision}, bfloat16 and int8, not ${other}`,
        );
    });

    it("a product of bfloat16 is, bit by bit, that of the float32 numbers which they stand for", async () => {
      const random = new RandomSequence({ seed: 5, step: 0, stream: 0 });
      const large = [
        [130, 260, 300],
        [520, 90, 40],
      ];
      for (const [m, n, inner] of [
        [1, 300, 70],
        [3, 1030, 13],
        [5, 7, 3],
        ...(engine.name === "native" ? large : []),
      ])
        for (const transposeA of [false, true])
          for (const transposeB of [false, true]) {
            const normals = (length: number) =>
              Float64Array.from({ length }, () => nearestBfloat16(random.normal()));
            const shapes = [transposeA ? [inner, m] : [m, inner], transposeB ? [n, inner] : [inner, n]];
            const data = shapes.map(([rows, columns]) => normals(rows * columns));
            const product = async (...elements: ("bfloat16" | undefined)[]) => {
              const [a, b] = shapes.map(([r, c], i) => engine.tensor(r, c, data[i], elements[i]));
              const out = engine.empty(m, n);
              engine.matmul(out, a, b, { transposeA, transposeB });
              const read = await engine.read(out);
              for (const tensor of [a, b, out]) engine.release(tensor);
              return Buffer.from(read.buffer, read.byteOffset, read.byteLength);
            };
            const expected = await product();
            for (const elements of [[undefined, "bfloat16"], ["bfloat16"], ["bfloat16", "bfloat16"]] as const)
              expect((await product(...elements)).equals(expected), `${m} ${n} ${inner} ${elements}`).toBe(
                true,
              );
          }
    });

    it("the quantised weights of a row without a finite scale have no bounds", async () => {
      const weights = t(4, 2, [Number.NaN, 1, Infinity, 1, 2 ** -149, 0, 0, 0]);
      const [out, statistics] = [engine.empty(4, 2, "int8"), engine.empty(4, 3)];
      engine.quantise(out, statistics, weights);
      const found = await engine.read(statistics);
      for (const row of [0, 1, 2]) {
        expect(found[3 * row + 1], `row ${row}`).toBeNaN();
        expect(found[3 * row + 2], `row ${row}`).toBeNaN();
      }
      expect([...found.subarray(9)]).toEqual([0, 0, 0]);
      expect([...(await engine.read(out)).subarray(6)]).toEqual([0, 0]);
    });
  },
);
