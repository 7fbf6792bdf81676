import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { viewColumns } from "../../../src/compute/tensor.js";
import { emptyMatrix, fromRows } from "../../../src/sparse/csr.js";
import {
  bestInBlocksCase,
  bestProductsCase,
  kernelCases,
  relativeDifference,
  runCase,
  topKCase,
} from "../../support/engines.js";

describe.each([
  // float32: inputs are exact, sums run in float64 and are rounded once per block of 256 terms.
  ["float32", 2e-6],
  ["float64", 1e-12],
] as const)("the reference engine in %s", (precision, tolerance) => {
  it.each(kernelCases.map((kernelCase) => [kernelCase.kernel, kernelCase] as const))(
    "computes %s as the naive formula does",
    async (_, kernelCase) => {
      const engine = new ReferenceEngine({ precision });
      await runCase(kernelCase, engine, 40, (outcome, seed) => {
        expect(relativeDifference(outcome), `${outcome.what}, seed ${seed}`).toBeLessThan(tolerance);
      });
    },
  );

  it.each([
    ["ranks as a full sort does, ties by ascending index, NaN as -Infinity", topKCase],
    ["finds the best products among all of them", bestProductsCase],
    ["finds the best products in blocks", bestInBlocksCase],
  ])("%s", async (_, kernelCase) => {
    await runCase(kernelCase, new ReferenceEngine({ precision }), 300, (outcome, seed) => {
      expect([...(outcome.actual as number[])], `${outcome.what}, seed ${seed}`).toEqual(outcome.expected);
    });
  });
});

describe("memory", () => {
  it("is reused: changing batch sizes settle on a few blocks", async () => {
    const engine = new ReferenceEngine();
    for (let step = 0; step < 1000; step++) {
      const tensors = [engine.empty(1 + ((step * 37) % 100), 64), engine.zeros(50, 64)];
      for (const tensor of tensors) engine.release(tensor);
    }
    const settled = engine.memory();
    for (let step = 0; step < 1000; step++) engine.release(engine.empty(1 + ((step * 53) % 100), 64));
    expect(engine.memory()).toBe(settled);
    // All sizes of two octaves at four classes each, and one block for zeros: far less than 1000 blocks.
    expect(settled).toBeLessThan(40 * 100 * 64 * 4);
  });

  it("zeroes reused blocks where zeros are asked for", async () => {
    const engine = new ReferenceEngine();
    engine.release(engine.tensor(2, 2, [1, 2, 3, 4]));
    expect([...(await engine.read(engine.zeros(2, 2)))]).toEqual([0, 0, 0, 0]);
  });

  it("counts what is held and drops to nothing when closed", async () => {
    const engine = new ReferenceEngine();
    expect(engine.memory()).toBe(0);
    engine.zeros(16, 16);
    expect(engine.memory()).toBe(16 * 16 * 4);
    const sparse = engine.sparse(fromRows(10, [[1, 2], [3]]));
    expect(engine.memory()).toBeGreaterThan(16 * 16 * 4);
    engine.releaseSparse(sparse);
    expect(engine.memory()).toBe(16 * 16 * 4);
    await engine.close();
    expect(engine.memory()).toBe(0);
    expect(() => engine.zeros(1, 1)).toThrow("closed");
  });

  it("refuses a second release, the release of a view, and use after release", async () => {
    const engine = new ReferenceEngine();
    const tensor = engine.zeros(3, 4);
    expect(() => engine.release(viewColumns(tensor, 1, 3))).toThrow("view");
    engine.release(tensor);
    expect(() => engine.release(tensor)).toThrow("released");
    expect(() => engine.fill(tensor, 1)).toThrow("released");
    await expect(engine.read(tensor)).rejects.toThrow("released");
    const sparse = engine.sparse(emptyMatrix(2, 3));
    engine.releaseSparse(sparse);
    expect(() => engine.releaseSparse(sparse)).toThrow("released");
    expect(() => engine.fill(new ReferenceEngine().zeros(1, 1), 1)).not.toThrow();
    expect(() => engine.fill({ ...tensor, storage: { length: 12, element: "float32" } }, 1)).toThrow(
      "another engine",
    );
  });
});

