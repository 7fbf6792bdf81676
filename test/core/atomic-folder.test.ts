import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFileAtomic } from "../../src/core/atomic-file.js";
import { writeFolder } from "../../src/core/atomic-folder.js";
import { AbortedError, UserError } from "../../src/core/errors.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const marker = "manifest.json";
const fill = (text: string) => async (folder: string) => writeFileSync(join(folder, marker), text);
const read = (name: string) => readFileSync(join(home, name, marker), "utf8");

describe("writeFolder", () => {
  it("makes the folder and its parents, and leaves nothing else", async () => {
    await writeFolder(join(home, "a/b/out"), { marker }, fill("new"));
    expect(read("a/b/out")).toBe("new");
    expect(readdirSync(join(home, "a/b"))).toEqual(["out"]);
  });

  it("leaves nothing behind where the writer fails", async () => {
    const failing = writeFolder(join(home, "out"), { marker }, async (folder) => {
      writeFileSync(join(folder, "half"), "half");
      throw new Error("the disk is full");
    });
    await expect(failing).rejects.toThrow("the disk is full");
    expect(readdirSync(home)).toEqual([]);
  });

  it("leaves nothing behind where the work is stopped", async () => {
    const stop = new AbortController();
    const stopped = writeFolder(join(home, "out"), { marker, signal: stop.signal }, async (folder) => {
      writeFileSync(join(folder, marker), "late");
      stop.abort();
    });
    await expect(stopped).rejects.toThrow(AbortedError);
    expect(readdirSync(home)).toEqual([]);
  });

  it("refuses a folder that exists, and replaces it when forced", async () => {
    const out = join(home, "out");
    await writeFolder(out, { marker }, fill("first"));
    await expect(writeFolder(out, { marker }, fill("second"))).rejects.toThrow(UserError);
    expect(read("out")).toBe("first");
    await writeFolder(out, { marker, force: true }, fill("third"));
    expect(read("out")).toBe("third");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("keeps the old folder where a forced replacement fails", async () => {
    const out = join(home, "out");
    await writeFolder(out, { marker }, fill("first"));
    const failing = writeFolder(out, { marker, force: true }, async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(read("out")).toBe("first");
    expect(readdirSync(home)).toEqual(["out"]);
  });

  it("never replaces a folder that is not ours, nor a file", async () => {
    mkdirSync(join(home, "photos"));
    writeFileSync(join(home, "photos", "cat.jpg"), "cat");
    writeFileSync(join(home, "file"), "text");
    for (const name of ["photos", "file"])
      await expect(writeFolder(join(home, name), { marker, force: true }, fill("x")), name).rejects.toThrow(
        UserError,
      );
    expect(readFileSync(join(home, "photos", "cat.jpg"), "utf8")).toBe("cat");
  });

  it("fills an empty folder, and clears what a killed process left", async () => {
    mkdirSync(join(home, "out"));
    mkdirSync(join(home, ".out.partial-999999999-0badcafe"));
    await writeFolder(join(home, "out"), { marker }, fill("new"));
    expect(readdirSync(home)).toEqual(["out"]);
  });
});

describe("writeFileAtomic", () => {
  it("replaces a file and leaves nothing else", async () => {
    const path = join(home, "config.json");
    await writeFileAtomic(path, "one");
    await writeFileAtomic(path, "two");
    expect(readFileSync(path, "utf8")).toBe("two");
    expect(readdirSync(home)).toEqual(["config.json"]);
  });

  it("leaves nothing where the place cannot be written", async () => {
    mkdirSync(join(home, "taken"));
    await expect(writeFileAtomic(join(home, "taken"), "x")).rejects.toThrow();
    expect(readdirSync(home)).toEqual(["taken"]);
  });
});
