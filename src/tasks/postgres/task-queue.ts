// A queue of tasks in PostgreSQL, through pg-boss, whose tables are in a schema of their own. pg-boss creates and migrates the
// tables, hands out each job once, counts attempts, and retries or fails what has expired. What is added here:
// - A heartbeat: the worker moves `started_on` forward, so that a job expires when its worker has been silent for `expire_in`.
// - Fencing: whoever takes a job writes a random attempt id into it. Heartbeat, completion and failure apply only to a job that
//   still has this id; expiry overwrites it.
// See docs/decisions/queue-in-postgresql.md.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import pg from "pg";
import PgBoss from "pg-boss";
import { UserError } from "../../core/errors.js";
import type { JsonValue } from "../../core/json.js";
import { connectionMessage, type PostgresUrl } from "../../core/postgres-url.js";
import { version } from "../../core/version.js";
import type { Task, TaskSetup } from "../tasks.js";

const SCHEMA = "foldin_queue";
const JOBS = `${SCHEMA}.job`;
const PREFIX = "foldin-";
/** Attempts at a task before it has failed. */
export const TRIES = 3;
const CONNECT_TIMEOUT = 5_000;
const QUERY_TIMEOUT = 30_000;

/** What a job contains. */
export interface TaskData {
  readonly setup: TaskSetup;
  readonly task: Task;
  /** The contents of the marker file in the folder, by which a worker knows that it sees the same folder. */
  readonly token: string;
}

/** A task that was taken from the queue. */
export interface TakenTask {
  readonly id: string;
  readonly attempt: string;
  /** 1 for the first attempt. */
  readonly number: number;
  readonly data: TaskData;
  /** Seconds without a heartbeat after which the task is given to another worker. */
  readonly heartbeat: number;
}

export interface TaskState {
  readonly id: string;
  readonly state: "created" | "retry" | "active" | "completed" | "cancelled" | "failed";
  readonly share: number | null;
  readonly message: string | null;
  /** The result as text: PostgreSQL's jsonb would change the order of its fields. */
  readonly result: string | null;
}

export interface NewTask {
  readonly key: string;
  readonly data: TaskData;
  readonly heartbeat: number;
}

export class TaskQueue {
  readonly #boss: PgBoss;
  readonly #pool: pg.Pool;
  readonly #url: PostgresUrl;
  readonly name: string;

  private constructor(boss: PgBoss, pool: pg.Pool, url: PostgresUrl, name: string) {
    this.#boss = boss;
    this.#pool = pool;
    this.#url = url;
    this.name = name;
  }

  /** The URL without its password. */
  get shown(): string {
    return this.#url.shown;
  }