describe("shape errors", () => {
  const engine = new ReferenceEngine();
  const t = (rows: number, columns: number) => engine.zeros(rows, columns);
  const batch = engine.sparse(fromRows(5, [[0, 4], []]));
  const key = { seed: 1, step: 1, stream: 1 };

  it.each([
    [
      "matmul",
      () => engine.matmul(t(2, 2), t(2, 3), t(2, 2)),
      /matmul: the inner sizes of \[2, 3\] \[2, 2\]/,
    ],
    ["matmul out", () => engine.matmul(t(2, 3), t(2, 3), t(3, 2)), /matmul: out is \[2, 3\]/],
    ["addRow", () => engine.addRow(t(2, 2), t(2, 2)), /addRow: row is \[2, 2\], expected \[1, 2\]/],
    [
      "addScaled",
      () => engine.addScaled(t(2, 2), t(2, 3), 1),
      /addScaled: out is \[2, 2\] but a is \[2, 3\]/,
    ],
    ["tensor", () => engine.tensor(2, 2, [1, 2, 3]), /tensor: 3 numbers for a tensor \[2, 2\]/],
    ["zeros", () => engine.zeros(-1, 2), /zeros: \[-1, 2\] is not a valid shape/],
    ["empty", () => engine.empty(2 ** 32 + 3, 1), /empty: \[4294967299, 1\] is not a valid shape/],
    ["empty, half a row", () => engine.empty(1.5, 2), /empty: \[1\.5, 2\] is not a valid shape/],
    ["empty, product", () => engine.empty(2 ** 20, 2 ** 12 + 1), /empty: .* is too large/],
    [
      "sparseRowSum",
      () => engine.sparseRowSum(t(2, 3), batch, t(4, 3), {}),
      /sparseRowSum: weights is \[4, 3\]/,
    ],
    [
      "layerNorm",
      () => engine.layerNorm(t(2, 3), t(2, 3), t(1, 3), t(1, 3), t(2, 1), 0.1),
      /layerNorm: statistics is \[2, 1\], expected \[2, 2\]/,
    ],
    [
      "layerNorm epsilon",
      () => engine.layerNorm(t(2, 3), t(2, 3), t(1, 3), t(1, 3), t(2, 2), 0),
      /layerNorm: epsilon 0 is not positive/,
    ],
    [
      "compositeKl",
      () =>
        engine.compositeKl(t(2, 1), t(2, 3), t(2, 3), t(2, 3), t(2, 4), t(2, 3), {
          standard: 0.5,
          former: 0.4,
          broad: 0.1,
          broadLogVariance: 10,
        }),
      /compositeKl: z is \[2, 3\] but formerMean is \[2, 4\]/,
    ],
    [
      "compositeKl's mixture",
      () =>
        engine.compositeKl(t(2, 1), t(2, 3), t(2, 3), t(2, 3), t(2, 3), t(2, 3), {
          standard: 0.5,
          former: -0.4,
          broad: 0.1,
          broadLogVariance: 10,
        }),
      /compositeKl: the mixture weights 0.5, -0.4, 0.1 are not valid/,
    ],
    [
      "rate",
      () => engine.dropout(t(1, 1), t(1, 1), { rate: 1, key }),
      /dropout: dropout rate 1 is outside \[0, 1\)/,
    ],
    [
      "takeRows",
      () => engine.takeRows(t(1, 2), t(2, 2), Uint32Array.of(2)),
      /takeRows: rows contains 2, outside \[0, 2\)/,
    ],
    [
      "sparse",
      () => engine.sparse({ rows: 1, columns: 2, offsets: Uint32Array.of(0, 1), indices: Uint32Array.of(2) }),
      /sparse: column 2 is outside \[0, 2\)/,
    ],
    [
      "adam",
      () =>
        engine.adam(
          t(3, 2),
          t(3, 2),
          t(3, 2),
          { kind: "rows", tensor: t(2, 2), touched: Uint32Array.of(1, 1) },
          { learningRate: 1, beta1: 0, beta2: 0, epsilon: 0, update: 1, decay: 0 },
        ),
      /adam: touched must be ascending/,
    ],
  ])("%s names the kernel and the shapes", (_, call, message) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
});
