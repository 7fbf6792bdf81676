import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromRows } from "../../src/sparse/csr.js";
import { factorCounts } from "../../src/sparse/factor-counts.js";

/** The pattern of the factor by elimination, column by column, in a dense matrix. */
function eliminated(columns: number, rows: readonly number[][]): number[] {
  const has = Array.from({ length: columns }, (_, i) => Array.from({ length: columns }, (_, j) => i === j));
  for (const row of rows) for (const i of row) for (const j of row) has[i][j] = true;
  for (let k = 0; k < columns; k++)
    for (let i = k + 1; i < columns; i++)
      if (has[i][k]) for (let j = k + 1; j < columns; j++) has[i][j] ||= has[j][k];
  return Array.from({ length: columns }, (_, j) => has.slice(j).filter((row) => row[j]).length);
}

describe("the column counts of a Cholesky factor", () => {
  it("are those of eliminating a dense matrix, for any rows", () => {
    const matrices = fc.integer({ min: 1, max: 14 }).chain((columns) =>
      fc.tuple(
        fc.constant(columns),
        fc.array(fc.uniqueArray(fc.integer({ min: 0, max: columns - 1 }), { maxLength: 4 }), {
          maxLength: 16,
        }),
      ),
    );
    fc.assert(
      fc.property(matrices, ([columns, rows]) => {
        expect([...factorCounts(fromRows(columns, rows))]).toEqual(eliminated(columns, rows));
      }),
      { numRuns: 500 },
    );
  });

  it("of a chain, and of an arrow in both orders", () => {
    expect([
      ...factorCounts(
        fromRows(4, [
          [0, 1],
          [1, 2],
          [2, 3],
        ]),
      ),
    ]).toEqual([2, 2, 2, 1]);
    expect([
      ...factorCounts(
        fromRows(4, [
          [0, 3],
          [1, 3],
          [2, 3],
        ]),
      ),
    ]).toEqual([2, 2, 2, 1]);
    expect([
      ...factorCounts(
        fromRows(4, [
          [0, 1],
          [0, 2],
          [0, 3],
        ]),
      ),
    ]).toEqual([4, 3, 2, 1]);
  });
});
