import { chmodSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "libsql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReadOptions } from "../../../src/data/columns.js";
import { readInteractions } from "../../../src/data/read.js";
import { messageOf } from "../../support/message-of.js";

let home: string;
let file: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-sqlite-"));
  file = join(home, "shop ü#?.sqlite");
  make(file);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function make(path: string, mode = "DELETE"): void {
  const database = new Sqlite(path);
  database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE clicks (user_id INTEGER, item_id TEXT, at);
    INSERT INTO clicks VALUES (9007199254740993, 'a', '2024-03-01 12:00:00'), (2, 'b', NULL)`);
  database.close();
}
const read = (columns: ReadOptions, path = file) => readInteractions([path], { columns });

describe("a query of a SQLite file", () => {
  it("keeps all digits of ids, and reads dates and missing times", async () => {
    const { users, timeOf } = await read({ table: "clicks" });
    expect(users.ids).toEqual(["2", "9007199254740993"].sort());
    expect([...(timeOf ?? [])]).toEqual([Date.UTC(2024, 2, 1, 12) / 1000, Number.NaN]);
  });

  it.each([
    ["5.0", "5"],
    ["'007'", "007"],
    ["x'61c3bc'", "aü"],
    ["1e15", "1000000000000000"],
    ["-9223372036854775808", "-9223372036854775808"],
  ])("reads the id %s by the type of the value", async (value, id) => {
    expect((await read({ query: `SELECT ${value} AS user, 1 AS item` })).users.ids).toEqual([id]);
  });

  it.each([
    ["0.5", /row 1: the column "user" holds the number 0\.5/],
    ["x'ff'", /row 1: the column "user" holds binary data/],
    ["NULL", /there is no value in the column "user"/],
  ])("refuses the id %s", async (value, message) => {
    expect(await messageOf(read({ query: `SELECT ${value} AS user, 1 AS item` }))).toMatch(message);
  });

  it.each([
    ["SELECT user_id FORM clicks", /fails at line 1, column 21: near "clicks": syntax error/],
    [
      "SELECT user_id\nFROM klicks",
      /fails at line 2, column 6: no such table: klicks\. Did you mean "clicks"\?/,
    ],
    ["SELECT usr_id FROM clicks", /fails at line 1, column 8: no such column: usr_id/],
    ["SELECT 1; DROP TABLE clicks", /more than one statement/],
    ["DELETE FROM clicks", /the statement is not a SELECT/],
    ["SELECT * FROM clicks WHERE 0", /the query has no rows/],
    ["SELECT 1 AS user, 2 AS user", /several columns named "user"/],
  ])("refuses %s", async (query, message) => {
    expect(await messageOf(read({ query }))).toMatch(message);
    expect(
      (await read({ query: "SELECT 1 AS user, count(*) AS item FROM clicks -- a comment" })).items.ids,
    ).toEqual(["2"]);
  });

  it("reads all rows of a large result in their order", async () => {
    const query =
      "WITH RECURSIVE c(n) AS (SELECT 12345 UNION ALL SELECT n - 1 FROM c WHERE n > 1) SELECT n AS user, n % 7 AS item FROM c";
    const { users, userOf } = await read({ query });
    expect(Array.from(userOf, (user) => users.ids[user])).toEqual(
      Array.from({ length: 12345 }, (_, n) => String(12345 - n)),
    );
  });

  it("does not wait forever for a program that writes", { timeout: 30_000 }, async () => {
    const writer = new Sqlite(file);
    writer.exec("BEGIN EXCLUSIVE");
    try {
      expect(await messageOf(read({ table: "clicks" }))).toMatch(/the database is locked by another program/);
    } finally {
      writer.exec("ROLLBACK");
      writer.close();
    }
  });

  it("reports damaged files", async () => {
    const cut = join(home, "cut.sqlite");
    make(cut);
    truncateSync(cut, 4096);
    expect(await messageOf(read({ table: "clicks" }, cut))).toMatch(/damaged or encrypted/);
    const noise = join(home, "noise.sqlite");
    writeFileSync(noise, `SQLite format 3\0${"x".repeat(5000)}`);
    expect(await messageOf(read({ table: "clicks" }, noise))).toMatch(/damaged or encrypted/);
  });

  it("reads a file in WAL mode in a folder that cannot be written", async () => {
    const folder = mkdtempSync(join(home, "read-only-"));
    const logged = join(folder, "logged.sqlite");
    make(logged, "WAL");
    chmodSync(folder, 0o555);
    try {
      expect((await read({ table: "clicks" }, logged)).users.ids.length).toBe(2);
      // The superuser may write everywhere.
      if (process.getuid?.() !== 0) expect(existsSync(`${logged}-shm`)).toBe(false);
    } finally {
      chmodSync(folder, 0o755);
    }
  });
});
