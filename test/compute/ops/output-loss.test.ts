// The output layer over a selection of items: gradients, how shares of a catalogue merge, samples, and what is extreme.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine, Likelihood } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { type ItemSample, type ItemSelection, itemSample } from "../../../src/compute/item-selection.js";
import { Objective, sum } from "../../../src/compute/objective.js";
import { scale } from "../../../src/compute/ops/arithmetic.js";
import { outputLoss, outputLossOf, outputStatistics } from "../../../src/compute/ops/output-loss.js";
import { tanh } from "../../../src/compute/ops/tanh.js";
import { Parameter } from "../../../src/compute/parameter.js";
import { Tape } from "../../../src/compute/tape.js";
import { type CsrMatrix, fromRows } from "../../../src/sparse/csr.js";
import { negativeSampler } from "../../../src/training/negatives.js";
import { precisions } from "../../support/engine-names.js";
import { type HostMatrix, relativeDifference, Workbench } from "../../support/engines.js";
import { gradientError } from "../../support/gradients.js";

interface SampledSoftmax {
  hidden: number[][];
  weights: number[][];
  bias: number[];
  histories: number[][];
  drawn: number[];
  logQ: number[];
  loss: number[];
  gradients: { hidden: number[][]; weights: number[][]; bias: number[] };
}
const sampledSoftmax: SampledSoftmax = JSON.parse(
  readFileSync(new URL("../fixtures/sampled-softmax.json", import.meta.url), "utf8"),
);

const likelihoods = ["multinomial", "bernoulli"] as const;
const engines = precisions(1e-11, 2e-5);
const opened: Engine[] = [];
afterAll(() => Promise.all(opened.map((engine) => engine.close())));

interface Layer {
  readonly hidden: HostMatrix;
  readonly weights: HostMatrix;
  readonly bias: HostMatrix;
  readonly target: CsrMatrix;
}

function drawLayer(seed: number, rows: number, items: number, width = 4, deviation = 1): Layer {
  const bench = new Workbench(new ReferenceEngine(), seed);
  return {
    hidden: bench.matrix(rows, width, deviation),
    weights: bench.matrix(items, width),
    bias: bench.matrix(1, items),
    target: bench.sparseMatrix(rows, items),
  };
}

/** Drawn items, some of them twice, with uneven corrections; every target of a batch is there. */
function drawSample(
  { target }: Layer,
  seed: number,
  ownTargets: ItemSample["ownTargets"],
  everyTarget = ownTargets === "drawn",
): ItemSample {
  const { random } = new Workbench(new ReferenceEngine(), seed);
  const targets = Uint32Array.from(new Set(target.indices)).sort();
  const drawn = Array.from({ length: 1 + random.below(2 * target.columns) }, () =>
    random.below(target.columns),
  );
  if (everyTarget) drawn.push(...targets);
  return itemSample(targets, drawn, (item) => ((item % 7) - 3) / 2, ownTargets);
}

const parametersOf = (engine: Engine, { weights, bias }: Layer) =>
  [
    new Parameter(engine, "weights", weights.rows, weights.columns, weights.data),
    new Parameter(engine, "bias", 1, bias.columns, bias.data),
  ] as const;

