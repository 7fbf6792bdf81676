import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { buildDataset } from "../../src/data/prepare.js";
import { evaluate } from "../../src/evaluation/evaluate.js";
import { train } from "../../src/experiments/train.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { engineNames } from "../support/engine-names.js";
import { realData } from "../support/real-data.js";

const folder = realData("ml-1m");

describe.skipIf(folder === undefined)("MovieLens-1M, canonical split with 600 held-out users", () => {
  let dataset: Dataset;
  beforeAll(async () => {
    dataset = await buildDataset({
      input: join(folder ?? "", "ratings.dat"),
      name: "ml-1m",
      options: { protocol: "strong", minRating: 3.5, validationUsers: 600, testUsers: 600 },
    });
  });

  it("popularity has test NDCG@100 .2235, as in an independent PyTorch program", async () => {
    const model = await train(dataset, { model: "popularity", engine: "reference" });
    const { metrics, users } = await evaluate(model, dataset);
    expect(users).toBe(600);
    expect(metrics["ndcg@100"].mean).toBeCloseTo(0.2235, 4);
    model.dispose();
  });

  // The first 5 of 20 epochs of an independent NumPy program (models/fixtures/numpy-updates.json has its source), its own
  // random numbers: loss 690.2, validation NDCG@100 .2543.
  it.skipIf(!engineNames.includes("native"))("Mult-VAE learns as fast as NumPy's", async () => {
    const records: EpochRecord[] = [];
    const model = await train(dataset, {
      engine: "native",
      options: { epochs: 5, annealSteps: 850 },
      onEpoch: (record) => records.push(record),
    });
    const { loss, beta, "validation ndcg@100": ndcg } = records[4].values;
    expect(loss).toBeGreaterThan(690.2 - 3);
    expect(loss).toBeLessThan(690.2 + 3);
    expect(beta).toBeCloseTo(49 / 850, 6);
    expect(Math.abs(ndcg - 0.2543)).toBeLessThan(0.02);
    model.dispose();
  });
});
