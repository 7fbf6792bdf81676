// The built program, killed in the middle of writes: all acknowledged events exist after a restart.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serving, start } from "../support/foldin.js";
import { trainRun } from "../support/served.js";

async function add(address: string, user: string, item: string): Promise<boolean> {
  const response = await fetch(`${address}/v1/users/${user}/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ events: [{ item }] }),
  });
  return response.status === 200;
}

describe("foldin serve", () => {
  it("loses no acknowledged event when it is killed in the middle of writes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-killed-"));
    try {
      const [run, store] = [join(folder, "run"), join(folder, "histories.sqlite")];
      await trainRun(run);
      const acknowledged = new Map<string, string[]>();
      for (const [round, delay] of [150, 400, 700].entries()) {
        const { process: child, outcome, address } = await serving(run, store);
        const writers = [0, 1, 2, 3].map(async (writer) => {
          const user = `user${writer}`;
          const items = acknowledged.get(user) ?? [];
          acknowledged.set(user, items);
          for (let i = 0; ; i++) {
            const item = `round${round}-${i}`;
            if (!(await add(address, user, item).catch(() => false))) return;
            items.push(item);
          }
        });
        setTimeout(() => child.kill("SIGKILL"), delay);
        await Promise.all(writers);
        expect((await outcome).signal).toBe("SIGKILL");
      }
      const { process: child, outcome, address } = await serving(run, store);
      let checked = 0;
      for (const [user, items] of acknowledged) {
        const { events } = (await (await fetch(`${address}/v1/users/${user}/events`)).json()) as {
          events: { item: string }[];
        };
        const kept = new Set(events.map(({ item }) => item));
        expect(items.filter((item) => !kept.has(item))).toEqual([]);
        checked += items.length;
      }
      expect(checked).toBeGreaterThan(20);
      child.kill("SIGTERM");
      expect((await outcome).code).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("answers accepted requests before it stops", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-stopped-"));
    try {
      const run = join(folder, "run");
      await trainRun(run);
      const { process: child, outcome, address } = await serving(run, "none");
      const history = Array.from({ length: 50 }, (_, i) => `item${i}`);
      const asked = Array.from({ length: 50 }, () =>
        fetch(`${address}/v1/recommendations`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ histories: Array(15).fill(history) }),
        }),
      );
      const first = await Promise.race(asked);
      child.kill("SIGTERM");
      expect(first.status).toBe(200);
      // What it had not accepted by then is refused by the system, not answered wrongly.
      for (const answer of await Promise.allSettled(asked))
        if (answer.status === "fulfilled") expect(answer.value.status).toBe(200);
      expect((await outcome).code).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([
    [["nowhere"], /nowhere.*config\.json: no such file/],
    [["RUN", "RUN"], /two models have the name run.*Give each a name/],
    [["RUN", "--share", "other=1"], /--share other=1: unknown model other/],
    [["RUN", "--store", "mysql://x"], /--store: mysql:\/\/\.\.\. is not supported/],
    [["RUN", "--store", "RUN/config.json"], /config\.json: cannot be used as a history store/],
    [["RUN", "--token-file", "RUN/none"], /none: there is no such file .*--token-file/],
    [["RUN", "--port", "99999"], /--port: must be from 0 to 65535; got 99999/],
    [["RUN", "--host", "nowhere.invalid", "--store", "none"], /--host nowhere.invalid .*cannot listen/],
  ])("refuses %j with one clear line", async (args, message) => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-refused-"));
    try {
      const run = join(folder, "run");
      await trainRun(run);
      const given = args.map((arg) => arg.replace("RUN", run));
      const { outcome } = start(["serve", ...given, "--engine", "reference"], { cwd: folder });
      const { code, stderr } = await outcome;
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
