import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReadOptions } from "../../../src/data/columns.js";
import { withDatabase } from "../../../src/data/database.js";
import { readInteractions } from "../../../src/data/read.js";
import { messageOf } from "../../support/message-of.js";

let home: string;
let file: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "foldin-duckdb-"));
  file = join(home, "it's a shop.duckdb");
  await withDatabase(async (database) => {
    await database.run(`ATTACH '${file.replaceAll("'", "''")}' AS made; USE made`);
    await database.run(
      "CREATE TABLE clicks AS SELECT 9007199254740993 AS user_id, 'a' AS item_id, TIMESTAMPTZ '2024-03-01 12:00:00+02' AS \"at\", [1] AS tags",
    );
    await database.run("USE memory; DETACH made");
  });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const read = (columns: ReadOptions, path = file) => readInteractions([path], { columns });

describe("a query of a DuckDB file", () => {
  it("keeps all digits of ids, and reads times", async () => {
    const { users, timeOf } = await read({ table: "main.clicks" });
    expect(users.ids).toEqual(["9007199254740993"]);
    expect([...(timeOf ?? [])]).toEqual([Date.UTC(2024, 2, 1, 10) / 1000]);
  });

  it.each([
    ["SELECT user_id\nFORM clicks", /fails at line 2, column 6: syntax error at or near "clicks"/],
    [
      "SELECT user_id,\n  item_id FROM klicks",
      /fails at line 2, column 16: Table with name klicks does not exist\. Did you mean "clicks"\?/,
    ],
    [
      "SELECT usr_id FROM clicks",
      /fails at line 1, column 8: .*"usr_id" not found.*Similar columns: "user_id"/,
    ],
    ["SELECT 1; DROP TABLE clicks", /more than one statement/],
    ["DELETE FROM clicks", /the statement is not a SELECT/],
    ["SELECT * FROM clicks WHERE false", /the query has no rows/],
    ["SELECT 1 AS user, 2 AS user", /several columns named "user"/],
    [
      "SELECT n + 0.5 AS user, 1 AS item FROM range(3) r(n)",
      /row 1: the column "user" holds the number 0\.5/,
    ],
    ["SELECT tags AS user, 1 AS item FROM clicks", /the column "user" holds lists: INTEGER\[\]/],
    [
      "SELECT error('no: ' || user_id) AS user, 1 AS item FROM clicks",
      /the query fails: no: 9007199254740993/,
    ],
  ])("refuses %s", async (query, message) => {
    expect(await messageOf(read({ query }))).toMatch(message);
    expect(
      (await read({ query: "SELECT 1 AS user, count(*) AS item FROM clicks -- a comment" })).items.ids,
    ).toEqual(["1"]);
  });

  it("reads a result in the order of the query", async () => {
    const query = "SELECT n AS user, n % 7 AS item FROM range(200000) r(n) ORDER BY n DESC";
    const { userOf } = await read({ query });
    expect(userOf.every((user, row) => user === 199_999 - row)).toBe(true);
  });

  it("is not read while another program writes to it", { timeout: 30_000 }, async () => {
    const script = `import { DuckDBInstance } from "@duckdb/node-api";
      await DuckDBInstance.create(process.argv[1]); console.log("open"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      expect(await messageOf(read({ table: "clicks" }))).toMatch(
        /the database is locked by another program: .*\(PID \d+\)\. Close that program/,
      );
    } finally {
      child.kill();
      await once(child, "close");
    }
  });

  it("is reported if it is damaged", async () => {
    const noise = join(home, "noise.duckdb");
    writeFileSync(noise, `12345678DUCK${"x".repeat(20_000)}`);
    expect(await messageOf(read({ table: "clicks" }, noise))).toMatch(
      /the DuckDB database cannot be opened: /,
    );
  });
});
