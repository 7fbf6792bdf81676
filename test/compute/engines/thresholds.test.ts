// Where a kernel takes another path by the size of its inputs, both paths compute the same: just below, at and just above
// every such size, against naive formulas in float64, and to the same bits for any number of threads.

import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { NO_ITEM } from "../../../src/compute/engine.js";
import { loadNativeEngine } from "../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { solversOf } from "../../../src/compute/solvers/solvers-of.js";
import { largest } from "../../../src/core/largest.js";
import { RandomSequence, randomNormals } from "../../../src/core/philox.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { solverCases } from "../../support/dense-solvers.js";
import {
  bestInBlocksCase,
  bestProductsCase,
  densify,
  type KernelCase,
  kernelCases,
  relativeDifference,
  runCaseWith,
  tolerance,
  topKCase,
} from "../../support/engines.js";
import {
  around,
  bestInBlocksSizes,
  bestProductsSizes,
  sizesOf,
  solverSizes,
  topKSizes,
} from "../../support/thresholds.js";

const search = loadNativeEngine({ threads: 1 });
const missing = "reason" in search ? search.reason : undefined;
if (missing) console.log(`skipped: ${missing}`);

const natives: Engine[] = [];
if (!missing)
  for (const threads of [1, 2, 3]) {
    const opened = loadNativeEngine({ threads });
    if ("engine" in opened) natives.push(opened.engine);
  }
const reference = new ReferenceEngine();
const exact = new ReferenceEngine({ precision: "float64" });
afterAll(() => Promise.all([...natives, reference, exact].map((engine) => engine.close())));

type Sized = [kernel: string, kernelCase: KernelCase, sizes: readonly (readonly number[])[]];

function sized(
  cases: readonly KernelCase[],
  sizes: Readonly<Record<string, readonly (readonly number[])[]>>,
): Sized[] {
  return Object.entries(sizes).map(([kernel, list]) => {
    const kernelCase = cases.find((one) => one.kernel === kernel);
    if (!kernelCase) throw new Error(`there is no case ${kernel}`);
    return [kernel, kernelCase, list];
  });
}

const kernels = sized(kernelCases, sizesOf);
const solvers = sized(solverCases, solverSizes);

/** Rows of views do not lie end to end, as those of whole tensors do: a single row is the same either way. */
const given = (sizes: readonly number[]) => ({ sizes, padded: sizes[0] > 1 });

const bits = (numbers: ArrayLike<number>) => Buffer.from(Float64Array.from(numbers).buffer);

describe.skipIf(missing)("on both sides of its thresholds", () => {
  it.each([...kernels, ...solvers])(
    "%s is the naive formula's, and the same to the last bit for 1, 2 and 3 threads",
    async (_, kernelCase, list) => {
      for (const sizes of list) {
        const [alone, ...together] = await Promise.all(
          natives.map((engine) => runCaseWith(kernelCase, engine, given(sizes))),
        );
        for (const [i, outcome] of alone.entries()) {
          const what = `${outcome.what} at [${sizes}]`;
          expect(relativeDifference(outcome), what).toBeLessThanOrEqual(tolerance(kernelCase));
          for (const others of together)
            expect(bits(others[i].actual).equals(bits(outcome.actual)), `${what}, threads`).toBe(true);
        }
      }
    },
  );

  it.each([
    ["topK", topKCase, topKSizes],
    ["bestProducts", bestProductsCase, bestProductsSizes],
    ["bestInBlocks", bestInBlocksCase, bestInBlocksSizes],
  ] as Sized[])("%s finds what a full sort does", async (_, kernelCase, list) => {
    for (const sizes of list)
      for (const engine of [...natives, reference])
        for (const outcome of await runCaseWith(kernelCase, engine, given(sizes)))
          expect([...(outcome.actual as number[])], `${outcome.what} at [${sizes}]`).toEqual(
            outcome.expected,
          );
  });
});

/** What every native engine computes: the same bits, and near what the reference engine has in float64. */
async function expectAsExact(
  what: string,
  tolerance: number,
  compute: (engine: Engine) => Promise<ArrayLike<number>[]>,
): Promise<void> {
  const expected = await compute(exact);
  const [alone, ...together] = await Promise.all(natives.map(compute));
  for (const [i, actual] of alone.entries()) {
    expect(relativeDifference({ what, actual, expected: expected[i] }), `${what}, ${i}`).toBeLessThan(
      tolerance,
    );
    for (const others of together)
      expect(bits(others[i]).equals(bits(actual)), `${what}, ${i}, threads`).toBe(true);
  }
}

/** Rows of so many columns each, spread over all of them. */
const spread = (columns: number, counts: readonly number[]) =>
  fromRows(
    columns,
    counts.map((count, r) =>
      Array.from({ length: count }, (_, i) => (r * 7 + Math.floor((i * columns) / count)) % columns),
    ),
  );