  /** Connects and creates missing tables. Throws UserError, without the password, if that fails. */
  static async open(url: PostgresUrl, name = PREFIX + version): Promise<TaskQueue> {
    let pool: pg.Pool | undefined;
    try {
      pool = new pg.Pool({
        connectionString: url.url,
        max: 4,
        connectionTimeoutMillis: CONNECT_TIMEOUT,
        query_timeout: QUERY_TIMEOUT,
        application_name: "foldin queue",
        keepAlive: true,
      });
      // An idle connection that breaks is replaced when the next one is needed.
      pool.on("error", () => {});
      const own = pool;
      const boss = new PgBoss({
        db: { executeSql: (text, values) => own.query(text, values) },
        schema: SCHEMA,
        supervise: false,
        schedule: false,
      });
      boss.on("error", () => {});
      await alone(pool, async () => {
        await boss.start();
        await boss.createQueue(name, { name, policy: "standard" });
      });
      return new TaskQueue(boss, pool, url, name);
    } catch (error) {
      await pool?.end().catch(() => {});
      throw unusable(url, error);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end().catch(() => {});
  }

  /** The message of an error of the database, without secrets. */
  explain(error: unknown): string {
    return this.#url.hide(connectionMessage(error)) || String((error as { code?: string }).code ?? error);
  }

  /** Adds tasks, and removes finished ones with the same keys; returns the ids in order. Tasks that wait or run already keep theirs. */
  async add(tasks: readonly NewTask[]): Promise<string[]> {
    const keys = tasks.map(({ key }) => key);
    await this.#pool.query(
      `DELETE FROM ${JOBS} WHERE name = $1 AND singleton_key = ANY($2::text[]) AND state >= 'completed'`,
      [this.name, keys],
    );
    const { rows } = await this.#pool.query<{ id: string; key: string }>(
      `SELECT id, singleton_key AS key FROM ${JOBS} WHERE name = $1 AND singleton_key = ANY($2::text[])`,
      [this.name, keys],
    );
    const ids = new Map(rows.map(({ id, key }) => [key, id]));
    const missing = tasks.filter(({ key }) => !ids.has(key));
    for (const { key } of missing) ids.set(key, randomUUID());
    if (missing.length > 0)
      await this.#boss.insert(
        missing.map(({ key, data, heartbeat }) => ({
          id: ids.get(key),
          name: this.name,
          data,
          singletonKey: key,
          expireInSeconds: heartbeat,
          retryLimit: TRIES - 1,
        })),
      );
    return keys.map((key) => ids.get(key) as string);
  }

  async states(ids: readonly string[]): Promise<TaskState[]> {
    const { rows } = await this.#pool.query<TaskState>(
      `SELECT id, state, (output->>'share')::float8 AS share, output->>'result' AS result,
        COALESCE(output->>'message', output->'value'->>'message') AS message
       FROM ${JOBS} WHERE name = $1 AND id = ANY($2::uuid[])`,
      [this.name, ids],
    );
    return rows;
  }

  /** Forgets finished tasks, withdraws those that wait, and tells the workers of the others to stop. */
  async withdraw(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#boss.cancel(this.name, [...ids]);
    await this.#pool.query(
      `DELETE FROM ${JOBS} WHERE name = $1 AND id = ANY($2::uuid[]) AND (state IN ('completed', 'failed') OR started_on IS NULL)`,
      [this.name, ids],
    );
  }

  /** Takes the next task; undefined if none waits. */
  async take(): Promise<TakenTask | undefined> {
    let failure: unknown;
    const db = {
      executeSql: (text: string, values: unknown[]) =>
        this.#pool.query(text, values).catch((error: unknown) => {
          // pg-boss ignores the failure.
          failure = error;
          throw error;
        }),
    };
    const [job] = await this.#boss.fetch<TaskData>(this.name, { includeMetadata: true, db });
    if (failure !== undefined) throw failure;
    if (!job) return undefined;
    const attempt = randomUUID();
    const { rowCount } = await this.#pool.query(
      `UPDATE ${JOBS} SET output = $4::jsonb WHERE name = $1 AND id = $2 AND state = 'active' AND retry_count = $3`,
      [this.name, job.id, job.retryCount, JSON.stringify({ attempt, host: hostname() })],
    );
    if (rowCount === 0) return undefined;
    const heartbeat = Number(job.expireInSeconds);
    return { id: job.id, attempt, number: job.retryCount + 1, data: job.data, heartbeat };
  }

  /** Reports that the attempt is alive, and how far it is. False if it is over: given up, withdrawn, or done by another. */
  async beat({ id, attempt }: TakenTask, share = 0): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `UPDATE ${JOBS} SET started_on = now(), output = output || $4::jsonb
       WHERE name = $1 AND id = $2 AND state = 'active' AND output->>'attempt' = $3`,
      [this.name, id, attempt, JSON.stringify({ share })],
    );
    return rowCount === 1;
  }

  /** Reports the result. False if the attempt is over. */
  complete(task: TakenTask, result: JsonValue): Promise<boolean> {
    const output = { result: JSON.stringify(result) };
    return this.#settle(task, async (db) => {
      await this.#boss.complete(this.name, task.id, output, { db });
    });
  }

  /** Reports a failure; the task is tried again unless it is final or the last try. False if the attempt is over. */
  fail(task: TakenTask, message: string, final: boolean): Promise<boolean> {
    return this.#settle(task, async (db) => {
      if (final)
        await db.executeSql(`UPDATE ${JOBS} SET retry_limit = retry_count WHERE name = $1 AND id = $2`, [
          this.name,
          task.id,
        ]);
      await this.#boss.fail(this.name, task.id, { message }, { db });
    });
  }

  /** Gives a task back, to be taken after some seconds. It does not count as a try. */
  handBack(task: TakenTask, seconds: number, message?: string): Promise<boolean> {
    return this.#settle(task, async (db) => {
      await db.executeSql(
        // pg-boss counts a try when it hands out a job that was started before.
        `UPDATE ${JOBS} SET state = 'created', started_on = NULL,
          start_after = now() + $3::float8 * interval '1 second', output = $4::jsonb WHERE name = $1 AND id = $2`,
        [this.name, task.id, seconds, JSON.stringify(message === undefined ? {} : { message })],
      );
    });
  }

  async #settle(task: TakenTask, work: (db: PgBoss.Db) => Promise<void>): Promise<boolean> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query("BEGIN");
      const { rowCount } = await client.query(
        `SELECT 1 FROM ${JOBS} WHERE name = $1 AND id = $2 AND state = 'active' AND output->>'attempt' = $3 FOR UPDATE`,
        [this.name, task.id, task.attempt],
      );
      if (rowCount === 1) await work({ executeSql: (text, values) => client.query(text, values) });
      await client.query("COMMIT");
      return rowCount === 1;
    } catch (error) {
      broken = error as Error;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Gives up attempts without a heartbeat: their tasks wait again, or have failed if it was the last try. */
  async expire(): Promise<void> {
    await this.#boss.expire();
  }

  /** Moves old finished tasks to the archive and removes what is older than a week there. */
  async maintain(): Promise<void> {
    await this.#boss.maintain();
  }

  /** Versions of foldin other than this one for which tasks wait. */
  async otherVersions(): Promise<string[]> {
    const { rows } = await this.#pool.query<{ name: string }>(
      `SELECT DISTINCT name FROM ${JOBS} WHERE name LIKE '${PREFIX}%' AND name <> $1 AND state < 'active' ORDER BY name`,
      [this.name],
    );
    return rows.map(({ name }) => name.slice(PREFIX.length));
  }
}

/**
 * Does the work while no other process does. pg-boss 10 creates a queue with an insert and then a foreign key on the same table: two
 * processes that do so at once block each other. The lock belongs to a transaction, so it is released when the connection ends.
 */
async function alone(pool: pg.Pool, work: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtext($1))", [`open ${SCHEMA}`]);
    await work();
    await client.query("COMMIT");
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

function unusable({ shown, hide }: PostgresUrl, error: unknown): UserError {
  const { code } = error as { code?: string };
  const denied = code === "42501";
  return new UserError({
    place: shown,
    problem: `the queue cannot be opened: ${hide(connectionMessage(error))}`,
    remedy: denied
      ? `Let an administrator run: GRANT CREATE ON DATABASE <database> TO <user>; foldin keeps its tables in the schema ${SCHEMA}`
      : "Check host, port, database and user in the URL of --queue, and that PostgreSQL runs there",
  });
}
