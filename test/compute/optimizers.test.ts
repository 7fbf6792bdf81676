import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum, sumOfSquares } from "../../src/compute/objective.js";
import { linear } from "../../src/compute/ops/linear.js";
import { Adam, Nadam } from "../../src/compute/optimizers.js";
import { Parameter } from "../../src/compute/parameter.js";
import { Tape } from "../../src/compute/tape.js";
import { viewRows } from "../../src/compute/tensor.js";

interface AdamFixture {
  value: number[];
  touched: number[][];
  gradients: number[][];
  after: Record<string, number[][]>;
}
const fixture: AdamFixture = JSON.parse(readFileSync(new URL("fixtures/adam.json", import.meta.url), "utf8"));
const native = loadNativeEngine({ threads: 2 });
const engines: [string, Engine][] = [["reference", new ReferenceEngine()]];
if ("engine" in native) engines.push(["native", native.engine]);
else console.log(`skipped: ${native.reason}`);
afterAll(() => Promise.all(engines.map(([, engine]) => engine.close())));

const options = { learningRate: 0.05, beta1: 0.9, beta2: 0.99, epsilon: 1e-6 };

interface SparseAdamFixture {
  options: { learningRate: number; beta1: number; beta2: number; epsilon: number };
  rows: number;
  columns: number;
  value: number[];
  updates: { touched: number[]; gradient: number[]; value: number[]; m: number[]; v: number[] }[];
}
const sparseFixture: SparseAdamFixture = JSON.parse(
  readFileSync(new URL("fixtures/sparse-adam.json", import.meta.url), "utf8"),
);

interface NadamFixture {
  options: { learningRate: number };
  rows: number;
  columns: number;
  value: number[];
  updates: { gradient: number[]; value: number[]; m: number[]; v: number[] }[];
}

describe("NAdam", () => {
  const { options, rows, columns, value, updates } = JSON.parse(
    readFileSync(new URL("fixtures/nadam.json", import.meta.url), "utf8"),
  ) as NadamFixture;

  it("updates as PyTorch's NAdam", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const parameter = new Parameter(engine, "w", rows, columns, value);
    const nadam = new Nadam(engine, [parameter], options);
    for (const [i, update] of updates.entries()) {
      parameter.addGradient((out) => engine.write(out, update.gradient));
      nadam.step();
      // PyTorch keeps the product of the momenta in float32.
      for (const [what, tensor, expected] of [
        ["value", parameter.value, update.value],
        ["m", parameter.moments.m, update.m],
        ["v", parameter.moments.v, update.v],
      ] as const)
        for (const [j, number] of (await engine.read(tensor)).entries())
          expect(number, `${what} ${j} after update ${i + 1}`).toBeCloseTo(
            expected[j],
            what === "value" ? 7 : 12,
          );
    }
  });

  it("with a gradient of some rows, changes only these rows and their moments", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const touched = Uint32Array.of(1);
    const parameter = new Parameter(engine, "w", rows, columns, value);
    const nadam = new Nadam(engine, [parameter], options);
    parameter.addRowsGradient(touched, (out) => engine.write(out, updates[0].gradient.slice(columns)));
    nadam.step();
    const after = [...(await engine.read(parameter.value))];
    expect(after.slice(0, columns)).toEqual(value.slice(0, columns));
    for (const [c, number] of after.slice(columns).entries())
      expect(number).toBeCloseTo(updates[0].value[columns + c], 7);
    expect([...(await engine.read(parameter.moments.m))].slice(0, columns)).toEqual([0, 0, 0]);
  });
});

