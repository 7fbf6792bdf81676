import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { withHeldOut } from "../../src/data/with-held-out.js";
import { refit } from "../../src/experiments/refit.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { train } from "../../src/experiments/train.js";
import { demoDataset } from "../support/demo-dataset.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-refit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dataset = demoDataset(120);
const engine = "reference" as const;
const at = (...names: string[]) => join(folder, ...names);
const weights = (run: string) => readFileSync(join(run, "model/model.safetensors"));
const settings = { latent: 6, epochs: 4, batchSize: 40 };

async function trained(name: string, model: string, options: Record<string, unknown>, seed = 7) {
  (await train(dataset, { model, options, seed, engine, out: at(name) })).dispose();
}

async function refitted(run: string, out: string, more: object = {}) {
  const again = await refit(dataset, at(run), { out: at(out), engine, ...more });
  again.recommender.dispose();
  return again;
}

describe("a run that is trained again on more users", () => {
  beforeAll(async () => {
    await trained("network", "mult-dae", { ...settings, patience: 1 });
    await trained("second", "mult-dae", settings, 8);
    await trained("popularity", "popularity", {});
    const runs = ["network", "popularity", "second"].map((name) => at(name));
    await trained("blend", "blend", { runs, weights: [3, 0, 1] });
  });

  it("is a training on all users but the test users, for as many epochs as were best", async () => {
    const { run, dataset: more } = await refitted("network", "again");
    expect(run).toBe(at("again"));
    expect(more.train.rows).toBeGreaterThan(dataset.train.rows);
    const epochs = (await readRunFolder(at("network"))).epochs.at(-1)?.kept;
    const expected = await train(withHeldOut(dataset), {
      ...{ model: "mult-dae", options: { ...settings, epochs }, seed: 7, engine, out: at("expected") },
    });
    expected.dispose();
    expect(weights(at("again")).equals(weights(at("expected")))).toBe(true);
    expect(weights(at("again")).equals(weights(at("network")))).toBe(false);
  });

  it("has the test users too where that is asked for", async () => {
    const { dataset: all } = await refitted("popularity", "all", { test: true });
    const { train: t, validation: v, test: s } = dataset;
    expect(all.train.rows).toBe(t.rows + v.users.size + s.users.size);
    expect(all.test.users.size).toBe(0);
  });

  it("of a blend has its parts trained again, and its weights", async () => {
    const parts: string[] = [];
    const { run } = await refitted("blend", "final", { onPart: (name: string) => parts.push(name) });
    expect(run).toBe(at("final", "blend"));
    // A run with a weight of 0 is no part.
    expect(parts).toEqual(["network", "second"]);
    const saved = JSON.parse(readFileSync(join(run, "model/config.json"), "utf8"));
    expect(saved.config.parts.map(({ weight }: { weight: number }) => weight)).toEqual([0.75, 0.25]);
    await refitted("network", "alone");
    expect(weights(at("final/parts/1")).equals(weights(at("alone")))).toBe(true);
  });

  it("replaces another blend, trained again, only with force", async () => {
    const runs = ["popularity", "second"].map((name) => at(name));
    await trained("other", "blend", { runs, weights: [1, 1] });
    await expect(refitted("other", "final")).rejects.toThrow(/final: contains .*blend, trained again/);
    await refitted("other", "final", { force: true });
    await refitted("other", "fresh");
    const files = (folder: string) => readdirSync(at(folder), { recursive: true }).sort();
    expect(files("final")).toEqual(files("fresh"));
    expect(weights(at("final/parts/2")).equals(weights(at("fresh/parts/2")))).toBe(true);
  });

  it("resumes where it was interrupted", async () => {
    const stop = new AbortController();
    const cut = refitted("blend", "cut", {
      signal: stop.signal,
      onPart: (_: string, number: number) => number === 2 && stop.abort(),
    });
    await expect(cut).rejects.toThrow(AbortedError);
    await refitted("blend", "cut");
    await refitted("blend", "whole");
    expect(weights(at("cut/blend")).equals(weights(at("whole/blend")))).toBe(true);
  });

  it("refuses an unfinished run, a blend without its runs, and the folder of another", async () => {
    const pause = { signal: undefined, pauseAfter: 1, checkpointSeconds: 0 };
    const unfinished = train(dataset, {
      ...{ model: "mult-dae", options: settings, engine, out: at("unfinished"), ...pause },
    });
    await expect(unfinished).rejects.toThrow(AbortedError);
    await expect(refitted("unfinished", "x")).rejects.toThrow(/unfinished: the run is not finished/);
    await trained("gone", "popularity", {});
    const runs = [at("gone"), at("network")];
    await trained("lost", "blend", { runs, weights: [1, 1] });
    rmSync(at("gone"), { recursive: true });
    await expect(refitted("lost", "y")).rejects.toThrow(/lost: its part .*gone does not exist/);
    const student = { model: "mult-dae", options: settings, distill: at("second"), out: at("student") };
    (await train(dataset, { ...student, engine })).dispose();
    await expect(refitted("student", "z")).rejects.toThrow(
      /student: learned from .*second, which does not know/,
    );
  });
});
