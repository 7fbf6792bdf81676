import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { sum } from "../../../src/compute/objective.js";
import { linearCosine } from "../../../src/compute/ops/linear-cosine.js";
import { unitRows } from "../../../src/compute/ops/unit-rows.js";
import { Tape } from "../../../src/compute/tape.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { gradientError } from "../../support/gradients.js";

const items = 9;
const rows = [[0, 2, 5], [1, 8], [], [3, 4, 6, 7, 8], [2], [0, 1, 2, 3]];
const x = fromRows(items, rows);
const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
const squaresOf = rows.map((row) => row.length);
const weights = (k: number) => ({
  rows: items,
  columns: k,
  data: Float64Array.from({ length: items * k }, () => random.normal()),
});

/** ||y / |y| - x / |x|||^2 with y = x U U' - x, from dense vectors. */
function naiveLoss(row: readonly number[], a: readonly number[][]): number {
  if (row.length === 0) return 0;
  const u = a.map((vector) => vector.map((value) => value / Math.hypot(...vector)));
  const target = Array.from({ length: items }, (_, i) => (row.includes(i) ? 1 : 0));
  const y = u.map((one, i) => {
    const products = row.map((item) => one.reduce((all, value, c) => all + value * u[item][c], 0));
    return products.reduce((all, value) => all + value, 0) - target[i];
  });
  const [length, size] = [Math.hypot(...y), Math.hypot(...target)];
  return y.reduce((all, value, i) => all + (value / length - target[i] / size) ** 2, 0);
}

// Fewer rows than columns are multiplied one by one, more by the Gram matrix.
describe.each([3, 6, 7, 8])("the loss of ELSA with %i factors for 6 histories", (k) => {
  const a = weights(k);

  it("is that of dense reconstructions", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const tape = new Tape(engine);
    const u = unitRows(tape, tape.input(engine.tensor(items, k, a.data)));
    const loss = linearCosine(tape, tape.sparse(x), u, engine.tensor(rows.length, 1, squaresOf));
    const lists = Array.from({ length: items }, (_, i) => [...a.data.subarray(i * k, (i + 1) * k)]);
    for (const [r, value] of (await engine.read(loss.value)).entries())
      expect(value).toBeCloseTo(naiveLoss(rows[r], lists), 12);
  });

  it("has the gradient of finite differences", async () => {
    const error = await gradientError([], [a], (tape, _, [parameter]) => {
      const squares = tape.engine.tensor(rows.length, 1, squaresOf);
      return sum(linearCosine(tape, tape.sparse(x), unitRows(tape, parameter), squares));
    });
    expect(error).toBeLessThan(1e-8);
  });
});
