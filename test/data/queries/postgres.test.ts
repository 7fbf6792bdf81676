import { createServer } from "node:net";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { AbortedError } from "../../../src/core/errors.js";
import type { ReadOptions } from "../../../src/data/columns.js";
import { readItems } from "../../../src/data/items.js";
import { readInteractions } from "../../../src/data/read.js";
import { messageOf } from "../../support/message-of.js";
import { postgres, useDatabase } from "../../support/postgres.js";

describe.skipIf(postgres === undefined)("a query of PostgreSQL", () => {
  const database = useDatabase();
  const read = (columns: ReadOptions, url = database.url) => readInteractions([url], { columns });
  /** The ids of users of a query. */
  const usersOf = async (expression: string) =>
    (await read({ query: `SELECT ${expression} AS user, 1 AS item` })).users.ids;

  it.each([
    ["9223372036854775807::bigint", "9223372036854775807"],
    ["(-5)::smallint", "-5"],
    ["123456789012345678901234567890::numeric", "123456789012345678901234567890"],
    ["7.00::numeric(5,2)", "7"],
    ["1e3::float8", "1000"],
    ["' padded '::text", " padded "],
    ["'007'::text", "007"],
    ["'ab'::char(5)", "ab"],
    ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    ["'it''s \"quoted\", with\nlines'::varchar", 'it\'s "quoted", with\nlines'],
    ["convert_to('grün', 'UTF8')", "grün"],
    ["'192.168.0.1'::inet", "192.168.0.1"],
  ])("reads the id %s exactly", async (expression, id) => {
    expect(await usersOf(expression)).toEqual([id]);
  });

  it.each([
    ["1.5::numeric", /row 1: the column "user" holds the number 1\.5 \(expected text or a whole number\)/],
    ["0.5::float4", /the column "user" holds the number 0\.5/],
    ["ARRAY[1, 2]", /the column "user" holds lists: integer\[\].*one row per user and item/],
    [`'{"a": 1}'::jsonb`, /the column "user" holds objects: jsonb/],
    ["ROW(1, 2)", /the column "user" holds objects: record/],
    ["true", /the column "user" holds booleans: boolean/],
    ["'1 day'::interval", /the column "user" holds durations: interval/],
    ["int4range(1, 2)", /the column "user" holds ranges: int4range/],
    ["'\\xff00'::bytea", /row 1: the column "user" holds binary data/],
    ["NULL::int", /there is no value in the column "user"/],
    ["''::text", /there is no value in the column "user"/],
  ])("refuses the id %s", async (expression, message) => {
    expect(await messageOf(usersOf(expression))).toMatch(message);
  });

  it.each([
    ["timestamptz '2024-03-01 12:00:00.25+02'", Date.UTC(2024, 2, 1, 10) / 1000 + 0.25],
    ["timestamp '2024-03-01 12:00:00'", Date.UTC(2024, 2, 1, 12) / 1000],
    ["date '2024-03-01'", Date.UTC(2024, 2, 1) / 1000],
    ["1709287200::bigint", 1709287200],
    ["1709287200.5::numeric", 1709287200.5],
    ["'2024-03-01T12:00:00+02:00'::text", Date.UTC(2024, 2, 1, 10) / 1000],
  ])("reads the time %s", async (expression, seconds) => {
    // Neither the server's time zone nor its notation of dates matters.
    await database.query(
      "ALTER ROLE CURRENT_USER SET TimeZone = 'Asia/Tokyo'; ALTER ROLE CURRENT_USER SET DateStyle = 'German'",
    );
    try {
      const { timeOf } = await read({ query: `SELECT 1 AS user, 2 AS item, ${expression} AS at` });
      expect([...(timeOf ?? [])]).toEqual([seconds]);
    } finally {
      await database.query("ALTER ROLE CURRENT_USER RESET ALL");
    }
  });

  it("counts a missing time and refuses an infinite one", async () => {
    const times = (last: string) => `SELECT n AS user, 2 AS item, ${last} AS at FROM generate_series(1, 2) n`;
    const { timeOf } = await read({ query: times("CASE WHEN n = 1 THEN now() END") });
    expect(timeOf?.[1]).toBeNaN();
    expect(await messageOf(read({ query: times("CASE WHEN n = 2 THEN 'infinity'::timestamp END") }))).toMatch(
      /row 2: the column "at" holds "infinity"/,
    );
  });

  it.each([
    ["real", "3.1", 2],
    ["numeric", "3.1", 2],
    ["float8", "3.1", 2],
    ["int", "4", 1],
  ])("keeps ratings of the type %s from the minimum on", async (type, minimum, kept) => {
    const query = `SELECT n AS user, 1 AS item, (CASE n WHEN 1 THEN 3.1 WHEN 2 THEN 5 ELSE 1 END)::${type} AS rating FROM generate_series(1, 3) n`;
    const found = await readInteractions([database.url], { columns: { query }, minRating: Number(minimum) });
    expect(found.userOf.length).toBe(kept);
  });

  it.each(["'four'", "NULL", "'NaN'::float8", "ARRAY[1]"])("refuses the rating %s", async (value) => {
    expect(await messageOf(read({ query: `SELECT 1 AS user, 1 AS item, ${value} AS rating` }))).toMatch(
      /row 1: .*(not a number|no value in the column "rating")/,
    );
  });

  it("names the place in the query, also after characters outside the basic plane", async () => {
    await database.query("CREATE TABLE IF NOT EXISTS clicks (user_id int, item_id int)");
    const fails = async (query: string) => messageOf(read({ query }));
    expect(await fails("SELECT user_id,\n  item_id FORM clicks")).toMatch(
      /fails at line 2, column 16: syntax error/,
    );
    expect(await fails("SELECT '😀', usr_id FROM clicks")).toMatch(
      /fails at line 1, column 14: column "usr_id" does not exist\. Perhaps you meant .*clicks\.user_id/,
    );
    expect(await fails("SELECT 1 FROM klicks")).toMatch(
      /relation "klicks" does not exist\. Did you mean "clicks"\?/,
    );
    expect(await fails("SELECT 1; DROP TABLE clicks")).toMatch(/more than one statement/);
    expect(await fails("DELETE FROM clicks RETURNING user_id")).toMatch(/line 1, column 1: syntax error/);
    expect(await fails("SELECT user_id, item_id FROM clicks")).toMatch(/the query has no rows/);
    expect(await fails("SELECT 1 AS user, 2 AS user")).toMatch(/several columns named "user"/);
    expect(await fails("SELECT 5 / (500 - n) AS user, 1 AS item FROM generate_series(1, 600) n")).toMatch(
      /the query fails after \d+ rows: division by zero/,
    );
  });

  it("cannot change the database", async () => {
    await database.query("CREATE SEQUENCE IF NOT EXISTS counter");
    expect(await messageOf(read({ query: "SELECT nextval('counter') AS user, 1 AS item" }))).toMatch(
      /cannot execute nextval\(\) in a read-only transaction/,
    );
  });

  it("finds tables by their names, with a schema where it is needed", async () => {
    await database.query(
      `CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE IF NOT EXISTS shop."Film Clicks" AS SELECT 5 AS user, 6 AS item`,
    );
    for (const table of ["Film Clicks", "shop.Film Clicks"])
      expect((await read({ table })).users.ids).toEqual(["5"]);
    expect(await messageOf(read({ table: "film clicks" }))).toMatch(
      /no table "film clicks"\. Did you mean "shop\.Film Clicks"\?/,
    );
  });

  it("reads a result of many blocks in the order of the query, large ids and all", async () => {
    const query = "SELECT n + 5000000000 AS user, n % 7 AS item FROM generate_series(50000, 1, -1) n";
    const { users, userOf } = await read({ query });
    expect(userOf.length).toBe(50_000);
    expect([users.ids[userOf[0]], users.ids[userOf[49_999]]]).toEqual(["5000050000", "5000000001"]);
  });

  it("reads titles of items, with dates as in a Parquet file", async () => {
    const query = "SELECT 1 AS item_id, 'Alien' AS title, date '1979-05-25' AS released, true AS good";
    const { byId, columns } = await readItems({ file: database.url, query });
    expect([columns, byId.get("1")]).toEqual([
      ["title", "released", "good"],
      ["Alien", "1979-05-25", "true"],
    ]);
  });

  it("is cancelled on the server when the reading is stopped", { timeout: 30_000 }, async () => {
    const stop = new AbortController();
    const work = readInteractions([database.url], {
      columns: { query: "SELECT 1 AS user, 1 AS item, pg_sleep(60)::text AS rating" },
      signal: stop.signal,
    });
    await expect.poll(database.running).toEqual([expect.stringContaining("FETCH")]);
    stop.abort();
    await expect(work).rejects.toBeInstanceOf(AbortedError);
    await expect.poll(database.running).toEqual([]);
  });

  it("reports a connection that is lost in the middle", async () => {
    const work = readInteractions([database.url], {
      columns: {
        query:
          "SELECT n AS user, 1 AS item, CASE WHEN n > 150 THEN pg_sleep(0.5)::text ELSE '1' END AS rating FROM generate_series(1, 500) n",
      },
    });
    const message = messageOf(work);
    await expect.poll(database.running).toEqual([expect.stringContaining("FETCH")]);
    await database.cutOff();
    expect(await message).toMatch(/the connection was lost after \d+ rows.*Nothing was written/);
    expect(await database.running()).toEqual([]);
  });

  it("refuses a URL without a database, a missing database, and SSL where the server has none", async () => {
    const at = (path: string) => new URL(path, database.url).href;
    expect(await messageOf(read({ query: "SELECT 1" }, at("/")))).toMatch(/the URL names no database/);
    expect(await messageOf(read({ query: "SELECT 1" }, at("/nowhere")))).toMatch(
      /there is no database "nowhere"/,
    );
    expect(await messageOf(read({ query: "SELECT 1" }, `${database.url}?sslmode=require`))).toMatch(
      /the server does not support SSL/,
    );
  });
});

