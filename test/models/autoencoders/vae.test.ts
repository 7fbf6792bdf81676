import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import type { Dataset } from "../../../src/data/dataset.js";
import { betaAt, vae } from "../../../src/models/autoencoders/vae.js";
import { parseOptions } from "../../../src/models/options.js";
import { emptyMatrix, fromRows, sliceRows } from "../../../src/sparse/csr.js";
import { split, vocabulary } from "../../support/datasets.js";
import { precisions } from "../../support/engine-names.js";
import { expectWeights, largestError } from "../../support/updates.js";

interface Trained {
  options: Record<string, unknown>;
  losses: number[];
  kls: number[];
  betas: number[];
  validationLosses: number[];
  scores: number[];
  weights: Record<string, number[]>;
}
const fixture = JSON.parse(readFileSync(new URL("../fixtures/numpy-vae.json", import.meta.url), "utf8")) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  validation: { foldIn: number[][]; heldOut: number[][] };
} & Record<"v1" | "v2" | "corrected", Trained>;

const { seed, items, rows, probe, validation } = fixture;
const dataset: Dataset = {
  name: "numpy",
  items: vocabulary("i", items),
  users: vocabulary("u", rows.length),
  train: fromRows(items, rows),
  validation: split(fromRows(items, validation.foldIn), fromRows(items, validation.heldOut), "v"),
  test: split(emptyMatrix(0, items), emptyMatrix(0, items), "t"),
};

/** In float64 the same numbers; in float32 what a few updates of single precision leave of them. */
const engines = precisions(1e-9, 2e-4);

describe.each(engines)("the updates on the %s engine end with NumPy's", (_, tolerance, open) => {
  it.each(["v1", "v2", "corrected"] as const)("weights, losses, betas and scores: %s", async (name) => {
    const expected = fixture[name];
    const engine = await open();
    const { model, reported } = await expectWeights(vae, dataset, expected, { engine, seed, tolerance });
    expect(largestError(reported("loss"), expected.losses)).toBeLessThan(tolerance);
    expect(largestError(reported("kl"), expected.kls)).toBeLessThan(tolerance);
    expect(largestError(reported("beta"), expected.betas)).toBeLessThan(1e-12);
    expect(largestError(reported("validation loss"), expected.validationLosses)).toBeLessThan(tolerance);
    // Scores come back in float32.
    const scores = await model.score(fromRows(items, probe)).read();
    expect(largestError(scores, expected.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
    await engine.close();
  });
});

describe("beta as the notebooks have it", () => {
  const notebook = { beta: 0.2, annealSteps: 5000, annealMultiplier: 40 };

  it("v2: 0, 0, .008, .016, ... by epoch, the cap from epoch index 26 on", () => {
    const v2 = { ...notebook, anneal: "epoch", initialBeta: 0 } as const;
    const of = (epoch: number, batch = 0) => betaAt(v2, epoch * 152 + batch + 1, 152);
    expect([0, 1, 2, 3].map((epoch) => of(epoch))).toEqual([0, 0, 0.008, 0.016]);
    expect(of(2, 151)).toBe(0.008);
    expect(of(25)).toBeCloseTo(0.192, 12);
    expect(of(26)).toBe(0.2);
    expect(of(70)).toBe(0.2);
  });

  it("v1: 1 in the first batch, then a saw-tooth up to .0074", () => {
    const v1 = { ...notebook, anneal: "batch-in-epoch", initialBeta: 1 } as const;
    const of = (epoch: number, batch: number) => betaAt(v1, epoch * 38 + batch + 1, 38);
    expect([of(0, 0), of(0, 1), of(0, 2)]).toEqual([1, 0, 1 / 5000]);
    expect([of(1, 0), of(1, 1), of(7, 37)]).toEqual([37 / 5000, 0, 36 / 5000]);
  });

  it("by update: before each, up to the cap; 0 steps = the cap at once", () => {
    const update = { ...notebook, anneal: "update", initialBeta: 0 } as const;
    expect([1, 2, 501, 1001, 9999].map((u) => betaAt(update, u, 10))).toEqual([0, 0.0002, 0.1, 0.2, 0.2]);
    expect(betaAt({ ...update, annealSteps: 0 }, 1, 10)).toBe(0.2);
  });
});

describe("the network", () => {
  it.each([
    [{ hidden: [100], latent: 25 }, 635_875, [312_600, 2_525, 2_525, 2_600, 315_625]],
    [{ hidden: [120], latent: 40 }, 767_845, [375_120, 4_840, 4_840, 4_920, 378_125]],
  ])("has the notebooks' numbers of weights: %o", async (sizes, total, layers) => {
    const outline = vae.outline?.(3125, parseOptions(vae, sizes)) ?? [];
    const counts = outline.map(({ parameters }) => parameters).filter((count) => count > 0);
    expect(counts).toEqual(layers);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(total);
    const model = await vae.fit(
      {
        ...dataset,
        items: vocabulary("i", 3125),
        train: fromRows(3125, [[0, 3124]]),
        validation: dataset.test,
      },
      parseOptions(vae, { ...sizes, epochs: 1 }),
      { engine: new ReferenceEngine(), seed: 1 },
    );
    const { tensors } = await model.save();
    expect(Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0)).toBe(total);
  });

  it("samples at prediction by seed and history: a batch and a single user agree", async () => {
    const engine = new ReferenceEngine();
    const scores = async (seed: number, sampleAtPrediction: boolean, row?: number) => {
      const options = parseOptions(vae, { ...fixture.v2.options, sampleAtPrediction });
      const model = await vae.fit(dataset, options, { engine, seed });
      const histories = fromRows(items, [[1, 2], [3], [2, 1]]);
      return model.score(row === undefined ? histories : sliceRows(histories, row, row + 1)).read();
    };
    const batch = await scores(1, true);
    expect(await scores(1, true, 1)).toEqual(batch.subarray(items, 2 * items));
    expect(batch.subarray(2 * items)).toEqual(batch.subarray(0, items));
    // Training does not depend on how scores are drawn.
    expect(await scores(1, false)).not.toEqual(batch);
  });

  it.each([
    [{ hidden: [] }, "hidden"],
    [{ hidden: [0] }, "hidden"],
    [{ latent: 0 }, "latent"],
    [{ beta: -0.1 }, "beta"],
    [{ reconstruction: "total" }, "compatibility.reconstruction"],
    [{ anneal: "never" }, "compatibility.anneal"],
    [{ monitor: "recall@20" }, "compatibility.monitor"],
    [{ patience: 0 }, "patience"],
  ])("refuses %o with one message that names the option", (options, name) => {
    expect(() => parseOptions(vae, options)).toThrow(new RegExp(`^${name}`));
  });
});
