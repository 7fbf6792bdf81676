import { describe, expect, it } from "vitest";
import { vectorsFrom } from "../../src/recommender/vectors.js";
import { fromRows } from "../../src/sparse/csr.js";
import { vocabulary } from "../support/datasets.js";

describe("vectors", () => {
  it.each([
    [511, [511]],
    [512, [512]],
    [513, [512, 1]],
    [1025, [512, 512, 1]],
  ])("of %i histories and items are computed 512 at a time, with the same result", async (rows, expected) => {
    const blocks: number[] = [];
    const vector = (n: number) => [n, 2 * n + 1, -n];
    const numbers = (list: number[]) => {
      blocks.push(list.length);
      return Float32Array.from(list.flatMap(vector));
    };
    const vectors = vectorsFrom({ algorithm: "made up", items: vocabulary("i", rows + 3) }, [
      {
        ...{ name: "scores", dimensions: 3, users: "", items: "" },
        ofHistories: async ({ indices }) => numbers([...indices]),
        ofItems: async (from, to) => numbers(Array.from({ length: to - from }, (_, k) => from + k)),
      },
    ]);
    const histories = fromRows(
      rows + 3,
      Array.from({ length: rows }, (_, row) => [row]),
    );
    const all = Array.from({ length: rows }, (_, row) => row);
    expect([...(await vectors.userVectors(histories, "scores"))]).toEqual(all.flatMap(vector));
    expect([...(await vectors.itemVectors(3, rows + 3, "scores"))]).toEqual(
      all.flatMap((row) => vector(row + 3)),
    );
    expect(blocks).toEqual([...expected, ...expected]);
  });
});
