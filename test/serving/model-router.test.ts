// A newer model that cannot be loaded is reported once, however often the server checks.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { controlCharacters } from "../support/control-characters.js";
import { serving } from "../support/foldin.js";
import { served, trainRun } from "../support/served.js";

afterEach(() => {
  vi.restoreAllMocks();
});

async function watched() {
  const lines: { msg?: string }[] = [];
  const fixture = await served({
    logger: { level: "info", stream: { write: (line: string) => void lines.push(JSON.parse(line)) } },
  });
  const told = (text: string) => lines.filter(({ msg }) => msg?.includes(text)).length;
  const counted = async (outcome: string) => {
    const { body } = await fixture.ask("GET", "/metrics");
    return Number(new RegExp(`foldin_reloads_total.*outcome="${outcome}".* (\\d+)`).exec(body)?.[1] ?? 0);
  };
  return { ...fixture, told, counted, failed: () => told("cannot be loaded; the previous one stays in use") };
}

describe("a newer model that cannot be loaded", () => {
  it("is logged and counted once, for any number of concurrent and consecutive checks", async () => {
    const { server, run, counted, failed, close } = await watched();
    await writeFile(join(run, "model", "model.safetensors"), "not these");
    const outcomes = await Promise.all(Array.from({ length: 13 }, () => server.reload()));
    // Those who looked at the same time share one look.
    expect(new Set(outcomes.flat()).size).toBe(1);
    for (let look = 0; look < 5; look++) expect(await server.reload()).toEqual([]);
    expect([failed(), await counted("failed")]).toEqual([1, 1]);
    await close();
  });

  it("is reported again if other files fail or the files are missing", async () => {
    const { server, run, counted, failed, close } = await watched();
    const weights = join(run, "model", "model.safetensors");
    for (const [round, change] of [
      () => writeFile(weights, "not these"),
      () => writeFile(weights, "nor those"),
      () => rm(weights),
    ].entries()) {
      await change();
      for (let look = 0; look < 3; look++) await server.reload();
      expect([failed(), await counted("failed")]).toEqual([round + 1, round + 1]);
    }
    await close();
  });

  it("is retried after a minute and used once it can be loaded", async () => {
    const { server, run, told, counted, failed, close } = await watched();
    const weights = join(run, "model", "model.safetensors");
    await writeFile(weights, "not these");
    await server.reload();
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 61_000);
    expect(await server.reload()).toEqual([]);
    expect(failed()).toBe(1);
    await rm(run, { recursive: true });
    await trainRun(run, 2);
    expect(await server.reload()).toEqual([{ name: "main", version: expect.any(String) }]);
    expect([told("model reloaded"), await counted("loaded"), await counted("failed")]).toEqual([1, 1, 1]);
    await close();
  });
});

describe("the log", () => {
  it("escapes control characters in folder names without changing the JSON data", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-log-"));
    const run = join(folder, "run\u009b31m\u202e\u2028\u001b[2J\n");
    await trainRun(run);
    const { process: child, outcome } = await serving(run, "none", ["--watch", "1"]);
    await rm(join(run, "model", "model.safetensors"));
    child.kill("SIGHUP");
    const lines: string[] = [];
    await new Promise<void>((logged) => {
      child.stdout?.on("data", (text: string) => {
        lines.push(...text.split("\n"));
        if (text.includes("the previous one stays")) logged();
      });
    });
    child.kill("SIGTERM");
    const { stdout, stderr, code } = await outcome;
    expect(code).toBe(0);
    expect(stdout + stderr).not.toMatch(controlCharacters);
    const errors = lines
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { err?: { message: string } });
    // The path as a UserError shows it: escaped once by the message, and not once more by JSON.
    expect(errors.find(({ err }) => err)?.err?.message).toContain("run\\u009b31m\\u202e\\u2028\\u001b[2J\\n");
    await rm(folder, { recursive: true });
  });
});
