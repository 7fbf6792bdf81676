import { describe, expect, it } from "vitest";
import { AbortedError } from "../../../src/core/errors.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { randomisedSvd } from "../../../src/models/factors/nndsvd.js";
import { type CsrMatrix, fromRows } from "../../../src/sparse/csr.js";

describe("the randomised SVD", () => {
  it("yields to timers, and stops on an abort", async () => {
    const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
    const lists = Array.from({ length: 2000 }, () =>
      [...new Set(Array.from({ length: 40 }, () => random.below(1500)))].sort((a, b) => a - b),
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1);
    await expect(randomisedSvd(fromRows(1500, lists), 60, 0, controller.signal)).rejects.toThrow(
      AbortedError,
    );
  });

  it("finds the singular values of a matrix that has them in sight, wide or tall", async () => {
    // diag(5, 4, 3, 2, 1), turned by permutations: its singular values are known.
    const values = [5, 4, 3, 2, 1];
    const matrix: CsrMatrix = {
      ...{ rows: 5, columns: 9, offsets: Uint32Array.of(0, 1, 2, 3, 4, 5) },
      ...{ indices: Uint32Array.of(8, 1, 6, 3, 0), values: Float32Array.from(values) },
    };
    const { u, s, v } = await randomisedSvd(matrix, 3, 0);
    for (const [n, value] of values.slice(0, 3).entries()) {
      expect(s[n]).toBeCloseTo(value, 9);
      expect(u[n][n] * v[n][[8, 1, 6][n]]).toBeCloseTo(1, 9);
    }
  });
});
