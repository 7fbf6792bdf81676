// The answers to clients and load balancers while the history store does not work.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import { type HistoryStore, StoreError, type StoreTrouble } from "../../src/serving/store/history-store.js";
import { served } from "../support/served.js";

/** A store with the same trouble everywhere. */
function troubled(trouble: StoreTrouble): HistoryStore {
  const fail = () => Promise.reject(new StoreError(trouble, "the reason, for the log: hush"));
  return {
    kind: "sqlite",
    ...{ add: fail, history: fail, remove: fail, check: fail },
    close: () => Promise.resolve(),
  };
}

const events = { events: [{ item: "item1" }] };

describe("a store that does not work", () => {
  it.each([
    ["busy", 503, /locked or overloaded.*retry/],
    ["full", 507, /the disk of the history store is full; nothing was stored/],
    ["gone", 503, /deleted or moved; nothing was stored/],
    ["failed", 503, /is not available; see the server log/],
  ] as const)(
    "and is %s: requests get a %i in words, and so does readiness",
    async (trouble, status, detail) => {
      const { ask, close } = await served({ store: troubled(trouble) });
      for (const [method, url, payload] of [
        ["POST", "/v1/users/u/events", events],
        ["GET", "/v1/users/u/events", undefined],
        ["GET", "/v1/users/u/recommendations", undefined],
        ["DELETE", "/v1/users/u", undefined],
      ] as const) {
        const answer = await ask(method, url, payload);
        expect(answer).toMatchObject({ status, type: "application/problem+json; charset=utf-8" });
        expect(answer.body.detail).toMatch(detail);
        expect(answer.headers["retry-after"]).toBe("1");
        expect(JSON.stringify(answer.body)).not.toContain("hush");
      }
      const ready = await ask("GET", "/health/ready");
      expect(ready.status).toBe(503);
      expect(ready.body.detail).toMatch(detail);
      // Only a restart helps where liveness fails, and none is needed here.
      expect((await ask("GET", "/health/live")).status).toBe(200);
      expect((await ask("POST", "/v1/recommendations", { history: ["item1"] })).status).toBe(200);
      await close();
    },
  );

  it("and never responds: readiness responds within three seconds", { timeout: 10_000 }, async () => {
    const silent = { ...troubled("busy"), check: () => new Promise<void>(() => {}) };
    const { ask, close } = await served({ store: silent });
    const started = performance.now();
    expect((await ask("GET", "/health/ready")).status).toBe(503);
    expect(performance.now() - started).toBeLessThan(3_000);
    await close();
  });

  it("because another process holds a lock: readiness, reads and recommendations do not wait", {
    timeout: 20_000,
  }, async () => {
    const { ask, folder, close } = await served();
    await ask("POST", "/v1/users/u/events", events);
    const other = new Database(join(folder, "histories.sqlite"));
    other.exec("BEGIN EXCLUSIVE");
    const write = ask("POST", "/v1/users/u/events", events);
    const started = performance.now();
    expect((await ask("GET", "/health/ready")).status).toBe(200);
    expect((await ask("GET", "/v1/users/u/events")).body.events).toHaveLength(1);
    expect((await ask("GET", "/v1/users/u/recommendations")).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(1_500);
    expect(await write).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
    other.exec("ROLLBACK");
    other.close();
    expect((await ask("POST", "/v1/users/u/events", events)).status).toBe(200);
    await close();
  });

  it("because its file was deleted: nothing is acknowledged", async () => {
    const { ask, folder, close } = await served();
    expect((await ask("POST", "/v1/users/u/events", events)).status).toBe(200);
    await rm(join(folder, "histories.sqlite"));
    expect(await ask("POST", "/v1/users/u/events", events)).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("deleted or moved") },
    });
    expect((await ask("GET", "/health/ready")).status).toBe(503);
    await close();
  });
});
