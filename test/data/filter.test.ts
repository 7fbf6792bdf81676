import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dropDuplicates,
  filterInteractions,
  filterOrders,
  keepFrequent,
  type Minimums,
} from "../../src/data/filter.js";
import type { Interactions } from "../../src/data/interactions.js";
import { Vocabulary } from "../../src/data/vocabulary.js";

interface Row {
  readonly user: number;
  readonly item: number;
  /** The place of the row, also as its rating, time and part. */
  readonly row: number;
}

const ids = (size: number) => new Vocabulary(Array.from({ length: size }, (_, code) => String(code)));

function interactionsOf(rows: readonly Row[], users: number, items: number): Interactions {
  return {
    users: ids(users),
    items: ids(items),
    userOf: Uint32Array.from(rows, ({ user }) => user),
    itemOf: Uint32Array.from(rows, ({ item }) => item),
    ratingOf: Float32Array.from(rows, ({ row }) => row + 0.5),
    timeOf: Float64Array.from(rows, ({ row }) => row + 2 ** 40),
    partOf: Uint8Array.from(rows, ({ row }) => row % 3),
    sourceRows: rows.length,
  };
}

/** What is left, and whether all columns of it are those of the same rows. */
function rowsOf({ userOf, itemOf, ratingOf, timeOf, partOf }: Interactions): Row[] {
  return Array.from(userOf, (user, k) => {
    const row = (ratingOf?.[k] as number) - 0.5;
    expect([timeOf?.[k], partOf?.[k]]).toEqual([row + 2 ** 40, row % 3]);
    return { user, item: itemOf[k], row };
  });
}

const countBy = (rows: readonly Row[], by: "user" | "item") => {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(row[by], (counts.get(row[by]) ?? 0) + 1);
  return counts;
};

/** The codes with rows, but fewer than `least`. */
const rare = (rows: readonly Row[], by: "user" | "item", least: number) =>
  new Set([...countBy(rows, by)].filter(([, count]) => count < least).map(([code]) => code));

/** The filter as its description says, with sets and maps. */
function naive(rows: readonly Row[], { minUser, minItem, filter }: Minimums) {
  const seen = new Set<string>();
  const unique = rows.filter(({ user, item }) => {
    const pair = `${user} ${item}`;
    return seen.has(pair) ? false : seen.add(pair);
  });
  let left = unique;
  const users = { rows: 0, codes: 0 };
  const items = { rows: 0, codes: 0 };
  const drop = (by: "user" | "item", codes: Set<number>) => {
    const kept = left.filter((row) => !codes.has(row[by]));
    const dropped = by === "user" ? users : items;
    dropped.rows += left.length - kept.length;
    dropped.codes += codes.size;
    left = kept;
  };
  if (filter === "simultaneous") {
    const [rareItems, rareUsers] = [rare(left, "item", minItem), rare(left, "user", minUser)];
    drop("item", rareItems);
    drop("user", rareUsers);
  } else
    for (let before = -1; before !== left.length; ) {
      before = left.length;
      drop("item", rare(left, "item", minItem));
      drop("user", rare(left, "user", minUser));
      if (filter === "items-then-users") break;
    }
  return { unique: unique.length, left, users, items };
}

describe("the filter", () => {
  const cases = fc.record({
    rows: fc
      .array(fc.tuple(fc.nat(24), fc.nat(15)), { maxLength: 250 })
      .map((pairs) => pairs.map(([user, item], row) => ({ user, item, row }))),
    minimums: fc.record({
      minUser: fc.integer({ min: 0, max: 6 }),
      minItem: fc.integer({ min: 0, max: 9 }),
      filter: fc.constantFrom(...(Object.keys(filterOrders) as Minimums["filter"][])),
    }),
    perBucket: fc.constantFrom(1, 7, 50, 1000),
    reuse: fc.boolean(),
  });

  it("keeps and counts exactly what its description says, for any order and any number of buckets", () =>
    fc.assert(
      fc.property(cases, ({ rows, minimums, perBucket, reuse }) => {
        const expected = naive(rows, minimums);
        const { kept, ...counts } = filterInteractions(interactionsOf(rows, 25, 16), minimums, {
          perBucket,
          reuse,
        });
        expect(rowsOf(kept)).toEqual(expected.left);
        expect(counts).toEqual({ unique: expected.unique, users: expected.users, items: expected.items });
      }),
      { numRuns: 400 },
    ));

  it("does the same in two steps: duplicates, then rare users and items", () =>
    fc.assert(
      fc.property(cases, ({ rows, minimums, perBucket, reuse }) => {
        const options = { perBucket, reuse };
        const unique = dropDuplicates(interactionsOf(rows, 25, 16), options);
        const inTwo = keepFrequent(unique, minimums, options);
        const { unique: _, ...inOne } = filterInteractions(interactionsOf(rows, 25, 16), minimums, options);
        expect({ ...inTwo, kept: rowsOf(inTwo.kept) }).toEqual({ ...inOne, kept: rowsOf(inOne.kept) });
      }),
    ));

  it("finds the duplicates of a user with many items, whatever their codes", () => {
    const steps = [1, 2 ** 15, 2 ** 20];
    for (const step of steps) {
      const rows = Array.from({ length: 3000 }, (_, row) => ({ user: 0, item: (row % 2000) * step, row }));
      const kept = rowsOf(dropDuplicates({ ...interactionsOf(rows, 1, 1), items: ids(1) }));
      expect(kept).toEqual(rows.slice(0, 2000));
    }
  });
});
