// A database of our own on the PostgreSQL server of FOLDIN_TEST_POSTGRES (scripts/with-postgres.sh starts one).

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";

export const postgres = process.env.FOLDIN_TEST_POSTGRES;
if (!postgres) console.log("skipped: FOLDIN_TEST_POSTGRES names no PostgreSQL to test with");

/** Makes a database for the tests of a block. */
export function useDatabase() {
  const name = `foldin_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(String(postgres ?? "postgres://nowhere"));
  const admin = new pg.Client({ connectionString: url.href });
  let client: pg.Client;
  beforeAll(async () => {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    url.pathname = `/${name}`;
    client = new pg.Client({ connectionString: url.href });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  return {
    get url() {
      return url.href;
    },
    query: (sql: string) => client.query(sql),
    /** The queries of other connections to this database. */
    async running(): Promise<string[]> {
      const { rows } = await admin.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity WHERE datname = '${name}' AND application_name LIKE 'foldin%' AND state = 'active'`,
      );
      return rows.map(({ query }) => query);
    },
    /** Ends all other connections to this database, as an administrator does. */
    async cutOff() {
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND application_name LIKE 'foldin%'`,
      );
    },
  };
}
