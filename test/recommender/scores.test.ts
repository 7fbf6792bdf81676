import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_ITEM } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { blockwiseScores, rowsPerBlock } from "../../src/recommender/scores.js";
import { fromRows, rowIndices } from "../../src/sparse/csr.js";

/** Scores with many ties: 10 * (first item of the history) + item % 7. */
function scoresOf(engine: ReferenceEngine, rows: number, items: number) {
  const histories = fromRows(
    items,
    Array.from({ length: rows }, (_, row) => [row % items]),
  );
  const blocks: number[] = [];
  const scores = blockwiseScores(engine, histories, items, (block) => {
    blocks.push(block.rows);
    const data = new Float32Array(block.rows * items);
    for (let r = 0; r < block.rows; r++)
      for (let i = 0; i < items; i++) data[r * items + i] = 10 * rowIndices(block, r)[0] + (i % 7);
    return engine.tensor(block.rows, items, data);
  });
  return { scores, blocks };
}

describe("scores computed block by block", () => {
  it("rank as sorting everything would, ties by item index, leaving out what is masked", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1300 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (rows, items, k) => {
          const engine = new ReferenceEngine();
          const { scores } = scoresOf(engine, rows, items);
          const masked = Array.from({ length: rows }, (_, row) =>
            Array.from({ length: items }, (_, item) => item).filter((item) => (item * 31 + row) % 3 === 0),
          );
          const top = await scores.topK(k, fromRows(items, masked));
          expect(top.k).toBe(Math.min(k, items));
          for (let row = 0; row < rows; row += 97) {
            const expected = Array.from({ length: items }, (_, item) => item)
              .filter((item) => !masked[row].includes(item))
              .sort((a, b) => (b % 7) - (a % 7) || a - b)
              .slice(0, top.k);
            while (expected.length < top.k) expected.push(NO_ITEM);
            expect([...top.items.subarray(row * top.k, (row + 1) * top.k)]).toEqual(expected);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it("at and read agree with each other across blocks", async () => {
    const { scores, blocks } = scoresOf(new ReferenceEngine(), 1100, 20);
    const all = await scores.read();
    expect(blocks).toEqual([512, 512, 76]);
    const some = await scores.at(Uint32Array.of(19, 3, 3));
    for (const row of [0, 511, 512, 1099])
      expect([...some.subarray(row * 3, row * 3 + 3)]).toEqual(
        [19, 3, 3].map((item) => all[row * 20 + item]),
      );
    expect(all[1099 * 20 + 5]).toBe(10 * (1099 % 20) + 5);
  });

  it("511, 512 and 513 histories are scored alike, in one block and in two", async () => {
    for (const [rows, expected] of [
      [511, [511]],
      [512, [512]],
      [513, [512, 1]],
    ] as const) {
      const { scores, blocks } = scoresOf(new ReferenceEngine(), rows, 20);
      const top = await scores.topK(3);
      expect(blocks).toEqual(expected);
      // Items 6 and 13 have the most, 6 + 10 times the history's only item; then 5.
      for (let row = 0; row < rows; row++) {
        expect([...top.items.subarray(3 * row, 3 * row + 3)]).toEqual([6, 13, 5]);
        expect(top.scores[3 * row]).toBe(10 * (row % 20) + 6);
      }
    }
  });

  it("blocks hold at most 2^24 scores, and one history at least", () => {
    // 2^24 / 512 = 32,768.
    expect([32_767, 32_768, 32_769].map(rowsPerBlock)).toEqual([512, 512, 511]);
    expect([2 ** 23, 2 ** 23 + 1].map(rowsPerBlock)).toEqual([2, 1]);
    expect([2 ** 24, 2 ** 24 + 1].map(rowsPerBlock)).toEqual([1, 1]);
  });

  it("a large catalogue gets smaller blocks", () => {
    expect(rowsPerBlock(20_108)).toBe(512);
    expect(rowsPerBlock(1_000_000)).toBe(16);
    expect(rowsPerBlock(100_000_000)).toBe(1);
  });

  it("reject histories of another catalogue, and report a failing block", async () => {
    const engine = new ReferenceEngine();
    expect(() => blockwiseScores(engine, fromRows(3, [[1]]), 4, () => engine.zeros(1, 4))).toThrow(
      /3 columns/,
    );
    let block = 0;
    const histories = fromRows(
      2,
      Array.from({ length: 2000 }, () => [1]),
    );
    const failing = blockwiseScores(engine, histories, 2, ({ rows }) => {
      if (++block === 3) throw new Error("out of luck");
      return engine.zeros(rows, 2);
    });
    await expect(failing.read()).rejects.toThrow("out of luck");
  });
});
