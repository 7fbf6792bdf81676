// A few seconds of bench/serving/hostile.mjs: hostile and slow clients of all kinds among honest ones. How long the honest ones
// wait depends on the machine; that they are answered, and what remains afterwards, does not.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { trainRun } from "../support/served.js";

it("honest clients are answered among hostile ones, which leave nothing behind", {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "foldin-hostile-"));
  try {
    const run = join(folder, "run");
    const json = join(folder, "result.json");
    await trainRun(run);
    const program = resolve(import.meta.dirname, "../../bench/serving/hostile.mjs");
    const options = ["--minutes", "0.15", "--rate", "10", "--hostile", "0.2", "--json", json];
    await new Promise<void>((done, fail) =>
      execFile(process.execPath, [program, run, ...options], { timeout: 100_000 }, (error, _, stderr) =>
        error ? fail(new Error(`${error.message}\n${stderr}`)) : done(),
      ),
    );
    const result = JSON.parse(await readFile(json, "utf8"));
    expect(result.honest.failures).toEqual({});
    expect(result.honest.requests).toBeGreaterThan(20);
    expect(Object.keys(result.hostile)).toHaveLength(14);
    for (const [kind, { opened }] of Object.entries<{ opened: number }>(result.hostile))
      expect(opened, kind).toBeGreaterThan(0);
    expect(result.openFilesAfter).toBeLessThan(60);
    expect(result.residentMiB.most).toBeLessThan(1000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
