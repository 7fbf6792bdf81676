import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longTailOf, popularityGroups, selfInformation } from "../../src/data/item-popularity.js";

describe("popularity of items", () => {
  it("self-information is in bits; an item that nobody has counts as if one user had it", () => {
    const popularity = { users: 16, counts: Uint32Array.of(16, 8, 1, 0) };
    expect([0, 1, 2, 3].map((item) => selfInformation(popularity, item))).toEqual([0, 1, 4, 4]);
  });

  it.each([
    ["the smallest set that has 80 %", [1, 6, 2, 1], [0.8], [1, 0, 0, 1]],
    ["with one more item if it had less", [1, 6, 1, 1], [0.8], [0, 0, 0, 1]],
    ["equal counts by index", [5, 5, 5, 5], [0.5], [0, 0, 1, 1]],
    ["a middle", [1, 6, 2, 1], [0.6, 0.8], [2, 0, 1, 2]],
    ["a middle without items", [1, 9, 0, 0], [0.5, 0.8], [2, 0, 2, 2]],
    ["without interactions, everything is in the last group", [0, 0], [0.5, 0.8], [2, 2]],
  ])("groups: %s", (_, counts, shares, groups) => {
    expect([...popularityGroups(Uint32Array.from(counts), shares)]).toEqual(groups);
  });

  it("a group's items are at least as popular as those of the next", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 30 }), (list) => {
        const counts = Uint32Array.from(list);
        const groups = popularityGroups(counts, [0.5, 0.8]);
        const total = list.reduce((sum, n) => sum + n, 0);
        const within = (most: number) => list.filter((_, item) => groups[item] <= most);
        for (const [group, share] of [0.5, 0.8].entries()) {
          const sum = within(group).reduce((all, n) => all + n, 0);
          expect(sum).toBeGreaterThanOrEqual(share * total);
          const least = Math.min(...within(group));
          for (const [item, n] of list.entries())
            if (groups[item] > group) expect(n).toBeLessThanOrEqual(least);
        }
      }),
    );
  });
});

describe("the long tail", () => {
  it("has the head that popularityGroups finds, and points at increasing ranks", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 300 }), (list) => {
        const counts = Uint32Array.from(list);
        const { head, items, points } = longTailOf(counts, 20);
        expect(head).toBe(popularityGroups(counts, [0.8]).filter((group) => group === 0).length);
        expect(items).toBe(list.length);
        expect(points.length).toBeLessThanOrEqual(20);
        expect([points[0].rank, points[points.length - 1].rank]).toEqual([1, list.length]);
        const descending = [...list].sort((a, b) => b - a);
        const total = Math.max(
          1,
          list.reduce((sum, n) => sum + n, 0),
        );
        for (const { rank, users, share } of points) {
          expect(users).toBe(descending[rank - 1]);
          expect(share).toBeCloseTo(descending.slice(0, rank).reduce((sum, n) => sum + n, 0) / total, 12);
        }
      }),
    );
  });
});
