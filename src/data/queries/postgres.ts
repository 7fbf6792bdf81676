// Streams a query of PostgreSQL with a server-side cursor, in a read-only transaction: neither side holds the whole result.
// Values arrive as text in notations that do not depend on the settings of the server.

import pg from "pg";
import { AbortedError, UserError } from "../../core/errors.js";
import { connectionMessage, type PostgresUrl } from "../../core/postgres-url.js";
import { trimEnd } from "../../core/trim-end.js";
import { version } from "../../core/version.js";
import { identifier } from "../database.js";
import { wholeNumber } from "../tables/json-values.js";
import { idExpected } from "../tables/typed-columns.js";
import {
  type Asked,
  bytesAsText,
  CellFault,
  findTable,
  nearest,
  nothingAsked,
  type Query,
  type QueryColumn,
  type TableName,
  withoutSemicolon,
  wrongQuery,
} from "./query.js";

/** Milliseconds to wait for a connection, and for a query to be cancelled. */
const CONNECT_TIMEOUT = 10_000;
const CANCEL_TIMEOUT = 3_000;
/** Rows that are fetched to find the columns, and values that are fetched at once. */
const HEAD_ROWS = 100;
const FETCHED_VALUES = 40_000;

const BEGIN =
  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; " +
  "SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL statement_timeout = 0; " +
  // The whole result is read, not only its first rows; and a table is read from its beginning, so that the order is the same
  // in every reading as long as the table is.
  "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL synchronize_seqscans = off";
const DECLARE = "DECLARE foldin_rows NO SCROLL CURSOR FOR ";
const TABLES = `SELECT n.nspname AS schema, c.relname AS name, pg_table_is_visible(c.oid) AS visible
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  ORDER BY NOT pg_table_is_visible(c.oid), 1, 2 LIMIT 10000`;
const TYPES = `SELECT t.oid::int8::text AS oid, t.typname AS name, t.typtype AS kind, t.typcategory AS category,
  format_type(t.oid, NULL) AS shown FROM pg_type t WHERE t.oid = ANY($1::oid[])`;

interface Type {
  readonly name: string;
  readonly kind: string;
  readonly category: string;
  readonly shown: string;
}

type Text = string | null;
type Row = readonly Text[];

export interface PostgresOptions {
  readonly prefix?: string;
  readonly signal?: AbortSignal;
  /** Registers a cleanup that runs when the query is no longer needed. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/**
 * Opens a query. Throws UserError, without the password, if the server cannot be reached or refuses the connection or the
 * query; the message says where in the query.
 */
export async function openPostgres(
  url: PostgresUrl,
  asked: Asked | undefined,
  { prefix = "", signal, onClose }: PostgresOptions,
): Promise<Query<Text>> {
  const connection = await Connection.open(url, signal);
  onClose(() => connection.close());
  const { shown } = url;
  if (asked === undefined)
    throw nothingAsked(shown, "a PostgreSQL database", prefix, await connection.tables());
  const query = "query" in asked ? withoutSemicolon(asked.query) : await connection.select(asked.table);
  let { fields, rows: head } = await connection.declare(query);
  const columns = await connection.columns(fields);
  const size = Math.max(1, Math.floor(FETCHED_VALUES / columns.length));
  let isUsed = false;
  return {
    shown,
    columns,
    head,
    async *rows() {
      // The cursor is read once. Another reading sees the same rows, because it is in the same transaction.
      if (isUsed) ({ fields, rows: head } = await connection.declare(query, true));
      isUsed = true;
      yield head;
      let read = head.length;
      let next = connection.fetch(size, read);
      for (;;) {
        const rows = await next;
        if (rows.length === 0) return;
        read += rows.length;
        // The server prepares the next rows while these are stored.
        next = connection.fetch(size, read);
        next.catch(() => {});
        yield rows;
      }
    },
    text: textOf,
  };
}

class Connection {
  readonly #client: pg.Client;
  readonly #url: PostgresUrl;
  readonly #signal: AbortSignal | undefined;
  readonly #stop = () => void this.#cancel();
  #process = 0;

  private constructor(client: pg.Client, url: PostgresUrl, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#url = url;
    this.#signal = signal;
  }