interface Result {
  readonly loss: ArrayLike<number>;
  readonly hidden: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

/** The loss of each row, and the gradients of sum over rows of (r + 1) loss_r. */
async function whole(
  engine: Engine,
  layer: Layer,
  likelihood: Likelihood,
  selection?: ItemSelection,
): Promise<Result> {
  return shares(engine, layer, likelihood, [selection ?? { kind: "all" }]);
}

/** The same from several selections, whose statistics are merged. */
async function shares(
  engine: Engine,
  layer: Layer,
  likelihood: Likelihood,
  selections: readonly ItemSelection[],
): Promise<Result> {
  const [weights, bias] = parametersOf(engine, layer);
  const { rows, columns } = layer.hidden;
  const tape = new Tape(engine);
  const given = engine.tensor(rows, columns, layer.hidden.data);
  const hidden = tape.input(given);
  const target = tape.sparse(layer.target);
  const losses =
    selections.length === 1
      ? [outputLoss(tape, hidden, weights, bias, target, { likelihood, selection: selections[0] })]
      : (() => {
          const forwards = selections.map((selection) =>
            outputStatistics(tape, hidden, weights, bias, target, { likelihood, selection }),
          );
          const merged = tape.empty(rows, 4);
          engine.copy(merged, forwards[0].statistics);
          for (const { statistics } of forwards.slice(1))
            engine.mergeOutputStatistics(merged, statistics, likelihood);
          return forwards.map((forward) => outputLossOf(tape, forward, merged));
        })();
  // Each row another upstream gradient.
  const upstream = tape.empty(rows, 1);
  engine.write(
    upstream,
    Array.from({ length: rows }, (_, r) => r + 1),
  );
  const weighted = losses.map((loss) =>
    tape.record(loss.value, [loss], () => engine.addScaled(loss.gradient(), upstream, 1)),
  );
  tape.backward(weighted.map((one) => sum(one)).reduce((a, b) => a.plus(b), new Objective([])));
  const all = await Promise.all(losses.map(({ value }) => engine.read(value)));
  for (const other of all) expect([...other]).toEqual([...all[0]]);
  const result = {
    loss: all[0],
    hidden: await engine.read(hidden.gradient()),
    weights: await weights.fullGradient(),
    bias: await bias.fullGradient(),
  };
  tape.dispose();
  for (const parameter of [weights, bias]) parameter.release();
  engine.release(given);
  return result;
}

function expectClose(actual: Result, expected: Result, tolerance: number): void {
  for (const what of ["loss", "hidden", "weights", "bias"] as const)
    expect(relativeDifference({ what, actual: actual[what], expected: expected[what] }), what).toBeLessThan(
      tolerance,
    );
}

describe("gradients equal central finite differences in float64", () => {
  const selections: Record<string, (layer: Layer, seed: number) => ItemSelection> = {
    "all items": () => ({ kind: "all" }),
    "a share": ({ target }, seed) => {
      const from = seed % target.columns;
      return { kind: "share", from, to: from + 1 + ((seed >> 8) % (target.columns - from)) };
    },
    "a sample whose targets are exact": (layer, seed) => drawSample(layer, seed, "exact"),
    "a sample whose targets are added": (layer, seed) => drawSample(layer, seed, "added"),
    "a sample whose targets were drawn": (layer, seed) => drawSample(layer, seed, "drawn"),
  };
  const cases = likelihoods.flatMap((likelihood) =>
    Object.entries(selections).map(([name, selection]) => [likelihood, name, selection] as const),
  );

  it.each(cases)("%s over %s", async (likelihood, _, select) => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 ** 20),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 20 }),
        async (seed, rows, items) => {
          const layer = drawLayer(seed, rows, items);
          const selection = select(layer, seed);
          const error = await gradientError(
            [layer.hidden],
            [layer.weights, layer.bias],
            (tape, [hidden], [weights, bias]) => {
              const options = { likelihood, selection };
              const loss = outputLoss(tape, hidden, weights, bias, tape.sparse(layer.target), options);
              return sum(tanh(tape, scale(tape, loss, 0.02)));
            },
          );
          expect(error).toBeLessThan(1e-7);
        },
      ),
      { numRuns: 12, seed: 1 },
    );
  });

  it("of an engine that computes the logits in blocks, a second time", async () => {
    const layer = drawLayer(5, 4, 17);
    const expected = await whole(new ReferenceEngine({ precision: "float64" }), layer, "multinomial");
    const sparing = new ReferenceEngine({ precision: "float64" });
    sparing.outputColumns = () => 5;
    expectClose(await whole(sparing, layer, "multinomial"), expected, 1e-12);
  });
});