/** Normals of a stream. */
function normals(length: number, stream: number): Float32Array {
  const data = new Float32Array(length);
  randomNormals({ seed: 7, step: 0, stream }, data);
  return data;
}

describe.skipIf(missing)("native kernels whose path depends on what the inputs hold", () => {
  // sparse_row_sum.rs: ALONE = 2^15.
  it("sparse rows are summed by one thread up to 32,768 products, and by several beyond, with the same result", async () => {
    const hidden = 64;
    for (const entries of around(2 ** 15 / hidden)) {
      const batch = spread(100, [...new Array<number>(7).fill(64), entries - 7 * 64]);
      const options = {
        rowScale: "l2",
        dropout: { rate: 0.5, key: { seed: 5, step: 1, stream: 2 } },
      } as const;
      for (const given of [{}, options])
        await expectAsExact(`${entries} entries`, 1e-5, async (engine) => {
          const sparse = engine.sparse(batch);
          const [out, gradient] = [
            engine.empty(batch.rows, hidden),
            engine.empty(sparse.touched.length, hidden),
          ];
          engine.sparseRowSum(out, sparse, engine.tensor(100, hidden, normals(100 * hidden, 1)), given);
          engine.sparseRowSumGradient(gradient, sparse, out, given);
          return [await engine.read(out), await engine.read(gradient)];
        });
    }
  });

  // best_products.rs: MOST_STEPS = 16,383, less where a row is wider than 1024.
  it("the bounds of the best products overflow at no width", async () => {
    for (const width of [1023, 1024, 1025, 4000]) {
      const rows = 70;
      const weights = Float32Array.from({ length: rows * width }, (_, i) => (i < 40 * width ? 1 : -1));
      for (const engine of natives) {
        const of = engine.tensor(rows, width, weights);
        const bias = engine.tensor(1, rows, normals(rows, 3));
        const [quantised, statistics] = [engine.empty(rows, width, "int8"), engine.empty(rows, 3)];
        engine.quantise(quantised, statistics, of);
        const history = engine.tensor(1, width, new Float32Array(width).fill(1));
        const layer = { weights: of, quantised, statistics, bias };
        const found = await engine.bestProducts(history, layer, 50);
        const scores = normals(rows, 3).map((b, r) => Math.fround((r < 40 ? width : -width) + b));
        expect([...found.items], `width ${width}`).toEqual(largest(scores, 50));
        for (const tensor of [of, bias, quantised, statistics, history]) engine.release(tensor);
      }
    }
  });

  // allowed.rs: up to MOST_SKIPPING = 4 of 32 rows are read one by one.
  it("few and many allowed rows are ranked with the same result, by bounds and in blocks", async () => {
    const [rows, width, k] = [96, 20, 30];
    for (const count of [0, ...around(4), 31, 32]) {
      const chosen = [0, 32, 64].flatMap((from) =>
        Array.from({ length: count }, (_, n) => from + ((n * 7) % 32)),
      );
      const allowed = new Uint32Array(3);
      for (const row of chosen) allowed[row >> 5] |= 1 << (row & 31);
      for (const engine of natives) {
        const [of, bias] = [
          engine.tensor(rows, width, normals(rows * width, 5)),
          engine.tensor(1, rows, normals(rows, 6)),
        ];
        const history = engine.tensor(1, width, normals(width, 7));
        const scores = engine.empty(1, rows);
        engine.matmul(scores, history, of, { transposeB: true });
        engine.addRow(scores, bias);
        const all = await engine.read(scores);
        const expected = chosen.toSorted((a, b) => all[b] - all[a]).slice(0, k);
        const found = (items: Uint32Array) => [...items].filter((item) => item !== NO_ITEM);
        const [quantised, statistics] = [engine.empty(rows, width, "int8"), engine.empty(rows, 3)];
        engine.quantise(quantised, statistics, of);
        const layer = { weights: of, quantised, statistics, bias };
        expect(
          found((await engine.bestProducts(history, layer, k, undefined, allowed)).items),
          `${count}`,
        ).toEqual(expected);
        const items = engine.sparse(fromRows(rows, [[...Array(rows).keys()]]));
        const [inOrder, numbers] = [engine.empty(rows, width, "int8"), engine.empty(rows, 4)];
        const [centres, reach] = [engine.empty(1, width), engine.empty(1, 3)];
        engine.arrangeBlocks(inOrder, numbers, centres, reach, of, bias, items);
        const blocks = { weights: of, bias, quantised: inOrder, statistics: numbers, centres, reach, items };
        expect(
          found((await engine.bestInBlocks(history, blocks, k, 1, undefined, allowed)).items),
          `${count}`,
        ).toEqual(expected);
        engine.releaseSparse(items);
        for (const tensor of [
          of,
          bias,
          history,
          scores,
          quantised,
          statistics,
          inOrder,
          numbers,
          centres,
          reach,
        ])
          engine.release(tensor);
      }
    }
  });

  // inverse.rs: TILE = 512.
  it("a pivot is inverted in a matrix of one tile and of several with the same result", async () => {
    for (const n of around(513)) {
      // Diagonally dominant; rubbish above the diagonal.
      const data = normals(n * n, 4).map((x, i) => (i % (n + 1) === 0 ? 3 : x / n));
      const expected = Float64Array.from(data, (x, i) => {
        const [r, c] = [Math.floor(i / n), i % n];
        if (c > r) return 0;
        if (r === 0) return -1 / data[0];
        return c === 0 ? data[r * n] / data[0] : x - (data[r * n] * data[c * n]) / data[0];
      });
      for (const engine of natives) {
        const a = engine.tensor(n, n, data);
        expect(await solversOf(engine).invertPivots(a, 0, 1)).toBe(-1);
        const actual = (await engine.read(a)).map((x, i) => (i % n > Math.floor(i / n) ? 0 : x));
        expect(relativeDifference({ what: "a", actual, expected }), `n = ${n}`).toBeLessThan(1e-6);
        engine.release(a);
      }
    }
  });

  // als.rs: CHUNK = 128 entries, BLOCK = 16 factors, GROUP = 8 rows, four entries at once, panels of LANES = 16 factors.
  it("least squares are the same for rows of any number of entries, and for any number of factors", async () => {
    const counts = [0, 1, ...around(4), ...around(8), ...around(128), ...around(256)];
    for (const k of [...around(16), ...around(32), ...around(64)])
      for (const rows of around(8)) {
        // Nine rows: the last ones, the longest; and the shortest.
        const batch = spread(300, rows === 9 ? counts : counts.slice(-rows));
        const values = Float32Array.from(batch.indices, (_, e) => 1 + (e % 3));
        for (const interactions of [batch, { ...batch, values }])
          for (const steps of [undefined, 3])
            await expectAsExact(`${k} factors, ${batch.rows} rows, ${steps} steps`, 3e-4, async (engine) => {
              const fixed = engine.tensor(300, k, normals(300 * k, 5));
              const gram = engine.empty(k, k);
              engine.matmul(gram, fixed, fixed, { transposeA: true });
              const factors = engine.tensor(batch.rows, k, normals(batch.rows * k, 6));
              const objective = engine.empty(batch.rows, 1);
              solversOf(engine).alsHalfSweep(factors, engine.sparse(interactions), {
                ...{ fixed, gram, gramWeight: 0.5, ridge: 5, steps, objective },
                outer: { constant: 0.5, slope: 1 },
                target: { constant: 1, slope: 1 },
              });
              return [await engine.read(factors)];
            });
      }
  });

  // non_negative.rs: SIDE = 32 rows side by side, CHAINS = 4 sums.
  it("non-negative iterations are the same for any number of rows and factors", async () => {
    for (const rows of around(32))
      for (const k of around(4))
        await expectAsExact(`${rows} rows, ${k} factors`, 1e-4, async (engine) => {
          const points = engine.tensor(k + 5, k, normals((k + 5) * k, 7));
          const gram = engine.empty(k, k);
          engine.matmul(gram, points, points, { transposeA: true });
          const factors = engine.tensor(rows, k, normals(rows * k, 8).map(Math.abs));
          const products = engine.tensor(rows, k, normals(rows * k, 9));
          solversOf(engine).nonNegativeIterations(factors, {
            ...{ gram, products, l1: 0.1, l2: 0.5, iterations: 200, tolerance: 1e-6 },
          });
          return [await engine.read(factors)];
        });
  });

  // neighbours.rs: COLUMNS_PER_TASK = 8; elastic_net.rs: a working set of FIRST = 64, TILE = 16.
  it("item-item weights are the same for any number of items and of candidates", async () => {
    const dense = (columns: number) => {
      const random = new RandomSequence({ seed: columns, step: 0, stream: 0 });
      return fromRows(
        columns,
        Array.from({ length: 150 }, () =>
          Array.from({ length: columns }, (_, c) => c).filter(() => random.below(3) === 0),
        ),
      );
    };
    for (const items of [...around(8), ...around(16), ...around(17), 64, 65, 66, 80, 81, 82]) {
      const x = dense(items);
      const ones = new Float32Array(items).fill(1);
      await expectAsExact(`${items} items`, 2e-4, async (engine) => {
        const [sparse, gram] = [engine.sparse(x), engine.empty(items, items)];
        const solvers = solversOf(engine);
        solvers.gram(gram, sparse);
        const net = { l1: 0.5, l2: 3, tolerance: 1e-8, maxIterations: 5000, k: items };
        const { weights, unfinished } = await solvers.elasticNet(gram, net, 0, items);
        expect(unfinished).toBe(0);
        const similarity = { size: "product", left: ones, right: ones, shrink: 3, k: 5 } as const;
        const near = await solvers.neighbours(sparse, similarity, 0, items);
        return [densify(weights).data, near.offsets, near.indices, densify(near).data];
      });
    }
  });
});

