// The presets of CVAE on generated articles: two subjects, each with words and readers of its own. What their numbers are on
// the published data stands in docs/reproducing.md.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Interaction } from "../../../src/data/interactions.js";
import { prepareDataset } from "../../../src/data/prepare.js";
import { findSourceFolder } from "../../../src/data/sources/prepare-source.js";
import { depthTables } from "../../../src/experiments/depth-section.js";
import type { Preset } from "../../../src/experiments/presets/preset.js";
import { findPreset } from "../../../src/experiments/presets/registry.js";
import { meanOfSplits } from "../../../src/experiments/repetitions.js";
import { reproduce } from "../../../src/experiments/reproduce.js";
import { reportOnReproduction } from "../../../src/experiments/reproduction-report.js";

const ARTICLES = 60;
// The users whom table 1 lists are among them.
const users = [2365, 2920, ...Array.from({ length: 48 }, (_, user) => user)];
const words = ["recall recommend rating retrieve query rank", "protein gene genome cell enzyme sequence"].map(
  (text) => text.split(" "),
);
const titles = Array.from({ length: ARTICLES }, (_, article) => {
  const own = words[article % 2];
  return [0, 1, 2].map((w) => own[(article + w * (1 + (article % 3))) % own.length]).join(" ");
});
/** Twelve articles of one subject; the first is trained on, or the first ten. */
function interactions(perUser: number, seed: number): Interaction[] {
  return users.flatMap((user, u) =>
    Array.from({ length: 12 }, (_, k) => ({
      user,
      item: (2 * ((5 * u + 7 * k + seed) % (ARTICLES / 2)) + (u % 2)) % ARTICLES,
      part: k < perUser ? ("train" as const) : ("test" as const),
    })),
  );
}

let home: string;
let data: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-cvae-presets-"));
  data = join(home, "files");
  for (const set of ["citeulike-a", "citeulike-t"]) {
    mkdirSync(join(data, set), { recursive: true });
    writeFileSync(join(data, set, "users.dat"), "1 0\n");
  }
  writeFileSync(join(home, "texts.txt"), `${titles.join("\n")}\n`);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A folder in which the data of a preset's first splits are prepared already. */
async function prepared(preset: Preset, splits: number): Promise<string> {
  const out = join(home, preset.name);
  for (const study of preset.studies)
    for (const [seed, { key }] of (study.splits ?? []).slice(0, splits).entries())
      await prepareDataset({
        input: interactions(study.key.endsWith("p1") ? 1 : 10, seed),
        items: titles.map((title, id) => ({ id, title })),
        content: { file: join(home, "texts.txt") },
        options: { protocol: "given", minUser: 0, items: "catalogue" },
        out: join(out, "data", study.key, key),
        name: study.source,
      });
  return out;
}

describe.each(["cvae-figures-4-5", "cvae-figure-6", "cvae-figure-7", "cvae-paper", "cvae-table-1"])(
  "%s",
  (name) => {
    it("goes to its tables and page; started again, it trains nothing", async () => {
      const preset = await findPreset(name);
      const out = await prepared(preset, 1);
      const given = { data, out, epochs: 2, splits: 1, cache: join(home, "cache"), seed: 1 };
      const trained: string[] = [];
      const result = await reproduce(preset, { ...given, onRun: (title) => trained.push(title) });
      // Without bags of words of citeulike-a, the figures that the paper draws for it are citeulike-t's.
      const studies = preset.studies.filter(({ needs }) => needs === undefined);
      const runs = studies.reduce((sum, study) => sum + study.runs.length, 0);
      expect(trained).toHaveLength(runs);
      expect(result.studies.map(({ key }) => key)).toEqual(studies.map(({ key }) => key));
      expect(result.skipped).toHaveLength(preset.studies.length - studies.length);
      const page = readFileSync(await reportOnReproduction(out, result), "utf8");
      for (const study of result.studies) {
        expect(study.trainUsers).toBe(users.length);
        const tables = depthTables(study);
        expect(tables.map(({ depths }) => depths)).toEqual([
          [50, 100, 150, 200, 250, 300],
          [50, 100, 150, 200, 250, 300],
        ]);
        for (const { rows } of tables) {
          expect(rows.filter(({ published }) => !published)).toHaveLength(study.runs.length);
          for (const { values, published } of rows)
            for (const value of values)
              if (value !== undefined || !published) expect(page).toContain(value?.toFixed(4));
        }
        for (const run of study.runs) {
          const recall = run.metrics["recall-plain@50"].ours.mean;
          expect(recall).toBeGreaterThan(0);
          // All 60 articles fit into a list of 100.
          expect(run.metrics["recall-plain@100"].ours.mean).toBe(1);
          expect(run.cvaePaper?.["recall-plain@100"].mean).toBe(1);
        }
      }
      trained.length = 0;
      const models = statSync(join(out, "results.json")).mtimeMs;
      const again = await reproduce(preset, { ...given, onRun: (title) => trained.push(title) });
      expect(trained).toEqual([]);
      expect(again.studies).toEqual(result.studies);
      expect(statSync(join(out, "results.json")).mtimeMs).toBeGreaterThanOrEqual(models);
    });
  },
);

