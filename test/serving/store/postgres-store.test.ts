// A shared database: several servers that write the same users, locks, and other formats. Needs a PostgreSQL server, given by FOLDIN_TEST_POSTGRES (scripts/with-postgres.sh starts one).

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HistoryStore } from "../../../src/serving/store/history-store.js";
import { openStore } from "../../../src/serving/store/open-store.js";

const postgres = process.env.FOLDIN_TEST_POSTGRES;
if (!postgres) console.log("skipped: FOLDIN_TEST_POSTGRES names no PostgreSQL to test with");

describe.skipIf(postgres === undefined)("a store in PostgreSQL", () => {
  /** A database of our own: other tests use the one that is named. */
  const name = `foldin_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(String(postgres ?? "postgres://nowhere"));
  const admin = new pg.Client({ connectionString: url.href });
  let direct: pg.Client;
  beforeAll(async () => {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    url.pathname = `/${name}`;
    direct = new pg.Client({ connectionString: url.href });
    await direct.connect();
  });
  afterAll(async () => {
    await direct.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  const opened: HistoryStore[] = [];
  const open = async () => {
    const store = await openStore(url.href);
    opened.push(store);
    return store;
  };
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));
  const troubleOf = (work: Promise<unknown>) =>
    work.then(
      () => "none",
      (error: { trouble?: string; message: string }) => error.trouble ?? error.message,
    );

  it("has no failures when many servers write, trim and delete the histories of the same users", {
    timeout: 60_000,
  }, async () => {
    const stores = [await open(), await open(), await open()];
    const keep = 8;
    const troubles = await Promise.all(
      Array.from({ length: 1_500 }, (_, n) => {
        const store = stores[n % 3];
        const user = `user${n % 2}`;
        if (n % 50 === 49) return troubleOf(store.remove(user));
        // Items in an order of their own for every writer.
        const items = Array.from({ length: 12 }, (_, i) => ({
          item: `item${(i * (1 + (n % 7)) + n) % 40}`,
          at: n + i,
        }));
        return troubleOf(store.add(user, items, keep));
      }),
    );
    expect(troubles.filter((trouble) => trouble !== "none")).toEqual([]);
    for (const user of ["user0", "user1"])
      expect((await stores[0].history(user, 100)).length).toBeLessThanOrEqual(keep);
  });

  it("retries a write after a conflict with another transaction", async () => {
    const store = await open();
    await store.add("victim", [{ item: "a", at: 1 }], 10);
    // A trigger that fails as a deadlock does, three times.
    await direct.query("CREATE SEQUENCE tries");
    await direct.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('tries') <= 3 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$`);
    await direct.query(
      "CREATE TRIGGER fail BEFORE INSERT ON foldin_events FOR EACH ROW EXECUTE FUNCTION fail()",
    );
    try {
      await store.add("victim", [{ item: "b", at: 2 }], 10);
      expect(await store.history("victim", 10)).toHaveLength(2);
    } finally {
      await direct.query("DROP TRIGGER fail ON foldin_events");
    }
  });

  it("reports a lock in time", { timeout: 30_000 }, async () => {
    const store = await open();
    await store.add("locked", [{ item: "a", at: 1 }], 10);
    await direct.query("BEGIN");
    try {
      await direct.query("LOCK TABLE foldin_events IN EXCLUSIVE MODE");
      const write = troubleOf(store.add("locked", [{ item: "b", at: 2 }], 10));
      // Who reads does not wait for who writes.
      expect(await store.history("locked", 10)).toHaveLength(1);
      await store.check();
      expect(await write).toBe("busy");
    } finally {
      await direct.query("ROLLBACK");
    }
    await store.add("locked", [{ item: "b", at: 2 }], 10);
  });

  it("reports a missing table", async () => {
    const store = await open();
    await direct.query("ALTER TABLE foldin_events RENAME TO away");
    try {
      expect(await troubleOf(store.check())).toBe("gone");
      expect(await troubleOf(store.add("u", [{ item: "a", at: 1 }], 10))).toBe("gone");
    } finally {
      await direct.query("ALTER TABLE away RENAME TO foldin_events");
    }
    await store.check();
  });

  it.each([
    ["7", /format 7, newer than this version of foldin supports \(1\)/],
    ["2", /format 2, newer/],
    ["", /unknown format ""/],
    ["one", /unknown format "one"/],
    ["NaN", /unknown format "NaN"/],
  ])("is refused with the format '%s', unchanged", async (format, message) => {
    await (await open()).check();
    await direct.query("UPDATE foldin_store SET format = $1", [format]);
    try {
      await expect(openStore(url.href)).rejects.toThrow(message);
      expect((await direct.query("SELECT format FROM foldin_store")).rows).toEqual([{ format }]);
    } finally {
      await direct.query("UPDATE foldin_store SET format = '1'");
    }
  });

  it("can be used without the CREATE privilege once the tables exist", async () => {
    await (await open()).check();
    const role = `reader_${name}`;
    await direct.query(`CREATE ROLE ${role} LOGIN`);
    await direct.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON foldin_events TO ${role}`);
    await direct.query(`GRANT SELECT ON foldin_store TO ${role}`);
    const as = new URL(url);
    as.username = role;
    const store = await openStore(as.href);
    await store.add("u2", [{ item: "a", at: 1 }], 10);
    expect(await store.remove("u2")).toBe(1);
    await store.close();
    // As an earlier foldin had left it: without the table that says the format.
    await direct.query("ALTER TABLE foldin_store RENAME TO hidden_store");
    const earlier = await openStore(as.href);
    await earlier.check();
    await earlier.close();
    await direct.query("ALTER TABLE hidden_store RENAME TO foldin_store");
    await direct.query(`DROP OWNED BY ${role}`);
    await direct.query(`DROP ROLE ${role}`);
  });
});
