// The solvers of every engine against naive formulas in float64: dense systems, eliminated with pivots.

import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { loadNativeEngine } from "../../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../../src/compute/engines/reference.js";
import type { AlsHalfSweep } from "../../../../src/compute/solvers/solvers.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import type { CsrMatrix } from "../../../../src/sparse/csr.js";
import { fromRows } from "../../../../src/sparse/csr.js";
import { type HostMatrix, Workbench } from "../../../support/engines.js";

const engines: Engine[] = [new ReferenceEngine(), new ReferenceEngine({ precision: "float64" })];
const native = (threads: number) => {
  const search = loadNativeEngine({ threads });
  if ("reason" in search) return [];
  engines.push(search.engine);
  return [search.engine];
};
const two = native(2);
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

/** Solves a x = b [k] by Gaussian elimination with row pivots. */
function eliminate(a: number[][], b: number[]): number[] {
  const k = b.length;
  const m = a.map((row, i) => [...row, b[i]]);
  for (let p = 0; p < k; p++) {
    let best = p;
    for (let r = p + 1; r < k; r++) if (Math.abs(m[r][p]) > Math.abs(m[best][p])) best = r;
    [m[p], m[best]] = [m[best], m[p]];
    for (let r = 0; r < k; r++) {
      if (r === p) continue;
      const factor = m[r][p] / m[p][p];
      for (let c = p; c <= k; c++) m[r][c] -= factor * m[p][c];
    }
  }
  return m.map((row, p) => row[k] / row[p]);
}

interface Problem {
  interactions: CsrMatrix;
  factors: HostMatrix;
  fixed: HostMatrix;
  gram: HostMatrix;
  prior: HostMatrix | undefined;
  ridges: Float32Array | number;
  rows: Uint32Array | undefined;
  weights: Pick<AlsHalfSweep, "gramWeight" | "outer" | "target">;
}

function problem(bench: Workbench, ridge = 0.5): Problem {
  const { random } = bench;
  const large = random.below(12) === 0;
  const [rows, columns] = [bench.size(1, 40), large ? bench.size(300, 420) : bench.size(1, 60)];
  const k = bench.size(1, large ? 50 : 40);
  const fixed = bench.matrix(columns, k);
  const gram = { rows: k, columns: k, data: new Float64Array(k * k) };
  for (let c = 0; c < columns; c++)
    for (let i = 0; i < k; i++)
      for (let j = 0; j < k; j++) gram.data[i * k + j] += fixed.data[c * k + i] * fixed.data[c * k + j];
  gram.data = gram.data.map(Math.fround);
  return {
    interactions: bench.sparseMatrix(rows, columns),
    factors: bench.matrix(rows, k),
    fixed,
    gram,
    prior: random.below(2) ? bench.matrix(rows, k) : undefined,
    ridges: random.below(2) ? ridge : Float32Array.from({ length: rows }, () => ridge + random.below(4)),
    rows: random.below(2)
      ? undefined
      : Uint32Array.from(Array(rows).keys()).filter(() => random.below(2) === 0),
    weights: {
      gramWeight: [0, 0.25, 1][random.below(3)],
      outer: { constant: random.below(3) / 2, slope: random.below(3) },
      target: { constant: random.below(2), slope: 1 },
    },
  };
}

/** What a row's new factors should minimise: x'ax - 2 b'x + constant. */
function system({ interactions, fixed, gram, prior, ridges, weights }: Problem, row: number) {
  const k = fixed.columns;
  const ridge = typeof ridges === "number" ? ridges : ridges[row];
  const a = Array.from({ length: k }, (_, i) =>
    Array.from({ length: k }, (_, j) => weights.gramWeight * gram.data[i * k + j] + (i === j ? ridge : 0)),
  );
  const b = Array.from({ length: k }, (_, i) => (prior ? ridge * prior.data[row * k + i] : 0));
  const constant = b.reduce((sum, value) => sum + (ridge > 0 ? value ** 2 / ridge : 0), 0);
  for (let e = interactions.offsets[row]; e < interactions.offsets[row + 1]; e++) {
    const y = [...fixed.data.subarray(interactions.indices[e] * k, (interactions.indices[e] + 1) * k)];
    const value = interactions.values?.[e] ?? 1;
    const [outer, target] = [weights.outer, weights.target].map(
      (weight) => weight.constant + weight.slope * value,
    );
    for (let i = 0; i < k; i++) {
      b[i] += target * y[i];
      for (let j = 0; j < k; j++) a[i][j] += outer * y[i] * y[j];
    }
  }
  return { a, b, constant };
}

