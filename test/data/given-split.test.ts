import { describe, expect, it } from "vitest";
import type { GivenPart, Interaction } from "../../src/data/interactions.js";
import { buildDataset } from "../../src/data/prepare.js";
import { rowIndices } from "../../src/sparse/csr.js";

const row = (user: number, item: number, part: GivenPart): Interaction => ({ user, item, part });
const rows = [
  row(2, 30, "train"),
  row(2, 10, "test"),
  row(1, 10, "train"),
  row(1, 20, "validation"),
  row(1, 30, "test"),
  row(3, 20, "test"),
];
const catalogue = [{ id: 40, title: "Never touched" }, { id: 5 }, { id: 10, title: "Ten" }];

describe('protocol "given"', () => {
  it("splits as the source says; users without training rows are not evaluated", async () => {
    const dataset = await buildDataset({ input: rows, options: { protocol: "given", items: "all" } });
    expect(dataset.items.ids).toEqual(["10", "20", "30"]);
    expect(dataset.users.ids).toEqual(["1", "2"]);
    expect([...rowIndices(dataset.train, 0)]).toEqual([0]);
    expect([...rowIndices(dataset.train, 1)]).toEqual([2]);
    expect(dataset.validation.users.ids).toEqual(["1"]);
    expect([...rowIndices(dataset.validation.heldOut, 0)]).toEqual([1]);
    expect(dataset.test.users.ids).toEqual(["1", "2"]);
    // Validation is known by the time of the test.
    expect([...rowIndices(dataset.test.foldIn, 0)]).toEqual([0, 1]);
    expect([...rowIndices(dataset.test.heldOut, 0)]).toEqual([2]);
    expect([...rowIndices(dataset.test.heldOut, 1)]).toEqual([0]);
    expect(dataset.manifest?.counts.test.coldUsers).toBe(1);
  });

  it("is rejected if the source has no parts, has them for some rows only, or has unknown ones", async () => {
    const options = { protocol: "given" } as const;
    const bare = rows.map(({ user, item }) => ({ user, item }));
    await expect(buildDataset({ input: bare, options })).rejects.toThrow(/does not define training and test/);
    await expect(buildDataset({ input: [...bare, rows[0]], options })).rejects.toThrow(/6 of 7 .* no part/);
    const wrong = [{ user: 1, item: 2, part: "exam" as GivenPart }];
    await expect(buildDataset({ input: wrong, options })).rejects.toThrow(
      /interaction 1: the part is "exam"/,
    );
  });
});

describe('items "catalogue"', () => {
  it("keeps items without interactions, numbered by id among the others", async () => {
    const options = { protocol: "given", items: "catalogue" } as const;
    const dataset = await buildDataset({ input: rows, items: catalogue, options });
    expect(dataset.items.ids).toEqual(["5", "10", "20", "30", "40"]);
    expect(dataset.items.titleOf(4)).toBe("Never touched");
    expect([...rowIndices(dataset.train, 0)]).toEqual([1]);
    expect([...rowIndices(dataset.test.heldOut, 1)]).toEqual([1]);
  });

  it("needs an item file", async () => {
    await expect(
      buildDataset({ input: rows, options: { protocol: "given", items: "catalogue" } }),
    ).rejects.toThrow(/none is given/);
  });
});

describe("the check before writing", () => {
  it("receives the counts, and ends the preparation by throwing", async () => {
    const check = (counts: { sourceRows: number }) => {
      throw new Error(`${counts.sourceRows} rows`);
    };
    await expect(buildDataset({ input: rows, options: { minUser: 0 }, check })).rejects.toThrow("6 rows");
  });
});
