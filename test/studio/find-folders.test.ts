import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { findFolders } from "../../src/studio/find-folders.js";
import { writeManifest, writeRun } from "../support/run-folders.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const idsIn = async (folder = root) => {
  const { runs, datasets } = await findFolders(folder);
  return { runs: runs.map(({ id }) => id), datasets: datasets.map(({ id }) => id) };
};

describe("findFolders", () => {
  it("finds runs and datasets at any depth, and nothing inside them", async () => {
    writeManifest(join(root, "data", "films"));
    writeRun(join(root, "b"));
    writeRun(join(root, "searches", "one", "points", "latent=50"));
    expect(await idsIn()).toEqual({
      runs: ["b", "searches/one/points/latent=50"],
      datasets: ["data/films"],
    });
  });

  it("accepts a run or a dataset as the folder itself", async () => {
    writeRun(join(root, "run"));
    expect(await idsIn(join(root, "run"))).toEqual({ runs: ["."], datasets: [] });
  });

  it("skips hidden folders and node_modules, but not the unfinished replacement of a run", async () => {
    for (const name of [".cache", "node_modules", ".vae.new"]) writeRun(join(root, name));
    expect((await idsIn()).runs).toEqual([".vae.new"]);
  });

  it("continues below a folder whose config.json belongs to another program", async () => {
    writeFileSync(join(root, "config.json"), "{}");
    writeRun(join(root, "runs", "a"));
    expect((await idsIn()).runs).toEqual(["runs/a"]);
  });

  it("ends in a circle of symbolic links", { skip: process.platform === "win32" }, async () => {
    writeRun(join(root, "runs", "a"));
    symlinkSync(root, join(root, "runs", "again"));
    expect((await idsIn()).runs).toEqual(["runs/a"]);
  });

  it("lists a run once that a symbolic link leads to as well", {
    skip: process.platform === "win32",
  }, async () => {
    writeRun(join(root, "runs", "deep", "er", "a"));
    // Linked folders are visited after all others, wherever they are.
    symlinkSync(join(root, "runs", "deep"), join(root, "1-shortcut"));
    symlinkSync(join(root, "runs", "deep", "er", "a"), join(root, "2-run"));
    expect((await idsIn()).runs).toEqual(["runs/deep/er/a"]);
    // What only a link leads to is found through it; two links to it find it once.
    const elsewhere = mkdtempSync(join(tmpdir(), "foldin-elsewhere-"));
    writeRun(join(elsewhere, "b"));
    symlinkSync(elsewhere, join(root, "3-other"));
    symlinkSync(join(elsewhere, "b"), join(root, "4-other"));
    expect((await idsIn()).runs).toEqual(["3-other/b", "runs/deep/er/a"]);
    rmSync(elsewhere, { recursive: true });
    expect((await idsIn()).runs).toEqual(["runs/deep/er/a"]);
  });

  it("says that its limits were reached", async () => {
    for (const name of ["a", "b", "c"]) mkdirSync(join(root, name, "x"), { recursive: true });
    const limited = async (depth: number, folders: number) =>
      (await findFolders(root, { depth, folders })).isPartial;
    expect(await limited(1, 100)).toBe(true);
    expect(await limited(2, 100)).toBe(false);
    // The root, three folders, and one in each.
    expect(await limited(2, 6)).toBe(true);
    expect(await limited(2, 7)).toBe(false);
  });

  it("refuses a folder that does not exist, and a file", async () => {
    await expect(findFolders(join(root, "none"))).rejects.toThrow(/none: the folder does not exist/);
    writeFileSync(join(root, "file"), "");
    await expect(findFolders(join(root, "file"))).rejects.toThrow(UserError);
  });
});