const times = (a: number[][], x: number[]) =>
  a.map((row) => row.reduce((sum, value, c) => sum + value * x[c], 0));
const dot = (a: number[], b: number[]) => a.reduce((sum, value, c) => sum + value * b[c], 0);
const value = ({ a, b, constant }: ReturnType<typeof system>, x: number[]) =>
  dot(x, times(a, x)) - 2 * dot(b, x) + constant;

/** Runs the half-sweep: the factors afterwards, and the objective per row. */
async function solve(bench: Workbench, given: Problem, steps?: number) {
  const { engine } = bench;
  const factors = bench.put(given.factors);
  const objective = bench.rubbish(given.factors.rows, 1);
  solversOf(engine).alsHalfSweep(factors, bench.sparse(given.interactions), {
    fixed: bench.put(given.fixed),
    gram: bench.put(given.gram),
    ...given.weights,
    ridge: given.ridges,
    prior: given.prior && bench.put(given.prior),
    rows: given.rows,
    steps,
    objective,
  });
  return { factors: await bench.read(factors), objective: await bench.read(objective) };
}

describe.each([
  ["reference", engines[0], 1e-5],
  ["reference in float64", engines[1], 1e-9],
  ...two.map((engine) => ["native", engine, 2e-4] as const),
] as const)("the %s engine's solvers", (_, engine, tolerance) => {
  const eachProblem = async (seeds: number, body: (bench: Workbench) => Promise<void>) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const bench = new Workbench(engine, seed);
      await body(bench);
      await bench.close();
    }
  };
  const expectClose = (actual: ArrayLike<number>, expected: number[], what: string) => {
    const size = Math.max(1, ...expected.map(Math.abs));
    for (let c = 0; c < expected.length; c++)
      expect(
        Math.abs(actual[c] - expected[c]) / size,
        `${what}, ${actual[c]} is not ${expected[c]}`,
      ).toBeLessThan(tolerance);
  };

  it("solve each row's least squares exactly by Cholesky, and leave other rows alone", async () => {
    await eachProblem(80, async (bench) => {
      const given = problem(bench);
      const k = given.fixed.columns;
      const { factors, objective } = await solve(bench, given);
      for (let row = 0; row < given.factors.rows; row++) {
        const own = factors.subarray(row * k, (row + 1) * k);
        if (given.rows && !given.rows.includes(row)) {
          expect([...own]).toEqual([...given.factors.data.subarray(row * k, (row + 1) * k)]);
          expect(objective[row]).toBeNaN();
          continue;
        }
        const equations = system(given, row);
        const expected = eliminate(equations.a, equations.b);
        expectClose(own, expected, `row ${row}`);
        expectClose([objective[row]], [value(equations, expected)], `objective of row ${row}`);
      }
    });
  });

  it("take covariances into the system, and give its inverse", async () => {
    await eachProblem(8, async (bench) => {
      const given = problem(bench);
      const [k, columns] = [given.fixed.columns, given.fixed.rows];
      const packed = (k * (k + 1)) / 2;
      // L L' of small random triangles: symmetric, positive.
      const S = Array.from({ length: columns }, () => {
        const root = Array.from({ length: k }, () =>
          Array.from({ length: k }, () => bench.random.normal() / k),
        );
        return root.map((left) => root.map((right) => Math.fround(dot(left, right))));
      });
      const upper = (of: number[][]) => of.flatMap((row, i) => row.slice(i));
      const factors = bench.put(given.factors);
      const posterior = bench.rubbish(given.factors.rows, packed);
      solversOf(engine).alsHalfSweep(factors, bench.sparse(given.interactions), {
        ...given.weights,
        fixed: bench.put(given.fixed),
        gram: bench.put(given.gram),
        ridge: given.ridges,
        prior: given.prior && bench.put(given.prior),
        rows: given.rows,
        covariances: bench.put({ rows: columns, columns: packed, data: Float64Array.from(S.flatMap(upper)) }),
        posterior,
      });
      const [means, inverses] = await Promise.all([factors, posterior].map((tensor) => bench.read(tensor)));
      for (const row of given.rows ?? Array(given.factors.rows).keys()) {
        const { a, b } = system(given, row);
        const { offsets, indices, values } = given.interactions;
        for (let e = offsets[row]; e < offsets[row + 1]; e++) {
          const weight = given.weights.outer.constant + given.weights.outer.slope * (values?.[e] ?? 1);
          for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) a[i][j] += weight * S[indices[e]][i][j];
        }
        expectClose(means.subarray(row * k, (row + 1) * k), eliminate(a, b), `row ${row}`);
        const columnsOfInverse = b.map((_, p) =>
          eliminate(
            a,
            b.map((_, i) => (i === p ? 1 : 0)),
          ),
        );
        expectClose(
          inverses.subarray(row * packed, (row + 1) * packed),
          upper(columnsOfInverse),
          `inverse of row ${row}`,
        );
      }
    });
  });

  it("take the steps of conjugate gradients from the current row", async () => {
    await eachProblem(80, async (bench) => {
      const given = problem(bench, 5);
      const steps = 1 + bench.random.below(3);
      const k = given.fixed.columns;
      const { factors, objective } = await solve(bench, given, steps);
      for (const row of given.rows ?? Array(given.factors.rows).keys()) {
        const equations = system(given, row);
        const { a, b } = equations;
        let x = [...given.factors.data.subarray(row * k, (row + 1) * k)];
        // By the definition: the minimum over x0 + the span of r, Ar, AAr, ..., in an orthonormal basis of it.
        const basis: number[][] = [];
        let next = times(a, x).map((image, c) => b[c] - image);
        for (let step = 0; step < steps; step++) {
          for (const old of [...basis, ...basis]) {
            const along = dot(old, next);
            next = next.map((n, c) => n - along * old[c]);
          }
          const norm = Math.sqrt(dot(next, next));
          if (norm < 1e-10) break;
          basis.push(next.map((n) => n / norm));
          next = times(a, basis[basis.length - 1]);
        }
        const residual = times(a, x).map((image, c) => b[c] - image);
        const inner = basis.map((left) => basis.map((right) => dot(left, times(a, right))));
        const shares = eliminate(
          inner,
          basis.map((one) => dot(one, residual)),
        );
        x = x.map(
          (start, c) =>
            start +
            dot(
              shares,
              basis.map((one) => one[c]),
            ),
        );
        expectClose(factors.subarray(row * k, (row + 1) * k), x, `row ${row}`);
        expectClose([objective[row]], [value(equations, x)], `objective of row ${row}`);
      }
    });
  });

  it("leave at 0 what nothing pins down", async () => {
    const bench = new Workbench(engine, 1);
    // Two items alike and no ridge: every split between the two factors is as good.
    const fixed = bench.put({ rows: 2, columns: 2, data: Float64Array.of(1, 1, 1, 1) });
    const gram = bench.put({ rows: 2, columns: 2, data: new Float64Array(4) });
    const factors = bench.rubbish(2, 2);
    solversOf(engine).alsHalfSweep(factors, bench.sparse(fromRows(2, [[0, 1], []])), {
      ...{ fixed, gram, gramWeight: 1, ridge: 0 },
      outer: { constant: 1, slope: 0 },
      target: { constant: 1, slope: 0 },
    });
    const [together, ...others] = await bench.read(factors);
    expect(together).toBeCloseTo(1, 6);
    expect(others).toEqual([0, 0, 0]);
    await bench.close();
  });

  /** The factors of one row, from where it stands, of A = gram and b = `right`. */
  async function oneRow(
    gram: readonly number[],
    right: readonly number[],
    given: { start?: readonly number[]; steps?: number; ridge?: number } = {},
  ) {
    const bench = new Workbench(engine, 1);
    const k = right.length;
    const row = (data: readonly number[]) => ({ rows: 1, columns: k, data: Float64Array.from(data) });
    const factors = bench.put(row(given.start ?? right.map(() => 0)));
    solversOf(engine).alsHalfSweep(factors, bench.sparse(fromRows(1, [[0]])), {
      ...{
        fixed: bench.put(row(right)),
        gram: bench.put({ rows: k, columns: k, data: Float64Array.from(gram) }),
      },
      ...{ gramWeight: 1, ridge: given.ridge ?? 0, steps: given.steps },
      outer: { constant: 0, slope: 0 },
      target: { constant: 1, slope: 0 },
    });
    const found = [...(await bench.read(factors))];
    await bench.close();
    return found;
  }

  it("leave a coordinate at 0 whose pivot is at most 2^-22 of its diagonal, and solve for one beyond", async () => {
    for (const [d, expected] of [
      [2 ** -23, [1, 0]],
      [2 ** -22, [1, 0]],
      [2 ** -21, [0, 1]],
    ] as const)
      for (const [c, x] of (await oneRow([1, 1, 1, 1 + d], [1, 1 + d])).entries())
        expect(x, `d = ${d}`).toBeCloseTo(expected[c], 6);
  });

  it("take no step of conjugate gradients from where the square of the residual is below 1e-20", async () => {
    for (const [start, expected] of [
      [0.99e-10, 0.99e-10],
      [1.01e-10, 0],
    ]) {
      const [x] = await oneRow([1], [0], { start: [start], steps: 2 });
      expect(x / 1e-10).toBeCloseTo(expected / 1e-10, 6);
    }
  });

  it("preserve NaN", async () => {
    for (const steps of [undefined, 3]) {
      const found = await oneRow([Number.NaN, 0, 0, 1], [1, 0], { steps, start: [1, 1], ridge: 1 });
      expect(found[0]).toBeNaN();
    }
  });

  it("report invalid arguments", async () => {
    const bench = new Workbench(engine, 1);
    const given = { ...problem(bench), prior: undefined };
    await expect(solve(bench, { ...given, gram: bench.matrix(1, 99) })).rejects.toThrow(/alsHalfSweep: gram/);
    await expect(solve(bench, { ...given, ridges: -1 })).rejects.toThrow("alsHalfSweep: a ridge is negative");
    await expect(solve(bench, given, 0)).rejects.toThrow("alsHalfSweep: steps 0 is not a positive integer");
    await expect(solve(bench, { ...given, rows: Uint32Array.of(1, 0) })).rejects.toThrow("must be ascending");
  });
});

