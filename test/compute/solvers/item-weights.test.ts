import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import type { Similarity } from "../../../src/compute/solvers/solvers.js";
import { solversOf } from "../../../src/compute/solvers/solvers-of.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { type CsrMatrix, fromRows, sliceRows } from "../../../src/sparse/csr.js";
import { engineNames } from "../../support/engine-names.js";
import { densify } from "../../support/engines.js";

/** Users with up to `most` items, popular ones first; every seventh has none. */
function histories(users: number, items: number, most: number, seed: number): CsrMatrix {
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  const lists = Array.from({ length: users }, (_, user) => {
    const count = user % 7 === 0 ? 0 : 1 + random.below(most);
    return [...new Set(Array.from({ length: count }, () => Math.floor(items * random.uniform() ** 2)))];
  });
  return fromRows(items, lists);
}

/** Numbers in two matrices that are to be the same but for rounding. */
function difference(a: CsrMatrix, b: CsrMatrix): number {
  const [x, y] = [densify(a).data, densify(b).data];
  return Math.max(0, ...x.map((value, k) => Math.abs(value - y[k]) / (1 + Math.abs(y[k]))));
}

const openings = { reference: () => openEngine({ engine: "reference" }) };
describe.skipIf(!engineNames.includes("native"))("native solvers of item-item models", () => {
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

  it("elastic nets are those of the plain descent over all coordinates", async () => {
    const reference = await openings.reference();
    for (const [users, items, most] of [
      [40, 12, 6],
      [300, 90, 25],
      [150, 160, 60],
    ]) {
      const matrix = histories(users, items, most, items);
      const expected = await nets(reference, matrix, 0, items);
      const native = await nets(await open(2), matrix, 0, items);
      expect(expected.unfinished).toBe(0);
      expect(native.unfinished).toBe(0);
      expect(difference(native.weights, expected.weights)).toBeLessThan(2e-4);
      const middle = await nets(await open(1), matrix, 3, 9);
      expect(difference(middle.weights, sliceRows(expected.weights, 3, 9))).toBeLessThan(2e-4);
    }
  });

  it("neighbours are those of the plain loop, with any values", async () => {
    const reference = await openings.reference();
    const random = new RandomSequence({ seed: 4, step: 0, stream: 0 });
    for (const [users, items, most] of [
      [30, 10, 5],
      [200, 80, 20],
    ]) {
      const plain = histories(users, items, most, users);
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
          const expected = await find(reference);
          expect(expected.indices.length).toBeGreaterThan(20);
          expect(difference(await find(await open(2)), expected)).toBeLessThan(1e-5);
        }
    }
  });

  it("the number of threads changes no bit", async () => {
    const matrix = histories(300, 90, 25, 2);
    const ones = new Float32Array(90).fill(1);
    const all = async (threads: number) => {
      const engine = await open(threads);
      const similarity = { size: "product", left: ones, right: ones, shrink: 0, k: 9 } as const;
      return [
        (await nets(engine, matrix, 0, 90)).weights,
        await solversOf(engine).neighbours(engine.sparse(matrix), similarity, 0, 90),
      ];
    };
    const once = await all(1);
    expect(await all(3)).toEqual(once);
  });

  it("refuse what does not fit, at the call", async () => {
    for (const engine of [await openings.reference(), await open(1)]) {
      const solvers = solversOf(engine);
      const x = engine.sparse(fromRows(3, [[0, 1]]));
      const gram = engine.zeros(3, 3);
      const net = { l1: 1, l2: 1, tolerance: 1e-4, maxIterations: 10, k: 3 };
      const three = new Float32Array(3).fill(1);
      const similarity = { size: "product", left: three, right: three, shrink: 0, k: 3 } as const;
      await expect(solvers.elasticNet(gram, net, 0, 4)).rejects.toThrow(/elasticNet: \[0, 4\).*\[0, 3\)/);
      await expect(solvers.elasticNet(gram, { ...net, l1: -1 }, 0, 3)).rejects.toThrow(/l1 -1/);
      await expect(solvers.elasticNet(gram, { ...net, maxIterations: 0 }, 0, 3)).rejects.toThrow(
        /maxIterations 0/,
      );
      await expect(solvers.elasticNet(engine.zeros(2, 3), net, 0, 3)).rejects.toThrow(RangeError);
      await expect(solvers.neighbours(x, { ...similarity, k: 0 }, 0, 3)).rejects.toThrow(/neighbours/);
      await expect(solvers.neighbours(x, { ...similarity, left: ones(2) }, 0, 3)).rejects.toThrow(
        /left has 2/,
      );
      expect(() => engine.sumSparseRows(engine.zeros(1, 2), x, x)).toThrow(/sumSparseRows/);
    }
  });
});

const ones = (length: number) => new Float32Array(length).fill(1);
