// Histories in PostgreSQL, for servers that share them.

import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { UserError } from "../../core/errors.js";
import {
  type HistoryStore,
  STORE_FORMAT,
  type StoredEvent,
  StoreError,
  type StoreTrouble,
} from "./history-store.js";
import { Line } from "./line.js";
import type { StorePlace } from "./store-place.js";

/** Connections at a time, and milliseconds to wait for one, for a lock, and for an answer. */
const CONNECTIONS = 10;
const CONNECT_TIMEOUT = 5_000;
const LOCK_TIMEOUT = 3_000;
const QUERY_TIMEOUT = 5_000;
/** How often a transaction that had to yield to another one is tried. */
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
/** One writer of a user at a time: what several of them lock, they would lock in different orders. */
const LOCK_USER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7026423))";
const LOCK_TABLES = "SELECT pg_advisory_xact_lock(7026423)";

type Write = { readonly events: readonly StoredEvent[]; readonly keep: number } | "remove";
type PostgresPlace = Extract<StorePlace, { kind: "postgres" }>;

/** Connects, and makes the tables where they are missing. Throws UserError, without the password, where that fails. */
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
  const told = (error: unknown) => new StoreError(troubleOf(error), place.hide(messageOf(error)));
  // A connection that breaks while nobody uses it is replaced when it is needed.
  pool.on("error", (error) => onError?.(told(error)));
  try {
    await transaction(pool, prepareTables);
  } catch (error) {
    await pool.end();
    throw unusable(place, error);
  }
  const asked = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      throw told(error);
    });
  const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    asked(pool.query<Row>(text, values));
  // Writers of one user stand in line here, and wait for the other servers' on one connection.
  const lines = new Map<string, Line<Write>>();
  const write = async (user: string, operation: Write): Promise<unknown> => {
    const line =
      lines.get(user) ??
      new Line<Write>((operations) =>
        asked(transaction(pool, (client) => writeAll(client, user, operations))),
      );
    lines.set(user, line);
    try {
      return await line.ask(operation);
    } finally {
      void line.idle().then(() => {
        if (lines.get(user) === line) lines.delete(user);
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
      await Promise.all(Array.from(lines.values(), (line) => line.idle()));
      await pool.end();
    },
  };
}

/** What is written of one user, one after the other; additions that follow each other are one. */
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
 * Does the work in a transaction, and does it again where the database ended it in favour of another one. A connection on
 * which anything went wrong is not used again.
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

/** The tables are made by the first of several servers; a user who may not create tables can use those that exist. */
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
        `the store has format ${other.format}, newer than this foldin understands (${STORE_FORMAT})`,
      );
    if (other) throw new Error(`the store's format is "${other.format}", which is not one of foldin's`);
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

/** By SQLSTATE (appendix A of PostgreSQL's documentation); what has none never reached the database. */
function troubleOf(error: unknown): StoreTrouble {
  const code = codeOf(error);
  // pg's own words for a connection, or an answer, that did not come in time.
  if (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Query read timeout/.test(error.message)
  )
    return "busy";
  if (code === "53100") return "full";
  if (code === "42P01" || code === "3D000") return "gone";
  // Serialization failures and deadlocks, locks that were not got in time, too many connections, cancelled statements.
  return /^(40001|40P01|55P03|53300|57014)$/.test(code) ? "busy" : "failed";
}

/** An attempt to connect to several addresses has a reason for each, and none of its own. */
function messageOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}

function unusable({ shown, hide }: PostgresPlace, error: unknown): UserError {
  return new UserError({
    place: `--store ${shown}`,
    problem: `PostgreSQL cannot be used: ${hide(messageOf(error))}`,
    expected: "postgres://user:password@host:port/database",
  });
}
