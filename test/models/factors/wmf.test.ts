import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openEngine } from "../../../src/compute/open-engine.js";
import type { NamedTensors } from "../../../src/compute/tensor.js";
import { wmf, wmfTrainable } from "../../../src/models/factors/wmf.js";
import { parseOptions } from "../../../src/models/options.js";
import type { EpochRecord } from "../../../src/recommender/run-context.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { tastes, trainingOnly } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

interface Case {
  solver: string;
  losses: number[];
  items: number[];
  scores: number[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/implicit-wmf.json", import.meta.url), "utf8"),
) as {
  cases: Case[];
};

/** The fixture's program in TypeScript: the matrix and the start. */
const [USERS, ITEMS, FACTORS] = [40, 30, 6];
const numbersTo = (n: number) => [...Array(n).keys()];
const train = fromRows(
  ITEMS,
  numbersTo(USERS).map((u) =>
    numbersTo(ITEMS).filter((i) => (u * u + 3 * u * i + i) % 7 === 0 || (u + i) % 11 === 0),
  ),
);
const start = (rows: number, phase: number) => ({
  shape: [rows, FACTORS],
  data: Float32Array.from(numbersTo(rows * FACTORS), (_, index) => {
    const n = index + 1000 * phase;
    return ((31 * n * n + 17 * n) % 1009) / 5045 - 0.1;
  }),
});

const epoch = (number: number) => ({ number, order: new Uint32Array(0), updates: number - 1 });

describe.each(engineNames)("wmf on the %s engine", (engineName) => {
  it.each(fixture.cases)(
    "sweeps as benfred/implicit does, by $solver",
    async ({ solver, losses, items, scores }) => {
      const engine = await openEngine({ engine: engineName, threads: 2 });
      const options = parseOptions(wmf, {
        ...{ factors: FACTORS, regularization: 0.3, weighting: "two-level", a: 5, b: 1, solver },
      });
      const trainable = await wmfTrainable(trainingOnly(train), options, { engine, seed: 1 });
      await trainable.loadState({ users: start(USERS, 0), items: start(ITEMS, 1) });
      for (const [n, loss] of losses.entries()) {
        const { values } = await trainable.epoch(epoch(n + 1));
        expect(values.loss / loss).toBeCloseTo(1, 5);
      }
      const { items: learnt } = await trainable.saveState();
      for (const [n, value] of items.entries()) expect(learnt.data[n]).toBeCloseTo(value, 3);
      const folded = await trainable
        .recommender()
        .score(fromRows(ITEMS, [[3, 7, 21], [11]]))
        .read();
      for (const [n, score] of scores.entries()) expect(folded[n]).toBeCloseTo(score, 3);
      trainable.dispose();
      await engine.close();
    },
  );

  it("weights every cell as specified: the loss equals the definition, summed cell by cell", async () => {
    const engine = await openEngine({ engine: engineName, threads: 2 });
    const values = Float32Array.from(train.indices, (item) => 0.5 + (item % 4));
    for (const given of [
      { weighting: "linear", alpha: 3, values },
      { weighting: "linear", alpha: 3 },
      { weighting: "two-level", a: 2, b: 0.05 },
      { weighting: "unobserved", unobservedWeight: 0.2, frequencyExponent: 0.7 },
    ]) {
      const { values: ratings, ...others } = given;
      const options = parseOptions(wmf, { factors: 4, regularization: 0.2, ...others });
      const trainable = await wmfTrainable(trainingOnly({ ...train, values: ratings }), options, {
        engine,
        seed: 5,
      });
      const before = (await trainable.epoch(epoch(1))).values.loss;
      const { values: reported } = await trainable.epoch(epoch(2));
      expect(reported.loss).toBeLessThan(before);
      const { users: x, items: y } = await trainable.saveState();
      const other = { linear: 1, "two-level": options.b, unobserved: options.unobservedWeight }[
        options.weighting
      ];
      let sum = 0;
      let confidences = 0;
      const counts = { users: new Float64Array(USERS), items: new Float64Array(ITEMS) };
      for (let u = 0; u < USERS; u++)
        for (let i = 0; i < ITEMS; i++) {
          const e = train.indices.subarray(train.offsets[u], train.offsets[u + 1]).indexOf(i);
          const r = e < 0 ? 0 : (ratings?.[train.offsets[u] + e] ?? 1);
          let score = 0;
          for (let f = 0; f < 4; f++) score += x.data[u * 4 + f] * y.data[i * 4 + f];
          if (e >= 0) counts.users[u]++;
          if (e >= 0) counts.items[i]++;
          const own = { linear: 1 + options.alpha * r, "two-level": options.a, unobserved: 1 }[
            options.weighting
          ];
          if (options.weighting === "unobserved") sum += (e < 0 ? 0 : (1 - score) ** 2) + other * score ** 2;
          else sum += e < 0 ? other * score ** 2 : own * (1 - score) ** 2;
          confidences += e < 0 ? other : options.weighting === "unobserved" ? 1 + other : own;
        }
      for (const [tensor, count, across] of [
        [x, counts.users, ITEMS],
        [y, counts.items, USERS],
      ] as const)
        for (let n = 0; n < tensor.data.length; n++)
          sum +=
            0.2 *
            (count[Math.floor(n / 4)] + other * across) ** options.frequencyExponent *
            tensor.data[n] ** 2;
      expect(reported.loss / (sum / confidences)).toBeCloseTo(1, 5);
      trainable.dispose();
    }
    await engine.close();
  });

  it("resumes after an interruption with the same result", async () => {
    const engine = await openEngine({ engine: engineName, threads: 2 });
    const dataset = tastes();
    const options = parseOptions(wmf, { factors: 8, epochs: 6, solver: "conjugate-gradient" });
    const whole = await wmf.fit(dataset, options, { engine, seed: 3 });
    const checkpoints = new MemoryCheckpoints();
    const stop = new AbortController();
    const records: EpochRecord[] = [];
    const interrupted = wmf.fit(dataset, options, {
      ...{ engine, seed: 3, checkpoints, signal: stop.signal },
      onEpoch: (record) => {
        records.push(record);
        if (record.epoch === 3) stop.abort();
      },
    });
    await expect(interrupted).rejects.toThrow();
    expect(records).toHaveLength(3);
    const resumed = await wmf.fit(dataset, options, { engine, seed: 3, checkpoints });
    const tensors = async (model: typeof whole): Promise<NamedTensors> => (await model.save()).tensors;
    expect(await tensors(resumed)).toEqual(await tensors(whole));
    await engine.close();
  });
});
