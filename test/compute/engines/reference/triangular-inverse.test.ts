import { describe, expect, it } from "vitest";
import type { Engine } from "../../../../src/compute/engine.js";
import { solversOf } from "../../../../src/compute/solvers/solvers-of.js";
import { RandomSequence } from "../../../../src/core/philox.js";
import { type CsrMatrix, fromRows } from "../../../../src/sparse/csr.js";
import { engineNames } from "../../../support/engine-names.js";
import { opened } from "../../../support/opened-engines.js";

/** The columns of a unit lower triangle below its diagonal, about `each` entries in each. */
function triangle(n: number, each: number, size: number, seed: number): CsrMatrix {
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  const columns = Array.from({ length: n }, (_, j) =>
    Array.from({ length: n - j - 1 }, (_, i) => j + 1 + i).filter(() => random.uniform() < each / n),
  );
  const matrix = fromRows(n, columns);
  return { ...matrix, values: Float32Array.from(matrix.indices, () => size * random.normal()) };
}

/** The exact inverse by substitution, column by column. */
function inverted(l: CsrMatrix): number[][] {
  const n = l.rows;
  return Array.from({ length: n }, (_, column) => {
    const m = new Array<number>(n).fill(0);
    m[column] = 1;
    for (let j = column; j < n; j++)
      for (let e = l.offsets[j]; e < l.offsets[j + 1]; e++) m[l.indices[e]] -= m[j] * (l.values?.[e] ?? 1);
    m[column] = 0;
    return m;
  });
}

/** The largest difference of an entry below the diagonal. */
function error(m: CsrMatrix, exact: readonly number[][]): number {
  const left = exact.map((row) => [...row]);
  for (let j = 0; j < m.rows; j++)
    for (let e = m.offsets[j]; e < m.offsets[j + 1]; e++) left[j][m.indices[e]] -= m.values?.[e] ?? 1;
  return Math.max(...left.flat().map(Math.abs));
}

/** The largest difference of two matrices with few entries. */
function difference(a: CsrMatrix, b: CsrMatrix): number {
  const left = new Map<number, number>();
  for (const [m, sign] of [
    [a, 1],
    [b, -1],
  ] as const)
    for (let j = 0; j < m.rows; j++)
      for (let e = m.offsets[j]; e < m.offsets[j + 1]; e++) {
        const place = j * m.columns + m.indices[e];
        left.set(place, (left.get(place) ?? 0) + sign * (m.values?.[e] ?? 1));
      }
  return [...left.values()].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

describe.each(engineNames)("the inverse of a triangle on the %s engine", (name) => {
  const l = triangle(30, 5, 0.3, 1);

  it("starts as 2I - L", async () => {
    const engine = await opened(name);
    const given = { entries: 900, scans: 0, rounds: 0 };
    const m = await solversOf(engine).triangularInverse(engine.sparse(l), given);
    expect([...m.indices]).toEqual([...l.indices]);
    expect(m.values).toEqual(l.values?.map((value) => -value));
  });

  it("converges to the inverse by scans, and by rounds over the worst columns", async () => {
    const engine = await opened(name);
    for (const given of [
      { entries: 900, scans: 30, rounds: 0 },
      { entries: 900, scans: 0, rounds: 30 },
    ]) {
      const m = await solversOf(engine).triangularInverse(engine.sparse(l), given);
      expect(error(m, inverted(l))).toBeLessThan(1e-5);
    }
  });

  it("is the inverse by substitution, of which the largest entries may be kept", async () => {
    const engine = await opened(name);
    const solvers = solversOf(engine);
    const given = { scans: 0, rounds: 0, exact: true };
    const all = await solvers.triangularInverse(engine.sparse(l), { ...given, entries: 900 });
    expect(error(all, inverted(l))).toBeLessThan(1e-6);
    const some = await solvers.triangularInverse(engine.sparse(l), { ...given, entries: 70 });
    const sizes = (values: readonly number[]) => values.map(Math.abs).sort((x, y) => y - x);
    const largest = sizes(inverted(l).flat()).slice(0, 70);
    expect(some.indices).toHaveLength(70);
    for (const [at, value] of sizes([...(some.values ?? [])]).entries())
      expect(value).toBeCloseTo(largest[at], 6);
  });

  it("takes the step of the smallest residual in each column", async () => {
    const engine = await opened(name);
    // One column: L = [1, a; 1] of 2 x 2 is inverted exactly by 2I - L; of 3 x 3, one step remains.
    const [a, b, c] = [0.5, 0.25, -0.75];
    const small: CsrMatrix = {
      ...{ rows: 3, columns: 3, offsets: Uint32Array.of(0, 2, 3, 3), indices: Uint32Array.of(1, 2, 2) },
      values: Float32Array.of(a, b, c),
    };
    const once = { entries: 9, scans: 1, rounds: 0 };
    const m = await solversOf(engine).triangularInverse(engine.sparse(small), once);
    // r = e - L m = (0, 0, c a), L r = r, so alpha = 1 and m = (1, -a, c a - b), the exact column.
    expect([...m.indices]).toEqual([1, 2, 2]);
    for (const [at, value] of [-a, c * a - b, -c].entries()) expect(m.values?.[at]).toBeCloseTo(value, 6);
  });

  it("keeps no more entries than asked for, those of the largest magnitude", async () => {
    const engine = await opened(name);
    const solvers = solversOf(engine);
    const all = await solvers.triangularInverse(engine.sparse(l), { entries: 900, scans: 1, rounds: 0 });
    const some = await solvers.triangularInverse(engine.sparse(l), { entries: 40, scans: 0, rounds: 0 });
    const sizes = (m: CsrMatrix) => Array.from(m.values ?? [], Math.abs).sort((x, y) => y - x);
    expect(all.indices.length).toBeGreaterThan(l.indices.length);
    expect(sizes(some)).toEqual(sizes(l).slice(0, 40));
  });
});

describe.skipIf(!engineNames.includes("native"))("the native inverse", () => {
  // 64 columns per task; the entries are counted after every 128 columns.
  it.each([63, 64, 65, 127, 128, 129, 700])(
    "of %i columns is that of the plain loops, for any number of threads",
    async (n) => {
      const l = triangle(n, 4, 0.4, n);
      const [reference, native, one] = [
        await opened("reference"),
        await opened("native"),
        await opened("native", 1),
      ];
      for (const given of [
        { entries: 6 * n, scans: 2, rounds: 3 },
        { entries: 3 * n, scans: n > 500 ? 0 : 1, rounds: 2 },
        { entries: 5 * n, scans: 0, rounds: 0, exact: true },
      ]) {
        const find = (engine: Engine) => solversOf(engine).triangularInverse(engine.sparse(l), given);
        const found = await find(native);
        expect(await find(one)).toEqual(found);
        expect(difference(found, await find(reference))).toBeLessThan(1e-4);
      }
    },
  );
});
