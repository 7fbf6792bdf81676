import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { dropDuplicates, filterOrders, keepFrequent, type Minimums } from "../../src/data/filter.js";
import {
  fromIterable,
  type GivenPart,
  type Interaction,
  type Interactions,
} from "../../src/data/interactions.js";
import { buildDataset } from "../../src/data/prepare.js";
import { type ProtocolInput, parseProtocol } from "../../src/data/protocol.js";
import { type CsrMatrix, entryCount, rowIndices } from "../../src/sparse/csr.js";

/** Rows as "user item", in their order. */
const pairsOf = ({ users, items, userOf, itemOf }: Interactions) =>
  Array.from(userOf, (user, row) => `${users.ids[user]} ${items.ids[itemOf[row]]}`);

/** Per user id the ids of the row's items. */
function histories(matrix: CsrMatrix, users: readonly string[], dataset: Dataset): Record<string, string[]> {
  return Object.fromEntries(
    users.map((user, row) => [user, Array.from(rowIndices(matrix, row), (item) => dataset.items.ids[item])]),
  );
}

const rows = (text: string): Interaction[] =>
  text.split(" ").map((row) => {
    const [user, item, time] = row.split(":");
    return { user, item, time: time === undefined ? undefined : Number(time) };
  });

describe("filters, worked by hand", () => {
  // a has 3 items, b 2, c 1; x has 3 users, y 2, z 1.
  const table = rows("a:x a:y a:z b:x b:y c:x");
  const left = async (minimums: Minimums) => pairsOf(keepFrequent(await fromIterable(table), minimums).kept);

  it("items first, then users on the remaining rows", async () => {
    const minimums = { minItem: 2, minUser: 3, filter: "items-then-users" } as const;
    expect(await left(minimums)).toEqual([]);
    expect(await left({ ...minimums, minUser: 2 })).toEqual(["a x", "a y", "b x", "b y"]);
  });

  it("both on the original counts", async () => {
    const minimums = { minItem: 2, minUser: 3, filter: "simultaneous" } as const;
    expect(await left(minimums)).toEqual(["a x", "a y"]);
  });

  it("repeatedly, until nothing is dropped", async () => {
    expect(await left({ minItem: 2, minUser: 2, filter: "k-core" })).toEqual(["a x", "a y", "b x", "b y"]);
    // z is dropped, then no user has 3 items; a single pass would have kept c.
    expect(await left({ minItem: 3, minUser: 2, filter: "items-then-users" })).toEqual([]);
  });

  it("keeps the first of duplicates", async () => {
    const twice = await fromIterable([
      { user: 1, item: 1, rating: 5 },
      { user: 2, item: 1, rating: 4 },
      { user: 1, item: 1, rating: 1 },
    ]);
    const kept = dropDuplicates(twice);
    expect(pairsOf(kept)).toEqual(["1 1", "2 1"]);
    expect([...(kept.ratingOf ?? [])]).toEqual([5, 4]);
  });
});

