import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Engine, NO_ITEM } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { Tape } from "../../src/compute/tape.js";
import { permutation, streamOf } from "../../src/core/philox.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import type { Teacher } from "../../src/recommender/run-context.js";
import { type CsrMatrix, fromRows, rowIndices } from "../../src/sparse/csr.js";
import { mixedTargets, predictionFrom, sharesOf } from "../../src/training/distillation.js";
import { halvesForUpdate } from "../../src/training/halves.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { trainingOnly } from "../support/datasets.js";

/** A row as item -> value. */
const rowOf = ({ offsets, indices, values }: CsrMatrix, row: number) =>
  new Map(
    Array.from({ length: offsets[row + 1] - offsets[row] }, (_, e) => {
      const entry = offsets[row] + e;
      return [indices[entry], values ? values[entry] : 1] as const;
    }),
  );

/** Scores item i of user u by a formula, and ranks as a recommender does. */
const scoreOf = (user: number, item: number) => Math.fround(3 * Math.sin(user + 2 * item) + item / 4);
const teacher: Teacher = {
  digest: "0123",
  async best(histories, count) {
    const k = Math.min(count, histories.columns);
    const items = new Uint32Array(histories.rows * k).fill(NO_ITEM);
    const scores = new Float32Array(histories.rows * k).fill(Number.NEGATIVE_INFINITY);
    for (let user = 0; user < histories.rows; user++) {
      const known = [...rowIndices(histories, user)];
      const left = [...Array(histories.columns).keys()].filter((item) => !known.includes(item));
      left.sort((a, b) => scoreOf(user, b) - scoreOf(user, a));
      for (const [rank, item] of left.slice(0, k).entries()) {
        items[user * k + rank] = item;
        scores[user * k + rank] = scoreOf(user, item);
      }
    }
    return { rows: histories.rows, k, items, scores };
  },
};

/** The softmax of the standardised scores of a user's k best other items. */
function sharesFor(
  user: number,
  history: readonly number[],
  items: number,
  { temperature, top }: { temperature: number; top: number },
): Map<number, number> {
  const best = [...Array(items).keys()]
    .filter((item) => !history.includes(item))
    .sort((a, b) => scoreOf(user, b) - scoreOf(user, a))
    .slice(0, top);
  const scores = best.map((item) => scoreOf(user, item));
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((a, b) => a + (b - mean) ** 2, 0) / scores.length);
  const powers = scores.map((score) => Math.exp((score - mean) / deviation / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return new Map(best.map((item, rank) => [item, powers[rank] / sum]));
}

/** The target of a user by its definition. */
function targetOf(
  clicks: readonly number[],
  user: number,
  history: readonly number[],
  items: number,
  { weight, ...given }: { weight: number; temperature: number; top: number },
): Map<number, number> {
  return new Map([
    ...clicks.map((item) => [item, 1 - weight] as const),
    ...[...sharesFor(user, history, items, given)].map(
      ([item, share]) => [item, weight * clicks.length * share] as const,
    ),
  ]);
}

function expectRow(found: Map<number, number>, wanted: Map<number, number>): void {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [item, value] of wanted) expect(found.get(item)).toBeCloseTo(value, 5);
}

describe("a teacher's shares", () => {
  const topK = (items: number[], scores: number[], k = items.length) => ({
    ...{ rows: items.length / k, k },
    ...{ items: Uint32Array.from(items), scores: Float32Array.from(scores) },
  });

  it("are the softmax of the standardised scores", () => {
    // Mean 2 and standard deviation 2: z = 1.5, -0.5, -0.5, -0.5.
    const at = (temperature: number) => rowOf(sharesOf(topK([5, 2, 7, 3], [5, 1, 1, 1]), 9, temperature), 0);
    const deviation = Math.sqrt(3);
    for (const temperature of [1, 0.5, 4]) {
      const first = Math.exp(4 / deviation / temperature);
      expectRow(
        at(temperature),
        new Map([
          [2, 1 / (first + 3)],
          [3, 1 / (first + 3)],
          [5, first / (first + 3)],
          [7, 1 / (first + 3)],
        ]),
      );
    }
  });

  it("do not depend on the scale of the scores", () => {
    const scores = [9, 4, 3.5, -2];
    const of = (scale: number, shift: number) =>
      sharesOf(
        topK(
          [0, 1, 2, 3],
          scores.map((score) => scale * score + shift),
        ),
        4,
        1,
      ).values ?? [];
    for (const [i, value] of of(1, 0).entries()) expect(of(100, 7)[i]).toBeCloseTo(value, 5);
  });

  it("are equal for equal scores, and leave out ranks without an item", () => {
    const shares = sharesOf(
      topK(
        [1, 4, NO_ITEM, NO_ITEM, NO_ITEM, NO_ITEM],
        [0.1, 0.1, ...new Array<number>(4).fill(Number.NEGATIVE_INFINITY)],
        3,
      ),
      5,
      1,
    );
    expectRow(
      rowOf(shares, 0),
      new Map([
        [1, 0.5],
        [4, 0.5],
      ]),
    );
    expect(rowOf(shares, 1).size).toBe(0);
  });
});

