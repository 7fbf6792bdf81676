import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { openEngine } from "../../../../src/compute/open-engine.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import { type CsrMatrix, sliceRows } from "../../../../src/sparse/csr.js";
import { engineNames } from "../../../support/engine-names.js";
import { difference, someHistories } from "../../../support/item-item.js";

describe.skipIf(!engineNames.includes("native"))("elastic nets", () => {
  const engines: Engine[] = [];
  const open = async (threads: number) => {
    const engine = await openEngine({ engine: "native", threads });
    engines.push(engine);
    return engine;
  };
  afterAll(() => Promise.all(engines.map((engine) => engine.close())));

  async function nets(engine: Engine, matrix: CsrMatrix, from: number, to: number) {
    const n = matrix.columns;
    const net = { l1: 0.4, l2: 3, tolerance: 1e-7, maxIterations: 5000, k: n };
    const gram = engine.empty(n, n);
    solversOf(engine).gram(gram, engine.sparse(matrix));
    return solversOf(engine).elasticNet(gram, net, from, to);
  }

  it("are those of the plain descent over all coordinates", async () => {
    const plain = await openEngine({ engine: "reference" });
    for (const [users, items, most] of [
      [40, 12, 6],
      [300, 90, 25],
      [150, 160, 60],
    ]) {
      const matrix = someHistories(users, items, most, items);
      const expected = await nets(plain, matrix, 0, items);
      const native = await nets(await open(2), matrix, 0, items);
      expect(expected.unfinished).toBe(0);
      expect(native.unfinished).toBe(0);
      expect(difference(native.weights, expected.weights)).toBeLessThan(2e-4);
      const middle = await nets(await open(1), matrix, 3, 9);
      expect(difference(middle.weights, sliceRows(expected.weights, 3, 9))).toBeLessThan(2e-4);
    }
  });

  it("are the same bits for any number of threads", async () => {
    const matrix = someHistories(300, 90, 25, 2);
    const once = await nets(await open(1), matrix, 0, 90);
    expect(await nets(await open(3), matrix, 0, 90)).toEqual(once);
  });

  it("reject invalid arguments at the call", async () => {
    for (const engine of [await openEngine({ engine: "reference" }), await open(1)]) {
      const solvers = solversOf(engine);
      const gram = engine.zeros(3, 3);
      const net = { l1: 1, l2: 1, tolerance: 1e-4, maxIterations: 10, k: 3 };
      await expect(solvers.elasticNet(gram, net, 0, 4)).rejects.toThrow(/elasticNet: \[0, 4\).*\[0, 3\)/);
      await expect(solvers.elasticNet(gram, { ...net, l1: -1 }, 0, 3)).rejects.toThrow(/l1 -1/);
      await expect(solvers.elasticNet(gram, { ...net, maxIterations: 0 }, 0, 3)).rejects.toThrow(
        /maxIterations 0/,
      );
      await expect(solvers.elasticNet(engine.zeros(2, 3), net, 0, 3)).rejects.toThrow(RangeError);
    }
  });
});
