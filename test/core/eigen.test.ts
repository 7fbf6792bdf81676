import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { symmetricEigen } from "../../src/core/eigen.js";
import { AbortedError } from "../../src/core/errors.js";
import { Turns } from "../../src/core/turns.js";

describe("eigenvectors", () => {
  it("diagonalise a symmetric matrix", async () => {
    const { values, vectors } = await symmetricEigen([2, 1, 0, 1, 3, 1, 0, 1, 4], 3, new Turns());
    // The roots of (2 - x)(3 - x)(4 - x) - (4 - x) - (2 - x): 3 and 3 +- sqrt 3.
    expect([...values].sort()).toEqual(
      [3 - Math.sqrt(3), 3, 3 + Math.sqrt(3)].map((x) => expect.closeTo(x, 12)),
    );
    for (let j = 0; j < 3; j++) {
      const v = [0, 1, 2].map((i) => vectors[i * 3 + j]);
      const product = [2 * v[0] + v[1], v[0] + 3 * v[1] + v[2], v[1] + 4 * v[2]];
      for (let i = 0; i < 3; i++) expect(product[i]).toBeCloseTo(values[j] * v[i], 12);
    }
  });

  it("are orthonormal and reconstruct the matrix with the eigenvalues, for any sign and rank", async () => {
    const entry = fc.integer({ min: -4, max: 4 });
    const sizes = fc.integer({ min: 1, max: 7 });
    const matrices = sizes.chain((n) =>
      fc.array(entry, { minLength: n * n, maxLength: n * n }).map((numbers) => ({ n, numbers })),
    );
    await fc.assert(
      fc.asyncProperty(matrices, async ({ n, numbers }) => {
        const symmetric = numbers.map((_, at) => numbers[at] + numbers[(at % n) * n + Math.floor(at / n)]);
        const { values, vectors } = await symmetricEigen(symmetric, n, new Turns());
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) {
            let [length, entry] = [0, 0];
            for (let c = 0; c < n; c++) {
              length += vectors[c * n + i] * vectors[c * n + j];
              entry += vectors[i * n + c] * values[c] * vectors[j * n + c];
            }
            expect(length).toBeCloseTo(i === j ? 1 : 0, 10);
            expect(entry).toBeCloseTo(symmetric[i * n + j], 10);
          }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("computation stops on an aborted signal", async () => {
    const n = 200;
    const matrix = Float64Array.from({ length: n * n }, (_, at) =>
      Math.cos(Math.min(at % n, Math.floor(at / n)) + (at % n) * Math.floor(at / n)),
    );
    await expect(symmetricEigen(matrix, n, new Turns(AbortSignal.abort()))).rejects.toThrow(AbortedError);
  });
});
