import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { makeFolders, removeEmptyFolders } from "../../src/core/folders.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-folders-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe("makeFolders", () => {
  it("creates every missing level and returns them, outermost first", async () => {
    mkdirSync(join(home, "a"));
    const made = await makeFolders(join(home, "a", "b", "c"));
    expect(made.map((folder) => relative(home, folder))).toEqual([join("a", "b"), join("a", "b", "c")]);
    expect(await makeFolders(join(home, "a", "b", "c"))).toEqual([]);
  });

  it("creates folders through a link to a folder", async () => {
    mkdirSync(join(home, "real"));
    symlinkSync("real", join(home, "link"));
    await makeFolders(join(home, "link", "deeper"));
    expect(existsSync(join(home, "real", "deeper"))).toBe(true);
  });

  it("can be called concurrently", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => makeFolders(join(home, "x", "y", "z"))));
    expect(made.flat().toSorted()).toEqual(["x", "x/y", "x/y/z"].map((path) => join(home, path)));
  });

  it.each([
    [
      "a file",
      () => writeFileSync(join(home, "taken"), ""),
      "taken/x",
      /taken: is a file \(expected a folder\)/,
    ],
    ["a file at the end", () => writeFileSync(join(home, "taken"), ""), "taken", /taken: is a file/],
    [
      "a dead link",
      () => symlinkSync("nowhere", join(home, "dead")),
      "dead/x",
      /dead: is a broken symbolic link/,
    ],
    ["links in a circle", () => symlinkSync("loop", join(home, "loop")), "loop/x", /loop \(ELOOP\)/],
    ["a name that is too long", () => {}, `new/${"x".repeat(300)}`, /the name is too long \(ENAMETOOLONG\)/],
  ])("refuses %s and leaves nothing behind", async (_, prepare, path, message) => {
    prepare();
    const before = readdirSync(home);
    const making = makeFolders(join(home, path));
    await expect(making).rejects.toThrow(UserError);
    await expect(making).rejects.toThrow(message);
    expect(readdirSync(home)).toEqual(before);
  });

  it.skipIf(!existsSync("/proc/self"))(
    "refuses a folder that the file system does not make, where Node's recursive mkdir never ends",
    async () => {
      await expect(makeFolders("/proc/nope/deeper")).rejects.toThrow(
        /^\/proc\/nope: the folder cannot be created/,
      );
    },
  );

  it("removeEmptyFolders removes empty folders, innermost first", async () => {
    const made = await makeFolders(join(home, "a", "b", "c"));
    writeFileSync(join(home, "a", "kept"), "");
    await removeEmptyFolders(made);
    expect(readdirSync(join(home, "a"))).toEqual(["kept"]);
  });
});
