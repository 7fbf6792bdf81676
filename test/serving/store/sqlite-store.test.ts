// A SQLite file of histories under locks of other programs, deletion, replacement and full disks.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Database from "libsql";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { HistoryStore } from "../../../src/serving/store/history-store.js";
import { openSqlite } from "../../../src/serving/store/sqlite-store.js";

const folder = await mkdtemp(join(tmpdir(), "foldin-sqlite-"));
afterAll(() => rm(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${files++}`, "histories.sqlite");

const opened: HistoryStore[] = [];
async function open(path: string, notices: string[] = []): Promise<HistoryStore> {
  mkdirSync(dirname(path), { recursive: true });
  const store = await openSqlite(path, ({ message }) => notices.push(message));
  opened.push(store);
  return store;
}
afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));

const ids = async (store: HistoryStore, user: string) =>
  (await store.history(user, 1000)).map(({ item }) => item);
const add = (store: HistoryStore, user: string, ...items: string[]) =>
  store.add(
    user,
    items.map((item, at) => ({ item, at })),
    1000,
  );
const troubleOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: { name: string; trouble: string }) => error.trouble ?? error.name,
  );
async function seconds(work: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work;
  return (performance.now() - started) / 1000;
}
/** Everything that lies beside the database and in it. */
const bytesOf = (path: string) =>
  Buffer.concat(readdirSync(dirname(path)).map((name) => readFileSync(join(dirname(path), name))));
/** A database of another program, or of another foldin. */
function made(path: string, statements: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path);
  database.exec(statements);
  database.close();
}

describe("a file that this version of foldin did not write", () => {
  const events =
    "CREATE TABLE events (user TEXT, item TEXT, at INTEGER, PRIMARY KEY (user, item)) WITHOUT ROWID;";
  it.each([
    [
      "a newer format",
      `${events} PRAGMA user_version = 7`,
      /format 7, newer than this version of foldin supports/,
    ],
    ["the format after this one", `${events} PRAGMA user_version = 2`, /format 2, newer/],
    ["a newer format with other tables", "CREATE TABLE x (y); PRAGMA user_version = 2147483647", /newer/],
    ["garbage for a format", `${events} PRAGMA user_version = -3`, /it has the unknown format -3/],
    ["another program's tables", "CREATE TABLE places (url TEXT)", /the database of another program/],
    [
      "tables of ours and of another",
      `${events} CREATE TABLE places (url TEXT)`,
      /it has the unknown format 0/,
    ],
    ["another program's events", "CREATE TABLE events (id, what)", /the database of another program/],
    [
      "other events in our format",
      "CREATE TABLE events (id, what); PRAGMA user_version = 1",
      /the database of another program/,
    ],
  ])("is refused with %s, unchanged", async (_, statements, message) => {
    const path = freshPath();
    made(path, statements);
    const before = readFileSync(path);
    await expect(openSqlite(path)).rejects.toThrow(message);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("is refused if it is not a database or not a file", async () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "user,item\n".repeat(500));
    await expect(openSqlite(path)).rejects.toThrow(
      /cannot be used as a history store: file is not a database/,
    );
    await expect(openSqlite(dirname(path))).rejects.toThrow(/it is not a file/);
    const pipe = join(dirname(path), "pipe");
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    await expect(openSqlite(pipe)).rejects.toThrow(/it is not a file/);
  });

  it("is accepted if a process was killed before it set the version", async () => {
    const path = freshPath();
    made(path, `${events} INSERT INTO events VALUES ('u', 'kept', 1)`);
    expect(await ids(await open(path), "u")).toEqual(["kept"]);
  });
});

describe("stored histories", () => {
  it("are readable only by the server's user, also in a file created with another mode", async () => {
    const path = freshPath();
    await add(await open(path), "u", "a");
    const modes = () =>
      Object.fromEntries(
        readdirSync(dirname(path)).map((name) => [
          name,
          (statSync(join(dirname(path), name)).mode & 0o777).toString(8),
        ]),
      );
    const all = { "histories.sqlite": "600", "histories.sqlite-shm": "600", "histories.sqlite-wal": "600" };
    expect(modes()).toEqual(all);
    await opened.pop()?.close();
    chmodSync(path, 0o644);
    await add(await open(path), "u", "b");
    expect(modes()).toEqual(all);
  });

  it("are in none of the files after the user was deleted", async () => {
    const path = freshPath();
    const store = await open(path);
    const users = Array.from({ length: 60 }, (_, u) => `somebody-${u}@example.org`);
    // Enough for pages to be split and merged, and histories of which a part is trimmed.
    for (const user of users)
      await store.add(
        user,
        Array.from({ length: 80 }, (_, i) => ({ item: `secret-of-${user}-${i}`, at: i })),
        50,
      );
    expect(bytesOf(path).includes("somebody-7@")).toBe(true);
    for (const user of users.slice(1)) expect(await store.remove(user)).toBe(50);
    const left = bytesOf(path);
    for (const user of users.slice(1)) {
      expect(left.includes(user), user).toBe(false);
      expect(left.includes(`secret-of-${user}`), user).toBe(false);
    }
    expect(await ids(store, users[0])).toHaveLength(50);
  });

  it("are removed from the log even if another process was reading it", async () => {
    const path = freshPath();
    const store = await open(path);
    await add(store, "reader-kept", "x");
    await add(store, "forget-me", "a", "b");
    const reader = new Database(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT * FROM events").all();
    expect(await store.remove("forget-me")).toBe(2);
    reader.exec("COMMIT");
    reader.close();
    await expect.poll(() => bytesOf(path).includes("forget-me"), { timeout: 5_000 }).toBe(false);
    expect(await ids(store, "reader-kept")).toEqual(["x"]);
  });
});

describe("a file that another process has locked", () => {
  it("can be read meanwhile; writes are rejected in time or done when the lock is released", {
    timeout: 30_000,
  }, async () => {
    const path = freshPath();
    const store = await open(path);
    await add(store, "u", "before");
    const other = new Database(path);
    other.exec("BEGIN EXCLUSIVE");
    const refused = seconds(
      troubleOf(add(store, "u", "refused")).then((trouble) => expect(trouble).toBe("busy")),
    );
    // Reads do not stand behind the write that waits.
    const reads = await seconds(Promise.all(Array.from({ length: 50 }, () => ids(store, "u"))));
    const check = await seconds(store.check());
    expect(Math.max(reads, check)).toBeLessThan(1.5);
    expect(await refused).toBeLessThan(8);
    const patient = add(store, "u", "patient");
    setTimeout(() => other.exec("ROLLBACK"), 300);
    await patient;
    expect((await ids(store, "u")).sort()).toEqual(["before", "patient"]);
    other.close();
  });

  it("does not block the event loop, and the queue is bounded", { timeout: 30_000 }, async () => {
    const path = freshPath();
    const store = await open(path);
    const other = new Database(path);
    other.exec("BEGIN IMMEDIATE");
    const writes = Array.from({ length: 10_100 }, (_, u) => troubleOf(add(store, `u${u}`, "a")));
    let turns = 0;
    const turning = setInterval(() => turns++, 10);
    const first = await Promise.race(writes);
    expect(first).toBe("busy");
    expect(new Set(await Promise.all(writes))).toEqual(new Set(["busy"]));
    expect(turns).toBeGreaterThan(50);
    clearInterval(turning);
    other.exec("ROLLBACK");
    await add(store, "u", "a");
    other.close();
  });
});

describe("a file that is deleted or replaced while it is open", () => {
  it.each([
    ["deleted", (path: string) => rmSync(path)],
    [
      "deleted with its log",
      (path: string) => readdirSync(dirname(path)).map((name) => rmSync(join(dirname(path), name))),
    ],
    ["deleted with its folder", (path: string) => rmSync(dirname(path), { recursive: true })],
  ])("acknowledges nothing once it is %s, and reports that once", async (_, remove) => {
    const path = freshPath();
    const notices: string[] = [];
    const store = await open(path, notices);
    await add(store, "u", "a");
    remove(path);
    expect(await troubleOf(add(store, "u", "b"))).toBe("gone");
    expect(await troubleOf(store.history("u", 10))).toBe("gone");
    expect(await troubleOf(store.remove("u"))).toBe("gone");
    expect(await troubleOf(store.check())).toBe("gone");
    expect(notices).toEqual([
      expect.stringMatching(/histories\.sqlite was deleted or moved: nothing is stored until/),
    ]);
    expect(existsSync(path)).toBe(false);
  });

  it("is used again with all its data when it is restored", async () => {
    const path = freshPath();
    const store = await open(path);
    await add(store, "u", "a", "b");
    renameSync(path, `${path}.away`);
    expect(await troubleOf(add(store, "u", "lost"))).toBe("gone");
    renameSync(`${path}.away`, path);
    await store.check();
    await add(store, "u", "c");
    expect((await ids(store, "u")).sort()).toEqual(["a", "b", "c"]);
  });

  it("is the new one after a replacement", async () => {
    const path = freshPath();
    const copy = freshPath();
    await add(await open(copy), "u", "of the copy");
    await opened.pop()?.close();
    const notices: string[] = [];
    const store = await open(path, notices);
    await add(store, "u", ...Array.from({ length: 200 }, (_, i) => `of the first ${i}`));
    renameSync(copy, path);
    await add(store, "u", "after");
    await store.close();
    opened.length = 0;
    expect(notices).toEqual([expect.stringMatching(/was replaced or its log was deleted; reopened it/)]);
    // The first one's log is not taken for the new one's.
    const database = new Database(path);
    expect(database.prepare("PRAGMA integrity_check").get()).toMatchObject({ integrity_check: "ok" });
    expect(database.prepare("SELECT item FROM events ORDER BY item").all()).toEqual([
      { item: "after" },
      { item: "of the copy" },
    ]);
    database.close();
  });

  it("rejects a replacement that is not a store, and continues with one that is", async () => {
    const path = freshPath();
    const store = await open(path);
    await add(store, "u", "a");
    made(`${path}.newer`, "CREATE TABLE events (user, item, at); PRAGMA user_version = 7");
    renameSync(path, `${path}.away`);
    renameSync(`${path}.newer`, path);
    expect(await troubleOf(add(store, "u", "b"))).toBe("failed");
    renameSync(`${path}.away`, path);
    await add(store, "u", "c");
    expect((await ids(store, "u")).sort()).toEqual(["a", "c"]);
  });

  it.each(["-wal", "-shm"])("loses no acknowledged event when its %s is deleted", async (suffix) => {
    const path = freshPath();
    const store = await open(path);
    await add(store, "u", "a", "b");
    rmSync(path + suffix);
    await add(store, "u", "c");
    // As after a crash: read by another process, before this one has closed it.
    const other = new Database(path);
    expect(other.prepare("SELECT item FROM events ORDER BY item").all()).toEqual([
      { item: "a" },
      { item: "b" },
      { item: "c" },
    ]);
    other.close();
  });
});

/** A disk of one MiB, where the system lets us have one. */
const disk = join(folder, "disk");
mkdirSync(disk);
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status === 0;
if (!mounted) console.log("skipped: no small disk could be mounted (that takes root) to fill it");
afterAll(() => {
  if (mounted) spawnSync("umount", [disk]);
});

describe.skipIf(!mounted)("a full disk", () => {
  it("rejects writes, keeps its data, and accepts writes again once there is space", {
    timeout: 30_000,
  }, async () => {
    const path = join(disk, "histories.sqlite");
    const filler = join(disk, "filler");
    const store = await open(path);
    await add(store, "u", "kept");
    await store.check();
    const { bavail, bsize } = (await import("node:fs")).statfsSync(disk);
    writeFileSync(filler, Buffer.alloc(bavail * bsize));
    expect(await troubleOf(store.check())).toBe("full");
    const items = Array.from({ length: 300 }, (_, i) => `${i}`.padEnd(400, "x"));
    expect(await troubleOf(add(store, "u", ...items))).toBe("full");
    expect(await ids(store, "u")).toEqual(["kept"]);
    rmSync(filler);
    await store.check();
    await add(store, "u", "again");
    expect((await ids(store, "u")).sort()).toEqual(["again", "kept"]);
  });
});