describe("sparse Adam", () => {
  it("follows the formulas of PyTorch's SparseAdam, which has epsilon hat", async () => {
    const { options, rows, columns, value, updates } = sparseFixture;
    const engine = new ReferenceEngine({ precision: "float64" });
    const parameter = new Parameter(engine, "w", rows, columns, value);
    const adam = new Adam(engine, [parameter], { ...options, epsilonHat: true, sparse: true });
    for (const [i, update] of updates.entries()) {
      parameter.addRowsGradient(Uint32Array.from(update.touched), (out) =>
        engine.write(out, update.gradient),
      );
      adam.step();
      for (const [what, tensor, expected] of [
        ["value", parameter.value, update.value],
        ["m", parameter.moments.m, update.m],
        ["v", parameter.moments.v, update.v],
      ] as const)
        for (const [j, number] of (await engine.read(tensor)).entries())
          expect(number, `${what} ${j} after update ${i + 1}`).toBeCloseTo(expected[j], 12);
    }
  });

  it.each(engines)(
    "is dense Adam where every row is touched, bit for bit, on the %s engine",
    async (_, engine) => {
      const touched = Uint32Array.of(0, 1, 2);
      const weights = async (sparse: boolean) => {
        const parameter = new Parameter(engine, "w", 3, 2, [0.1, -0.2, 0.3, 0.4, -0.5, 0.6]);
        const adam = new Adam(engine, [parameter], { ...options, sparse });
        for (let update = 1; update <= 5; update++) {
          const gradient = Array.from({ length: 6 }, (_, i) => Math.sin(7 * i + update));
          parameter.addRowsGradient(touched, (out) => engine.write(out, gradient));
          adam.step();
        }
        const read = [...(await engine.read(parameter.value)), ...(await engine.read(parameter.moments.v))];
        parameter.release();
        return read;
      };
      expect(await weights(true)).toEqual(await weights(false));
    },
  );

  it("steps a dense gradient as ever, and goes on where it was saved", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const make = (sparse: boolean) => {
      const parameter = new Parameter(engine, "w", 2, 1, [1, 2]);
      return { parameter, adam: new Adam(engine, [parameter], { ...options, sparse }) };
    };
    const [dense, sparse] = [make(false), make(true)];
    for (const { parameter, adam } of [dense, sparse]) {
      parameter.addGradient((out) => engine.write(out, [0.5, 0]));
      adam.step();
    }
    const after = await engine.read(dense.parameter.value);
    expect(await engine.read(sparse.parameter.value)).toEqual(after);
    const resumed = make(true);
    await resumed.adam.load(await sparse.adam.save());
    engine.copy(resumed.parameter.value, sparse.parameter.value);
    for (const { parameter, adam } of [sparse, resumed]) {
      parameter.addRowsGradient(Uint32Array.of(1), (out) => engine.write(out, [3]));
      adam.step();
    }
    expect(await engine.read(resumed.parameter.value)).toEqual(await engine.read(sparse.parameter.value));
    // Row 0 was not touched by the second update: its momentum does not move it.
    expect((await engine.read(sparse.parameter.value))[0]).toBe(after[0]);
  });

  it("refuses what would move every row", () => {
    const engine = new ReferenceEngine();
    const parameter = new Parameter(engine, "w", 2, 1);
    for (const other of [{ weightDecay: 0.1 }, { normaliseGradients: true }])
      expect(() => new Adam(engine, [parameter], { sparse: true, ...other })).toThrow(
        "sparse Adam supports neither weightDecay nor normaliseGradients",
      );
    const adam = new Adam(engine, [parameter], { sparse: true });
    parameter.addRowsGradient(Uint32Array.of(1), (out) => engine.fill(out, 1));
    parameter.decay = 0.1;
    expect(() => adam.step()).toThrow("sparse Adam: w has an L2 term");
  });
});

