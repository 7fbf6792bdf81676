// Histories in PostgreSQL, for several servers with a common store.

import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { UserError } from "../../core/errors.js";
import { connectionMessage } from "../../core/postgres-url.js";
import { BatchQueue } from "./batch-queue.js";
import {
  type HistoryStore,
  STORE_FORMAT,
  type StoredEvent,
  StoreError,
  type StoreTrouble,
} from "./history-store.js";
import type { StorePlace } from "./store-place.js";

/** Maximum connections, and timeouts in milliseconds for a connection, a lock and a query. */
const CONNECTIONS = 10;
const CONNECT_TIMEOUT = 5_000;
const LOCK_TIMEOUT = 3_000;
const QUERY_TIMEOUT = 5_000;
/** Maximum attempts for a transaction that conflicts with another one. */
const TRIES = 5;

const EVENTS = `CREATE TABLE IF NOT EXISTS foldin_events (
  "user" text NOT NULL, item text NOT NULL, at bigint NOT NULL, PRIMARY KEY ("user", item)
)`;
const FORMAT = "CREATE TABLE IF NOT EXISTS foldin_store (format text NOT NULL)";
const ADD = `INSERT INTO foldin_events ("user", item, at)
  SELECT $1, item, max(at) FROM unnest($2::text[], $3::bigint[]) AS given (item, at) GROUP BY item
  ON CONFLICT ("user", item) DO UPDATE SET at = greatest(foldin_events.at, excluded.at)`;
const TRIM = `DELETE FROM foldin_events WHERE "user" = $1 AND item IN
  (SELECT item FROM foldin_events WHERE "user" = $1 ORDER BY at DESC, item COLLATE "C" OFFSET $2)`;
