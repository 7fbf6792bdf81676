// A replacement that is killed at each of its steps, one after the other: the old folder or the new one is there whole, what
// is the user's stays, and the next start leaves no trace.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/dataset.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { train } from "../../src/experiments/train.js";
import { loadRecommender } from "../../src/serving/load.js";

const support = (name: string) => resolve(import.meta.dirname, "../support", name);
const dist = (name: string) => pathToFileURL(resolve(import.meta.dirname, "../../dist", name)).href;
if (!existsSync(resolve(import.meta.dirname, "../../dist/index.js")))
  throw new Error("dist/index.js is missing: run npm run build (npm test does)");

const home = mkdtempSync(join(tmpdir(), "foldin-crash-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const input = Array.from({ length: 600 }, (_, row) => ({
  user: row % 60,
  item: (row * 7 + (row >> 3)) % 40,
}));
const options = { minUser: 1, validationUsers: 8, testUsers: 8 };

/** Runs a module's text, killed at a step; resolves to whether it came to its end. */
async function ends(code: string, step: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    ["--import", support("crash-at.mjs"), "--input-type=module", "-e", code],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, CRASH_AT: String(step), CRASH_IN: home },
    },
  );
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  return new Promise((done, fail) => {
    child.on("exit", (code, signal) => {
      if (signal === "SIGKILL") done(false);
      else if (code === 0) done(true);
      else fail(new Error(errors));
    });
  });
}

/** Every step before which the code can be killed; `check` looks at what is there then. */
async function atEveryStep(code: string, check: (step: string) => Promise<void>): Promise<number> {
  for (let step = 1; ; step++) {
    const whole = await ends(code, step);
    await check(`before step ${step}`);
    if (whole) return step - 1;
  }
}

describe.each([
  ["prepare", "ds"],
  ["train", "run"],
] as const)("%s --force that is killed at any step", (command, folder) => {
  const out = join(home, folder);
  const dataset = join(home, "data", "ds");
  const again = async () => {
    if (command === "prepare") await prepareDataset({ input, options, out, force: true });
    else
      (
        await train(await loadDataset(dataset), {
          out,
          model: "popularity",
          engine: "reference",
          force: true,
        })
      ).dispose();
  };
  const code =
    command === "prepare"
      ? `import { prepareDataset } from ${JSON.stringify(dist("index.js"))};
         await prepareDataset({ input: ${JSON.stringify(input)}, options: ${JSON.stringify(options)}, out: ${JSON.stringify(out)}, force: true });`
      : `import { loadDataset, train } from ${JSON.stringify(dist("index.js"))};
         (await train(await loadDataset(${JSON.stringify(dataset)}), { out: ${JSON.stringify(out)}, model: "popularity", engine: "reference", force: true })).dispose();`;

  beforeAll(async () => {
    await prepareDataset({ input, options, out: dataset, force: true });
    await again();
    writeFileSync(join(out, "notes.txt"), "mine");
  });

  it("leaves the old one or the new one, the user's own files, and in the end no trace", async () => {
    const steps = await atEveryStep(code, async (step) => {
      // A reader first, on its own.
      if (command === "prepare") expect((await loadDataset(out)).items.size, step).toBe(40);
      else (await loadRecommender(out, { engine: "reference" })).dispose();
      await again();
      expect(readFileSync(join(out, "notes.txt"), "utf8"), step).toBe("mine");
      expect(
        readdirSync(home).filter((name) => name !== "data" && name !== "ds"),
        step,
      ).toEqual(command === "prepare" ? [] : ["run"]);
    });
    expect(steps).toBeGreaterThan(command === "prepare" ? 5 : 8);
  });
});
