import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { Tape } from "../../src/compute/tape.js";
import { permutation, philoxBlock, streamOf } from "../../src/core/philox.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import { type CsrMatrix, fromRows, rowIndices } from "../../src/sparse/csr.js";
import { halvesOf, predictionOf } from "../../src/training/halves.js";
import { trainingOnly } from "../support/datasets.js";

const lists = (matrix: CsrMatrix) =>
  Array.from({ length: matrix.rows }, (_, r) => [...rowIndices(matrix, r)]);
const histories = fc.array(fc.uniqueArray(fc.nat(29), { maxLength: 12 }), { minLength: 1, maxLength: 9 });
const key = { seed: 5, step: 3, stream: 7 };

describe("halves of histories", () => {
  it("are disjoint, together the history in its order, and differ by at most one item", () => {
    fc.assert(
      fc.property(histories, (rows) => {
        const users = Uint32Array.from(rows.keys());
        const { larger, smaller } = halvesOf(fromRows(30, rows), users, key);
        for (const [r, row] of rows.entries()) {
          const [a, b] = [lists(larger)[r], lists(smaller)[r]];
          expect(a.length - b.length).toBe(row.length % 2);
          expect([...a, ...b].sort()).toEqual([...row].sort());
          expect(row.filter((item) => a.includes(item))).toEqual(a);
          expect(row.filter((item) => b.includes(item))).toEqual(b);
        }
      }),
    );
  });

  it("have the items with the smallest random words of their places in the matrix", () => {
    const matrix = fromRows(30, [
      [4, 9],
      [1, 2, 3, 20, 21],
    ]);
    // The second history has the places 2 to 6.
    const words = new Uint32Array(8);
    for (const block of [0, 1]) philoxBlock(words, 4 * block, block, 0, key.step, key.stream, key.seed, 0);
    const ranked = [1, 2, 3, 20, 21].map((item, i) => [words[2 + i], item]).sort(([a], [b]) => a - b);
    const { larger } = halvesOf(matrix, Uint32Array.of(1), key);
    expect(lists(larger)[0]).toEqual(
      ranked
        .slice(0, 3)
        .map(([, item]) => item)
        .sort((a, b) => a - b),
    );
  });

  it("do not depend on the batch, but on the key", () => {
    const rows = Array.from({ length: 20 }, (_, r) => Array.from({ length: 15 }, (_, k) => (r + k) % 30));
    const matrix = fromRows(30, rows);
    const all = lists(halvesOf(matrix, Uint32Array.from(rows.keys()), key).larger);
    expect(lists(halvesOf(matrix, Uint32Array.of(17, 3), key).larger)).toEqual([all[17], all[3]]);
    const other = halvesOf(matrix, Uint32Array.from(rows.keys()), { ...key, step: 4 });
    expect(lists(other.larger)).not.toEqual(all);
  });

  it("put every item into the larger half about as often as into the smaller one", () => {
    const matrix = fromRows(10, [Array.from({ length: 10 }, (_, item) => item)]);
    const counts = new Array<number>(10).fill(0);
    for (let step = 1; step <= 2000; step++)
      for (const item of lists(halvesOf(matrix, Uint32Array.of(0), { ...key, step }).larger)[0])
        counts[item]++;
    // 1,000 with a standard deviation of 22.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(100);
  });

  it("keep the values of the entries", () => {
    const matrix = { ...fromRows(5, [[0, 1, 2, 3, 4]]), values: Float32Array.of(10, 11, 12, 13, 14) };
    const { larger, smaller } = halvesOf(matrix, Uint32Array.of(0), key);
    for (const half of [larger, smaller])
      expect([...(half.values ?? [])]).toEqual([...half.indices].map((item) => 10 + item));
  });
});