describe.each([...natives.slice(0, 1), reference].map((engine) => [engine.name, engine] as const))(
  "the memory of the %s engine",
  (_, engine) => {
    // memory.rs: CACHE_LINE = 16 numbers, HUGE_PAGE: blocks of 2^20 numbers lie on large pages; the classes of sizes.
    it("holds what is written in blocks of every class of sizes", async () => {
      for (const length of [...around(16), ...around(2 ** 20), ...around(2 ** 20 + 2 ** 18)]) {
        const data = Float32Array.from({ length }, (_, i) => i % 1021);
        const tensor = engine.tensor(1, length, data);
        expect(
          Buffer.compare(Buffer.from((await engine.read(tensor)).buffer), Buffer.from(data.buffer)),
        ).toBe(0);
        engine.release(tensor);
      }
      await engine.finished();
    });
  },
);

describe.each([...natives.slice(0, 1), reference].map((engine) => [engine.name, engine] as const))(
  "rows of hardly any length, on the %s engine",
  (_, engine) => {
    // LEAST_NORM = 1e-12 in gates.rs and gates.ts.
    it("are divided by 1e-12 where they are shorter, and made unit rows where they are not", async () => {
      for (const norm of [0.5e-12, 0.99e-12, 1.01e-12, 2e-12]) {
        // (3, 4) / 5
        const a = engine.tensor(1, 2, [0.6 * norm, 0.8 * norm]);
        const [out, gradient] = [engine.empty(1, 2), engine.zeros(1, 2)];
        engine.unitRows(out, a);
        const length = Math.min(1, norm / 1e-12);
        const found = await engine.read(out);
        expect(found[0]).toBeCloseTo(0.6 * length, 5);
        expect(found[1]).toBeCloseTo(0.8 * length, 5);
        engine.unitRowsGradient(gradient, a, engine.tensor(1, 2, [1, 0]));
        const [x, y] = await engine.read(gradient);
        // (g - u (u . g)) / norm, or g / 1e-12.
        const expected = norm < 1e-12 ? [1, 0] : [0.64 * (1e-12 / norm), -0.48 * (1e-12 / norm)];
        expect(x * 1e-12).toBeCloseTo(expected[0], 5);
        expect(y * 1e-12).toBeCloseTo(expected[1], 5);
      }
    });
  },
);

