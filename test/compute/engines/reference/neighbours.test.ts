import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { openEngine } from "../../../../src/compute/open-engine.js";
import type { Similarity } from "../../../../src/compute/solvers/solvers.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import { RandomSequence } from "../../../../src/core/philox.js";
import { fromRows } from "../../../../src/sparse/csr.js";
import { engineNames } from "../../../support/engine-names.js";
import { difference, someHistories } from "../../../support/item-item.js";

const ones = (length: number) => new Float32Array(length).fill(1);

describe.skipIf(!engineNames.includes("native"))("neighbours", () => {
  const engines: Engine[] = [];
  const open = async (threads: number) => {
    const engine = await openEngine({ engine: "native", threads });
    engines.push(engine);
    return engine;
  };
  afterAll(() => Promise.all(engines.map((engine) => engine.close())));

  it("are those of the plain loop, with any values", async () => {
    const onReference = await openEngine({ engine: "reference" });
    const random = new RandomSequence({ seed: 4, step: 0, stream: 0 });
    for (const [users, items, most] of [
      [30, 10, 5],
      [200, 80, 20],
    ]) {
      const plain = someHistories(users, items, most, users);
      const values = Float32Array.from(plain.indices, () => 0.5 + random.uniform());
      const norms = Float32Array.from({ length: items }, () => 0.5 + random.uniform());
      for (const matrix of [plain, { ...plain, values }])
        for (const size of ["product", "union"] as const) {
          const similarity: Similarity = {
            size,
            left: size === "union" ? norms.map((x) => x + 200) : norms,
            right: size === "union" ? norms.map((x) => x + 200) : norms.map((x) => x * x),
            shrink: 1,
            k: 7,
          };
          const find = (engine: Engine) =>
            solversOf(engine).neighbours(engine.sparse(matrix), similarity, 2, items);
          const expected = await find(onReference);
          expect(expected.indices.length).toBeGreaterThan(20);
          expect(difference(await find(await open(2)), expected)).toBeLessThan(1e-5);
        }
    }
  });

  it("are the same bits for any number of threads", async () => {
    const matrix = someHistories(300, 90, 25, 2);
    const similarity = { size: "product", left: ones(90), right: ones(90), shrink: 0, k: 9 } as const;
    const all = async (threads: number) => {
      const engine = await open(threads);
      return solversOf(engine).neighbours(engine.sparse(matrix), similarity, 0, 90);
    };
    const once = await all(1);
    expect(await all(3)).toEqual(once);
  });

  it("reject invalid arguments at the call", async () => {
    for (const engine of [await openEngine({ engine: "reference" }), await open(1)]) {
      const solvers = solversOf(engine);
      const x = engine.sparse(fromRows(3, [[0, 1]]));
      const similarity = { size: "product", left: ones(3), right: ones(3), shrink: 0, k: 3 } as const;
      await expect(solvers.neighbours(x, { ...similarity, k: 0 }, 0, 3)).rejects.toThrow(/neighbours/);
      await expect(solvers.neighbours(x, { ...similarity, left: ones(2) }, 0, 3)).rejects.toThrow(
        /left has 2/,
      );
      expect(() => engine.sumSparseRows(engine.zeros(1, 2), x, x)).toThrow(/sumSparseRows/);
    }
  });
});
