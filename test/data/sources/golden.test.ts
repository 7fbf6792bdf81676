// Known sources on the real data. prepareSource itself compares the counts (published ones, or those of an independent program);
// this test compares the rows, by hashes that pandas and NumPy gave for the code of Liang et al.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, loadDataset } from "../../../src/data/dataset.js";
import { readItems } from "../../../src/data/items.js";
import { prepareSource } from "../../../src/data/sources/prepare-source.js";
import { findSource } from "../../../src/data/sources/registry.js";
import type { Vocabulary } from "../../../src/data/vocabulary.js";
import { type CsrMatrix, rowIndices } from "../../../src/sparse/csr.js";
import { realData } from "../../support/real-data.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-golden-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function prepare(source: string, options: Partial<Record<string, unknown>> = {}) {
  const out = mkdtempSync(join(home, source));
  const { compared, manifest } = await prepareSource({ source, from: realData(source), out, options });
  return { compared, manifest, dataset: await loadDataset(out) };
}

/** Pairs of ids, ascending, as the hash of their lines "user,item". */
function fingerprint(matrix: CsrMatrix, users: Vocabulary, items: Vocabulary): string {
  const pairs: [number, number][] = [];
  for (let row = 0; row < matrix.rows; row++)
    for (const item of rowIndices(matrix, row)) pairs.push([Number(users.ids[row]), Number(items.ids[item])]);
  pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const text = pairs.map(([user, item]) => `${user},${item}\n`).join("");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
const fingerprints = ({ train, users, items, validation, test }: Dataset) => [
  fingerprint(train, users, items),
  fingerprint(validation.heldOut, validation.users, items),
  fingerprint(test.heldOut, test.users, items),
];

describe.each([
  {
    name: "ml-1m",
    counts: 12,
    first: ["1193", "3408", "2355", "1287", "2804"],
    hashes: ["e06de0d9f7b79740", "3dd5d0d0c9b02b35", "2c58f8403d4f8cb9"],
    title: ["2951", "Fistful of Dollars, A (1964)"],
  },
  {
    name: "ml-100k",
    counts: 14,
    first: ["474", "465", "1014", "222", "387"],
    hashes: ["f56a94653c4f2377", "623fae1472303701", "5710dc922b45ed0a"],
    title: ["474", "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)"],
  },
  {
    name: "ml-latest-small",
    counts: 14,
    first: ["1", "3", "6", "47", "50"],
    hashes: ["99d498a4f80828ef", "ad127c4f92f0a3ba", "a6f8d47ce7bac4a4"],
    title: ["1", "Toy Story (1995)"],
  },
])("$name as published", ({ name, counts, first, hashes, title: [id, title] }) => {
  it.skipIf(!realData(name))("has the published counts, order of items, rows and titles", async () => {
    const { compared, dataset } = await prepare(name);
    expect(compared).toHaveLength(counts);
    for (const { what, expected, actual } of compared) expect([what, actual]).toEqual([what, expected]);
    expect(dataset.items.ids.slice(0, 5)).toEqual(first);
    expect(fingerprints(dataset)).toEqual(hashes);
    expect(dataset.items.titleOf(dataset.items.indexOf(id) as number)).toBe(title);
  });
});

describe.skipIf(!realData("ml-1m"))("ml-1m by other protocols", () => {
  it("the notebooks': 3,125 items in their order", async () => {
    const { compared, dataset } = await prepare("ml-1m", { protocol: "notebook" });
    for (const { what, expected, actual } of compared) expect([what, actual]).toEqual([what, expected]);
    expect(dataset.items.ids.slice(0, 5)).toEqual(["1036", "2651", "394", "2272", "1359"]);
    expect(dataset.users.ids.slice(0, 5)).toEqual(["5323", "3219", "5123", "1667", "3661"]);
  });
});

describe.skipIf(!realData("ml-20m"))("ml-20m: what is published of its split", () => {
  const lines = (file: string) =>
    readFileSync(join(realData("ml-20m") ?? "", file), "utf8")
      .trim()
      .split("\n");

  it("has the counts that the source expects, and titles for every item", async () => {
    const [{ counts }] = findSource("ml-20m").protocols;
    const items = lines("unique_sid.txt");
    expect(items).toHaveLength(counts.items as number);
    for (const [file, split] of [
      ["validation_te.csv", counts.validation],
      ["test_te.csv", counts.test],
    ] as const) {
      const rows = lines(file).slice(1);
      expect(rows).toHaveLength(split?.heldOut as number);
      expect(new Set(rows.map((row) => row.split(",")[0])).size).toBe(split?.users);
    }
    const { columns, byId } = await readItems({ file: join(realData("ml-20m") ?? "", "movies.csv") });
    expect(columns).toEqual(["title", "genres"]);
    expect(items.filter((id) => !byId.get(id)?.[0])).toEqual([]);
    expect(byId.get("151")?.[0]).toBe("Rob Roy (1995)");
  });
});

describe.each(["citeulike-a", "citeulike-t"])("%s", (name) => {
  it.skipIf(!realData(name)).each([10, 1])(
    "has every count of its released split, P = %i",
    async (perUser) => {
      const { compared, dataset, manifest } = await prepare(name, { trainItems: perUser });
      expect(manifest.protocol.protocol).toBe("given");
      expect(compared).toHaveLength(7);
      for (const { what, expected, actual } of compared) expect([what, actual]).toEqual([what, expected]);
      // The catalogue is every article, by its number.
      expect(dataset.items.ids[16_979]).toBe("16979");
    },
  );
});

describe.skipIf(!realData("citeulike-a"))("citeulike-a", () => {
  it("has titles", async () => {
    const { dataset } = await prepare("citeulike-a");
    expect(dataset.items.titleOf(1)).toBe("Reverse Engineering of Biological Complexity");
  });
});

describe.skipIf(!realData("citeulike-t"))("citeulike-t", () => {
  it("P = 10: the draw with seed 123 is the released split", async () => {
    const drawn = await prepare("citeulike-t", { protocol: "weak" });
    const released = await prepare("citeulike-t");
    expect(drawn.manifest.protocol).toMatchObject({ protocol: "weak", seed: 123, trainItems: 10 });
    const [train, , heldOut] = fingerprints(released.dataset);
    expect(fingerprints(drawn.dataset)).toEqual([train, expect.any(String), heldOut]);
  });
});
