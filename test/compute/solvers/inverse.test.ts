import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { invertAllPivots, NotPositiveDefiniteError } from "../../../src/compute/solvers/inverse.js";
import { solversOf } from "../../../src/compute/solvers/solvers-of.js";
import { viewDiagonal } from "../../../src/compute/tensor.js";
import { AbortedError } from "../../../src/core/errors.js";
import { popularHead } from "../../support/dense-solvers.js";
import { engineNames, precisions } from "../../support/engine-names.js";

describe.each(precisions(0, 0))("the inverse on the %s engine", (_, _tolerance, open) => {
  it("says at which row a matrix is not positive definite", async () => {
    const engine = await open();
    // The third row is the sum of the first two.
    const a = engine.tensor(4, 4, [2, 0, 2, 0, 0, 1, 1, 0, 2, 1, 3, 0, 0, 0, 0, 1]);
    await expect(invertAllPivots({ ...solversOf(engine), pivots: 2 }, a)).rejects.toThrow(
      expect.objectContaining({ name: "NotPositiveDefiniteError", pivot: 2 }),
    );
    const notANumber = engine.tensor(1, 1, [Number.NaN]);
    await expect(invertAllPivots(solversOf(engine), notANumber)).rejects.toThrow(NotPositiveDefiniteError);
  });

  it("can be watched, and stopped between two blocks of pivots", async () => {
    const engine = await open();
    const a = engine.zeros(100, 100);
    engine.addScaled(viewDiagonal(a), engine.tensor(100, 1, new Array(100).fill(4)), 1);
    const abort = new AbortController();
    const heard: number[] = [];
    const onPivots = (done: number) => {
      heard.push(done);
      if (done === 60) abort.abort();
    };
    const solvers = { ...solversOf(engine), pivots: 30 };
    await expect(invertAllPivots(solvers, a, { signal: abort.signal, onPivots })).rejects.toThrow(
      AbortedError,
    );
    expect(heard).toEqual([30, 60]);
    const diagonal = await engine.read(viewDiagonal(a));
    expect([...diagonal.subarray(59, 61)]).toEqual([-0.25, 4]);
  });
});

it.skipIf(!engineNames.includes("native"))(
  "an inverse of many blocks times its matrix is the identity",
  async () => {
    const engine: Engine = await openEngine({ engine: "native", threads: 2 });
    const x = popularHead(900, 1100);
    const gram = engine.empty(1100, 1100);
    solversOf(engine).gram(gram, engine.sparse(x));
    engine.addScaled(viewDiagonal(gram), engine.tensor(1100, 1, new Float32Array(1100).fill(20)), 1);
    const before = engine.empty(1100, 1100);
    engine.copy(before, gram);
    await invertAllPivots(solversOf(engine), gram);
    const ones = new Float32Array(1100).fill(1);
    const negative = engine.tensor(
      1,
      1100,
      ones.map((one) => -one),
    );
    solversOf(engine).expandLower(gram, engine.tensor(1, 1100, ones), negative);
    const product = engine.empty(1100, 1100);
    engine.matmul(product, gram, before);
    const data = await engine.read(product);
    let worst = 0;
    for (let i = 0; i < data.length; i++)
      worst = Math.max(worst, Math.abs(data[i] - (i % 1101 === 0 ? 1 : 0)));
    expect(worst).toBeLessThan(2e-4);
  },
);