describe("the solvers", () => {
  it.skipIf(two.length === 0)("give the same bits for any number of threads", async () => {
    const everything = async (engine: Engine) => {
      const bench = new Workbench(engine, 5);
      const [rows, columns, k] = [301, 257, 83];
      const fixed = bench.put(bench.matrix(columns, k));
      const gram = engine.empty(k, k);
      engine.matmul(gram, fixed, fixed, { transposeA: true });
      const interactions = bench.sparse(bench.sparseMatrix(rows, columns, true));
      const start = bench.matrix(rows, k);
      const weights = { outer: { constant: 0.5, slope: 1 }, target: { constant: 1, slope: 1 } };
      const results: number[][] = [];
      for (const steps of [undefined, 3]) {
        const factors = bench.put(start);
        solversOf(engine).alsHalfSweep(factors, interactions, {
          ...{ fixed, gram, gramWeight: 0.1, ...weights, ridge: 0.1, steps },
        });
        results.push([...(await bench.read(factors))]);
      }
      const factors = bench.put({ ...start, data: start.data.map(Math.abs) });
      solversOf(engine).nonNegativeIterations(factors, {
        ...{
          gram,
          products: bench.put(bench.matrix(rows, k, 20)),
          l1: 0.1,
          l2: 0.1,
          iterations: 30,
          tolerance: 1e-3,
        },
      });
      results.push([...(await bench.read(factors))]);
      await bench.close();
      return results;
    };
    const alone = await everything(native(1)[0]);
    for (const threads of [2, 3]) expect(await everything(native(threads)[0])).toEqual(alone);
  });
});
