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
    let trainings = 0;
    for (const { key, source, protocol, splits, metrics, runs } of preset.studies) {
      findSource(source);
      for (const split of splits ?? [{ protocol: {} }]) parseProtocol({ ...protocol, ...split.protocol });
      metrics.forEach(parseMetric);
      for (const run of runs) {
        expect(algorithmNames).toContain(run.model);
        parseOptions(await findAlgorithm(run.model), { ...run.options });
        for (const metric of Object.keys(run.published ?? {})) expect(metrics).toContain(metric);
        // Neither a row nor one of its trainings has another's folder.
        expect(run.seeds === undefined || run.candidates === undefined).toBe(true);
        for (const { key: candidate, options } of run.candidates ?? []) {
          parseOptions(await findAlgorithm(run.model), { ...run.options, ...options });
          keys.add(`${key}/${run.key}-${candidate}`);
          trainings++;
        }
        if (run.candidates === undefined) trainings++;
        if (run.candidates === undefined) keys.add(`${key}/${run.key}`);
      }
    }
    expect(keys.size).toBe(trainings);
    const drawn = preset.studies.find(({ key }) => key === preset.network?.study);
    if (preset.network) expect(drawn?.runs.map(({ key }) => key)).toContain(preset.network.run);
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
      const { network, studies } = await findPreset(name);
      const run = studies
        .find(({ key }) => key === network?.study)
        ?.runs.find(({ key }) => key === network?.run);
      const algorithm = await findAlgorithm(run?.model ?? "");
      const outline = algorithm.outline?.(3125, parseOptions(algorithm, { ...run?.options })) ?? [];
      const summary = summarise(outline);
      expect(summary.total).toBe(total);
      const drawing = drawNetwork(outline).text;
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
  const [recorded] = notebook.runs;
  const preset: Preset = { ...kerasNotebookV2, studies: [{ ...notebook, runs: [recorded] }] };
  const given = { data: data ?? "", epochs: 1, seeds: 1 };

  it("runs from raw files to table and page; started again, it trains nothing", async () => {
    const told: string[] = [];
    const result = await reproduce(preset, {
      ...given,
      out,
      onEstimate: (seconds, runs) => told.push(`${runs} ${seconds > 0}`),
      onRun: (title, number, runs) => told.push(`${number} of ${runs}: ${title.slice(0, 15)}`),
    });
    expect(told).toEqual(["1 true", "1 of 1: VAE, the record"]);
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

    const page = await readFile(await reportOnReproduction(out, result), "utf8");
    expect(page).toContain("These numbers are not a reproduction");
    expect(page).toContain(run.metrics["recall@20"].ours.mean.toFixed(4));
    const bins = Object.entries(study.data).map(([name, bins]) => [name, bins.map(({ from }) => from)]);
    expect(Object.fromEntries(bins).ratings).toEqual([4, 5]);
    const users = study.data.historyHistogram.reduce((sum, bin) => sum + bin.count, 0);
    const items = study.data.itemHistogram.reduce((sum, bin) => sum + bin.count, 0);
    expect([users, items]).toEqual([4834, 3125]);
    expect(page).toContain('aria-label="Interactions by rating. 4: ');
    expect(JSON.parse(await readFile(join(out, "results.json"), "utf8"))).toEqual(
      JSON.parse(JSON.stringify(result)),
    );

    const model = join(out, "runs/notebook/recorded-seed-98765/model/model.safetensors");
    const { mtimeMs } = await stat(model);
    told.length = 0;
    const again = await reproduce(preset, { ...given, out, onRun: (title) => told.push(title) });
    expect(told).toEqual([]);
    expect((await stat(model)).mtimeMs).toBe(mtimeMs);
    expect(again.studies[0].runs[0].metrics).toEqual(run.metrics);
    expect(again.network).toEqual(result.network);
  });

  it("trains a row once per seed, keeps what is there, and gives the mean with the runs' standard deviation", async () => {
    const told: string[] = [];
    const result = await reproduce(preset, { ...given, seeds: 2, out, onRun: (title) => told.push(title) });
    expect(told).toEqual([`${recorded.title}: ${notebook.title}, seed 98766`]);
    const [run] = result.studies[0].runs;
    expect(run.seeds?.map(({ seed }) => seed)).toEqual([98765, 98766]);
    const { ours, published, chance } = run.metrics["recall@5"];
    const means = run.seeds?.map(({ metrics }) => metrics["recall@5"].mean) ?? [];
    expect(means[0]).not.toBe(means[1]);
    expect(ours.mean).toBeCloseTo((means[0] + means[1]) / 2, 12);
    // Of two values, the standard deviation is their difference over the root of 2.
    expect(ours.runDeviation).toBeCloseTo(Math.abs(means[0] - means[1]) / Math.SQRT2, 12);
    // Student's t with one degree of freedom is Cauchy's distribution.
    const apart = Math.abs((published?.mean ?? 0) - ours.mean) / ((ours.runDeviation ?? 0) * Math.sqrt(1.5));
    expect(chance).toBeCloseTo(0.5 - Math.atan(apart) / Math.PI, 10);

    const page = await readFile(await reportOnReproduction(out, result), "utf8");
    expect(page).toContain("Run to run");
    expect(page).toContain(ours.runDeviation?.toFixed(4));
    expect(page).toContain("z_log_variance");
  });

  it("chooses among candidates on the validation users and evaluates the choice alone", async () => {
    const told: string[] = [];
    const candidates = [
      { key: "still", title: "no step to speak of", options: { learningRate: 1e-12, dropout: 0 } },
      { key: "published", title: "the published step", options: {} },
    ];
    const { seeds: _, ...once } = recorded;
    const chosen = { ...preset, studies: [{ ...notebook, runs: [{ ...once, candidates }] }] };
    const result = await reproduce(chosen, { ...given, out, onRun: (title) => told.push(title) });
    expect(told).toEqual(candidates.map(({ title }) => `${recorded.title}: ${notebook.title}, ${title}`));
    const [{ choice, options }] = result.studies[0].runs;
    expect(choice?.metric).toBe(notebook.curve);
    expect(choice?.candidates.map(({ key, chosen }) => [key, chosen])).toEqual([
      ["still", false],
      ["published", true],
    ]);
    const [still, published] = choice?.candidates ?? [];
    expect(published.value).toBeGreaterThan(still.value);
    expect(options.learningRate).toBe(1e-3);
    // The network is drawn as it was chosen: the other candidate has no dropout.
    expect(result.network?.map(({ name }) => name)).toContain("dropout");
    const page = await readFile(await reportOnReproduction(out, result), "utf8");
    expect(page).toContain(`chosen on the validation users: the published step`);
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