describe.skipIf(missing)("the queue of the native engine", () => {
  // queue.rs: WAKEFUL = 50 microseconds.
  it("runs what comes at once, and what comes after it has gone to sleep", async () => {
    const [engine] = natives;
    const tensor = engine.zeros(1, 3);
    for (const pause of [0, 0, 5, 0, 20]) {
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      engine.fill(tensor, 1 + pause);
      expect([...(await engine.read(tensor))]).toEqual([1 + pause, 1 + pause, 1 + pause]);
    }
    engine.release(tensor);
  });
});

describe.each(missing ? ["reference"] : ["native", "reference"])("the memory of the %s engine", (name) => {
  // KEPT_BYTES = 64 MiB in memory.rs and reference.ts.
  it("keeps 64 MiB of released blocks for reuse, and no block beyond", async () => {
    for (const [blocks, kept] of [
      [3, 48],
      [4, 64],
      [5, 64],
    ]) {
      const engine = await openEngine({ engine: name as "native" | "reference", threads: 1 });
      const tensors = Array.from({ length: blocks }, () => engine.empty(1024, 4096));
      expect(engine.memory()).toBe(blocks * 16 * 2 ** 20);
      for (const tensor of tensors) engine.release(tensor);
      await engine.finished();
      expect(engine.memory(), `${blocks} blocks`).toBe(kept * 2 ** 20);
      await engine.close();
    }
  });
});

describe("the reference engine on both sides of its thresholds", () => {
  it.each(kernels.filter(([kernel]) => kernel.startsWith("matmul")))(
    "%s is the naive formula's",
    async (_, kernelCase, list) => {
      for (const sizes of list)
        for (const outcome of await runCaseWith(kernelCase, reference, given(sizes)))
          expect(relativeDifference(outcome), `${outcome.what} at [${sizes}]`).toBeLessThan(6e-5);
    },
  );
});
