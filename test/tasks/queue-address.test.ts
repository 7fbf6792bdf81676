import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { queueAddress } from "../../src/tasks/queue-address.js";
import { messageOf } from "../support/message-of.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-address-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("--queue", () => {
  it("is a URL without a password, a file, or the environment", async () => {
    expect((await queueAddress("postgres://me@host/db", {})).url).toBe("postgres://me@host/db");
    const file = join(folder, "url");
    writeFileSync(file, "postgres://me:hunter22@host/db\n");
    const read = await queueAddress(`@${file}`, {});
    expect(read.url).toBe("postgres://me:hunter22@host/db");
    expect(read.shown).toBe("postgres://me@host/db");
    const env = { FOLDIN_QUEUE: "postgres://me:hunter22@host/db" };
    expect((await queueAddress("env", env)).shown).toBe("postgres://me@host/db");
  });

  it.each(["postgres://me:hunter22@host/db", "postgres://me@host/db?password=hunter22"])(
    "refuses %s on the command line without repeating the password",
    async (url) => {
      const message = await messageOf(queueAddress(url, {}));
      expect(message).toMatch(/contains a password.*list of processes/);
      expect(message).not.toContain("hunter22");
    },
  );

  it.each([
    ["env", {}, /FOLDIN_QUEUE is not set/],
    ["env", { FOLDIN_QUEUE: "mysql://me:hunter22@host/db" }, /FOLDIN_QUEUE: is not the URL of a PostgreSQL/],
    ["queue.url", {}, /is not the URL .*@file/],
    ["@nowhere", {}, /nowhere: .*no such file/],
    ["postgres://me:hunter22/x@host/db", {}, /malformed.*%2F/],
  ])("refuses %s with %j", async (given, env, expected) => {
    const message = await messageOf(queueAddress(given, env));
    expect(message).toMatch(expected);
    expect(message).not.toContain("hunter22");
  });
});
