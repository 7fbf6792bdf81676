// Rows per second and peak memory of reading interactions from databases and from Parquet. Needs `npm run build`.
//
//   scripts/with-postgres.sh node bench/databases.mjs [rows]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import Sqlite from "libsql";
import pg from "pg";

const [first = "1000000", source] = process.argv.slice(2);
if (first === "--read") await read(source);
else await compare(Number(first));

async function read(source) {
  const { readInteractions } = await import("../dist/data/read.js");
  const started = performance.now();
  const columns = source.endsWith(".parquet")
    ? {}
    : { query: 'SELECT user_id, item_id, rating, "at" FROM clicks' };
  const { userOf } = await readInteractions([source], { columns });
  const seconds = (performance.now() - started) / 1000;
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `${Math.round(userOf.length / seconds)} rows/s (${seconds.toFixed(1)} s), ${megabytes} MB at most`,
  );
}

async function compare(rows) {
  const folder = mkdtempSync(join(tmpdir(), "foldin-bench-"));
  const [sqlite, duckdb, parquet] = ["clicks.sqlite", "clicks.duckdb", "clicks.parquet"].map((name) =>
    join(folder, name),
  );
  const select = (range, time) =>
    `SELECT (n * 7919) % 100003 AS user_id, (n * 104729) % 20011 AS item_id, (n % 9 + 1) / 2.0 AS rating, ${time} AS "at" FROM ${range}`;
  const made = new Sqlite(sqlite);
  made.exec("CREATE TABLE clicks (user_id INTEGER, item_id INTEGER, rating REAL, at TEXT)");
  const numbers = `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < ${rows})`;
  made.exec(`INSERT INTO clicks ${numbers} ${select("r", "datetime(1577836800 + n, 'unixepoch')")}`);
  made.close();
  const instance = await DuckDBInstance.create(duckdb);
  const connection = await instance.connect();
  const time = "TIMESTAMP '2020-01-01' + n * INTERVAL '1 second'";
  await connection.run(`CREATE TABLE clicks AS ${select(`range(1, ${rows + 1}) r(n)`, time)}`);
  await connection.run(`COPY clicks TO '${parquet}'`);
  connection.closeSync();
  instance.closeSync();
  const sources = [parquet, duckdb, sqlite];
  const server = process.env.FOLDIN_TEST_POSTGRES;
  const client = server && new pg.Client(server);
  if (client) {
    await client.connect();
    await client.query("CREATE SCHEMA foldin_bench; SET search_path = foldin_bench");
    await client.query(`CREATE TABLE clicks AS ${select(`generate_series(1::bigint, ${rows}) r(n)`, time)}`);
    sources.push(`${server}?options=-csearch_path%3Dfoldin_bench`);
  }
  try {
    for (const source of sources) {
      const { stdout, stderr } = spawnSync(process.execPath, [process.argv[1], "--read", source], {
        encoding: "utf8",
      });
      console.log(
        `${source.startsWith("postgres") ? "postgres" : source.split(".").at(-1)}: ${stdout || stderr}`.trim(),
      );
    }
  } finally {
    if (client) {
      await client.query("DROP SCHEMA foldin_bench CASCADE");
      await client.end();
    }
    rmSync(folder, { recursive: true });
  }
}