describe("protocols, worked by hand", () => {
  const table = rows("b:x:5 a:x:1 a:y:2 a:z:3 a:w:9 b:y:4 b:w:8 c:z:10 c:x:11");

  it("leave-last-out: the last interaction is for the test, the one before for validation", async () => {
    const dataset = await buildDataset({ input: table, options: { protocol: "leave-last-out", minUser: 1 } });
    const { train, users, validation, test } = dataset;
    // c has two interactions: too few to be evaluated.
    expect(histories(train, users.ids, dataset)).toEqual({ a: ["x", "y"], b: ["y"], c: ["z", "x"] });
    expect(histories(validation.foldIn, validation.users.ids, dataset)).toEqual({ a: ["x", "y"], b: ["y"] });
    expect(histories(validation.heldOut, validation.users.ids, dataset)).toEqual({ a: ["z"], b: ["x"] });
    // w has no training row and is not tested: a and b have no held-out items and are left out.
    expect(test.users.ids).toEqual([]);
    expect(dataset.manifest?.counts.test.unknownItems).toBe(2);
  });

  it("leave-last-out with all items kept", async () => {
    const options = { protocol: "leave-last-out", minUser: 1, items: "all" } as const;
    const dataset = await buildDataset({ input: table, options });
    expect(dataset.items.ids).toEqual(["w", "x", "y", "z"]);
    const { test } = dataset;
    expect(histories(test.foldIn, test.users.ids, dataset)).toEqual({ a: ["x", "y", "z"], b: ["x", "y"] });
    expect(histories(test.heldOut, test.users.ids, dataset)).toEqual({ a: ["w"], b: ["w"] });
  });

  it("temporal by date: train before 5, validate before 9, test from 9", async () => {
    const options = { protocol: "temporal", minUser: 1, validationFrom: 5, testFrom: 9 } as const;
    const dataset = await buildDataset({ input: table, options });
    const { train, users, validation, test, items } = dataset;
    expect(histories(train, users.ids, dataset)).toEqual({ a: ["x", "y", "z"], b: ["y"] });
    expect(items.ids).toEqual(["x", "y", "z"]);
    expect(histories(validation.foldIn, validation.users.ids, dataset)).toEqual({ b: ["y"] });
    expect(histories(validation.heldOut, validation.users.ids, dataset)).toEqual({ b: ["x"] });
    // c has no history before the test: it cannot be folded in, and is counted.
    expect(test.users.ids).toEqual([]);
    expect(dataset.manifest?.counts.test).toMatchObject({ coldUsers: 2, unknownItems: 1 });
  });

  it("temporal: a user who first appears during validation is folded in for the test with those interactions", async () => {
    const input = rows("a:x:1 a:y:2 d:x:5 d:y:9");
    const options = { protocol: "temporal", minUser: 1, validationFrom: 5, testFrom: 9 } as const;
    const dataset = await buildDataset({ input, options });
    expect(dataset.users.ids).toEqual(["a"]);
    expect(dataset.test.users.ids).toEqual(["d"]);
    expect(histories(dataset.test.foldIn, ["d"], dataset)).toEqual({ d: ["x"] });
    expect(histories(dataset.test.heldOut, ["d"], dataset)).toEqual({ d: ["y"] });
    expect(dataset.validation.users.size).toBe(0);
  });

  it("temporal by share: the last rows by time, ties by row order", async () => {
    const input = rows("a:1:7 a:2:7 a:3:7 a:4:7 a:5:1 a:6:1 a:7:1 a:8:1 a:9:1 a:10:1");
    const options = { protocol: "temporal", minUser: 1, items: "all" } as const;
    const dataset = await buildDataset({
      input,
      options: { ...options, validationShare: 0.2, testShare: 0.1 },
    });
    expect(histories(dataset.validation.heldOut, ["a"], dataset)).toEqual({ a: ["2", "3"] });
    expect(histories(dataset.test.heldOut, ["a"], dataset)).toEqual({ a: ["4"] });
    expect(histories(dataset.train, ["a"], dataset).a).toEqual(["1", "5", "6", "7", "8", "9", "10"]);
  });

  it("temporal by calendar date, for seconds and for milliseconds", async () => {
    const day = 86400;
    for (const unit of [1, 1000]) {
      const at = (days: number) => 1_600_000_000 * unit + days * day * unit;
      const input = [0, 10, 20, 30].map((days, item) => ({ user: 1, item, time: at(days) }));
      const date = (days: number) => new Date((1_600_000_000 + days * day) * 1000).toISOString().slice(0, 10);
      const options = {
        protocol: "temporal",
        minUser: 1,
        items: "all",
        validationFrom: date(15),
        testFrom: date(25),
      };
      const dataset = await buildDataset({ input, options: options as ProtocolInput });
      expect(histories(dataset.train, ["1"], dataset)).toEqual({ 1: ["0", "1"] });
      expect(histories(dataset.validation.heldOut, ["1"], dataset)).toEqual({ 1: ["2"] });
      expect(histories(dataset.test.heldOut, ["1"], dataset)).toEqual({ 1: ["3"] });
    }
  });

  it("weak: NumPy's permutation of each user's rows, RecBole's rounding", async () => {
    // RandomState(42).permutation(10) = 8 1 5 0 7 2 9 4 3 6: the last is for the test, the one before for validation.
    const input = Array.from({ length: 10 }, (_, item) => ({ user: 1, item: `i${item}` }));
    const options = { protocol: "weak", minUser: 1, seed: 42, items: "all" } as const;
    const dataset = await buildDataset({ input, options });
    expect(histories(dataset.test.heldOut, ["1"], dataset)).toEqual({ 1: ["i6"] });
    expect(histories(dataset.validation.heldOut, ["1"], dataset)).toEqual({ 1: ["i3"] });
    const few = await buildDataset({ input, options: { ...options, trainItems: 2 } });
    expect(histories(few.train, ["1"], few)).toEqual({ 1: ["i1", "i8"] });
    expect(entryCount(few.test.heldOut)).toBe(8);
  });

  it("validationOfTest takes validation items from the test, and leaves how the test is evaluated as it was", async () => {
    // RandomState(42).permutation(10) = 8 1 5 0 7 2 9 4 3 6. The two users have 10 and 1 test items of given parts.
    const part = (k: number) => (k === 0 ? "train" : "test") as GivenPart;
    const input = [
      ...Array.from({ length: 11 }, (_, k) => ({ user: 1, item: `i${k}`, part: part(k) })),
      ...Array.from({ length: 2 }, (_, k) => ({ user: 2, item: `i${k}`, part: part(k) })),
    ];
    const options = { protocol: "given", items: "all" } as const;
    const share = { validationOfTest: 0.29, validationSeed: 42 };
    const whole = await buildDataset({ input, options });
    const dataset = await buildDataset({ input, options: { ...options, ...share } });
    expect(histories(dataset.validation.heldOut, ["1"], dataset)).toEqual({ 1: ["i2", "i9"] });
    expect(histories(dataset.validation.foldIn, ["1"], dataset)).toEqual({ 1: ["i0"] });
    // Users with one test item keep it: the same users are evaluated.
    expect(dataset.test.users.ids).toEqual(whole.test.users.ids);
    // Validation items are no part of what the test folds in and masks.
    expect(dataset.test.foldIn).toEqual(whole.test.foldIn);
    expect(entryCount(dataset.test.heldOut)).toBe(entryCount(whole.test.heldOut) - 2);
    expect(dataset.train).toEqual(whole.train);
    expect(dataset.manifest?.protocol).toMatchObject(share);
    expect(dataset.manifest?.counts.validation).toMatchObject({ users: 1, judgedUsers: 1, heldOut: 2 });
    expect(whole.manifest?.protocol).not.toHaveProperty("validationOfTest");
  });

  it("validationOfTest of a drawn split leaves its training items as they are", async () => {
    const input = Array.from({ length: 60 }, (_, k) => ({ user: k % 6, item: Math.trunc(k / 6) }));
    const options = { protocol: "weak", minUser: 0, trainItems: 3, seed: 1, items: "all" } as const;
    const whole = await buildDataset({ input, options });
    const dataset = await buildDataset({ input, options: { ...options, validationOfTest: 0.5 } });
    expect(dataset.train).toEqual(whole.train);
    expect([entryCount(dataset.validation.heldOut), entryCount(dataset.test.heldOut)]).toEqual([18, 24]);
    const other = await buildDataset({
      input,
      options: { ...options, validationOfTest: 0.5, validationSeed: 2 },
    });
    expect(other.validation.heldOut).not.toEqual(dataset.validation.heldOut);
  });

  it.each([
    [{ protocol: "weak", validationOfTest: 0.1 }, /trainItems, which is not set/],
    [{ protocol: "weak", trainItems: 1, validationSeed: 1 }, /validationOfTest, which is not set/],
    [{ protocol: "given", validationOfTest: 0.1 }, /validation interactions of its own/],
  ] as const)("validationOfTest is refused with %o", async (options, message) => {
    const parts: GivenPart[] = ["train", "validation", "test", "test"];
    const input = parts.map((part, item) => ({ user: 1, item, part }));
    await expect(buildDataset({ input, options: { ...options, minUser: 0 } })).rejects.toThrow(message);
  });

  it.each([
    [1, 1, 0, 0],
    [2, 1, 0, 1],
    [3, 1, 1, 1],
    [9, 7, 1, 1],
    [10, 8, 1, 1],
    [25, 21, 2, 2],
  ])("weak: %i items become %i + %i + %i", async (items, train, validation, test) => {
    const input = Array.from({ length: items }, (_, item) => ({ user: 1, item }));
    const dataset = await buildDataset({ input, options: { protocol: "weak", minUser: 1, items: "all" } });
    expect([
      entryCount(dataset.train),
      entryCount(dataset.validation.heldOut),
      entryCount(dataset.test.heldOut),
    ]).toEqual([train, validation, test]);
  });

  it("strong: users with too few items keep all of them as fold-in, and are counted", async () => {
    const input = Array.from({ length: 40 }, (_, row) => ({ user: row % 10, item: Math.trunc(row / 10) }));
    const dataset = await buildDataset({ input, options: { minUser: 1, validationUsers: 2, testUsers: 3 } });
    const counts = dataset.manifest?.counts;
    expect(counts?.test).toMatchObject({ users: 3, judgedUsers: 0, foldIn: 12, heldOut: 0 });
    expect(dataset.test.users.size).toBe(3);
  });
});