describe.each(engines)("on the engine %s", (_, tolerance, open) => {
  const using = (async () => {
    const engine = await open();
    opened.push(engine);
    return engine;
  })();

  it.each(likelihoods)(
    "any cut of the catalogue into shares, merged, is the whole: %s",
    async (likelihood) => {
      const engine = await using;
      await fc.assert(
        fc.asyncProperty(
          fc.nat(2 ** 20),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 60 }),
          fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 }),
          async (seed, rows, items, cuts) => {
            const layer = drawLayer(seed, rows, items);
            // The same cut twice makes an empty share.
            const ends = [...cuts.map((cut) => cut % (items + 1)), items].sort((a, b) => a - b);
            const cut = ends.map((to, i) => ({ kind: "share" as const, from: ends[i - 1] ?? 0, to }));
            expectClose(
              await shares(engine, layer, likelihood, cut),
              await whole(engine, layer, likelihood),
              tolerance,
            );
          },
        ),
        { numRuns: 40, seed: 1 },
      );
    },
  );

  it.each(likelihoods)(
    "all items, drawn once each without a correction, are all items: %s",
    async (likelihood) => {
      const engine = await using;
      for (const seed of [1, 2, 3]) {
        const layer = drawLayer(seed, 7, 40);
        const every = Uint32Array.from({ length: 40 }, (_, i) => i);
        for (const ownTargets of ["drawn", "exact"] as const) {
          const sample = itemSample(Uint32Array.of(), every, () => 0, ownTargets);
          expectClose(
            await whole(engine, layer, likelihood, sample),
            await whole(engine, layer, likelihood),
            tolerance,
          );
        }
      }
    },
  );

  it("a sampled softmax with exact targets is its formula, term by term", async () => {
    const engine = await using;
    for (const seed of [1, 2, 3, 4]) {
      const layer = drawLayer(seed, 6, 25);
      const { hidden, weights, bias, target } = layer;
      const drawn = [3, 9, 9, 9, 14, 24, 3];
      const expectedDraws = (item: number) => (7 * (1 + (item % 5))) / 75;
      const logQ = (item: number) => Math.log(expectedDraws(item));
      const targets = Uint32Array.from(new Set(target.indices)).sort();
      const sample = itemSample(targets, drawn, logQ, "exact");
      const { loss } = await whole(engine, layer, "multinomial", sample);
      const o = (r: number, i: number) => {
        let logit = bias.data[i];
        for (let w = 0; w < 4; w++) logit += hidden.data[4 * r + w] * weights.data[4 * i + w];
        return logit;
      };
      const expected = Array.from({ length: 6 }, (_, r) => {
        const own = [...target.indices.subarray(target.offsets[r], target.offsets[r + 1])];
        let z = 0;
        for (const i of own) z += Math.exp(o(r, i));
        for (const j of drawn) if (!own.includes(j)) z += Math.exp(o(r, j)) / expectedDraws(j);
        return own.reduce(
          (row, i, k) => row + (target.values?.[target.offsets[r] + k] ?? 1) * (Math.log(z) - o(r, i)),
          0,
        );
      });
      // Corrections are float32.
      const bound = Math.max(1e-6, 10 * tolerance);
      expect(relativeDifference({ what: "loss", actual: loss, expected })).toBeLessThan(bound);
    }
  });

  it("the denominator of exact targets is unbiased, within four standard errors", async () => {
    const engine = await using;
    const layer = drawLayer(11, 4, 30);
    // Rows with one target: the loss is ln Z - o.
    const single = { ...layer, target: fromRows(30, [[2], [8], [25], [8]]) };
    const histories = fromRows(
      30,
      Array.from({ length: 40 }, (_, user) =>
        Array.from({ length: 30 }, (_, i) => i).filter((i) => i > user),
      ),
    );
    const ratios: number[][] = [[], [], [], []];
    const full = (await whole(engine, single, "multinomial")).loss;
    const sampler = negativeSampler(histories, { negatives: 8 }, 1);
    for (let update = 1; update <= 1000; update++) {
      const sample = sampler?.(Uint32Array.of(2, 8, 25), update);
      const { loss } = await whole(engine, single, "multinomial", sample);
      for (const [r, of] of ratios.entries()) of.push(Math.exp(loss[r] - full[r]));
    }
    for (const of of ratios) {
      const mean = of.reduce((a, b) => a + b) / of.length;
      const variance = of.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (of.length - 1);
      expect(variance).toBeGreaterThan(1e-4);
      expect(Math.abs(mean - 1)).toBeLessThan(4 * Math.sqrt(variance / of.length));
    }
  });

  it("exact targets have a share of at most 1, although drawn ones are rounded and taken out of a sum a million times larger", async () => {
    const { hidden, weights, bias } = drawLayer(5, 40, 1);
    const layer = { hidden, weights, bias, target: fromRows(1, new Array(40).fill([0])) };
    const sample = itemSample(Uint32Array.of(0), [0], () => -Math.log(1e6), "exact");
    const { loss } = await whole(await using, layer, "multinomial", sample);
    // The distance of float32 numbers of this size.
    const spacing = (x: number) => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 23);
    for (const [row, value] of Array.from(loss).entries()) {
      let logit = bias.data[0];
      for (let c = 0; c < 4; c++) logit += hidden.data[4 * row + c] * weights.data[c];
      // The drawn item's logit with its correction, and the target's, are rounded to float32; a million times the difference is left.
      const left = 1e6 * (spacing(logit + Math.log(1e6)) + spacing(logit));
      expect(value).toBeGreaterThan(-1e-5);
      expect(value).toBeLessThan(Math.log1p(left));
    }
  });

  it("a sampled softmax is the formula of FastVAE, term by term", async () => {
    const engine = await using;
    for (const seed of [1, 2, 3, 4]) {
      const layer = drawLayer(seed, 6, 25);
      const { hidden, weights, bias, target } = layer;
      const drawn = [3, 9, 9, 9, 14, 24, 3];
      const logQ = (item: number) => Math.fround(Math.log((1 + (item % 5)) / 75));
      const targets = Uint32Array.from(new Set(target.indices)).sort();
      const { loss } = await whole(engine, layer, "multinomial", itemSample(targets, drawn, logQ));
      const s = (r: number, i: number) => {
        let o = bias.data[i];
        for (let w = 0; w < 4; w++) o += hidden.data[4 * r + w] * weights.data[4 * i + w];
        return o - logQ(i);
      };
      const expected = Array.from({ length: 6 }, (_, r) => {
        let row = 0;
        for (let k = target.offsets[r]; k < target.offsets[r + 1]; k++) {
          const own = s(r, target.indices[k]);
          const others = drawn.reduce((all, j) => all + Math.exp(s(r, j)), 0);
          row += (target.values?.[k] ?? 1) * (-own + Math.log(Math.exp(own) + others));
        }
        return row;
      });
      expect(relativeDifference({ what: "loss", actual: loss, expected })).toBeLessThan(10 * tolerance);
    }
  });

  it("a sampled softmax and its gradients are NumPy's, which differentiates by complex steps", async () => {
    const { hidden, weights, bias, histories, drawn, logQ, loss, gradients } = sampledSoftmax;
    const matrix = (rows: number[][]): HostMatrix => ({
      ...{ rows: rows.length, columns: rows[0].length, data: Float64Array.from(rows.flat()) },
    });
    const target = fromRows(bias.length, histories);
    const layer = { hidden: matrix(hidden), weights: matrix(weights), bias: matrix([bias]), target };
    const targets = Uint32Array.from(new Set(target.indices)).sort();
    const sample = itemSample(targets, drawn, (item) => logQ[item]);
    const expected = {
      ...{ loss, hidden: gradients.hidden.flat(), weights: gradients.weights.flat(), bias: gradients.bias },
    };
    expectClose(await whole(await using, layer, "multinomial", sample), expected, tolerance);
  });

  it("a sampled softmax approaches the whole as all items are drawn more and more often, in proportion to the proposal", async () => {
    const engine = await using;
    const layer = drawLayer(7, 5, 12);
    const { loss, ...gradients } = await whole(engine, layer, "multinomial");
    const items = Uint32Array.from({ length: 12 }, (_, i) => i);
    const weightOf = (item: number) => 1 + (item % 4);
    const differences = async (times: number) => {
      const sample: ItemSample = {
        ...{ kind: "sample", items, ownTargets: "added" },
        draws: Float32Array.from(items, (item) => times * weightOf(item)),
        logQ: Float32Array.from(items, (item) => Math.log(weightOf(item))),
      };
      const found = await whole(engine, layer, "multinomial", sample);
      // Each target's loss is larger by the logarithm of how often it was drawn.
      const { offsets, indices, values } = layer.target;
      const expected = Array.from(loss, (value, r) => {
        for (let k = offsets[r]; k < offsets[r + 1]; k++)
          value += (values?.[k] ?? 1) * Math.log(times * weightOf(indices[k]));
        return value;
      });
      return [
        relativeDifference({ what: "loss", actual: found.loss, expected }),
        ...(["hidden", "weights", "bias"] as const).map((what) =>
          relativeDifference({ what, actual: found[what], expected: gradients[what] }),
        ),
      ];
    };
    for (const difference of await differences(1)) expect(difference).toBeGreaterThan(1e-3);
    for (const difference of await differences(2 ** 20)) expect(difference).toBeLessThan(3e-5);
  });

  it("a Bernoulli sample has the whole's expectation", async () => {
    // Two items of four, drawn in pairs without order: each pair is as likely, so each item is expected half a time.
    const engine = await using;
    const layer = drawLayer(3, 5, 4);
    const targets = Uint32Array.of(0, 1, 2, 3);
    const pairs = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].filter((b) => b > a).map((b) => [a, b]));
    const means = { loss: [0, 0, 0, 0, 0], bias: [0, 0, 0, 0] };
    for (const pair of pairs) {
      const sample = itemSample(targets, pair, () => Math.log(1 / 2));
      const { loss, bias } = await whole(engine, layer, "bernoulli", sample);
      for (const r of means.loss.keys()) means.loss[r] += loss[r] / pairs.length;
      for (const i of means.bias.keys()) means.bias[i] += bias[i] / pairs.length;
    }
    const expected = await whole(engine, layer, "bernoulli");
    for (const what of ["loss", "bias"] as const)
      expect(relativeDifference({ what, actual: means[what], expected: expected[what] })).toBeLessThan(
        10 * tolerance,
      );
  });

  it("by hand: a uniform choice of three, and a coin for each item", async () => {
    const engine = await using;
    const matrix = (rows: number, columns: number, data: number[]): HostMatrix => ({
      ...{ rows, columns, data: Float64Array.from(data) },
    });
    const layer = {
      ...{ hidden: matrix(2, 1, [0, 0]), weights: matrix(3, 1, [1, -2, 5]), bias: matrix(1, 3, [0, 0, 0]) },
      target: fromRows(3, [[0, 2], []]),
    };
    const multinomial = await whole(engine, layer, "multinomial");
    expect(multinomial.loss[0]).toBeCloseTo(2 * Math.log(3), 6);
    expect(multinomial.loss[1]).toBe(0);
    // 2 / 3 - x, and times the weights.
    for (const [i, expected] of [-1 / 3, 2 / 3, -1 / 3].entries())
      expect(multinomial.bias[i]).toBeCloseTo(expected, 6);
    expect(multinomial.hidden[0]).toBeCloseTo(-1 / 3 - 4 / 3 - 5 / 3, 5);
    expect(multinomial.hidden[1]).toBe(0);
    const bernoulli = await whole(engine, layer, "bernoulli");
    for (const r of [0, 1]) expect(bernoulli.loss[r]).toBeCloseTo(3 * Math.log(2), 6);
    // Row 0: 1/2 - x; row 1, twice: 1/2.
    for (const [i, expected] of [1 / 2, 3 / 2, 1 / 2].entries())
      expect(bernoulli.bias[i]).toBeCloseTo(expected, 6);
  });

  it("stays finite where exp would overflow", async () => {
    const engine = await using;
    const layer: Layer = {
      hidden: { rows: 2, columns: 1, data: Float64Array.of(1, -1) },
      weights: { rows: 3, columns: 1, data: Float64Array.of(1e4, 0, 0) },
      bias: { rows: 1, columns: 3, data: new Float64Array(3) },
      target: fromRows(3, [[0, 1], [2]]),
    };
    const parts = [0, 1, 2].map((from) => ({ kind: "share" as const, from, to: from + 1 }));
    for (const selections of [[{ kind: "all" as const }], parts]) {
      const result = await shares(engine, layer, "multinomial", selections);
      // Row 0: softmax (1, 0, 0), so -log p = 0 + 1e4; row 1, counted twice: half each of the last two.
      expect(result.loss[0]).toBe(1e4);
      expect(result.loss[1]).toBeCloseTo(Math.log(2), 6);
      for (const [i, expected] of [2 - 1, -1 + 1, 1 - 2].entries())
        expect(result.bias[i]).toBeCloseTo(expected, 5);
      const coins = await shares(engine, layer, "bernoulli", selections);
      expect(coins.loss[0]).toBeCloseTo(2 * Math.log(2), 6);
      expect(coins.loss[1]).toBeCloseTo(2 * Math.log(2), 6);
    }
    // A target beyond what was drawn, by 1e4 either way; nothing was drawn beside it in its own denominator.
    const above = await whole(
      engine,
      layer,
      "multinomial",
      itemSample(Uint32Array.of(0, 1, 2), [1, 2], () => 0),
    );
    // Row 0: its first target is certain, its second one of three equals but for itself: ln 3; row 1 likewise.
    expect(above.loss[0]).toBeCloseTo(Math.log(3), 5);
    expect(above.loss[1]).toBeCloseTo(Math.log(3), 5);
    const below = await whole(
      engine,
      layer,
      "multinomial",
      itemSample(Uint32Array.of(0, 1, 2), [0], () => 0),
    );
    expect(below.loss[0]).toBeCloseTo(Math.log(2) + 1e4, 1);
    expect(below.loss[1]).toBeCloseTo(0, 5);
    // With exact targets, the denominator of row 0 is that of all items but the ones that were not drawn.
    const exactly = (drawn: number[]) =>
      whole(
        engine,
        layer,
        "multinomial",
        itemSample(Uint32Array.of(0, 1, 2), drawn, () => 0, "exact"),
      );
    const [exactAbove, exactBelow] = [await exactly([1, 2]), await exactly([0])];
    for (const { loss } of [exactAbove, exactBelow]) expect(loss[0]).toBe(1e4);
    expect(exactAbove.loss[1]).toBeCloseTo(Math.log(2), 5);
    expect(exactBelow.loss[1]).toBeCloseTo(0, 5);
    for (const { bias } of [above, below, exactAbove, exactBelow])
      for (let i = 0; i < 3; i++) expect(bias[i]).not.toBeNaN();
  });

  it.each(likelihoods)(
    "turns a NaN into a NaN loss of its row, for the training loop to stop at: %s",
    async (likelihood) => {
      const engine = await using;
      const layer = drawLayer(4, 3, 30);
      layer.hidden.data[4] = Number.NaN;
      const parts = [0, 10, 20].map((from) => ({ kind: "share" as const, from, to: from + 10 }));
      for (const selections of [
        [{ kind: "all" as const }],
        parts,
        [drawSample(layer, 1, "added")],
        [drawSample(layer, 1, "exact")],
      ]) {
        const { loss } = await shares(engine, layer, likelihood, selections);
        // A sampled row without targets has no loss, whatever its logits are.
        const hasTargets = layer.target.offsets[2] > layer.target.offsets[1];
        if (hasTargets || selections[0].kind !== "sample" || likelihood === "bernoulli")
          expect(loss[1]).toBeNaN();
        expect(loss[0]).not.toBeNaN();
        expect(loss[2]).not.toBeNaN();
      }
    },
  );

  it.each(likelihoods)("takes empty rows, no rows, one item, and no items: %s", async (likelihood) => {
    const engine = await using;
    const all = { kind: "all" } as const;
    const empty = drawLayer(1, 3, 9);
    const none = { ...empty, target: fromRows(9, [[], [], []]) };
    const { loss } = await whole(engine, none, likelihood, all);
    if (likelihood === "multinomial") expect([...(loss as Float32Array)]).toEqual([0, 0, 0]);
    else for (const value of Array.from(loss)) expect(value).toBeGreaterThan(0);
    expect((await whole(engine, drawLayer(2, 0, 9), likelihood, all)).loss).toHaveLength(0);
    const single = { ...drawLayer(3, 2, 1), target: fromRows(1, [[0], []]) };
    const one = await whole(engine, single, likelihood, all);
    if (likelihood === "multinomial") expect([...(one.loss as Float32Array)]).toEqual([0, 0]);
    // A share without items has no say.
    const nothing = await whole(engine, empty, likelihood, { kind: "share", from: 4, to: 4 });
    expect([...(nothing.loss as Float32Array)]).toEqual([0, 0, 0]);
    expect([...(nothing.hidden as Float32Array)].every((value) => value === 0)).toBe(true);
  });
});

