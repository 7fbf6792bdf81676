// Both stores behave the same. Needs a PostgreSQL server, given by FOLDIN_TEST_POSTGRES (.ci/run
// installs and starts one).

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HistoryStore } from "../../../src/serving/store/history-store.js";
import { openStore } from "../../../src/serving/store/open-store.js";

const postgres = process.env.FOLDIN_TEST_POSTGRES;
if (!postgres) console.log("skipped: FOLDIN_TEST_POSTGRES names no PostgreSQL to test with");
const folder = await mkdtemp(join(tmpdir(), "foldin-store-"));
afterAll(() => rm(folder, { recursive: true }));

describe.each([
  ["SQLite", join(folder, "histories.sqlite")],
  ["PostgreSQL", postgres],
])("histories in %s", (_, place) => {
  describe.skipIf(place === undefined)("", () => {
    let store: HistoryStore;
    beforeAll(async () => {
      store = await openStore(String(place));
    });
    afterAll(() => store.close());
    const anybody = () => `user-${randomUUID()}`;

    it("are returned oldest first, each item once with its latest time", async () => {
      const user = anybody();
      await store.add(
        user,
        [
          { item: "b", at: 20 },
          { item: "a", at: 30 },
          { item: "b", at: 10 },
        ],
        100,
      );
      await store.add(user, [{ item: "c", at: 5 }], 100);
      await store.add(user, [{ item: "a", at: 1 }], 100);
      expect(await store.history(user, 100)).toEqual([
        { item: "c", at: 5 },
        { item: "b", at: 20 },
        { item: "a", at: 30 },
      ]);
      expect(await store.history(user, 2)).toEqual([
        { item: "b", at: 20 },
        { item: "a", at: 30 },
      ]);
      expect(await store.history(anybody(), 10)).toEqual([]);
    });

    it("are limited to the latest items", async () => {
      const user = anybody();
      for (let at = 0; at < 10; at++) await store.add(user, [{ item: `item${at}`, at }], 4);
      expect((await store.history(user, 100)).map(({ item }) => item)).toEqual(
        [6, 7, 8, 9].map((at) => `item${at}`),
      );
    });

    it("can be deleted for one user", async () => {
      const [one, other] = [anybody(), anybody()];
      for (const user of [one, other]) await store.add(user, [{ item: "a", at: 1 }], 10);
      expect(await store.remove(one)).toBe(1);
      expect(await store.remove(one)).toBe(0);
      expect(await store.history(one, 10)).toEqual([]);
      expect(await store.history(other, 10)).toHaveLength(1);
    });

    it("accept any text: quotes, other scripts, SQL fragments", async () => {
      const user = `'; DROP TABLE events; -- ${anybody()} 猫 🐈`;
      const item = `"Ünïcode"', (\\) %s $1`;
      await store.add(user, [{ item, at: Date.now() }], 10);
      expect((await store.history(user, 10)).map(({ item }) => item)).toEqual([item]);
    });

    it("lose nothing with many concurrent writers", async () => {
      const users = [anybody(), anybody(), anybody()];
      await Promise.all(
        Array.from({ length: 150 }, (_, n) =>
          store.add(
            users[n % 3],
            [
              { item: `x${n % 7}`, at: n },
              { item: `y${n}`, at: n },
              { item: `x${(n + 3) % 7}`, at: n },
            ],
            1000,
          ),
        ),
      );
      for (const user of users) expect(await store.history(user, 1000)).toHaveLength(57);
      await store.check();
    });

    it("persist when the store is reopened", async () => {
      const user = anybody();
      await store.add(user, [{ item: "a", at: 7 }], 10);
      await store.close();
      store = await openStore(String(place));
      expect(await store.history(user, 10)).toEqual([{ item: "a", at: 7 }]);
    });
  });
});

describe("a store that cannot be used", () => {
  it("is refused, naming it without its password", async () => {
    await expect(openStore("postgres://me:hush@127.0.0.1:9/none")).rejects.toThrow(
      /postgres:\/\/me@127\.0\.0\.1:9\/none: PostgreSQL cannot be used/,
    );
    await expect(openStore("postgres://me:hush@127.0.0.1:9/none")).rejects.not.toThrow(/hush/);
    await expect(openStore("redis://somewhere")).rejects.toThrow(/redis:\/\/\.\.\. is not supported/);
    await expect(openStore(join(folder, "no", "such", "folder"))).rejects.toThrow(
      /cannot be used as a history store/,
    );
  });
});
