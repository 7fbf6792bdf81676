// The counts add up: every row of the source is in a table, or in exactly one count of dropped rows.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { withDatabase } from "../../src/data/database.js";
import type { Interaction } from "../../src/data/interactions.js";
import type { DatasetCounts } from "../../src/data/manifest.js";
import { buildDataset, prepareDataset } from "../../src/data/prepare.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function unaccounted({
  sourceRows,
  kept = Number.NaN,
  filtered,
  validation,
  test,
}: DatasetCounts): [number, number] {
  const { belowRating, duplicates, repeatedHeaders = Number.NaN } = filtered;
  const { belowMinUser = Number.NaN, belowMinItem = Number.NaN } = filtered;
  const afterFilters =
    sourceRows -
    repeatedHeaders -
    belowRating -
    duplicates -
    belowMinUser -
    belowMinItem -
    filtered.interactions;
  const lost = [validation, test].reduce((sum, part) => sum + part.unknownItems + part.coldUsers, 0);
  return [afterFilters, filtered.interactions - lost - kept];
}

const row = fc.record({
  user: fc.integer({ min: 0, max: 24 }),
  item: fc.integer({ min: 0, max: 14 }),
  rating: fc.integer({ min: 1, max: 5 }),
  time: fc.integer({ min: 1_700_000_000, max: 1_700_000_300 }),
  part: fc.constantFrom("train" as const, "train" as const, "validation" as const, "test" as const),
});
const filters = {
  minUser: fc.integer({ min: 0, max: 4 }),
  minItem: fc.integer({ min: 0, max: 4 }),
  minRating: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  filter: fc.constantFrom("items-then-users" as const, "simultaneous" as const, "k-core" as const),
};
const catalogue = { items: fc.constantFrom("train" as const, "all" as const) };
const held = { validationUsers: fc.constant(3), testUsers: fc.constant(4) };
const options = fc.oneof(
  fc.record({ protocol: fc.constant("strong" as const), ...filters, ...catalogue, ...held }),
  fc.record({ protocol: fc.constant("weak" as const), ...filters, ...catalogue }),
  fc.record({ protocol: fc.constant("temporal" as const), ...filters, ...catalogue }),
  fc.record({ protocol: fc.constant("leave-last-out" as const), ...filters, ...catalogue }),
  fc.record({ protocol: fc.constant("given" as const), ...filters, ...catalogue }),
  fc.record({
    protocol: fc.constant("notebook" as const),
    ...filters,
    ...held,
    foldInMinimum: fc.integer({ min: 0, max: 3 }),
  }),
);

describe("the counts of rows", () => {
  it("add up under every protocol and filter", async () => {
    let built = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 60, maxLength: 200 }), options, async (input, chosen) => {
        const dataset = await buildDataset({ input, options: chosen }).catch((error: unknown) => {
          if (!(error instanceof UserError)) throw error;
          return undefined;
        });
        if (dataset?.manifest === undefined) return;
        built++;
        const { counts } = dataset.manifest;
        expect(counts.sourceRows).toBe(input.length);
        expect(unaccounted(counts)).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
    expect(built).toBeGreaterThan(100);
  });

  it("agree with the written tables", async () => {
    const header = "user,item,rating,time";
    const lines: string[] = [];
    for (let user = 0; user < 60; user++)
      for (let k = 0; k < (user < 20 ? 3 : 8); k++)
        lines.push(
          `${user},${(user * 5 + k * 3) % 24},${1 + ((user + k) % 5)},${1_700_000_000 + user + 100 * k}`,
        );
    lines.splice(100, 0, header);
    lines.push(...lines.slice(200, 210), "7,999,5,1700000000");
    const input = join(home, "ratings.csv");
    writeFileSync(input, `${header}\n${lines.join("\n")}\n`);
    for (const protocol of ["strong", "weak", "temporal", "leave-last-out"] as const) {
      const out = join(home, protocol);
      const { counts } = await prepareDataset({
        ...{ input, out },
        options: { protocol, minRating: 2, minItem: 2, minUser: 4 },
      });
      expect(counts.sourceRows).toBe(lines.length);
      expect(counts.filtered).toMatchObject({ repeatedHeaders: 1, belowMinItem: 1, rareItems: 1 });
      expect(counts.filtered.belowMinUser).toBeGreaterThan(0);
      expect(counts.filtered.duplicates).toBeGreaterThan(0);
      expect(unaccounted(counts)).toEqual([0, 0]);
      const written = await withDatabase(async (database) => {
        const table = (name: string) =>
          `SELECT "user", item FROM ${database.files("parquet", join(out, `${name}.parquet`))}`;
        return database.rows(
          `SELECT count(*) FROM (${["train", "validation", "test"].map(table).join(" UNION ")})`,
        );
      });
      expect(Number(written[0][0])).toBe(counts.kept);
    }
  });

  it("count users with too few interactions: 600 rows of 200 users with three each", async () => {
    const input: Interaction[] = [];
    for (let user = 0; user < 300; user++)
      for (let k = 0; k < (user < 200 ? 3 : 8); k++) input.push({ user, item: (user * 5 + k * 3) % 24 });
    const { manifest } = await buildDataset({ input });
    expect(manifest?.counts).toMatchObject({
      sourceRows: 1400,
      kept: 800,
      filtered: { belowMinUser: 600, rareUsers: 200, belowMinItem: 0, rareItems: 0, interactions: 800 },
    });
  });

  it("of a k-core follow its rounds", async () => {
    // Item 9 has one interaction; without it user 1 has one, and without user 1 item 3 has one.
    const pairs = [
      [1, 9],
      [1, 3],
      [2, 3],
      ...[2, 4, 5, 6].flatMap((user) => [7, 8].map((item) => [user, item])),
    ];
    const input = pairs.map(([user, item]) => ({ user, item }));
    const { manifest } = await buildDataset({
      input,
      options: { minUser: 2, minItem: 2, filter: "k-core", validationUsers: 1, testUsers: 1 },
    });
    expect(manifest?.counts.filtered).toMatchObject({
      interactions: 8,
      ...{ belowMinItem: 2, rareItems: 2, belowMinUser: 1, rareUsers: 1 },
    });
  });
});
