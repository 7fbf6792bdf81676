import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Dataset } from "../../src/data/dataset.js";
import { parseOptions } from "../../src/models/options.js";
import { popularity } from "../../src/models/popularity.js";
import { emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { split, vocabulary } from "../support/datasets.js";

const DAY = 86_400;
const nobody = split(emptyMatrix(0, 4), emptyMatrix(0, 4), "v");
/** Items 0 to 3; the last interaction is on day 10, one has no time. */
const dataset: Dataset = {
  name: "days",
  items: vocabulary("i", 4),
  users: vocabulary("u", 3),
  train: fromRows(4, [
    [0, 1, 2],
    [0, 1],
    [0, 2, 3],
  ]),
  trainTimes: async () => Float64Array.of(0, 9, 10, 2, 10, 4, 8, Number.NaN).map((day) => day * DAY),
  validation: nobody,
  test: nobody,
};

async function scores(options: Record<string, unknown>, of = dataset): Promise<number[]> {
  const engine = new ReferenceEngine();
  const model = await popularity.fit(of, parseOptions(popularity, options), { engine, seed: 1 });
  const saved = await popularity.restore(await model.save(), { engine });
  return [...(await saved.score(emptyMatrix(1, 4)).read())];
}

describe("popularity, by hand", () => {
  it("counts users", async () => expect(await scores({})).toEqual([3, 2, 2, 1]));

  it("counts only interactions of the last days, to the second", async () => {
    expect(await scores({ window: 2 })).toEqual([0, 2, 2, 0]);
    expect(await scores({ window: 1.999 })).toEqual([0, 2, 1, 0]);
    expect(await scores({ window: 100 })).toEqual([3, 2, 2, 0]);
  });

  it("halves the weight of an interaction with every half-life", async () => {
    const found = await scores({ halfLife: 2 });
    // Days 0, 2 and 4 are 5, 4 and 3 half-lives ago; day 9 is half of one, day 8 a whole one.
    const expected = [1 / 32 + 1 / 16 + 1 / 8, 2 ** -0.5 + 1, 1 + 0.5, 0];
    for (const [item, count] of expected.entries()) expect(found[item]).toBeCloseTo(count, 6);
    expect(await scores({ halfLife: 2, window: 0.5 })).toEqual([0, 1, 1, 0]);
  });

  it("rejects data without times and invalid numbers of days", async () => {
    const { trainTimes: _, ...untimed } = dataset;
    await expect(scores({ window: 3 }, untimed)).rejects.toThrow(
      /window: the interactions of days have no times .*--time <column>/,
    );
    const missing = { ...dataset, trainTimes: async () => new Float64Array(8).fill(Number.NaN) };
    await expect(scores({ halfLife: 3 }, missing)).rejects.toThrow(/halfLife: .*no times/);
    await expect(scores({ halfLife: 0 })).rejects.toThrow(/halfLife: 0 is not valid.*halves/);
    expect(await scores({}, untimed)).toEqual([3, 2, 2, 1]);
  });
});
