import { describe, expect, it } from "vitest";
import { evcfTable1 } from "../../../src/experiments/presets/evcf-table-1.js";
import { evcfTable2 } from "../../../src/experiments/presets/evcf-table-2.js";
import { readRecipe } from "../../../src/experiments/recipes/recipe.js";

const studyOf = ({ studies }: typeof evcfTable1, key: string) => {
  const study = studies.find((one) => one.key === key);
  if (!study) throw new Error(`no study ${key}`);
  return study;
};

describe("EVCF's table 1", () => {
  it("has the paper's rows in its order", () => {
    expect(studyOf(evcfTable1, "netflix").runs.map(({ title }) => title)).toEqual([
      ...["WMF", "SLIM", "CDAE", "Mult-VAE", "Vamp", "H+Vamp", "Mult-VAE (Gated)", "H+Vamp (Gated)"],
    ]);
  });

  it("agrees with table 2 on Netflix: every row has the published NDCG@100 of its depth and gates", () => {
    const ndcgs = new Map(
      studyOf(evcfTable2, "netflix").runs.map(({ model, options, published }) => [
        `${model} ${options.layers} ${options.gated}`,
        published?.["ndcg@100"].mean,
      ]),
    );
    const rows = studyOf(evcfTable1, "netflix").runs.filter(({ options }) => options.layers !== undefined);
    expect(rows).toHaveLength(5);
    for (const { model, options, published } of rows)
      expect(ndcgs.get(`${model} ${options.layers} ${options.gated}`)).toBe(published?.["ndcg@100"].mean);
  });

  it("has the recipes' options for the baselines on MovieLens 1M", async () => {
    for (const model of ["wmf", "slim", "cdae"]) {
      const { options } = await readRecipe(`recipes/ml-1m/${model}.json`);
      expect(studyOf(evcfTable1, "ml-1m").runs.find(({ key }) => key === model)?.options).toEqual(options);
    }
  });
});

it("the likelihood of EVCF's models is chosen on the validation users, but for the README's run on Netflix and for table 2 on MovieLens 1M", () => {
  for (const preset of [evcfTable1, evcfTable2])
    for (const { key, runs } of preset.studies)
      for (const { model, options, candidates } of runs) {
        if (options.layers === undefined) continue;
        if (key === "netflix" && model === "h-vamp" && options.layers === 2 && options.gated)
          expect([options.likelihood, options.beta, candidates]).toEqual(["bernoulli", 0.3, undefined]);
        else if (preset === evcfTable2 && key === "ml-1m")
          expect([options.likelihood, candidates]).toEqual([undefined, undefined]);
        else
          expect(candidates?.map((one) => one.options.likelihood ?? "multinomial")).toEqual([
            ...["multinomial", "bernoulli"],
          ]);
      }
});