describe("the lists of table 1", () => {
  it("hold a user's best unknown articles with their titles, those of the library marked", async () => {
    const preset = await findPreset("cvae-table-1");
    const given = { data, out: join(home, preset.name), epochs: 2, cache: join(home, "cache"), seed: 1 };
    const { studies } = await reproduce(preset, { ...given, models: ["content-knn"] });
    const [one, other] = studies[0].runs[0].lists ?? [];
    expect([one.user, other.user, one.history, other.history]).toEqual([
      "2365",
      "2920",
      [titles[0]],
      [titles[11]],
    ]);
    const library = (u: number) =>
      interactions(1, 0)
        .slice(12 * u + 1, 12 * u + 12)
        .map(({ item }) => titles[Number(item)]);
    for (const [u, { items }] of [one, other].entries()) {
      expect(items).toHaveLength(10);
      // Neighbours by words are of the same subject, and titles repeat within it: enough are the user's own.
      expect(items.every(({ title }) => title.split(" ").every((word) => words[u].includes(word)))).toBe(
        true,
      );
      for (const { title, inLibrary } of items) if (inLibrary) expect(library(u)).toContain(title);
      expect(items.filter(({ inLibrary }) => inLibrary).length).toBeGreaterThan(0);
    }
  });
});

describe("several splits", () => {
  it("are averaged, with the standard error of that mean; each stays in the results", async () => {
    const preset = await findPreset("cvae-figures-4-5");
    const out = await prepared({ ...preset, name: "two-splits", studies: preset.studies.slice(0, 1) }, 2);
    const { studies } = await reproduce(preset, {
      ...{ data, out, epochs: 2, splits: 2, seed: 1 },
      ...{ studies: ["citeulike-t-p1"], models: ["wmf", "content-knn"] },
    });
    expect(studies).toHaveLength(1);
    const [study] = studies;
    expect(study.splits).toEqual({ run: ["released", "seed-1"], of: 5 });
    expect(study.runs.map(({ key }) => key)).toEqual(["wmf", "content-knn"]);
    for (const { metrics, splits = [] } of study.runs) {
      const [a, b] = splits.map((split) => split.metrics["recall-plain@50"].mean);
      const { mean, standardError } = metrics["recall-plain@50"].ours;
      expect(mean).toBeCloseTo((a + b) / 2, 12);
      // Of two numbers: their distance / sqrt(2) is their deviation, over sqrt(2) again its mean's.
      expect(standardError).toBeCloseTo(Math.abs(a - b) / 2, 12);
    }
    // 1, 2, 6: mean 3, deviation sqrt(14 / 2).
    expect(meanOfSplits([1, 2, 6].map((mean) => ({ mean }))).standardError).toBeCloseTo(Math.sqrt(7 / 3), 12);
  });

  it("and tables or models that a preset has not are refused with the nearest name", async () => {
    const preset = await findPreset("cvae-figures-4-5");
    const given = { data, out: join(home, "refused") };
    await expect(reproduce(preset, { ...given, studies: ["citeulike-t"] })).rejects.toThrow("citeulike-t-p1");
    await expect(reproduce(preset, { ...given, models: ["mult-vae"] })).rejects.toThrow('no "mult-vae"');
  });
});

describe("findSourceFolder", () => {
  it("takes a folder named like another source for that source's alone", async () => {
    const t = join(data, "citeulike-t");
    expect(await findSourceFolder("citeulike-t", data)).toBe(t);
    expect(await findSourceFolder("citeulike-t", t)).toBe(t);
    // Its files have the same names.
    expect(await findSourceFolder("citeulike-a", t)).toBeUndefined();
    expect(await findSourceFolder("citeulike-a", data)).toBe(join(data, "citeulike-a"));
  });
});
