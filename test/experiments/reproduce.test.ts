import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseProtocol } from "../../src/data/protocol.js";
import { findSource } from "../../src/data/sources/registry.js";
import { parseMetric } from "../../src/evaluation/metrics.js";
import { drawNetwork, summarise } from "../../src/experiments/network-diagram.js";
import { kerasNotebookV2 } from "../../src/experiments/presets/keras-notebook-v2.js";
import type { Preset } from "../../src/experiments/presets/preset.js";
import { findPreset, presetNames } from "../../src/experiments/presets/registry.js";
import { reproduce } from "../../src/experiments/reproduce.js";
import {
  apartText,
  reportOnReproduction,
  standardErrorsApart,
} from "../../src/experiments/reproduction-report.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import { realData } from "../support/real-data.js";

describe.each([...presetNames])("the preset %s", (name) => {
  it("names known sources, models, options and metrics, every key once, and one of its tables runs on data that is at hand", async () => {
    const preset = await findPreset(name);
    expect(preset.name).toBe(name);
    const keys = new Set<string>();
    for (const { key, source, protocol, splits, metrics, runs } of preset.studies) {
      findSource(source);
      for (const split of splits ?? [{ protocol: {} }]) parseProtocol({ ...protocol, ...split.protocol });
      metrics.forEach(parseMetric);
      for (const run of runs) {
        expect(algorithmNames).toContain(run.model);
        parseOptions(await findAlgorithm(run.model), { ...run.options });
        for (const metric of Object.keys(run.published ?? {})) expect(metrics).toContain(metric);
        keys.add(`${key}/${run.key}`);
      }
    }
    expect(keys.size).toBe(preset.studies.reduce((sum, { runs }) => sum + runs.length, 0));
    const atHand = ["ml-1m", "citeulike-t", "citeulike-a"];
    expect(preset.studies.some(({ source, optional }) => atHand.includes(source) && !optional)).toBe(true);
  });
});

describe("the tables", () => {
  it("say how many standard errors apart two numbers are", () => {
    expect(standardErrorsApart({ mean: 0.5, standardError: 0.03 }, { mean: 0.4 })).toBeCloseTo(10 / 3, 12);
    // Two errors add as squares: 3, 4, 5.
    expect(
      standardErrorsApart({ mean: 0.5, standardError: 0.03 }, { mean: 0.6, standardError: 0.04 }),
    ).toBeCloseTo(-2, 12);
    expect(standardErrorsApart({ mean: 0.5, standardError: 0.03 }, undefined)).toBeUndefined();
    expect([apartText(-2.04), apartText(0.5), apartText(undefined)]).toEqual(["−2.0 SE", "+0.5 SE", ""]);
  });

  it.each([
    ["keras-notebook-v2", 635_875],
    ["keras-notebook-v1", 767_845],
  ])(
    "%s: the summary counts the notebook's weights, and the drawing has every layer",
    async (name, total) => {
      const { network } = await findPreset(name);
      if (!network) throw new Error("no network");
      const summary = summarise({ ...network, items: 3125 });
      expect(summary.total).toBe(total);
      const drawing = drawNetwork({ ...network, items: 3125 }).text;
      for (const { layer } of summary.rows) expect(drawing).toContain(`>${layer}<`);
      // Each box but the first is fed, z by two.
      expect(drawing.match(/marker-end/g)).toHaveLength(summary.rows.length);
    },
  );
});

const data = realData("ml-1m");

describe.skipIf(data === undefined)("reproducing on MovieLens 1M", () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), "foldin-reproduce-"));
  });
  afterAll(() => rm(out, { recursive: true }));
  const [notebook] = kerasNotebookV2.studies;
  const preset: Preset = { ...kerasNotebookV2, studies: [{ ...notebook, runs: notebook.runs.slice(0, 1) }] };
  const given = { data: data ?? "", epochs: 1 };

  it("runs from raw files to table and page; started again, it trains nothing", async () => {
    const told: string[] = [];
    const result = await reproduce(preset, {
      ...given,
      out,
      onEstimate: (seconds, runs) => told.push(`${runs} ${seconds > 0}`),
      onRun: (title, number, runs) => told.push(`${number} of ${runs}: ${title.slice(0, 15)}`),
    });
    expect(told).toEqual(["1 true", "1 of 1: VAE, as written"]);
    const [study] = result.studies;
    expect([study.trainUsers, study.items, study.testUsers]).toEqual([4834, 3125, 600]);
    const [run] = study.runs;
    expect(run.epochs).toBe(1);
    expect(Object.keys(run.metrics)).toEqual(["recall@5", "recall@20", "recall@50", "recall@100"]);
    // After one epoch it ranks about by popularity: far from nothing, and from perfect.
    expect(run.metrics["recall@20"].ours.mean).toBeGreaterThan(0.15);
    expect(run.metrics["recall@20"].ours.mean).toBeLessThan(0.35);
    expect(run.metrics["recall@20"].published?.mean).toBeCloseTo(0.2309, 4);
    expect(run.history[0].values).toHaveProperty("validation recall@20");

    const page = await readFile(await reportOnReproduction(out, result, undefined), "utf8");
    expect(page).toContain("These numbers are not a reproduction");
    expect(page).toContain(run.metrics["recall@20"].ours.mean.toFixed(4));
    expect(JSON.parse(await readFile(join(out, "results.json"), "utf8"))).toEqual(
      JSON.parse(JSON.stringify(result)),
    );

    const model = join(out, "runs/notebook/as-written/model/model.safetensors");
    const { mtimeMs } = await stat(model);
    told.length = 0;
    const again = await reproduce(preset, { ...given, out, onRun: (title) => told.push(title) });
    expect(told).toEqual([]);
    expect((await stat(model)).mtimeMs).toBe(mtimeMs);
    expect(again.studies[0].runs[0].metrics).toEqual(run.metrics);
  });

  it("skips optional tables whose files are missing, and requires the others", async () => {
    const studies = preset.studies.map((study) => ({ ...study, source: "ml-20m" }));
    const empty = await mkdtemp(join(tmpdir(), "foldin-no-data-"));
    await expect(
      reproduce({ ...preset, studies }, { ...given, data: empty, out: join(empty, "out") }),
    ).rejects.toThrow("ml-20m");
    const optional = studies.map((study) => ({ ...study, optional: true }));
    const result = await reproduce(
      { ...preset, studies: optional },
      { ...given, data: empty, out: join(empty, "out") },
    );
    expect(result.studies).toEqual([]);
    expect(result.skipped[0].why).toContain("does not contain the files of ml-20m");
    await rm(empty, { recursive: true });
  });
});
