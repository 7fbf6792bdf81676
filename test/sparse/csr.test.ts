import { describe, expect, it } from "vitest";
import { fromRows, sliceColumns } from "../../src/sparse/csr.js";

describe("columns of a sparse matrix", () => {
  it("are cut out, renumbered, in their order, with their values", () => {
    const { values: _, ...ones } = sliceColumns(fromRows(6, [[5, 2, 0], [], [3, 1]]), 2, 6);
    expect(ones).toEqual({
      ...{ rows: 3, columns: 4, offsets: Uint32Array.of(0, 2, 2, 3), indices: Uint32Array.of(3, 0, 1) },
    });
    const weighted = { ...fromRows(3, [[2, 0, 1]]), values: Float32Array.of(7, 8, 9) };
    expect(sliceColumns(weighted, 0, 2).values).toEqual(Float32Array.of(8, 9));
    expect(sliceColumns(weighted, 1, 1).indices).toHaveLength(0);
  });
});