describe("a sample", () => {
  it("with exact targets has float32 products on an engine of bfloat16, which would leave little of a rare item's share", async () => {
    const layer = drawLayer(6, 5, 20);
    const sample = drawSample(layer, 6, "exact");
    const [float32, bf16] = [undefined, "bf16" as const].map(
      (precision) => new ReferenceEngine({ precision }),
    );
    const expected = await whole(float32, layer, "multinomial", sample);
    expect(await whole(bf16, layer, "multinomial", sample)).toEqual(expected);
    const added = { ...sample, ownTargets: "added" as const };
    expect(await whole(bf16, layer, "multinomial", added)).not.toEqual(
      await whole(float32, layer, "multinomial", added),
    );
  });

  it("unites the targets and what was drawn, counting draws", () => {
    const { items, draws, logQ } = itemSample(Uint32Array.of(2, 5, 9), [7, 5, 7, 1], (item) => -item);
    expect([...items]).toEqual([1, 2, 5, 7, 9]);
    expect([...draws]).toEqual([1, 0, 1, 2, 0]);
    expect([...logQ]).toEqual([-1, -2, -5, -7, -9]);
  });

  it("gives gradients of its rows only, and takes memory of its own size", async () => {
    const engine = new ReferenceEngine();
    const [rows, items, width] = [8, 20_000, 16];
    const weights = new Parameter(engine, "weights", items, width);
    const bias = new Parameter(engine, "bias", 1, items);
    const histories = fromRows(
      items,
      Array.from({ length: rows }, (_, r) => [r, 100 * r + 50]),
    );
    const tape = new Tape(engine);
    const hidden = tape.input(engine.zeros(rows, width));
    const target = tape.sparse(histories);
    const sample = itemSample(target.touched, [5, 19_999, 77], () => -3);
    bias.gradient();
    const before = engine.memory();
    const loss = outputLoss(tape, hidden, weights, bias, target, { selection: sample });
    // Weights, bias and scratch of 19 items; all items of one row alone would be 80,000 bytes.
    expect(engine.memory() - before).toBeLessThan(8000);
    tape.backward(sum(loss));
    const gradient = weights.currentGradient;
    expect(gradient?.kind === "rows" && [...gradient.touched]).toEqual([...sample.items]);
    tape.dispose();
  });

  it("is refused where a target is not in it, was not drawn, or its numbers do not fit", () => {
    const engine = new ReferenceEngine();
    const [weights, bias] = parametersOf(engine, drawLayer(1, 1, 6));
    const tape = new Tape(engine);
    const hidden = tape.constant(engine.zeros(1, 4));
    const target = tape.sparse(fromRows(6, [[1, 4]]));
    const loss = (selection: ItemSelection) => () =>
      outputLoss(tape, hidden, weights, bias, target, { selection });
    const zero = () => 0;
    expect(loss(itemSample(Uint32Array.of(1), [2], zero))).toThrow("item 4 is not in the sample");
    expect(loss(itemSample(target.touched, [1], zero, "drawn"))).toThrow("item 4 was not drawn");
    const sample = itemSample(target.touched, [1], zero);
    expect(loss({ ...sample, draws: new Float32Array(5) })).toThrow("2 items, but 5 draws and 2 corrections");
    expect(loss({ kind: "share", from: 2, to: 7 })).toThrow("[2, 7) is not within the catalogue's 6 items");
    const wider = tape.sparse(fromRows(8, [[1]]));
    expect(() => outputLoss(tape, hidden, weights, bias, wider)).toThrow("6 items, but the target has 8");
    tape.dispose();
  });
});