const table = fc.array(
  fc.record({
    user: fc.integer({ min: 0, max: 25 }),
    item: fc.integer({ min: 0, max: 18 }),
    time: fc.integer({ min: 0, max: 60 }),
  }),
  { minLength: 60, maxLength: 250 },
);
const options = fc.constantFrom<ProtocolInput>(
  { minUser: 2 },
  { minUser: 0, validationUsers: 4, testUsers: 4, items: "all", seed: 3 },
  { protocol: "weak", minUser: 0 },
  { protocol: "weak", minUser: 2, validationShare: 0.3, testShare: 0.25, seed: 11 },
  { protocol: "weak", minUser: 0, trainItems: 2, validationOfTest: 0.4 },
  { protocol: "temporal", minUser: 0, validationShare: 0.2, testShare: 0.3 },
  { protocol: "leave-last-out", minUser: 0 },
  { protocol: "notebook", minUser: 2, minItem: 1, validationUsers: 3, testUsers: 3, foldInMinimum: 2 },
);

describe("every protocol, on any interactions", () => {
  it("separates fold-in and held-out, loses nothing, and has the right counts", () =>
    fc.assert(
      fc.asyncProperty(table, options, async (input, protocol) => {
        const dataset = await buildDataset({ input, options: protocol });
        const { counts } = dataset.manifest ?? {};
        if (!counts) throw new Error("no counts");
        const resolved = parseProtocol(protocol);
        const source = new Set(input.map(({ user, item }) => `${user} ${item}`));
        const seen = new Set<string>();
        const take = (matrix: CsrMatrix, users: readonly string[], unseen: boolean) => {
          for (const [user, items] of Object.entries(histories(matrix, users, dataset)))
            for (const item of items) {
              const pair = `${user} ${item}`;
              expect(source).toContain(pair);
              if (unseen) expect(seen).not.toContain(pair);
              seen.add(pair);
            }
        };
        const shared = ["weak", "temporal", "leave-last-out"].includes(resolved.protocol);
        take(dataset.train, dataset.users.ids, true);
        for (const which of ["validation", "test"] as const) {
          const { users, foldIn, heldOut } = dataset[which];
          take(foldIn, users.ids, !shared);
          take(heldOut, users.ids, true);
          for (let row = 0; row < users.size; row++) {
            const known = new Set(rowIndices(foldIn, row));
            for (const item of rowIndices(heldOut, row)) expect(known).not.toContain(item);
            // Users who are evaluated on their own later rows have fold-in items.
            if (shared) expect(known.size).toBeGreaterThan(0);
          }
          expect(counts[which]).toMatchObject({
            users: users.size,
            foldIn: entryCount(foldIn),
            heldOut: entryCount(heldOut),
          });
        }
        expect([counts.users, counts.items, counts.interactions]).toEqual([
          dataset.users.size,
          dataset.items.size,
          entryCount(dataset.train),
        ]);
        const { validation, test, filtered } = counts;
        const lost = validation.unknownItems + validation.coldUsers + test.unknownItems + test.coldUsers;
        expect(filtered.interactions - lost).toBeLessThanOrEqual(seen.size);
        expect(seen.size).toBeLessThanOrEqual(filtered.interactions);
        if (!shared) expect(seen.size + lost).toBe(filtered.interactions);
      }),
      { numRuns: 150 },
    ));

  it("gives the same dataset for the same seed", () =>
    fc.assert(
      fc.asyncProperty(table, options, async (input, protocol) => {
        const [first, second] = [
          await buildDataset({ input, options: protocol }),
          await buildDataset({
            input: input.map((row) => ({ ...row, user: String(row.user) })),
            options: protocol,
          }),
        ];
        // Times are read lazily.
        expect(await second.trainTimes?.()).toEqual(await first.trainTimes?.());
        expect({ ...second, trainTimes: undefined }).toEqual({ ...first, trainTimes: undefined });
      }),
      { numRuns: 20 },
    ));
});

