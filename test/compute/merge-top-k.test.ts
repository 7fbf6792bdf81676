import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_ITEM } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { mergeTopK } from "../../src/compute/merge-top-k.js";
import { viewColumns } from "../../src/compute/tensor.js";
import { fromRows, sliceColumns } from "../../src/sparse/csr.js";

describe("the best of shares, merged", () => {
  it("are the best of all, ties to the lower item, in whatever order the shares come", async () => {
    const engine = new ReferenceEngine();
    const score = fc.constantFrom(-Infinity, -1, 0, 1, 1, 2, Infinity, Number.NaN);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }).chain((items) =>
          fc.record({
            rows: fc.array(fc.array(score, { minLength: items, maxLength: items }), { maxLength: 4 }),
            cuts: fc.uniqueArray(fc.nat(items), { maxLength: 5 }),
            excluded: fc.array(fc.nat(items - 1), { maxLength: items }),
            k: fc.nat(items + 3),
            reversed: fc.boolean(),
          }),
        ),
        async ({ rows, cuts, excluded, k, reversed }) => {
          const items = rows[0]?.length ?? 1;
          const scores = engine.tensor(rows.length, items, rows.flat());
          const out = [...new Set(excluded)].filter((item) => item < items);
          const without = fromRows(
            items,
            rows.map((_, row) => out.filter((item) => (item + row) % 3 > 0)),
          );
          const expected = await engine.topK(scores, k, engine.sparse(without));
          const ends = [...cuts.filter((cut) => cut < items).sort((a, b) => a - b), items];
          const parts = await Promise.all(
            ends.map(async (to, i) => {
              const from = ends[i - 1] ?? 0;
              const masked = engine.sparse(sliceColumns(without, from, to));
              const best = await engine.topK(viewColumns(scores, from, to), k, masked);
              return { ...best, items: best.items.map((item) => (item === NO_ITEM ? item : item + from)) };
            }),
          );
          expect(mergeTopK(reversed ? parts.reverse() : parts, k)).toEqual(expected);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it("are fewer than k where all shares together have fewer", () => {
    const part = (item: number) => ({
      ...{ rows: 1, k: 1, items: Uint32Array.of(item), scores: Float32Array.of(item) },
    });
    expect(mergeTopK([part(3), part(8)], 5)).toEqual({
      ...{ rows: 1, k: 2, items: Uint32Array.of(8, 3), scores: Float32Array.of(8, 3) },
    });
    expect([...mergeTopK([part(3), part(8)], 1).items]).toEqual([8]);
  });
});
