import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { isBeingWritten, withLock } from "../../src/core/lock.js";

const child = resolve(import.meta.dirname, "../support/lock-in-child.mjs");
if (!existsSync(resolve(import.meta.dirname, "../../dist/core/lock.js")))
  throw new Error("dist/core/lock.js is missing: run npm run build (npm test does)");

let home: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-lock-"));
});
afterEach(() => {
  for (const one of children.splice(0)) one.kill("SIGKILL");
  rmSync(home, { recursive: true, force: true });
});

/** Starts a process that holds the lock; resolves once it has it. */
async function holder(path: string): Promise<ChildProcess> {
  const held = spawn(process.execPath, [child, path], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(held);
  await new Promise<void>((done, fail) => {
    held.stdout?.once("data", () => done());
    held.once("exit", (code) => fail(new Error(`ended with ${code}`)));
  });
  return held;
}

const ended = (process: ChildProcess) => new Promise((done) => process.once("exit", done));

describe("withLock", () => {
  it("leaves nothing behind, neither the lock nor created parents", async () => {
    let within: string[] = [];
    await withLock(join(home, "new", "run"), async () => {
      within = readdirSync(join(home, "new"));
    });
    expect(within).toEqual([".run.lock"]);
    expect(readdirSync(home)).toEqual([]);
  });

  it("passes on results and errors of the work, and releases the lock", async () => {
    const path = join(home, "run");
    expect(await withLock(path, async () => 7)).toBe(7);
    const failing = withLock(path, async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await withLock(path, async () => 8)).toBe(8);
  });

  it("refuses a second process, naming the holder", async () => {
    const path = join(home, "run");
    const { pid } = await holder(path);
    const second = withLock(path, async () => "both");
    await expect(second).rejects.toThrow(UserError);
    await expect(second).rejects.toThrow(
      new RegExp(`run: is being written by another foldin \\(process ${pid}, since \\d{4}-\\d\\d-\\d\\d`),
    );
  });

  it("refuses a second lock in the same process", async () => {
    const path = join(home, "run");
    await withLock(path, () =>
      expect(withLock(path, async () => "both")).rejects.toThrow(/process \d+, this one/),
    );
  });

  it("is free as soon as the holder was killed, even if its process id is in use again", async () => {
    const path = join(home, "run");
    const held = await holder(path);
    const gone = ended(held);
    held.kill("SIGKILL");
    await gone;
    expect(readdirSync(home)).toEqual([".run.lock"]);
    expect(await withLock(path, async () => "free")).toBe("free");
    expect(readdirSync(home)).toEqual([]);
  });

  it("waits for another process within its patience", async () => {
    const path = join(home, "run");
    const held = await holder(path);
    setTimeout(() => held.kill("SIGKILL"), 700);
    expect(await withLock(path, async () => "mine", { patience: 20_000 })).toBe("mine");
  });

  it("admits one process at a time among many", async () => {
    const counter = join(home, "counter");
    writeFileSync(counter, "0");
    const [processes, times] = [4, 15];
    const all = Array.from({ length: processes }, () => {
      const one = spawn(process.execPath, [child, join(home, "run"), counter, String(times)], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      children.push(one);
      return ended(one);
    });
    expect(await Promise.all(all)).toEqual(Array(processes).fill(0));
    expect(readFileSync(counter, "utf8")).toBe(String(processes * times));
    expect(readdirSync(home).toSorted()).toEqual(["counter", "counter.log"]);
  });

  it("takes over an empty lock file of a killed process and refuses a foreign file", async () => {
    writeFileSync(join(home, ".run.lock"), "");
    expect(await withLock(join(home, "run"), async () => "free")).toBe("free");
    writeFileSync(
      join(home, ".run.lock"),
      "a user's own file of this name, which is not a database".repeat(40),
    );
    await expect(withLock(join(home, "run"), async () => "free")).rejects.toThrow(
      /\.run\.lock: is not a lock file of foldin\. Delete it/,
    );
  });

  it.skipIf(process.getuid?.() === 0)(
    "works without a lock where only what is there can be written",
    async () => {
      const folder = join(home, "closed");
      await withLock(join(folder, "run"), async () => writeFileSync(join(folder, "run"), ""));
      chmodSync(folder, 0o500);
      const notes: string[] = [];
      await withLock(join(folder, "run"), async () => {}, { onNote: (text) => notes.push(text) });
      expect(notes).toEqual([expect.stringMatching(/cannot be locked/)]);
      chmodSync(folder, 0o700);
    },
  );
});

describe("isBeingWritten", () => {
  it("is true while another process, or this one, holds the lock", async () => {
    const path = join(home, "run");
    expect(await isBeingWritten(path)).toBe(false);
    const other = await holder(path);
    expect(await isBeingWritten(path)).toBe(true);
    other.kill("SIGKILL");
    await ended(other);
    // The lock file is left behind.
    expect(existsSync(join(home, ".run.lock"))).toBe(true);
    expect(await isBeingWritten(path)).toBe(false);
    await withLock(path, async () => expect(await isBeingWritten(path)).toBe(true));
    expect(await isBeingWritten(path)).toBe(false);
  });

  it("is false for a file that is not a lock, and does not change it", async () => {
    writeFileSync(join(home, ".run.lock"), "text");
    expect(await isBeingWritten(join(home, "run"))).toBe(false);
    expect(readFileSync(join(home, ".run.lock"), "utf8")).toBe("text");
  });
});
