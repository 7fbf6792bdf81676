import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { foldin, start } from "../support/foldin.js";

/** What the program does once it was asked to stop: it keeps this thread, or one that must end before the process can, busy. */
const busy = {
  "the event loop": "process.once('SIGINT', () => setImmediate(() => { for (;;); }));",
  "another thread":
    "import { pbkdf2 } from 'node:crypto'; process.once('SIGINT', () => pbkdf2('a', 'b', 2e9, 64, 'sha512', () => {}));",
};

describe("a second Ctrl-C", () => {
  it.each(Object.entries(busy))("ends the program immediately while %s is busy", async (_, code) => {
    const home = mkdtempSync(join(tmpdir(), "foldin-signal-"));
    const lines = ["user,item"];
    for (let row = 0; row < 6000; row++) lines.push(`${row % 300},${(row * 31) % 97}`);
    writeFileSync(join(home, "clicks.csv"), lines.join("\n"));
    const prepared = await foldin(["prepare", "clicks.csv", "--out", "ds"], { cwd: home });
    expect(prepared.code, prepared.stderr).toBe(0);
    const train = ["train", "ds", "--out", "run", "--engine", "reference", "--epochs", "100000"];
    const running = start(train, {
      cwd: home,
      env: { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(code)}"` },
    });
    let said = "";
    const stopping = new Promise<void>((done) => {
      running.process.stderr?.on("data", (text: string) => {
        said += text;
        if (said.includes("stopping;")) done();
      });
    });
    setTimeout(() => running.process.kill("SIGINT"), 3000);
    await Promise.race([stopping, running.outcome]);
    await new Promise((soon) => setTimeout(soon, 200));
    const asked = performance.now();
    running.process.kill("SIGINT");
    // A shell shows 130 for it.
    expect(await running.outcome).toMatchObject({ code: null, signal: "SIGINT" });
    expect(performance.now() - asked).toBeLessThan(5000);
    // What it leaves the next start clears.
    const again = await foldin([...train.slice(0, -1), "1", "--force"], { cwd: home });
    expect(again.code, again.stderr).toBe(0);
    expect(readdirSync(home).toSorted()).toEqual(["clicks.csv", "ds", "run"]);
  });
});
