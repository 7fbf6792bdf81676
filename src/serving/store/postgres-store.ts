// Histories in PostgreSQL, for servers that share them.

import pg from "pg";
import { UserError } from "../../core/errors.js";
import type { HistoryStore, StoredEvent } from "./history-store.js";

/** Connections at a time, and milliseconds to wait for one, and for an answer. */
const CONNECTIONS = 10;
const CONNECT_TIMEOUT = 5_000;
const QUERY_TIMEOUT = 10_000;

const TABLE = `CREATE TABLE IF NOT EXISTS foldin_events (
  "user" text NOT NULL, item text NOT NULL, at bigint NOT NULL, PRIMARY KEY ("user", item)
)`;
// Rows come in one order from everybody, so that two writers of one user cannot block each other for good.
const ADD = `INSERT INTO foldin_events ("user", item, at)
  SELECT $1, item, max(at) FROM unnest($2::text[], $3::bigint[]) AS given (item, at) GROUP BY item ORDER BY item
  ON CONFLICT ("user", item) DO UPDATE SET at = greatest(foldin_events.at, excluded.at)`;
const TRIM = `DELETE FROM foldin_events WHERE "user" = $1 AND item IN
  (SELECT item FROM foldin_events WHERE "user" = $1 ORDER BY at DESC, item COLLATE "C" OFFSET $2)`;
const SELECT = `SELECT item, at FROM foldin_events WHERE "user" = $1 ORDER BY at DESC, item COLLATE "C" LIMIT $2`;

/** Connects, and makes the table where it is missing. Throws UserError, without the password, where that fails. */
export async function openPostgres(url: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  let pool: pg.Pool;
  try {
    pool = new pg.Pool({
      connectionString: url,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: QUERY_TIMEOUT,
      application_name: "foldin",
    });
  } catch (cause) {
    throw unusable(url, cause);
  }
  // A connection that breaks while nobody uses it is replaced when it is needed.
  pool.on("error", (error) => onError?.(error));
  try {
    await createTable(pool);
  } catch (cause) {
    await pool.end();
    throw unusable(url, cause);
  }
  return {
    kind: "postgres",
    async add(user, events, keep) {
      await pool.query(ADD, [user, events.map(({ item }) => item), events.map(({ at }) => at)]);
      await pool.query(TRIM, [user, keep]);
    },
    async history(user, most) {
      const { rows } = await pool.query<{ item: string; at: string }>(SELECT, [user, most]);
      return rows.map(({ item, at }): StoredEvent => ({ item, at: Number(at) })).reverse();
    },
    async remove(user) {
      const { rowCount } = await pool.query(`DELETE FROM foldin_events WHERE "user" = $1`, [user]);
      return rowCount ?? 0;
    },
    async check() {
      await pool.query("SELECT 1");
    },
    close: () => pool.end(),
  };
}

/** Two servers that start together may both find the table missing: the second try then sees it. */
async function createTable(pool: pg.Pool): Promise<void> {
  await pool.query(TABLE).catch(() => pool.query(TABLE));
}

function unusable(url: string, cause: unknown): UserError {
  const shown = URL.canParse(url) ? new URL(url) : undefined;
  if (shown) shown.password = "";
  const problem = cause instanceof AggregateError ? cause.errors[0] : cause;
  return new UserError({
    place: `--store ${shown?.href ?? "postgres://..."}`,
    problem: `PostgreSQL cannot be used: ${problem instanceof Error ? problem.message : String(problem)}`,
    expected: "postgres://user:password@host:port/database",
    cause,
  });
}