  static async open(url: PostgresUrl, signal: AbortSignal | undefined): Promise<Connection> {
    if (url.database === undefined && !process.env.PGDATABASE)
      throw new UserError({
        place: url.shown,
        problem: "the URL names no database",
        expected: "postgres://user@host:port/database",
      });
    let connection: Connection;
    try {
      connection = new Connection(clientOf(url), url, signal);
      // Otherwise a connection that breaks between two queries would end the process.
      connection.#client.on("error", () => {});
      await connection.#client.connect();
    } catch (error) {
      throw refusedConnection(url, error);
    }
    signal?.addEventListener("abort", connection.#stop, { once: true });
    try {
      await connection.#client.query(BEGIN);
      const { rows } = await connection.#client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      connection.#process = rows[0].pid;
      return connection;
    } catch (error) {
      await connection.close();
      throw refusedConnection(url, error);
    }
  }

  /** The tables and views of the database; none if they cannot be listed. */
  async tables(): Promise<TableName[]> {
    const { rows } = await this.#client.query<TableName>(TABLES).catch(() => ({ rows: [] }));
    return rows;
  }

  /** The query of all rows of a table. */
  async select(table: string): Promise<string> {
    const { schema, name } = findTable(this.#url.shown, table, await this.tables());
    return `SELECT * FROM ${schema === undefined ? "" : `${identifier(schema)}.`}${identifier(name)}`;
  }

  /** Opens the cursor and fetches its first rows. */
  async declare(query: string, again = false): Promise<{ fields: pg.FieldDef[]; rows: readonly Row[] }> {
    try {
      if (again) await this.#client.query("CLOSE foldin_rows");
      await this.#client.query(extended(DECLARE + query));
      return await this.#client.query<Text[]>({
        ...extended(`FETCH ${HEAD_ROWS} FROM foldin_rows`),
        ...asText,
      });
    } catch (error) {
      throw await this.#failed(error, query, 0);
    }
  }

