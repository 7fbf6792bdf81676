import { describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import type { SparseFactor, SparseFactorisation } from "../../../../src/compute/solvers/solvers.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import { RandomSequence } from "../../../../src/core/philox.js";
import type { CsrMatrix } from "../../../../src/sparse/csr.js";
import { engineNames } from "../../../support/engine-names.js";
import { someHistories } from "../../../support/item-item.js";
import { opened } from "../../../support/opened-engines.js";

/** Histories with random values, so that no two entries of a factor have the same magnitude. */
function valued(users: number, items: number, most: number, seed: number): CsrMatrix {
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  const plain = someHistories(users, items, most, seed);
  return { ...plain, values: Float32Array.from(plain.indices, () => 0.5 + random.uniform()) };
}

/** A sparse matrix as rows of numbers. */
function dense({ rows, columns, offsets, indices, values }: CsrMatrix): number[][] {
  const all = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  for (let r = 0; r < rows; r++)
    for (let e = offsets[r]; e < offsets[r + 1]; e++) all[r][indices[e]] += values?.[e] ?? 1;
  return all;
}

const gramOf = (x: CsrMatrix, shift: number) => {
  const rows = dense(x);
  return Array.from({ length: x.columns }, (_, i) =>
    Array.from({ length: x.columns }, (_, j) =>
      rows.reduce((sum, row) => sum + row[i] * row[j], i === j ? shift : 0),
    ),
  );
};

/** L D L' */
function product({ lower, pivots }: SparseFactor): number[][] {
  const n = pivots.length;
  const columns = dense(lower);
  for (let j = 0; j < n; j++) columns[j][j] = 1;
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) =>
      columns.reduce((sum, column, k) => sum + column[i] * pivots[k] * column[j], 0),
    ),
  );
}

const factor = async (engine: Engine, x: CsrMatrix, given: SparseFactorisation) => {
  const found = await solversOf(engine).sparseCholesky(engine.sparse(x), given);
  if ("failed" in found) throw new Error(`pivot ${found.failed}`);
  return found;
};

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(0, ...Array.from(a, (value, at) => Math.abs(value - b[at]) / (1 + Math.abs(b[at]))));

describe.each(engineNames)("on the %s engine", (name) => {
  it("the exact factor multiplies to X'X + shift I, whatever share of it is dense", async () => {
    const engine = await opened(name);
    const x = valued(60, 40, 5, 3);
    const wanted = gramOf(x, 2);
    for (const tail of [0, 1, 17, 40]) {
      const found = product(await factor(engine, x, { shift: 2, entries: 40 * 40, tail, exact: true }));
      expect(worst(found.flat(), wanted.flat())).toBeLessThan(1e-5);
    }
  });

  it("so does an incomplete factor that may keep everything", async () => {
    const engine = await opened(name);
    const x = valued(60, 40, 5, 3);
    const found = await factor(engine, x, { shift: 2, entries: 40 * 40 * 40, tail: 0, exact: false });
    expect(worst(product(found).flat(), gramOf(x, 2).flat())).toBeLessThan(1e-5);
  });

  it("keeps the largest entries of the exact factor L sqrt(D)", async () => {
    const engine = await opened(name);
    const x = valued(60, 40, 5, 3);
    const sizes = ({ lower, pivots }: SparseFactor) =>
      Array.from({ length: 40 }, (_, j) =>
        Array.from(
          lower.values?.subarray(lower.offsets[j], lower.offsets[j + 1]) ?? [],
          (value) => Math.abs(value) * Math.sqrt(pivots[j]),
        ),
      ).flat();
    const all = await factor(engine, x, { shift: 2, entries: 40 * 40, tail: 9, exact: true });
    const some = await factor(engine, x, { shift: 2, entries: 100, tail: 9, exact: true });
    const largest = sizes(all)
      .sort((a, b) => b - a)
      .slice(0, 100);
    expect(sizes(some)).toHaveLength(100);
    expect(
      worst(
        sizes(some).sort((a, b) => b - a),
        largest,
      ),
    ).toBeLessThan(1e-5);
  });

  it("limits the entries of every column of an incomplete factor", async () => {
    const engine = await opened(name);
    const x = valued(100, 50, 8, 4);
    const { lower } = await factor(engine, x, { shift: 5, entries: 100, tail: 0, exact: false });
    expect(lower.indices.length).toBeLessThanOrEqual(100);
    expect(lower.offsets[1]).toBe(2);
    let stored = 0;
    for (let j = 0; j < 50; j++) {
      const here = lower.offsets[j + 1] - lower.offsets[j];
      expect(here).toBeLessThanOrEqual(Math.floor((100 - stored) / (50 - j)));
      stored += here;
    }
  });

  it("names the first column without a positive pivot", async () => {
    const engine = await opened(name);
    const x: CsrMatrix = {
      ...{ rows: 2, columns: 3 },
      ...{ offsets: Uint32Array.of(0, 2, 4), indices: Uint32Array.of(0, 2, 0, 2) },
    };
    const solvers = solversOf(engine);
    for (const [tail, exact] of [
      [0, false],
      [0, true],
      [2, true],
    ] as const)
      expect(await solvers.sparseCholesky(engine.sparse(x), { shift: 0, entries: 9, tail, exact })).toEqual({
        failed: 1,
      });
  });

  it("counts the others of a column and its squares in X'X", async () => {
    const engine = await opened(name);
    const x = valued(40, 30, 6, 5);
    const gram = gramOf(x, 0);
    const { squares, others } = await solversOf(engine).gramShape(engine.sparse(x));
    expect([...others]).toEqual(
      gram.map((row, i) => row.filter((value, j) => value !== 0 && i !== j).length),
    );
    expect(
      worst(
        squares,
        gram.map((row) => row.reduce((sum, value) => sum + value ** 2, 0)),
      ),
    ).toBeLessThan(1e-5);
  });
});

describe.skipIf(!engineNames.includes("native"))("the native factor", () => {
  // Columns are computed 512 ahead; blocks of the dense part have 128 rows, stripes 256 and tiles 512 columns.
  it.each([
    [300, 130, 0],
    [300, 130, 127],
    [300, 130, 129],
    [400, 600, 520],
    [700, 520, 0],
    [800, 900, 880],
  ])(
    "of %i histories of %i items, %i dense, is that of the plain loops, for any number of threads",
    async (users, items, tail) => {
      const x = valued(users, items, 6, users);
      const reference = await opened("reference");
      const native = await opened("native");
      const one = await opened("native", 1);
      for (const given of [
        { shift: 3, entries: 6 * items, tail, exact: true },
        { shift: 30, entries: 6 * items, tail: 0, exact: false },
      ]) {
        const expected = await factor(reference, x, given);
        const found = await factor(native, x, given);
        expect(await factor(one, x, given)).toEqual(found);
        expect(worst(found.pivots, expected.pivots)).toBeLessThan(1e-4);
        // An entry at the limit may be kept by one and not by the other.
        const [a, b] = [dense(found.lower), dense(expected.lower)];
        const differing = a.flatMap((row, j) => row.filter((value, i) => Math.abs(value - b[j][i]) > 1e-4));
        expect(differing.length).toBeLessThanOrEqual(4);
        expect(found.lower.indices.length).toBe(expected.lower.indices.length);
      }
    },
  );
});
