import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { studiesAtHand } from "../../../src/experiments/presets/at-hand.js";
import type { Study } from "../../../src/experiments/presets/preset.js";
import { findPreset } from "../../../src/experiments/presets/registry.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-at-hand-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A folder with these files, and the figures of CVAE that can run with them. */
async function withFiles(name: string, files: readonly string[], chosen?: (study: Study) => boolean) {
  const data = join(home, name);
  for (const file of files) {
    mkdirSync(join(data, file, ".."), { recursive: true });
    writeFileSync(join(data, file), "");
  }
  const { name: preset, studies: all } = await findPreset("cvae-figure-6");
  const { studies, skipped } = await studiesAtHand(preset, chosen ? all.filter(chosen) : all, data);
  return { keys: studies.map(({ key }) => key), skipped: skipped.map(({ why }) => why) };
}
const both = ["citeulike-a/users.dat", "citeulike-t/users.dat"];

describe("figures that the paper draws for citeulike-a", () => {
  it("are citeulike-a's where its bags of words are there", async () => {
    const { keys, skipped } = await withFiles("whole", [...both, "citeulike-a/mult.dat"]);
    expect(keys).toEqual(["citeulike-a-p1", "citeulike-a-p10"]);
    expect(skipped).toEqual([
      "the files of citeulike-a, P = 1 are there",
      "the files of citeulike-a, P = 10 are there",
    ]);
  });

  it("are citeulike-t's where they are not, with a line that says so", async () => {
    const { keys, skipped } = await withFiles("titles", both);
    expect(keys).toEqual(["citeulike-t-p1", "citeulike-t-p10"]);
    expect(skipped[0]).toMatch(/^mult.dat of citeulike-a is not in /);
    expect((await withFiles("t", ["citeulike-t/users.dat"])).skipped[0]).toMatch(
      /does not contain the files of citeulike-a/,
    );
  });

  it("are citeulike-t's where these alone are asked for", async () => {
    const files = [...both, "citeulike-a/mult.dat"];
    const { keys } = await withFiles("asked", files, ({ source }) => source === "citeulike-t");
    expect(keys).toEqual(["citeulike-t-p1", "citeulike-t-p10"]);
  });

  it("are refused without the files of either", async () => {
    await expect(withFiles("none", ["citeulike-a/users.dat"])).rejects.toThrow(
      /does not contain the files of citeulike-t/,
    );
  });
});
