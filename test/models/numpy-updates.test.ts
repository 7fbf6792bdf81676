import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Dataset } from "../../src/data/dataset.js";
import { multDae } from "../../src/models/mult-dae.js";
import { multVae } from "../../src/models/mult-vae.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { split, vocabulary } from "../support/datasets.js";

interface Trained {
  options: Record<string, unknown>;
  losses: number[];
  kls?: number[];
  betas?: number[];
  scores: number[];
  weights: Record<string, number[]>;
}
const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-updates.json", import.meta.url), "utf8"),
) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  vae: Trained;
  dae: Trained;
};

const { seed, items, rows, probe } = fixture;
const nobody = split(emptyMatrix(0, items), emptyMatrix(0, items), "v");
const dataset: Dataset = {
  name: "numpy",
  items: vocabulary("i", items),
  users: vocabulary("u", rows.length),
  train: fromRows(items, rows),
  validation: nobody,
  test: nobody,
};

const cases: [Algorithm, Trained][] = [
  [multVae, fixture.vae],
  [multDae, fixture.dae],
];

describe.each(cases)(
  "six updates, an independent NumPy program beside them",
  ({ ...algorithm }, expected) => {
    it(`${algorithm.name} ends with NumPy's weights, losses and scores`, async () => {
      const engine = new ReferenceEngine({ precision: "float64" });
      const records: EpochRecord[] = [];
      const model = await algorithm.fit(dataset, parseOptions(algorithm, expected.options), {
        engine,
        seed,
        onEpoch: (record) => records.push(record),
      });
      const { tensors } = await model.save();
      expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected.weights).sort());
      const difference = (found: ArrayLike<number>, wanted: number[]) => {
        expect(found.length).toBe(wanted.length);
        return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
      };
      for (const [name, wanted] of Object.entries(expected.weights))
        expect(difference(tensors[name].data, wanted), name).toBeLessThan(1e-10);
      expect(
        difference(
          records.map(({ values }) => values.loss),
          expected.losses,
        ),
      ).toBeLessThan(1e-10);
      if (expected.kls)
        expect(
          difference(
            records.map(({ values }) => values.kl),
            expected.kls,
          ),
        ).toBeLessThan(1e-10);
      if (expected.betas) expect(records.map(({ values }) => values.beta)).toEqual(expected.betas);
      // Scores come back in float32.
      const scores = await model.score(fromRows(items, probe)).read();
      expect(difference(scores, expected.scores)).toBeLessThan(1e-6);
      expect(records.map(({ updates }) => updates)).toEqual([2, 4, 6]);
    });
  },
);
