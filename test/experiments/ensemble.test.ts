import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { trainEnsemble } from "../../src/experiments/ensemble.js";
import { standardise } from "../../src/models/blend.js";
import { loadRecommender } from "../../src/serving/load.js";
import { sliceRows } from "../../src/sparse/csr.js";
import { demoDataset } from "../support/demo-dataset.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-ensemble-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dataset = demoDataset(120);
const given = {
  ...{ model: "mult-dae", seed: 4, engine: "reference" as const },
  options: { latent: 6, epochs: 2, batchSize: 40 },
};

async function scoresOf(run: string, standard = false): Promise<Float32Array> {
  const model = await loadRecommender(run, { engine: "reference" });
  const histories = sliceRows(dataset.test.foldIn, 0, 5);
  const scores = await model.score(histories);
  const values = new Float32Array(await scores.read());
  if (standard) standardise(values, histories);
  model.dispose();
  return values;
}

describe("an ensemble of several seeds", () => {
  it("is the mean of the standardised scores of a run per seed", async () => {
    const out = join(folder, "three");
    const seeds: number[] = [];
    const blend = await trainEnsemble(dataset, {
      ...{ ...given, seeds: 3, out },
      onSeed: (seed) => seeds.push(seed),
    });
    blend.dispose();
    expect(seeds).toEqual([4, 5, 6]);
    const parts = await Promise.all(seeds.map((seed) => scoresOf(join(out, "seeds", String(seed)), true)));
    expect(parts[0]).not.toEqual(parts[1]);
    const blended = await scoresOf(join(out, "blend"));
    const mean = parts[0].map((_, i) => (parts[0][i] + parts[1][i] + parts[2][i]) / 3);
    blended.forEach((score, i) => {
      // Items of the history have no standardised score.
      if (Number.isFinite(mean[i])) expect(score).toBeCloseTo(mean[i], 4);
    });
  });

  it("keeps finished seeds, and may be extended", async () => {
    const out = join(folder, "three");
    const weights = () => readFileSync(join(out, "seeds/4/model/model.safetensors"));
    const before = weights();
    (await trainEnsemble(dataset, { ...given, seeds: 4, out })).dispose();
    expect(weights()).toEqual(before);
    const { config } = JSON.parse(readFileSync(join(out, "blend/model/config.json"), "utf8"));
    expect(config.parts.map(({ name }: { name: string }) => name)).toEqual(["4", "5", "6", "7"]);
  });

  it("refuses one seed, and a folder of another ensemble", async () => {
    const out = join(folder, "one");
    await expect(trainEnsemble(dataset, { ...given, seeds: 1, out })).rejects.toThrow(/at least 2/);
    expect(existsSync(out)).toBe(false);
    await expect(
      trainEnsemble(dataset, { ...given, seed: 9, seeds: 2, out: join(folder, "three") }),
    ).rejects.toThrow(/an ensemble of mult-dae from seed 4/);
  });
});