describe("a server that cannot be used", () => {
  const everything = (error: unknown) =>
    `${inspect(error, { depth: 10, showHidden: true })} ${(error as Error).stack}`;
  const reading = (url: string) => readInteractions([url], { columns: { query: "SELECT 1" } });

  it.each([
    ["postgres://me:hush-hush@127.0.0.1:9/none", /the server cannot be reached: connect ECONNREFUSED/],
    [
      "postgres://me:hush-hush@nowhere.invalid/none",
      /the server cannot be reached: getaddrinfo (ENOTFOUND|EAI_AGAIN)/,
    ],
    ["postgres://me:hush/hush@127.0.0.1:9/none", /malformed.*%2F for \//],
    ["postgres:/me:hush-hush@127.0.0.1:9/none", /malformed/],
    ["postgres://me:hush-hush@127.0.0.1:9", /the URL names no database/],
    ["postgres://127.0.0.1:9/none?password=hush-hush", /cannot be reached/],
    ["mysql://me:hush-hush@127.0.0.1/none", /mysql:\/\/ databases are not supported/],
  ])("is reported in one line, without the password in %s", async (url, message) => {
    const error = await reading(url).catch((error: unknown) => error);
    expect(await messageOf(Promise.reject(error))).toMatch(message);
    expect(everything(error)).not.toMatch(/hush/);
  });

  it.each([
    ["28P01", 'password authentication failed for user "me"', /refuses the login: .*PGPASSWORD/],
    ["53300", "sorry, too many clients already", /no free connection/],
  ])("is reported for the state %s", async (state, text, message) => {
    // The error message of PostgreSQL's protocol: E, length, then fields of a letter and text.
    const fields = Buffer.from(`SFATAL\0C${state}\0M${text}\0\0`);
    const answer = Buffer.alloc(5 + fields.length);
    answer.write("E");
    answer.writeInt32BE(4 + fields.length, 1);
    fields.copy(answer, 5);
    const server = createServer((socket) => socket.once("data", () => socket.end(answer)));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as { port: number };
    expect(await messageOf(reading(`postgres://me:hush-hush@127.0.0.1:${port}/shop`))).toMatch(message);
    server.close();
  });
});
