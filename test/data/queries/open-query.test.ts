// The same rows through every source give the same dataset, byte for byte.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "libsql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, withDatabase } from "../../../src/data/database.js";
import { prepareDataset } from "../../../src/data/prepare.js";
import { readInteractions } from "../../../src/data/read.js";
import type { QueryOptions } from "../../../src/data/table-source.js";
import { postgres, useDatabase } from "../../support/postgres.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-sources-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Ids beyond 2^53, text ids with quotes, duplicates, halves as ratings, times with fractions, a missing time. */
const rows = Array.from({ length: 4_000 }, (_, n) => ({
  user: 9007199254740993n + BigInt((n * 7919) % 61),
  item: `it"em, ${(n * 104729) % 97} ü`,
  rating: ((n % 9) + 1) / 2,
  seconds: n === 17 ? null : 1_577_836_800 + n * 1000 + (n % 4) / 4,
}));
const timeText = (seconds: number) =>
  new Date(seconds * 1000).toISOString().replace("T", " ").replace("Z", "");
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const values = (time: (seconds: number) => string) =>
  rows
    .map(
      ({ user, item, rating, seconds }, n) =>
        `(${n}, ${user}, ${quoted(item)}, ${rating}, ${seconds === null ? "NULL" : time(seconds)})`,
    )
    .join(", ");
const timestamp = (seconds: number) => `TIMESTAMP ${quoted(timeText(seconds))}`;
const films = Array.from(
  { length: 97 },
  (_, n) => `(${quoted(`it"em, ${n} ü`)}, ${quoted(`Film ${n}`)}, ${1950 + n})`,
).join(", ");
const select = 'SELECT user_id, item_id, rating, "at" FROM clicks WHERE rating < 5 ORDER BY n';
const tables = `CREATE TABLE clicks AS SELECT * FROM (VALUES ${values(timestamp)}) AS v (n, user_id, item_id, rating, "at");
  CREATE TABLE films AS SELECT * FROM (VALUES ${films}) AS v (item_id, title, year)`;

async function dataset(
  name: string,
  input: string,
  asked: QueryOptions,
  items: { file: string } & QueryOptions,
) {
  const out = join(home, name);
  const manifest = await prepareDataset({
    ...{ input, columns: asked, items, out, name: "same", force: true },
    options: { minRating: 2, validationUsers: 6, testUsers: 6, heldOutMinimum: 2 },
  });
  const bytes = Object.fromEntries(
    readdirSync(out)
      .filter((file) => file.endsWith(".parquet"))
      .map((file) => [file, readFileSync(join(out, file)).toString("base64")]),
  );
  const { source, items: described, ...rest } = manifest;
  return { bytes, rest, source, described: { ...described, file: "" } };
}

const inParquet = async () => {
  const [clicks, names] = [join(home, "clicks.parquet"), join(home, "films.parquet")];
  await withDatabase(async (database) => {
    for (const statement of tables.split(";")) await database.run(statement);
    await database.copy(select, clicks);
    await database.copy("SELECT * FROM films", names);
  });
  return dataset("parquet", clicks, {}, { file: names });
};

/** Makes a DuckDB file. */
async function duckdbFile(file: string, statements: readonly string[]): Promise<void> {
  await withDatabase(async (database: Database) => {
    await database.run(`ATTACH ${quoted(file)} AS made; USE made`);
    for (const statement of statements) await database.run(statement);
    await database.run("USE memory; DETACH made");
  });
}

describe("the same rows give the same dataset as from Parquet", () => {
  it("from SQLite", async () => {
    const file = join(home, "shop.sqlite");
    const made = new Sqlite(file);
    made.exec("CREATE TABLE clicks (n INTEGER, user_id INTEGER, item_id TEXT, rating REAL, at TEXT)");
    made.exec(`INSERT INTO clicks VALUES ${values((seconds) => quoted(timeText(seconds)))}`);
    made.exec(
      `CREATE TABLE films (item_id TEXT, title TEXT, year INTEGER); INSERT INTO films VALUES ${films}`,
    );
    made.close();
    const found = await dataset("sqlite", file, { query: select }, { file, table: "films" });
    expect(found).toEqual({
      ...(await inParquet()),
      source: { name: "same", files: ["shop.sqlite"], query: select },
    });
  });

  it("from DuckDB", async () => {
    const file = join(home, "shop.duckdb");
    await duckdbFile(file, tables.split(";"));
    const found = await dataset("duckdb", file, { query: `${select};` }, { file, table: "films" });
    expect(found).toEqual({
      ...(await inParquet()),
      source: { name: "same", files: ["shop.duckdb"], query: `${select};` },
    });
  });

  describe.skipIf(postgres === undefined)("from PostgreSQL", () => {
    const database = useDatabase();
    it("with the URL, without its password, in the manifest", async () => {
      await database.query(tables);
      const url = new URL(database.url);
      url.password = "s3cr3t-word";
      const found = await dataset(
        "postgres",
        url.href,
        { query: select },
        { file: url.href, table: "films" },
      );
      const { bytes, rest, described } = await inParquet();
      expect(found.bytes).toEqual(bytes);
      expect(found.rest).toEqual(rest);
      expect(found.described).toEqual(described);
      expect(found.source).toEqual({ name: "same", files: [database.url], query: select });
      const folder = join(home, "postgres");
      for (const file of readdirSync(folder))
        expect(readFileSync(join(folder, file), "latin1"), file).not.toContain("s3cr3t");
    });
  });
});

it.each([
  [{ query: "SELECT 1" }, "clicks.csv: --query needs a database"],
  [{ table: "clicks" }, "clicks.csv: --table needs a database"],
])("a file that is not a database is refused with %j", async (asked, message) => {
  const file = join(mkdtempSync(join(tmpdir(), "foldin-query-")), "clicks.csv");
  writeFileSync(file, "user,item\n1,2\n");
  await expect(readInteractions([file], { columns: asked })).rejects.toThrow(message);
});

it("a database that is missing is reported as missing", async () => {
  await expect(readInteractions(["none.sqlite"], { columns: { table: "clicks" } })).rejects.toThrow(
    "none.sqlite: there is no such file",
  );
});

it.each([
  [{}, /this is a DuckDB database.*--table <name> or --query <select>.*Its tables: clicks, shop\.orders/],
  [{ query: "SELECT 1", table: "clicks" }, /--query and --table are both given/],
  [{ query: "  " }, /--query: the query is empty/],
  [{ table: "clicks", delimiter: ";" }, /--delimiter: has no meaning for a database/],
])("%j is refused for a DuckDB file", async (asked, message) => {
  const file = join(home, "small.duckdb");
  await duckdbFile(file, [
    "CREATE OR REPLACE TABLE clicks AS SELECT 1 AS user, 2 AS item",
    "CREATE SCHEMA IF NOT EXISTS shop",
    "CREATE OR REPLACE TABLE shop.orders AS SELECT 1 AS user, 2 AS item",
  ]);
  await expect(dataset("none", file, asked, { file, table: "clicks" })).rejects.toThrow(message);
});
