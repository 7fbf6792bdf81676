import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { AbortedError, UserError } from "../../src/core/errors.js";
import type { ProgressEvent } from "../../src/core/progress.js";
import type { Dataset } from "../../src/data/dataset.js";
import { ease } from "../../src/models/linear/ease.js";
import { infiniteAe } from "../../src/models/linear/infinite-ae.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { RunContext } from "../../src/recommender/run-context.js";
import { type CsrMatrix, emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { checkerboard, split, vocabulary } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";

const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-closed-forms.json", import.meta.url), "utf8"),
) as {
  items: number;
  rows: number[][];
  probe: number[][];
  ease: { options: Record<string, number>; weights: number[] }[];
  "infinite-ae": { options: Record<string, number>; scores: number[] }[];
};
const { items } = fixture;
const probe = fromRows(items, fixture.probe);
const everyItem = fromRows(
  items,
  Array.from({ length: items }, (_, item) => [item]),
);

function datasetOf(train: CsrMatrix): Dataset {
  const nobody = split(emptyMatrix(0, train.columns), emptyMatrix(0, train.columns), "v");
  return {
    name: "numpy",
    items: vocabulary("i", train.columns),
    users: vocabulary("u", train.rows),
    train,
    validation: nobody,
    test: nobody,
  };
}
const dataset = datasetOf(fromRows(items, fixture.rows));

/** In float64 NumPy's numbers; in float32 what single precision leaves of them. */
const engines: [string, number, () => Promise<Engine>][] = [
  ["reference, float64", 1e-7, async () => new ReferenceEngine({ precision: "float64" })],
  ...engineNames.map((name): (typeof engines)[number] => [
    `${name}, float32`,
    2e-5,
    () => openEngine({ engine: name, threads: 2 }),
  ]),
];

/** Trains on a fresh engine, which `use` may ask and which is closed afterwards. */
async function trained<Options, Result>(
  algorithm: Algorithm<Options>,
  open: () => Promise<Engine>,
  options: Record<string, unknown>,
  use: (scores: (histories: CsrMatrix) => Promise<Float32Array>, engine: Engine) => Promise<Result>,
  run: Partial<RunContext> = {},
  on = dataset,
): Promise<Result> {
  const engine = await open();
  try {
    const context = { engine, seed: 1, ...run };
    const model = await algorithm.fit(on, parseOptions(algorithm, options), context);
    const result = await use((histories) => model.score(histories).read(), engine);
    model.dispose();
    return result;
  } finally {
    await engine.close();
  }
}

function worst(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
}

const reference = async () => new ReferenceEngine();

describe.each(engines)("on the %s engine", (_, tolerance, open) => {
  it.each(fixture.ease.map((example) => [JSON.stringify(example.options), example] as const))(
    "ease %s has NumPy's weights",
    async (_, { options, weights }) => {
      // The scores of a history of one item are its row of W.
      const found = await trained(ease, open, options, (scores) => scores(everyItem));
      expect(worst(found, weights)).toBeLessThan(tolerance);
    },
  );

  it.each(fixture["infinite-ae"].map((example) => [JSON.stringify(example.options), example] as const))(
    "infinite-ae %s gives NumPy's scores",
    async (_, { options, scores }) => {
      const found = await trained(infiniteAe, open, options, (score) => score(probe));
      expect(worst(found, scores)).toBeLessThan(tolerance);
    },
  );
});

describe("ease", () => {
  it("holds a diagonal below 0 by holding it at 0: xi = 0 is EASE", async () => {
    const [strict, relaxed] = await Promise.all(
      [{ lambda: 2 }, { lambda: 2, xi: 0 }].map((options) =>
        trained(ease, reference, options, (scores) => scores(everyItem)),
      ),
    );
    expect(worst(relaxed, [...strict])).toBeLessThan(1e-6);
  });

  it("says what is too small, and what was aborted, and gives its memory back", async () => {
    for (const open of [reference, () => openEngine()]) {
      const engine = await open();
      const before = engine.memory();
      const singular = ease.fit(dataset, parseOptions(ease, { lambda: 0 }), { engine, seed: 1 });
      await expect(singular).rejects.toThrow(
        /^lambda: 0 is too small: .* \(at item \d\) \(expected a larger one/,
      );
      const aborted = { engine, seed: 1, signal: AbortSignal.abort() };
      await expect(ease.fit(dataset, parseOptions(ease), aborted)).rejects.toThrow(AbortedError);
      await engine.finished();
      // Blocks that are kept for reuse.
      expect(engine.memory() - before).toBeLessThan(20_000);
      await engine.close();
    }
  });

  it("refuses what does not fit before anything is allocated, with the number and what to do", async () => {
    const large = datasetOf(fromRows(400_000, [[1, 2, 399_999]]));
    const engine = new ReferenceEngine();
    const refused = ease.fit(large, parseOptions(ease), { engine, seed: 1 });
    await expect(refused).rejects.toThrow(
      /^ease: a matrix of 400,000 x 400,000 items.* needs 1192\.1 GiB of memory, and .* are available.*--min-item/,
    );
    expect(engine.memory()).toBe(0);
  });

  it.each([
    [{ p: 1 }, /^p: 1 does not fit/],
    [{ lambda: -1 }, /^lambda: -1 does not fit/],
    [{ xi: 1.5 }, /^xi: 1.5 does not fit/],
    [{ lamda: 1 }, /lamda: ease has no such option.*lambda/],
    [{ beta: "much" }, /^beta: "much" does not fit/],
  ])("refuses %j", (options, message) => {
    expect(() => parseOptions(ease, options)).toThrow(UserError);
    expect(() => parseOptions(ease, options)).toThrow(message);
  });
});

describe("infinite-ae", () => {
  const board = checkerboard();
  const scoresOf = (scores: (histories: CsrMatrix) => Promise<Float32Array>) => scores(board.test.foldIn);

  it("trains on a sample of the users where memory has not room for all, and says so", async () => {
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.type === "note") notes.push(event.text);
    };
    const { rows, columns } = board.train;
    // Room for 30 users: 30 (30 + items) float32.
    const options = { memory: (4 * 30 * (30 + columns) + 8) / 2 ** 30 };
    expect(rows).toBeGreaterThan(30);
    const small = await trained(infiniteAe, reference, options, scoresOf, { progress }, board);
    expect(notes).toEqual([
      expect.stringMatching(
        `infinite-ae: all ${rows} users would take .* it trains on 30 of them, drawn by the seed`,
      ),
    ]);
    // The same 30 by their number, others by another seed; said only where it is not what was asked for.
    expect(await trained(infiniteAe, reference, { users: 30 }, scoresOf, { progress }, board)).toEqual(small);
    const other = await trained(infiniteAe, reference, { users: 30 }, scoresOf, { seed: 2 }, board);
    expect(other).not.toEqual(small);
    expect(notes).toHaveLength(1);
  });

  it("refuses a kernel that float32 cannot tell from a singular one: two users with one history and no ridge", async () => {
    const twins = datasetOf(fromRows(items, [[0, 1], [0, 1], [3]]));
    const fit = infiniteAe.fit(twins, parseOptions(infiniteAe, { lambda: 0 }), {
      engine: new ReferenceEngine(),
      seed: 1,
    });
    await expect(fit).rejects.toThrow(/^lambda: 0 is too small/);
  });
});