describe.each<[string, Record<string, unknown>]>([
  ["mult-vae", { hidden: [6], latent: 3 }],
  ["mult-dae", { latent: 3 }],
  ["rec-vae", { hidden: 6, layers: 1, latent: 3, encoderPasses: 1 }],
  ["vamp", { hidden: 6, latent: 3, pseudoInputs: 2 }],
  ["h-vamp", { hidden: 6, latent1: 3, latent2: 3, pseudoInputs: 2 }],
  ["vae", { hidden: [6], latent: 3 }],
])("%s with target=rest", (name, sizes) => {
  const rows = Array.from({ length: 8 }, (_, r) => Array.from({ length: 3 + r }, (_, k) => (2 * r + k) % 12));
  const dataset = trainingOnly(fromRows(12, rows));
  const seed = 11;

  /** Rows of the sparse inputs and of the targets of each update, and the losses. */
  async function trained(given: Record<string, unknown>) {
    const engine = new ReferenceEngine();
    const algorithm = await findAlgorithm(name);
    const listsOf = (batch: unknown) => lists((batch as { matrix: CsrMatrix }).matrix);
    const [inputs, targets, tensors]: [number[][][], number[][][], number[]] = [[], [], []];
    const rowSum = engine.sparseRowSum.bind(engine);
    const statistics = engine.outputStatistics.bind(engine);
    Object.assign(engine, {
      sparseRowSum(...call: Parameters<typeof rowSum>) {
        inputs.push(listsOf(call[1]));
        rowSum(...call);
      },
      outputStatistics(...call: Parameters<typeof statistics>) {
        targets.push(listsOf(call[2].target));
        statistics(...call);
      },
    });
    const options = parseOptions(algorithm, { ...sizes, batchSize: 5, epochs: 1, ...given });
    const model = await algorithm.fit(dataset, options, { engine, seed });
    for (const { data } of Object.values((await model.save()).tensors)) tensors.push(...data);
    await engine.close();
    return { inputs, targets, tensors };
  }

  it("predicts the smaller half of each history from the larger one", async () => {
    const { inputs, targets } = await trained({ target: "rest" });
    const order = permutation(seed, 1, streamOf("order of users"), rows.length);
    const halves = [order.subarray(0, 5), order.subarray(5)].map((users, b) =>
      halvesOf(dataset.train, users, { seed, step: b + 1, stream: streamOf("halves") }),
    );
    // The decoder's pass of rec-vae has other updates and another order.
    expect(targets.slice(0, 2)).toEqual(halves.map(({ smaller }) => lists(smaller)));
    for (const { larger } of halves) expect(inputs).toContainEqual(lists(larger));
    for (const whole of rows) expect(inputs.flat()).not.toContainEqual(whole);
  });

  it("has other weights, the same ones each time, and those of today without it", async () => {
    const weights = async (given: Record<string, unknown>) => (await trained(given)).tensors;
    const rest = await weights({ target: "rest" });
    expect(await weights({ target: "rest" })).toEqual(rest);
    const today = await weights({});
    expect(rest).not.toEqual(today);
    expect(await weights({ target: "history" })).toEqual(today);
  });
});

it("mult-dae with target=rest has the loss of its equation", async () => {
  const rows = [
    [0, 1, 2, 5],
    [1, 3, 4],
    [2, 4],
  ];
  const dataset = trainingOnly(fromRows(6, rows));
  const engine = new ReferenceEngine({ precision: "float64" });
  const algorithm = await findAlgorithm("mult-dae");
  // A learning rate of almost nothing: the weights stay those of the only update.
  const given = { latent: 3, dropout: 0, l2: 0, learningRate: 1e-300, epochs: 1, target: "rest" };
  const losses: number[] = [];
  const model = await algorithm.fit(dataset, parseOptions(algorithm, given), {
    ...{ engine, seed: 2 },
    onEpoch: ({ values }) => losses.push(values.loss),
  });
  const { tensors } = await model.save();
  const [W, b, V, c] = ["input.weight", "input.bias", "output.weight", "output.bias"].map(
    (name) => tensors[name].data,
  );
  const key = { seed: 2, step: 1, stream: streamOf("halves") };
  const { larger, smaller } = halvesOf(dataset.train, Uint32Array.of(0, 1, 2), key);
  let sum = 0;
  for (let r = 0; r < 3; r++) {
    const [x, y] = [lists(larger)[r], lists(smaller)[r]];
    const h = [0, 1, 2].map((k) =>
      Math.tanh(x.reduce((all, item) => all + W[item * 3 + k] / Math.sqrt(x.length), b[k])),
    );
    const logits = Array.from(c, (bias, item) =>
      h.reduce((all, value, k) => all + value * V[item * 3 + k], bias),
    );
    const total = Math.log(logits.reduce((all, logit) => all + Math.exp(logit), 0));
    sum += y.reduce((all, item) => all + total - logits[item], 0);
  }
  expect(losses[0]).toBeCloseTo(sum / 3, 10);
  await engine.close();
});

it("rejects a batch with only some of its rows", () => {
  const histories = fromRows(4, [
    [0, 1],
    [2, 3],
  ]);
  const predict = predictionOf(histories, { target: "rest" }, { seed: 1 });
  const engine = new ReferenceEngine();
  const tape = new Tape(engine);
  const batch = tape.sparse(fromRows(4, [[0, 1]]));
  expect(() => predict(tape, batch, 1, Uint32Array.of(0, 1))).toThrow(/divided among members/);
});