const SELECT = `SELECT item, at FROM foldin_events WHERE "user" = $1 ORDER BY at DESC, item COLLATE "C" LIMIT $2`;
const REMOVE = `DELETE FROM foldin_events WHERE "user" = $1`;
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${LOCK_TIMEOUT}`;
/** One writer per user at a time: concurrent writers would lock the rows in different orders. */
const LOCK_USER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7026423))";
const LOCK_TABLES = "SELECT pg_advisory_xact_lock(7026423)";

type Write = { readonly events: readonly StoredEvent[]; readonly keep: number } | "remove";
type PostgresPlace = Extract<StorePlace, { kind: "postgres" }>;

/** Connects and creates missing tables. Throws UserError, without the password, if that fails. */
export async function openPostgres(
  place: PostgresPlace,
  onError?: (error: Error) => void,
): Promise<HistoryStore> {
  let pool: pg.Pool;
  try {
    pool = new pg.Pool({
      connectionString: place.url,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: QUERY_TIMEOUT,
      application_name: "foldin",
    });
  } catch (error) {
    throw unusable(place, error);
  }
  const storeError = (error: unknown) =>
    new StoreError(troubleOf(error), place.hide(connectionMessage(error)));
  // An idle connection that breaks is replaced when the next one is needed.
  pool.on("error", (error) => onError?.(storeError(error)));
  try {
    await transaction(pool, prepareTables);
  } catch (error) {
    await pool.end();
    throw unusable(place, error);
  }
  const asked = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      throw storeError(error);
    });
  const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    asked(pool.query<Row>(text, values));
  // Writers of one user are queued here, so that they wait for the writers of other servers on a single connection.
  const queues = new Map<string, BatchQueue<Write>>();
  const write = async (user: string, operation: Write): Promise<unknown> => {
    const queue =
      queues.get(user) ??
      new BatchQueue<Write>((operations) =>
        asked(transaction(pool, (client) => writeAll(client, user, operations))),
      );
    queues.set(user, queue);
    try {
      return await queue.ask(operation);
    } finally {
      void queue.idle().then(() => {
        if (queues.get(user) === queue) queues.delete(user);
      });
    }
  };
  return {
    kind: "postgres",
    async add(user, events, keep) {
      await write(user, { events, keep });
    },
    async history(user, most) {
      const { rows } = await query<{ item: string; at: string }>(SELECT, [user, most]);
      return rows.map(({ item, at }): StoredEvent => ({ item, at: Number(at) })).reverse();
    },
    async remove(user) {
      return Number(await write(user, "remove"));
    },
    async check() {
      await query("SELECT 1 FROM foldin_events LIMIT 1");
    },
    async close() {
      await Promise.all(Array.from(queues.values(), (queue) => queue.idle()));
      await pool.end();
    },
  };
}

/** Does the writes of one user in order; consecutive additions are combined. */
async function writeAll(
  client: pg.PoolClient,
  user: string,
  operations: readonly Write[],
): Promise<unknown[]> {
  await client.query(LOCK_USER, [user]);
  const results: unknown[] = [];
  let events: StoredEvent[] = [];
  for (const [place, operation] of operations.entries()) {
    if (operation === "remove") {
      results.push((await client.query(REMOVE, [user])).rowCount ?? 0);
      continue;
    }
    events.push(...operation.events);
    results.push(undefined);
    const next = operations[place + 1];
    if (next !== undefined && next !== "remove" && next.keep === operation.keep) continue;
    await client.query(ADD, [user, events.map(({ item }) => item), events.map(({ at }) => at)]);
    await client.query(TRIM, [user, operation.keep]);
    events = [];
  }
  return results;
}

/**
 * Does the work in a transaction and retries it after a serialisation failure or a deadlock. A connection that cannot be
 * rolled back is not reused.
 */
async function transaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query(BEGIN);
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    } catch (error) {
      const yielded = ["40001", "40P01"].includes(codeOf(error));
      await client.query("ROLLBACK").catch((cause: Error) => {
        broken = cause;
      });
      if (!yielded || tries === TRIES) throw error;
    } finally {
      client.release(broken);
    }
    await wait(2 ** tries * 5 * (1 + Math.random()));
  }
}

/** The first of several servers creates the tables. A database user without the CREATE privilege can use existing tables. */
async function prepareTables(client: pg.PoolClient): Promise<void> {
  await client.query(LOCK_TABLES);
  const { rows: there } = await client.query<{ events: string | null; store: string | null; may: boolean }>(
    `SELECT to_regclass('foldin_events') AS events, to_regclass('foldin_store') AS store,
       has_schema_privilege(current_schema(), 'CREATE') AS may`,
  );
  if (there[0].store !== null) {
    const { rows } = await client.query<{ format: string }>(
      "SELECT format::text AS format FROM foldin_store",
    );
    const other = rows.find(({ format }) => format !== String(STORE_FORMAT));
    if (other && Number(other.format) > STORE_FORMAT)
      throw new Error(
        `the store has format ${other.format}, newer than this version of foldin supports (${STORE_FORMAT})`,
      );
    if (other) throw new Error(`the store has the unknown format "${other.format}"`);
    if (rows.length > 0 && there[0].events !== null) return;
  }
  if (there[0].events !== null && !there[0].may) return;
  await client.query(EVENTS);
  await client.query(FORMAT);
  await client.query(
    `INSERT INTO foldin_store (format) SELECT '${STORE_FORMAT}' WHERE NOT EXISTS (SELECT FROM foldin_store)`,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** By SQLSTATE (appendix A of PostgreSQL's documentation). Errors without one did not come from the database. */
function troubleOf(error: unknown): StoreTrouble {
  const code = codeOf(error);
  // The messages of pg for connection and query timeouts.
  if (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Query read timeout/.test(error.message)
  )
    return "busy";
  if (code === "53100") return "full";
  if (code === "42P01" || code === "3D000") return "gone";
  // Serialisation failures, deadlocks, lock timeouts, too many connections, cancelled statements.
  return /^(40001|40P01|55P03|53300|57014)$/.test(code) ? "busy" : "failed";
}

function unusable({ shown, hide }: PostgresPlace, error: unknown): UserError {
  return new UserError({
    place: `--store ${shown}`,
    problem: `PostgreSQL cannot be used: ${hide(connectionMessage(error))}`,
    expected: "postgres://user:password@host:port/database",
  });
}