  /** The next rows; `read`: the number of rows fetched so far. */
  async fetch(rows: number, read: number): Promise<readonly Row[]> {
    try {
      return (await this.#client.query<Text[]>({ ...extended(`FETCH ${rows} FROM foldin_rows`), ...asText }))
        .rows;
    } catch (error) {
      throw await this.#failed(error, "", read);
    }
  }

  async columns(fields: readonly pg.FieldDef[]): Promise<QueryColumn[]> {
    const ids = [...new Set(fields.map(({ dataTypeID }) => dataTypeID))];
    try {
      const { rows } = await this.#client.query<Type & { oid: string }>(TYPES, [ids]);
      const types = new Map(rows.map((type) => [type.oid, type]));
      return fields.map(({ name, dataTypeID }) => columnOf(name, types.get(String(dataTypeID))));
    } catch (error) {
      throw await this.#failed(error, "", 0);
    }
  }

  /** Ends the transaction, and with it the cursor. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#stop);
    await this.#client.end().catch(() => {});
  }

  /** Cancels the query on the server, which would otherwise run on until it has rows to send. */
  async #cancel(): Promise<void> {
    const other = clientOf(this.#url, CANCEL_TIMEOUT);
    other.on("error", () => {});
    const timer = setTimeout(() => void this.#client.end().catch(() => {}), CANCEL_TIMEOUT);
    try {
      await other.connect();
      await other.query("SELECT pg_cancel_backend($1)", [this.#process]);
    } catch {
      await this.#client.end().catch(() => {});
    } finally {
      clearTimeout(timer);
      await other.end().catch(() => {});
    }
  }

  async #failed(error: unknown, query: string, read: number): Promise<unknown> {
    if (this.#signal?.aborted) return new AbortedError();
    const { shown, hide } = this.#url;
    const fault = error instanceof pg.DatabaseError ? error : undefined;
    const message = hide(connectionMessage(error));
    const { code = "" } = fault ?? {};
    // Class 57P: the server shuts down or ended the session. Errors without a code did not come from the server.
    if (fault === undefined || code.startsWith("57P") || code.startsWith("08"))
      return new UserError({
        place: shown,
        problem: `the connection was lost after ${read} rows: ${message}`,
        remedy: "Nothing was written. Run the command again",
      });
    // Positions are counted in characters from 1, in the text that was sent.
    const sent = Number(fault.position ?? 0) - 1 - DECLARE.length;
    const at = sent >= 0 && query !== "" ? [...query].slice(0, sent).join("").length : undefined;
    const cause = /multiple commands/.test(message) ? "there is more than one statement" : message;
    const where = { ...(at !== undefined && { at }), ...(read > 0 && { rows: read }) };
    return wrongQuery(shown, query, cause, where, await this.#remedy(fault, message));
  }

  async #remedy({ code, hint }: pg.DatabaseError, message: string): Promise<string | undefined> {
    switch (code) {
      case "42P01": {
        await this.#client.query("ROLLBACK").catch(() => {});
        const [, name = ""] = /"([^"]+)"/.exec(message) ?? [];
        const tables = await this.tables();
        const [, bare = name] = /^(?:[^.]+)\.(.+)$/.exec(name) ?? [];
        return tables.length === 0 ? "The database has no tables that can be read" : nearest(bare, tables);
      }
      case "42501":
        return "Grant the database user SELECT on it";
      case "25006":
      case "0A000":
        return hint ?? "The query is run in a read-only transaction: write one SELECT";
      default:
        return hint === undefined ? undefined : this.#url.hide(hint.replace(/\.$/, ""));
    }
  }
}

/** One statement with the extended protocol, which refuses several statements in a text. */
const extended = (text: string) => ({ text, queryMode: "extended" as const });

const asText = {
  rowMode: "array" as const,
  types: { getTypeParser: () => (text: string) => text } as pg.CustomTypesConfig,
};

function clientOf({ url }: PostgresUrl, connectionTimeoutMillis = CONNECT_TIMEOUT): pg.Client {
  return new pg.Client({
    // pg verifies certificates in all of these modes, and prints a warning of several lines for those with another name.
    connectionString: url.includes("uselibpqcompat")
      ? url
      : url.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, "$1verify-full"),
    connectionTimeoutMillis,
    keepAlive: true,
    application_name: `foldin ${version}`,
  });
}

function refusedConnection({ shown, hide, database }: PostgresUrl, error: unknown): UserError {
  const message = hide(connectionMessage(error));
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const fail = (problem: string, remedy?: string) => new UserError({ place: shown, problem, remedy });
  switch (code) {
    case "28P01":
    case "28000":
      return fail(
        `the server refuses the login: ${message}`,
        "Check the user and the password in the URL or in PGPASSWORD",
      );
    case "3D000":
      return fail(`there is no database "${database}"`, "Correct the name at the end of the URL");
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
    case "ENOENT":
      return fail(
        `the server cannot be reached: ${message}`,
        "Check the host and the port, and that the server is running",
      );
    case "53300":
      return fail(`the server has no free connection: ${message}`, "Try again later");
  }
  if (/timeout/i.test(message))
    return fail(`the server did not answer in ${CONNECT_TIMEOUT / 1000} s`, "Check the host and the port");
  if (/password must be a (non-empty )?string/i.test(message))
    return fail("the server asks for a password, and none is given", "Set PGPASSWORD");
  if (/does not support SSL/i.test(message))
    return fail("the server does not support SSL", "Remove sslmode from the URL");
  if (/certificate|self.signed|^(DEPTH_ZERO|SELF_SIGNED|CERT_|UNABLE_TO)/i.test(`${code} ${message}`))
    return fail(
      `the certificate of the server is not accepted: ${message}`,
      "Add sslrootcert=<file> to the URL, or sslmode=no-verify to accept any certificate",
    );
  return fail(`the connection failed: ${message}`);
}

/** The types that have a counterpart in DuckDB; values of all other types are text. */
const counterparts: Readonly<Record<string, string>> = {
  ...{ int2: "BIGINT", int4: "BIGINT", int8: "BIGINT", oid: "BIGINT", float4: "FLOAT", float8: "DOUBLE" },
  ...{ bool: "BOOLEAN", date: "DATE", timestamp: "TIMESTAMP", timestamptz: "TIMESTAMP WITH TIME ZONE" },
};

/** PostgreSQL's own names of the types whose values are converted. */
interface PostgresColumn extends QueryColumn {
  readonly own: string;
}

function columnOf(name: string, type: Type | undefined): PostgresColumn {
  const own = type?.name ?? "text";
  const kind = type && kindOf(type);
  return {
    name,
    own,
    type: counterparts[own] ?? "VARCHAR",
    ...(kind && { unfit: { kind, type: type.shown } }),
  };
}

/** What the values of a type are that cannot be ids; undefined for the others. */
function kindOf({ name, kind, category }: Type): string | undefined {
  if (category === "A" || /^(int2|oid)vector$/.test(name)) return "lists";
  if (name === "bool") return "booleans";
  if (name === "interval") return "durations";
  if (kind === "r" || kind === "m") return "ranges";
  return kind === "c" || /^(record|jsonb?|hstore|point|line|lseg|box|path|polygon|circle)$/.test(name)
    ? "objects"
    : undefined;
}

function textOf(value: Text, column: QueryColumn, id: boolean): Text {
  if (value === null) return null;
  switch ((column as PostgresColumn).own) {
    case "numeric":
    case "float4":
    case "float8": {
      const whole = wholeNumber(value);
      if (id && whole === undefined) throw new CellFault(`holds the number ${value}`, idExpected);
      return whole ?? value;
    }
    case "date":
    case "timestamp":
    case "timestamptz":
      if (/infinity/.test(value)) throw new CellFault(`holds "${value}"`, "a time, or NULL");
      return value.replace(/ BC$/, " (BC)");
    case "bpchar":
      // The blanks that fill up a char(n) mean nothing.
      return trimEnd(value, " ");
    case "bytea":
      return bytesAsText(Buffer.from(value.slice(2), "hex"));
    default:
      return value;
  }
}
