import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { loadNativeEngine } from "../../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../../src/compute/engines/reference.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import { Workbench } from "../../../support/engines.js";

const native = loadNativeEngine({ threads: 2 });
const engines: [string, Engine, number][] = [
  ["reference", new ReferenceEngine(), 1e-5],
  ["reference, float64", new ReferenceEngine({ precision: "float64" }), 1e-9],
  ...("engine" in native ? [["native", native.engine, 2e-4] as [string, Engine, number]] : []),
];
afterAll(() => Promise.all(engines.map(([, engine]) => engine.close())));

describe.each(engines)("non-negative least squares on the %s engine", (_, engine, tolerance) => {
  const expectClose = (actual: ArrayLike<number>, expected: number[]) => {
    const size = Math.max(1, ...expected.map(Math.abs));
    for (const [c, value] of expected.entries())
      expect(Math.abs(actual[c] - value) / size).toBeLessThan(tolerance);
  };

  it("find the least squares without negative numbers: the conditions of Karush, Kuhn and Tucker hold", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const bench = new Workbench(engine, seed);
      const [rows, k] = [bench.size(1, 70), bench.size(1, 40)];
      const points = bench.matrix(k + 5, k);
      const gram = Array.from({ length: k }, (_, i) =>
        Array.from({ length: k }, (_, j) => {
          let sum = 0;
          for (let p = 0; p < k + 5; p++) sum += points.data[p * k + i] * points.data[p * k + j];
          return Math.fround(sum);
        }),
      );
      const products = bench.matrix(rows, k, 10);
      const [l1, l2] = [bench.random.below(2) / 2, 0.5 + bench.random.below(2)];
      const factors = bench.put({ ...products, data: products.data.map(Math.abs) });
      const violation = bench.rubbish(rows, 1);
      solversOf(engine).nonNegativeIterations(factors, {
        gram: bench.put({ rows: k, columns: k, data: Float64Array.from(gram.flat()) }),
        products: bench.put(products),
        ...{ l1, l2, iterations: 5000, tolerance: tolerance / 10, violation },
      });
      const w = await bench.read(factors);
      for (let r = 0; r < rows; r++) {
        const own = [...w.subarray(r * k, (r + 1) * k)];
        const gradient = gram.map(
          (line, t) =>
            line.reduce((sum, value, c) => sum + value * own[c], 0) +
            l2 * own[t] +
            l1 -
            products.data[r * k + t],
        );
        const size = Math.max(1, ...products.data.subarray(r * k, (r + 1) * k).map(Math.abs)) * k;
        for (let t = 0; t < k; t++) {
          expect(own[t]).toBeGreaterThanOrEqual(0);
          if (own[t] > 0) expect(Math.abs(gradient[t]) / size).toBeLessThan(tolerance);
          else expect(gradient[t] / size).toBeGreaterThan(-tolerance);
        }
      }
      await bench.close();
    }
  });

  it("take one iteration over the coordinates by hand", async () => {
    const bench = new Workbench(engine, 3);
    const factors = bench.put({ rows: 1, columns: 2, data: Float64Array.of(1, 0) });
    const violation = bench.rubbish(1, 1);
    const iteration = {
      gram: bench.put({ rows: 2, columns: 2, data: Float64Array.of(2, 1, 1, 3) }),
      products: bench.put({ rows: 1, columns: 2, data: Float64Array.of(5, 4) }),
      ...{ l1: 1, l2: 2, iterations: 1, tolerance: 0, violation },
    };
    // Gradients (2 + 2) 1 - (5 - 1) = 0, then 1 - (4 - 1) = -2: w2 = 2 / 5. Next (4 + .4) - 4 = .4: w1 = .9; then 0.9 + 2 - 3 = -.1.
    solversOf(engine).nonNegativeIterations(factors, iteration);
    expectClose(await bench.read(factors), [1, 0.4]);
    expectClose(await bench.read(violation), [2]);
    solversOf(engine).nonNegativeIterations(factors, iteration);
    expectClose(await bench.read(factors), [0.9, 0.42]);
    expectClose(await bench.read(violation), [0.5]);
    await bench.close();
  });

  it("preserves NaN", async () => {
    const bench = new Workbench(engine, 1);
    const matrix = (rows: number, ...data: number[]) =>
      bench.put({ rows, columns: 2, data: Float64Array.from(data) });
    const factors = matrix(1, 1, 0);
    const violation = bench.rubbish(1, 1);
    solversOf(engine).nonNegativeIterations(factors, {
      ...{ gram: matrix(2, 2, Number.NaN, 1, 3), products: matrix(1, 5, 4) },
      ...{ l1: 0, l2: 0, iterations: 3, tolerance: 0, violation },
    });
    expect([...(await bench.read(factors)), ...(await bench.read(violation))]).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
    await bench.close();
  });
});
