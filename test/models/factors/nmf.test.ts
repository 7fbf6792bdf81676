import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type EngineOptions, openEngine } from "../../../src/compute/open-engine.js";
import { UserError } from "../../../src/core/errors.js";
import { nmf, nmfTrainable } from "../../../src/models/factors/nmf.js";
import { parseOptions } from "../../../src/models/options.js";
import type { EpochRecord } from "../../../src/recommender/run-context.js";
import { type CsrMatrix, emptyMatrix, fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { split, tastes, trainingOnly } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

interface Case {
  matrix: "ones" | "ratings";
  options: Record<string, string | number>;
  start: number[];
  error: number;
  iterations: number;
  items: number[];
  known: number[];
  scores: number[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/sklearn-nmf.json", import.meta.url), "utf8"),
) as {
  cases: Case[];
};

/** The fixture's program in TypeScript. */
const [USERS, ITEMS, FACTORS] = [40, 30, 5];
const numbersTo = (n: number) => [...Array(n).keys()];
const ones = fromRows(
  ITEMS,
  numbersTo(USERS).map((u) =>
    numbersTo(ITEMS).filter((i) => (u * u + 3 * u * i + i) % 7 === 0 || (u + i) % 11 === 0),
  ),
);
const ratings: CsrMatrix = { ...ones, values: Float32Array.from(ones.indices, (i) => 0.5 + (i % 4)) };
const histories = fromRows(ITEMS, [[3, 7, 21], [11]]);

/** scikit-learn's names in ours. */
const names: Record<string, string> = {
  ...{ random_state: "randomState", alpha_W: "alphaW", alpha_H: "alphaH", l1_ratio: "l1Ratio" },
  ...{ max_iter: "epochs" },
};
const optionsOf = (given: Case["options"]) =>
  parseOptions(nmf, {
    factors: FACTORS,
    ...Object.fromEntries(Object.entries(given).map(([name, value]) => [names[name] ?? name, value])),
  });

const engines: [string, EngineOptions, number][] = [
  ["reference engine in float64", { engine: "reference", precision: "float64" }, 1e-6],
  ...engineNames.map(
    (engine) => [`${engine} engine`, { engine, threads: 2 }, 1e-4] as [string, EngineOptions, number],
  ),
];

describe.each(engines)("nmf on the %s", (_, engineOptions, tolerance) => {
  it.each(fixture.cases.map((one) => [`${one.matrix}, ${JSON.stringify(one.options)}`, one] as const))(
    "iterates as scikit-learn does: %s",
    async (_, { matrix, options: given, start, error, iterations, items, known, scores }) => {
      const engine = await openEngine(engineOptions);
      const exact = engine.precision === "float64";
      const dataset = trainingOnly(matrix === "ones" ? ones : ratings);
      const options = optionsOf(given);
      const begun = await nmfTrainable(dataset, options, { engine, seed: 1 });
      const { users, items: first } = await begun.saveState();
      begun.dispose();
      const sums = [users, first].flatMap(({ data: numbers }) => {
        const data = Array.from(numbers);
        return [
          data.reduce((sum, value) => sum + value, 0),
          data.reduce((sum, value) => sum + value * value, 0),
        ];
      });
      for (const [n, sum] of start.entries()) expect(sums[n] / sum).toBeCloseTo(1, 5);

      const records: EpochRecord[] = [];
      const onEpoch = (record: EpochRecord) => records.push(record);
      const model = await nmf.fit(dataset, options, { engine, seed: 1, onEpoch });
      if (exact) expect(records).toHaveLength(iterations);
      expect(Math.abs(records[records.length - 1].values.error / error - 1)).toBeLessThan(tolerance);
      const expectClose = (actual: ArrayLike<number>, expected: number[], within: number) => {
        for (const [n, value] of expected.entries())
          expect(Math.abs(actual[n] - value), `${n}: ${actual[n]} is not ${value}`).toBeLessThan(within);
      };
      const { tensors } = await model.save();
      if (exact) expectClose(tensors.items.data, items, 1e-5);
      if (exact) expectClose(await model.score(histories).read(), scores, 1e-4);
      model.dispose();

      // The first two users once more, as guests of the rest: their own rows of W.
      if (exact && matrix === "ones") {
        const rest = fromRows(
          ITEMS,
          numbersTo(USERS - 2).map((u) => [...row(ones, u)]),
        );
        const guests = fromRows(
          ITEMS,
          [38, 39].map((u) => [...row(ones, u)]),
        );
        const test = split(guests, emptyMatrix(2, ITEMS), "t");
        const whole = { ...trainingOnly(rest), test };
        const among = await nmf.fit(whole, { ...options, transductive: "test" }, { engine, seed: 1 });
        const files = await among.save();
        expectClose(files.tensors.items.data, items, 1e-5);
        const w = files.tensors["known.factors"].data;
        const both = fromRows(ITEMS, [[3], [...row(ones, 39)], [], [...row(ones, 38)].reverse()]);
        const mixed = await among.score(both).read();
        for (const [at, guest] of [
          [1, 1],
          [3, 0],
        ])
          for (let i = 0; i < ITEMS; i++) {
            let score = 0;
            for (let f = 0; f < FACTORS; f++) score += w[guest * FACTORS + f] * items[i * FACTORS + f];
            expect(mixed[at * ITEMS + i]).toBeCloseTo(score, 4);
          }
        const alone = await among.score(fromRows(ITEMS, [[3]])).read();
        expectClose(mixed, [...alone], 1e-12);
        among.dispose();
      }
      expect(known).toHaveLength(2 * ITEMS);
      await engine.close();
    },
  );

  it("resumes after an interruption with the same result, and stays converged", async () => {
    const engine = await openEngine(engineOptions);
    const dataset = tastes();
    const options = parseOptions(nmf, { factors: 4, tolerance: 0.02 });
    const records: EpochRecord[] = [];
    const all = new MemoryCheckpoints();
    const onEpoch = (record: EpochRecord) => records.push(record);
    const whole = await nmf.fit(dataset, options, { engine, seed: 3, checkpoints: all, onEpoch });
    expect(records.length).toBeGreaterThan(4);
    expect(records.length).toBeLessThan(200);
    for (const epoch of [3, records.length]) {
      const from = new MemoryCheckpoints(0, all.saved[epoch - 1]);
      const again: EpochRecord[] = [];
      const resumed = await nmf.fit(dataset, options, {
        ...{ engine, seed: 3, checkpoints: from },
        onEpoch: (record) => again.push(record),
      });
      expect(again).toHaveLength(records.length - epoch);
      expect((await resumed.save()).tensors).toEqual((await whole.save()).tensors);
    }
    await engine.close();
  });

  it("rejects options that scikit-learn does not support, by name", async () => {
    const engine = await openEngine(engineOptions);
    const trained = (given: Record<string, unknown>, dataset = trainingOnly(ones)) =>
      nmf.fit(dataset, parseOptions(nmf, given), { engine, seed: 1 });
    await expect(trained({ alpha: 0.1, alphaW: 0.1 })).rejects.toThrow(
      /^alpha: cannot be combined with alphaW/,
    );
    await expect(trained({ init: "nndsvda", factors: 31 })).rejects.toThrow(
      /^factors: 31 factors are too many/,
    );
    const negative = { ...ones, values: new Float32Array(ones.indices.length).fill(-1) };
    await expect(trained({}, trainingOnly(negative))).rejects.toThrow(UserError);
    await engine.close();
  });
});

function row(matrix: CsrMatrix, r: number): Uint32Array {
  return matrix.indices.subarray(matrix.offsets[r], matrix.offsets[r + 1]);
}