describe("Adam", () => {
  it.each(
    ["dense", "rows"].flatMap((kind) => Object.keys(fixture.after).map((decay) => [kind, decay] as const)),
  )("follows optax, %s gradients, L2 coefficient %s", async (kind, decay) => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const parameter = new Parameter(engine, "w", 4, 3, fixture.value);
    const adam = new Adam(engine, [parameter], options);
    for (const [i, gradient] of fixture.gradients.entries()) {
      const touched = Uint32Array.from(fixture.touched[i]);
      const rows = [...touched].flatMap((row) => gradient.slice(3 * row, 3 * row + 3));
      if (kind === "dense") parameter.addGradient((out) => engine.write(out, gradient));
      else parameter.addRowsGradient(touched, (out) => engine.write(out, rows));
      parameter.decay = Number(decay);
      adam.step();
      const value = await engine.read(parameter.value);
      for (const [j, expected] of fixture.after[decay][i].entries())
        expect(value[j], `update ${i + 1}, element ${j}`).toBeCloseTo(expected, 12);
    }
    expect(adam.updates).toBe(6);
  });

  it("takes a first step of the learning rate against the gradient's sign, by hand", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const parameter = new Parameter(engine, "w", 1, 3, [1, 1, 1]);
    parameter.addGradient((out) => engine.write(out, [1e3, -1e-3, 0]));
    new Adam(engine, [parameter], { learningRate: 0.1, epsilon: 0.0005 }).step();
    // mhat = g, vhat = g^2: 1 - .1 * 1000 / 1000.0005, 1 + .1 * .001 / .0015, 1.
    const [first, second, third] = await engine.read(parameter.value);
    expect(first).toBeCloseTo(1 - 100 / 1000.0005, 12);
    expect(second).toBeCloseTo(1 + 0.1 / 1.5, 12);
    expect(third).toBe(1);
  });

  it("adds epsilon before the correction with epsilonHat, as Keras does, by hand", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const parameter = new Parameter(engine, "w", 1, 1, [1]);
    const adam = new Adam(engine, [parameter], { learningRate: 0.1, epsilon: 2e-4, epsilonHat: true });
    parameter.addGradient((out) => engine.write(out, [0.01]));
    adam.step();
    // m = .001, v = 1e-7: 1 - .1 sqrt(.001) / .1 * .001 / (sqrt(1e-7) + .0002); then m = .0019, v = 1.999e-7.
    const first = 1 - (Math.sqrt(0.001) * 0.001) / (Math.sqrt(1e-7) + 2e-4);
    expect((await engine.read(parameter.value))[0]).toBeCloseTo(first, 12);
    parameter.addGradient((out) => engine.write(out, [0.01]));
    adam.step();
    const second = first - ((0.1 * Math.sqrt(0.001999)) / 0.19) * (0.0019 / (Math.sqrt(1.999e-7) + 2e-4));
    expect((await engine.read(parameter.value))[0]).toBeCloseTo(second, 12);
  });

  it("divides each gradient by its norm + 1e-7 with normaliseGradients, without the L2 term", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const dense = new Parameter(engine, "dense", 1, 2, [1, 1]);
    const rows = new Parameter(engine, "rows", 3, 1, [1, 1, 1]);
    dense.addGradient((out) => engine.write(out, [3e-7, -4e-7]));
    rows.addRowsGradient(Uint32Array.of(1, 2), (out) => engine.write(out, [6, -8]));
    rows.decay = 0.5;
    new Adam(engine, [dense, rows], { learningRate: 1, epsilon: 1, normaliseGradients: true }).step();
    // A first step is g / (|g| + 1): g is 3e-7 / 6e-7 and -4e-7 / 6e-7, then .5, .6 + .5 and -.8 + .5.
    const moved = [...(await engine.read(dense.value)), ...(await engine.read(rows.value))];
    const gradients = [0.5, -2 / 3, 0.5, 6 / (10 + 1e-7) + 0.5, -8 / (10 + 1e-7) + 0.5];
    for (const [i, g] of gradients.entries()) expect(moved[i]).toBeCloseTo(1 - g / (Math.abs(g) + 1), 12);
  });

  it("does not change a parameter without a gradient, and applies an L2 term alone", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const used = new Parameter(engine, "used", 2, 1, [1, 2]);
    const decayed = new Parameter(engine, "decayed", 1, 2, [3, -4]);
    const idle = new Parameter(engine, "idle", 1, 1, [5]);
    const adam = new Adam(engine, [used, decayed, idle], { learningRate: 0.1, epsilon: 0 });
    const tape = new Tape(engine);
    const x = tape.constant(engine.tensor(1, 2, [1, -1]));
    tape.backward(sum(linear(tape, x, used)).plus(sumOfSquares([decayed]).times(0.5)));
    expect(decayed.decay).toBe(1);
    expect([...(await decayed.fullGradient())]).toEqual([3, -4]);
    adam.step();
    tape.dispose();
    const close = async (parameter: Parameter, expected: number[]) => {
      const value = await engine.read(parameter.value);
      for (const [i, number] of expected.entries()) expect(value[i]).toBeCloseTo(number, 12);
    };
    await close(used, [0.9, 2.1]);
    await close(decayed, [2.9, -3.9]);
    await close(idle, [5]);
    expect(decayed.decay).toBe(0);
  });

  it("keeps the memory of a gradient of rows, which grows with the rows that are touched", async () => {
    const engine = new ReferenceEngine();
    const parameter = new Parameter(engine, "w", 100, 10, new Float32Array(1000));
    const adam = new Adam(engine, [parameter]);
    const step = (count: number) => {
      const touched = Uint32Array.from({ length: count }, (_, i) => i);
      parameter.addRowsGradient(touched, (out) => engine.fill(viewRows(out, 0, count), 1));
      adam.step();
    };
    step(100);
    const held = engine.memory();
    for (let count = 0; count <= 100; count++) step(count);
    expect(engine.memory()).toBe(held);
    parameter.release();
    await expect(engine.read(parameter.value)).rejects.toThrow("released");
  });
});