describe("filters, on any interactions", () => {
  const minimums = fc.record({
    minUser: fc.integer({ min: 0, max: 8 }),
    minItem: fc.integer({ min: 0, max: 8 }),
    filter: fc.constantFrom(...(Object.keys(filterOrders) as Minimums["filter"][])),
  });
  const counted = (pairs: string[], part: 0 | 1) => {
    const counts = new Map<string, number>();
    for (const pair of pairs) counts.set(pair.split(" ")[part], (counts.get(pair.split(" ")[part]) ?? 0) + 1);
    return counts;
  };

  it("k-core is a fixed point, and the largest one", () =>
    fc.assert(
      fc.asyncProperty(table, minimums, async (input, { minUser, minItem }) => {
        const all = dropDuplicates(await fromIterable(input));
        const core = keepFrequent(all, { minUser, minItem, filter: "k-core" }).kept;
        const kept = pairsOf(core);
        for (const count of counted(kept, 0).values()) expect(count).toBeGreaterThanOrEqual(minUser);
        for (const count of counted(kept, 1).values()) expect(count).toBeGreaterThanOrEqual(minItem);
        // Reference: drop one offending row at a time, in another order (users first).
        let rest = pairsOf(all);
        for (;;) {
          const [users, items] = [counted(rest, 0), counted(rest, 1)];
          const offender = rest.find((pair) => {
            const [user, item] = pair.split(" ");
            return (users.get(user) ?? 0) < minUser || (items.get(item) ?? 0) < minItem;
          });
          if (offender === undefined) break;
          rest = rest.filter((pair) => pair !== offender);
        }
        expect(kept).toEqual(rest);
      }),
      { numRuns: 60 },
    ));

  it("keeps rows in their order and adds none", () =>
    fc.assert(
      fc.asyncProperty(table, minimums, async (input, asked) => {
        const all = pairsOf(dropDuplicates(await fromIterable(input)));
        const kept = pairsOf(keepFrequent(dropDuplicates(await fromIterable(input)), asked).kept);
        const wanted = new Set(kept);
        expect(kept).toEqual(all.filter((pair) => wanted.has(pair)));
      }),
      { numRuns: 60 },
    ));
});
