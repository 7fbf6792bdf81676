import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { gramMatrix, solvePositiveDefinite } from "../../src/core/positive-definite.js";
import { Turns } from "../../src/core/turns.js";
import { build, naiveInverse, product, transposed } from "../support/dense-solvers.js";
import type { HostMatrix } from "../support/engines.js";
import { largestError } from "../support/updates.js";

const matrices = (rows: number, columns: number) =>
  fc
    .array(fc.double({ min: -3, max: 3, noNaN: true }), {
      minLength: rows * columns,
      maxLength: rows * columns,
    })
    .map((data): HostMatrix => ({ rows, columns, data: Float64Array.from(data) }));
const sizes = fc.record({ rows: fc.constantFrom(0, 1, 63, 64, 65, 130), k: fc.integer({ min: 0, max: 9 }) });

describe("positive definite systems", () => {
  it("a Gram matrix is the product of the transpose and the matrix, below and above the 64 rows of a block", async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes.chain(({ rows, k }) => matrices(rows, k)),
        async (a) => {
          const gram = await gramMatrix(a.data, a.columns, new Turns());
          expect(gram).toHaveLength(a.columns ** 2);
          if (a.columns > 0)
            expect(largestError(gram, [...product(transposed(a), a).data])).toBeLessThan(1e-11);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("a solution is the product of the naive inverse and the right-hand side; what is above the diagonal does not count", async () => {
    const systems = fc.integer({ min: 1, max: 9 }).chain((k) => fc.tuple(matrices(k, k), matrices(k, 3)));
    await fc.assert(
      fc.asyncProperty(systems, async ([root, right]) => {
        const k = root.rows;
        const gram = product(transposed(root), root);
        const a = build(k, k, (r, c) => gram.data[r * k + c] + (r === c ? 1 : 0));
        const wanted = product(naiveInverse(a), right);
        const [system, found] = [a.data.slice(), right.data.slice()];
        for (let r = 0; r < k; r++) for (let c = r + 1; c < k; c++) system[r * k + c] = Number.NaN;
        expect(await solvePositiveDefinite(system, found, k, new Turns())).toBe(-1);
        expect(largestError(found, [...wanted.data])).toBeLessThan(1e-9);
      }),
      { numRuns: 100 },
    );
  });

  it("names the first pivot that is not positive", async () => {
    const at = (values: number[]) =>
      solvePositiveDefinite(Float64Array.from(values), new Float64Array(3), 3, new Turns());
    expect(await at([4, 0, 0, 2, 1, 0, 0, 0, 5])).toBe(1);
    expect(await at([Number.NaN, 0, 0, 0, 1, 0, 0, 0, 1])).toBe(0);
    expect(await at([4, 0, 0, 2, 1.5, 0, 0, 0, Number.POSITIVE_INFINITY])).toBe(2);
    expect(await at([4, 0, 0, 2, 1.5, 0, 0, 0, 5])).toBe(-1);
  });

  it("stop on request", async () => {
    const abort = new AbortController();
    abort.abort();
    const turns = new Turns(abort.signal);
    Object.defineProperty(turns, "due", { value: true });
    await expect(gramMatrix([1, 2], 2, turns)).rejects.toThrow(AbortedError);
    await expect(solvePositiveDefinite(Float64Array.of(1), Float64Array.of(1), 1, turns)).rejects.toThrow(
      AbortedError,
    );
  });
});