describe("mixed targets", () => {
  it("keep the sum of the clicks, and the clicks of users without shares", () => {
    const rows = fc.array(fc.uniqueArray(fc.nat(19), { maxLength: 20 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(rows, fc.double({ min: 0, max: 1, noNaN: true }), (lists, weight) => {
        const clicks = fromRows(
          20,
          lists.map((list) => list.slice(0, Math.ceil(list.length / 2))),
        );
        const others = fromRows(
          20,
          lists.map((list) => list.slice(Math.ceil(list.length / 2))),
        );
        const values = Float32Array.from(others.indices);
        for (let row = 0; row < others.rows; row++) {
          const [first, last] = [others.offsets[row], others.offsets[row + 1]];
          for (let e = first; e < last; e++) values[e] = 1 / (last - first);
        }
        const shares = { ...others, values };
        const mixed = mixedTargets(clicks, shares, weight);
        for (let row = 0; row < clicks.rows; row++) {
          const [known, other] = [rowOf(clicks, row), rowOf(shares, row)];
          const kept = other.size === 0 ? 1 : 1 - weight;
          const wanted = new Map([
            ...[...known.keys()].map((item) => [item, kept] as const),
            ...[...other].map(([item, share]) => [item, weight * known.size * share] as const),
          ]);
          expectRow(rowOf(mixed, row), wanted);
          const sum = [...rowOf(mixed, row).values()].reduce((a, b) => a + b, 0);
          expect(sum).toBeCloseTo(known.size, 4);
        }
      }),
    );
  });
});

const items = 12;
const rows = Array.from({ length: 8 }, (_, r) =>
  Array.from({ length: 3 + r }, (_, k) => (5 * r + k) % items),
);
const dataset = trainingOnly(fromRows(items, rows));
const seed = 11;

describe.each<[string, Record<string, unknown>]>([
  ["mult-vae", { hidden: [6], latent: 3 }],
  ["mult-dae", { latent: 3 }],
  ["rec-vae", { hidden: 6, layers: 1, latent: 3, encoderPasses: 1 }],
])("%s with a teacher", (name, sizes) => {
  /** The tensors of the finished model, and the targets of the output layer. */
  async function trained(
    given: Record<string, unknown>,
    { student = true, checkpoints }: { student?: boolean; checkpoints?: MemoryCheckpoints } = {},
  ) {
    const engine: Engine = new ReferenceEngine();
    const algorithm = await findAlgorithm(name);
    const targets: CsrMatrix[] = [];
    const statistics = engine.outputStatistics.bind(engine);
    Object.assign(engine, {
      outputStatistics(...call: Parameters<typeof statistics>) {
        targets.push((call[2].target as unknown as { matrix: CsrMatrix }).matrix);
        statistics(...call);
      },
    });
    const options = parseOptions(algorithm, { ...sizes, batchSize: 5, epochs: 2, ...given });
    const run = { engine, seed, checkpoints, ...(student && { teacher }) };
    const model = await algorithm.fit(dataset, options, run);
    const { tensors } = await model.save();
    await engine.close();
    return { targets, tensors };
  }

  it("has the weights of today with a weight of 0", async () => {
    const { tensors } = await trained({}, { student: false });
    expect((await trained({ distillWeight: 0 })).tensors).toEqual(tensors);
    expect((await trained({})).tensors).not.toEqual(tensors);
  });

  it("predicts the clicks and the teacher's best other items", async () => {
    const [weight, temperature, top] = [0.3, 0.7, 4];
    const { targets } = await trained({
      ...{ distillWeight: weight, distillTemperature: temperature, distillTop: top },
    });
    const order = permutation(seed, 1, streamOf("order of users"), rows.length);
    for (const [place, user] of order.entries()) {
      const wanted = targetOf(rows[user], user, rows[user], items, { weight, temperature, top });
      expectRow(rowOf(targets[place < 5 ? 0 : 1], place % 5), wanted);
    }
  });

  it("predicts the other half of the clicks with target=rest", async () => {
    const { targets } = await trained({ target: "rest", distillWeight: 0.4 });
    const order = permutation(seed, 1, streamOf("order of users"), rows.length);
    const { smaller } = halvesForUpdate(dataset.train, order.subarray(0, 5), { seed, step: 1 });
    for (const [place, user] of order.subarray(0, 5).entries()) {
      const clicks = [...rowIndices(smaller, place)];
      const given = { weight: 0.4, temperature: 0.3, top: 100 };
      expectRow(rowOf(targets[0], place), targetOf(clicks, user, rows[user], items, given));
    }
  });

  it("resumed between two epochs, ends with the uninterrupted run's weights, byte for byte", async () => {
    const all = new MemoryCheckpoints();
    const { tensors } = await trained({}, { checkpoints: all });
    const resumed = await trained({}, { checkpoints: new MemoryCheckpoints(0, all.saved[0]) });
    expect(resumed.tensors).toEqual(tensors);
    // Without the teacher it is another run.
    await expect(
      trained({}, { student: false, checkpoints: new MemoryCheckpoints(0, all.saved[0]) }),
    ).rejects.toThrow(/^distill: is 0123 in the run to resume, but unset in this one/);
  });
});

it("the loss is the weighted sum of the clicks' and of the cross-entropy to the teacher", async () => {
  const engine = new ReferenceEngine({ precision: "float64" });
  const algorithm = await findAlgorithm("mult-dae");
  // A learning rate of almost nothing: the weights stay those of the only update.
  const given = { latent: 3, dropout: 0, l2: 0, learningRate: 1e-300, epochs: 1, distillWeight: 0.3 };
  const losses: number[] = [];
  const model = await algorithm.fit(
    dataset,
    parseOptions(algorithm, { ...given, distillTop: 5, distillTemperature: 1 }),
    {
      ...{ engine, seed: 2, teacher },
      onEpoch: ({ values }) => losses.push(values.loss),
    },
  );
  const { tensors } = await model.save();
  const [W, b, V, c] = ["input.weight", "input.bias", "output.weight", "output.bias"].map(
    (name) => tensors[name].data,
  );
  let sum = 0;
  for (const [user, row] of rows.entries()) {
    const h = [0, 1, 2].map((k) =>
      Math.tanh(row.reduce((all, item) => all + W[item * 3 + k] / Math.sqrt(row.length), b[k])),
    );
    const logits = Array.from(c, (bias, item) =>
      h.reduce((all, value, k) => all + value * V[item * 3 + k], bias),
    );
    const total = Math.log(logits.reduce((all, logit) => all + Math.exp(logit), 0));
    const clicks = row.reduce((all, item) => all + total - logits[item], 0);
    const shares = sharesFor(user, row, items, { temperature: 1, top: 5 });
    const toTeacher = [...shares].reduce((all, [item, share]) => all + share * (total - logits[item]), 0);
    sum += 0.7 * clicks + 0.3 * row.length * toTeacher;
  }
  expect(losses[0]).toBeCloseTo(sum / rows.length, 5);
  await engine.close();
});

it("rejects a batch with only some of its rows", async () => {
  const predict = await predictionFrom(dataset.train, {}, { seed: 1, teacher });
  const tape = new Tape(new ReferenceEngine());
  const batch = tape.sparse(fromRows(items, [[0, 1]]));
  expect(() => predict(tape, batch, 1, Uint32Array.of(0, 1))).toThrow(/distillation.*divided among members/);
});
