import { describe, expect, it, vi } from "vitest";
import { buildDataset } from "../../src/data/prepare.js";
import { joined, orderIds, Vocabulary } from "../../src/data/vocabulary.js";

// A map holds three entries here: what happens to 2^24 of them happens to these.
vi.mock("../../src/core/large-map.js", async (original) => {
  const { LargeMap } = await original<typeof import("../../src/core/large-map.js")>();
  return {
    LargeMap: class<Key, Value extends NonNullable<unknown>> extends LargeMap<Key, Value> {
      constructor(entries: Iterable<readonly [Key, Value]> = []) {
        super(entries, 3);
      }
    },
  };
});

describe("ids that are chosen", () => {
  it("are those of the indices, in their order", () => {
    const chosen = new Vocabulary(["a", "b", "7"]).chosen(Uint32Array.of(2, 0));
    expect([chosen.ids, chosen.numeric, chosen.indexOf("a")]).toEqual([["7", "a"], false, 1]);
    expect(new Vocabulary(["a", "7"]).chosen(Uint32Array.of(1)).numeric).toBe(true);
  });

  it("are the decimal digits of integers", () => {
    const vocabulary = Vocabulary.ofIntegers(Uint32Array.of(0, 12, 2 ** 32 - 1));
    expect(vocabulary.ids).toEqual(["0", "12", "4294967295"]);
    expect([vocabulary.numeric, new Vocabulary(vocabulary.ids).numeric]).toEqual([true, true]);
    expect(vocabulary.chosen(Uint32Array.of(1)).numeric).toBe(true);
  });
});

describe("more ids than one map holds", () => {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];

  it("have the right indices", () => {
    const vocabulary = new Vocabulary(ids);
    for (const [index, id] of ids.entries()) expect(vocabulary.indexOf(id)).toBe(index);
    expect(vocabulary.indexOf("z")).toBeUndefined();
    expect(joined(vocabulary, new Vocabulary(["z"])).indexOf("z")).toBe(8);
  });

  it("keep their popularity when other items are added, which nobody has", () => {
    const popularity = { users: 9, counts: Uint32Array.from(ids.keys()) };
    const vocabulary = new Vocabulary(ids).withPopularity(popularity);
    expect(vocabulary.indexOf("h")).toBe(7);
    expect(joined(vocabulary, new Vocabulary(["z"])).popularity).toEqual({
      users: 9,
      counts: Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 0),
    });
    expect(joined(new Vocabulary(["z"]), vocabulary).popularity).toBeUndefined();
    expect(() => new Vocabulary(["z"]).withPopularity(popularity)).toThrow(RangeError);
  });

  it("are coded and have titles, as with fewer ids", async () => {
    const interactions = ids.flatMap((user, u) => ids.slice(u).map((item) => ({ user: `u-${user}`, item })));
    const items = ids.map((id) => ({ id, title: id.toUpperCase() }));
    const split = { protocol: "strong", validationUsers: 1, testUsers: 1 } as const;
    const dataset = await buildDataset({ input: interactions, items, ...split });
    expect(dataset.items.titles).toEqual(dataset.items.ids.map((id) => id.toUpperCase()));
    const { train } = dataset;
    for (const [row, user] of dataset.users.ids.slice(0, train.rows).entries()) {
      const history = [...train.indices.subarray(train.offsets[row], train.offsets[row + 1])];
      const from = ids.indexOf(user.slice(2));
      expect(history.map((item) => dataset.items.ids[item]).sort()).toEqual(ids.slice(from));
    }
  });
});

describe("the order of ids", () => {
  it("is that of numbers where all are plain integers, and of code points otherwise", () => {
    expect(orderIds(["10", "9", "-1"])).toEqual(["-1", "9", "10"]);
    expect(orderIds(["10", "9", "x"])).toEqual(["10", "9", "x"]);
    // As UTF-16, the emoji's surrogates would come before U+FF5E.
    expect(orderIds(["\u{1f600}", "\uff5e"])).toEqual(["\uff5e", "\u{1f600}"]);
  });
});
