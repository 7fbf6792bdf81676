import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { loadNativeEngine } from "../../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../../src/compute/engines/reference.js";
import type { Solvers } from "../../../../src/compute/kernels.js";
import { invertAllPivots } from "../../../../src/compute/solvers/inverse.js";
import { viewDiagonal } from "../../../../src/compute/tensor.js";
import { randomNormals } from "../../../../src/core/philox.js";
import { fromRows } from "../../../../src/sparse/csr.js";
import { popularHead, solverCases } from "../../../support/dense-solvers.js";
import { relativeDifference, runCase } from "../../../support/engines.js";

const search = loadNativeEngine({ threads: 2 });
const missing = "reason" in search ? search.reason : undefined;
if (missing) console.log(`skipped: ${missing}`);
const opened: Engine[] = "engine" in search ? [search.engine] : [];
afterAll(() => Promise.all(opened.map((engine) => engine.close())));

type Solving = Engine & { solvers: Solvers };
function open(threads: number): Solving {
  const result = loadNativeEngine({ threads });
  if ("reason" in result) throw new Error(result.reason);
  opened.push(result.engine);
  return result.engine as Solving;
}

// A condition number of about 10 costs the inverse in float32 some ten roundings.
const engines: [string, () => Engine, number][] = [
  ["reference engine in float32", () => new ReferenceEngine(), 2e-5],
  ["reference engine in float64", () => new ReferenceEngine({ precision: "float64" }), 1e-11],
  ...(missing ? [] : [["native engine", () => open(3), 2e-5] as [string, () => Engine, number]]),
];

describe.each(engines)("the solvers of the %s", (_, openOne, tolerance) => {
  it.each(solverCases.map((solverCase) => [solverCase.kernel, solverCase] as const))(
    "compute %s as the naive formula does",
    async (_, solverCase) => {
      await runCase(solverCase, openOne(), 60, (outcome, seed) => {
        // Where two inputs coincide, the angle is the square root of a rounding.
        const least = solverCase.kernel === "tangentKernel" ? 1e-8 : 0;
        expect(relativeDifference(outcome), `${outcome.what}, seed ${seed}`).toBeLessThan(
          Math.max(least, tolerance),
        );
      });
    },
  );

  it("refuse shapes that do not fit, and what is released", async () => {
    const engine = openOne() as Solving;
    const { solvers } = engine;
    const x = engine.sparse(fromRows(3, [[0], [1, 2]]));
    const [square, wide] = [engine.zeros(3, 3), engine.zeros(2, 3)];
    expect(() => solvers.gram(wide, x)).toThrow("gram: out is [2, 3], expected [3, 3]");
    expect(() => solvers.gram(square, x, square)).toThrow("weights is [3, 3], expected [1, 2]");
    expect(() => solvers.sparseProduct(square, x, engine.sparse(fromRows(2, [[0]])))).toThrow(
      "b is [1, 2], expected [1, 3]",
    );
    await expect(solvers.invertPivots(wide, 0, 1)).rejects.toThrow("a is [2, 3]");
    await expect(solvers.invertPivots(square, 2, 2)).rejects.toThrow("pivots up to 4");
    expect(() => solvers.expandLower(square, wide, wide)).toThrow("rows is [2, 3]");
    expect(() => solvers.tangentKernel(square, wide, wide, { scale: 1, bias: 0, depth: 1 })).toThrow("rows");
    engine.release(square);
    expect(() => solvers.gram(square, x)).toThrow("released");
  });
});

describe.skipIf(missing)("threads", () => {
  it("change no bit of a solver, at sizes that are cut into many tiles", async () => {
    const all = async (engine: Solving) => {
      const { solvers } = engine;
      const x = popularHead(700, 1203);
      const [rows, batch] = [x.rows, engine.sparse(x)];
      const weights = new Float32Array(rows);
      randomNormals({ seed: 7, step: 0, stream: 0 }, weights);
      const gram = engine.empty(x.columns, x.columns);
      solvers.gram(
        gram,
        batch,
        engine.tensor(
          1,
          rows,
          weights.map((w) => w * w),
        ),
      );
      engine.addScaled(
        viewDiagonal(gram),
        engine.tensor(x.columns, 1, new Float32Array(x.columns).fill(3)),
        1,
      );
      await invertAllPivots(solvers, gram);
      const ones = engine.tensor(1, x.columns, new Float32Array(x.columns).fill(1));
      solvers.expandLower(gram, ones, ones);
      const kernel = engine.empty(rows, rows);
      solvers.sparseProduct(kernel, batch, batch);
      const squares = engine.tensor(1, rows, await engine.read(viewDiagonal(kernel)));
      solvers.tangentKernel(kernel, squares, squares, { scale: 2 / x.columns, bias: 0.01, depth: 2 });
      return (await Promise.all([engine.read(gram), engine.read(kernel)])) as Float32Array[];
    };
    const alone = await all(open(1));
    for (const array of alone) expect(array.every(Number.isFinite)).toBe(true);
    for (const threads of [2, 3, 5])
      for (const [i, array] of (await all(open(threads))).entries())
        expect(Buffer.from(array.buffer).equals(Buffer.from(alone[i].buffer)), `${i}, ${threads}`).toBe(true);
  });
});
