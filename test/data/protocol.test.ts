import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, loadDataset } from "../../src/data/dataset.js";
import type { Interaction } from "../../src/data/interactions.js";
import { buildDataset, prepareDataset } from "../../src/data/prepare.js";
import type { ProtocolInput } from "../../src/data/protocol.js";
import { type CsrMatrix, rowIndices } from "../../src/sparse/csr.js";

// The splits of ratings.csv by the published programs with pandas and NumPy: see fixtures/README.md.
const fixtures = join(import.meta.dirname, "fixtures");
const ratings = join(fixtures, "ratings.csv");
type Pairs = [number, number][];
interface Published {
  uids: number[];
  sids: number[];
  train: Pairs;
  validation: { foldIn: Pairs; heldOut: Pairs };
  test: { foldIn: Pairs; heldOut: Pairs };
}
const read = <T>(name: string) => JSON.parse(readFileSync(join(fixtures, name), "utf8")) as T;
const canonical = read<Record<"0" | "6", Published>>("canonical.json");
const notebook = read<Published>("notebook.json");

function interactions(): Interaction[] {
  const [, ...lines] = readFileSync(ratings, "utf8").trim().split("\n");
  return lines.map((line) => {
    const [user, item, rating, time] = line.split(",").map(Number);
    return { user, item, rating, time };
  });
}

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** The pairs of a matrix, with the published numbers of its users; sorted. */
function pairs(matrix: CsrMatrix, firstUser: number): string[] {
  const found: string[] = [];
  for (let user = 0; user < matrix.rows; user++)
    for (const item of rowIndices(matrix, user)) found.push(`${user + firstUser} ${item}`);
  return found.sort();
}
const written = (published: Pairs) => published.map(([user, item]) => `${user} ${item}`).sort();

function expectPublished(dataset: Dataset, published: Published): void {
  expect(dataset.items.ids).toEqual(published.sids.map(String));
  const { users, validation, test } = dataset;
  expect([...users.ids, ...validation.users.ids, ...test.users.ids]).toEqual(published.uids.map(String));
  expect(pairs(dataset.train, 0)).toEqual(written(published.train));
  for (const [which, firstUser] of [
    ["validation", users.size],
    ["test", users.size + validation.users.size],
  ] as const) {
    expect(pairs(dataset[which].foldIn, firstUser)).toEqual(written(published[which].foldIn));
    expect(pairs(dataset[which].heldOut, firstUser)).toEqual(written(published[which].heldOut));
  }
}

const cases: [string, ProtocolInput, Published][] = [
  ["canonical (Liang et al.)", { minRating: 4, validationUsers: 20, testUsers: 20 }, canonical["0"]],
  [
    "canonical with the item filter before the user filter",
    { minRating: 4, minItem: 6, validationUsers: 12, testUsers: 12 },
    canonical["6"],
  ],
  [
    "notebook",
    { protocol: "notebook", minRating: 4, validationUsers: 12, testUsers: 12, foldInMinimum: 2 },
    notebook,
  ],
];

describe.each(cases)("%s gives what pandas and NumPy give", (name, options, published) => {
  it("through a folder", async () => {
    const out = join(home, name);
    await prepareDataset({ input: ratings, options, out });
    expectPublished(await loadDataset(out), published);
  });

  it("from an array in memory", async () => {
    expectPublished(await buildDataset({ input: interactions(), options }), published);
  });

  it("from an asynchronous iterable in memory", async () => {
    async function* slowly() {
      yield* interactions();
    }
    expectPublished(await buildDataset({ input: slowly(), options }), published);
  });
});
