import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { mean, sumOfSquares } from "../../src/compute/objective.js";
import { type EngineChoice, openEngine } from "../../src/compute/open-engine.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { Adam } from "../../src/compute/optimizers.js";
import { loadParameters, saveParameters } from "../../src/compute/parameter.js";
import { Tape } from "../../src/compute/tape.js";
import { constant } from "../../src/nn/initializers.js";
import { Linear, SparseLinear } from "../../src/nn/linear.js";
import { Mlp } from "../../src/nn/mlp.js";
import { DiagonalNormal } from "../../src/nn/normal.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { allocate } from "../../src/nn/parameters.js";
import { fromRows } from "../../src/sparse/csr.js";
import { allocatedOn } from "../support/allocated.js";
import { engineNames } from "../support/engine-names.js";

const engine = new ReferenceEngine({ precision: "float64" });
const seed = 3;

describe("layers", () => {
  it("an Mlp is its layers with tanh between, and after the last where asked", async () => {
    for (const activateLast of [false, true]) {
      const mlp = allocatedOn(engine, new Mlp({ name: "m", sizes: [2, 3, 1], activateLast }));
      const [w0, b0, w1, b1] = await Promise.all(mlp.parameters.map(({ value }) => engine.read(value)));
      const tape = new Tape(engine);
      const out = mlp.forward(tape, tape.constant(engine.tensor(1, 2, [0.5, -2])));
      const hidden = [0, 1, 2].map((h) => Math.tanh(0.5 * w0[h] - 2 * w0[3 + h] + b0[h]));
      const last = hidden.reduce((sum, value, h) => sum + value * w1[h], b1[0]);
      expect((await engine.read(out.value))[0]).toBeCloseTo(activateLast ? Math.tanh(last) : last, 14);
      tape.dispose();
    }
  });

  it("a first layer over histories adds up the rows of its items over sqrt(n)", async () => {
    const layer = allocatedOn(engine, new SparseLinear({ name: "first", inputs: 5, outputs: 2 }));
    const [weight, bias] = await Promise.all(layer.parameters.map(({ value }) => engine.read(value)));
    const tape = new Tape(engine);
    const out = layer.forward(tape, tape.sparse(fromRows(5, [[4, 1], []])), { rowScale: "l2" });
    const expected = [0, 1].map((c) => (weight[8 + c] + weight[2 + c]) / Math.SQRT2 + bias[c]);
    const values = await engine.read(out.value);
    for (const [i, value] of [...expected, ...bias].entries()) expect(values[i]).toBeCloseTo(value, 14);
    tape.dispose();
  });

  it("a posterior splits activations into mean and log-variance", async () => {
    const tape = new Tape(engine);
    // KL(N(1, 1) || N(0, 1)) = 1/2; KL(N(0, e^2) || N(0, 1)) = (e^2 - 1 - 2) / 2.
    const normal = DiagonalNormal.fromHalves(tape, tape.constant(engine.tensor(2, 2, [1, 0, 0, 2])));
    const kl = await engine.read(normal.kl(tape).value);
    expect(kl[0]).toBeCloseTo(0.5, 14);
    expect(kl[1]).toBeCloseTo((Math.E ** 2 - 3) / 2, 14);
    expect(() => DiagonalNormal.fromHalves(tape, tape.constant(engine.zeros(1, 3)))).toThrow(RangeError);
    tape.dispose();
  });

  it("an output layer with zero weights scores its bias; its loss is the entropy of a uniform choice", async () => {
    const flat = constant(0);
    const flatOutput = new OutputLayer({ name: "o", inputs: 2, outputs: 8, weight: flat, bias: flat });
    const output = allocatedOn(engine, flatOutput);
    const tape = new Tape(engine);
    const hidden = tape.constant(engine.tensor(2, 2, [1, 2, 3, 4]));
    const loss = await engine.read(
      output.loss(tape, hidden, tape.sparse(fromRows(8, [[0, 3, 7], []]))).value,
    );
    expect(loss[0]).toBeCloseTo(3 * Math.log(8), 14);
    expect(loss[1]).toBe(0);
    engine.write(output.bias.value, [1, 2, 3, 4, 5, 6, 7, 8]);
    const scores = output.scores(hidden.value);
    expect([...(await engine.read(scores))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    engine.release(scores);
    tape.dispose();
  });
});

/** A small Mult-VAE, to train for as many steps as a test wants. */
function smallModel(on: Engine) {
  const first = new SparseLinear({ name: "encoder.0", inputs: 20, outputs: 8 });
  const second = new Linear({ name: "encoder.1", inputs: 8, outputs: 6 });
  const decoder = new Mlp({ name: "decoder", sizes: [3, 8], activateLast: true });
  const output = new OutputLayer({ name: "output", inputs: 8, outputs: 20 });
  const parameters = [first, second, decoder, output].flatMap((layer) => layer.parameters);
  allocate(on, parameters, seed);
  const adam = new Adam(on, parameters);
  // Two tastes: even items and odd items.
  const histories = [0, 1, 2, 3].map((user) =>
    [0, 2, 4, 6, 8].map((i) => ((i + 4 * user) % 20) + (user % 2)),
  );
  const step = (update: number) => {
    const tape = new Tape(on);
    const batch = tape.sparse(fromRows(20, update % 2 === 0 ? histories : histories.slice(0, 3)));
    const dropout = { rate: 0.5, key: { seed, step: update, stream: 1 } };
    const hidden = tanh(tape, first.forward(tape, batch, { rowScale: "l2", dropout }));
    const posterior = DiagonalNormal.fromHalves(tape, second.forward(tape, hidden));
    const z = posterior.sample(tape, { seed, step: update, stream: 2 });
    const nll = output.loss(tape, decoder.forward(tape, z), batch);
    const objective = mean(nll)
      .plus(mean(posterior.kl(tape)).times(0.01))
      .plus(sumOfSquares([first.weight]).times(1e-4));
    tape.backward(objective);
    adam.step();
    const loss = on.read(tape.value(objective));
    tape.dispose();
    return loss;
  };
  return { parameters, adam, step };
}

const opened: Engine[] = [];
async function open(engine: EngineChoice): Promise<Engine> {
  opened.push(await openEngine({ engine }));
  return opened[opened.length - 1];
}
afterAll(() => Promise.all(opened.map((engine) => engine.close())));

describe.each(engineNames)("training on the %s engine", (name) => {
  it("learns: the loss falls well below a uniform guess", async () => {
    const { step } = smallModel(await open(name));
    const [first] = await step(1);
    let last = 0;
    for (let update = 2; update <= 600; update++) [last] = await step(update);
    expect(first).toBeGreaterThan(14);
    expect(last).toBeLessThan(12.5);
  });

  it("resumes from saved values and moments with the same result", async () => {
    const through = smallModel(await open(name));
    for (let update = 1; update <= 20; update++) await through.step(update);

    const before = smallModel(await open(name));
    for (let update = 1; update <= 10; update++) await before.step(update);
    const saved = { ...(await saveParameters(before.parameters)), ...(await before.adam.save()) };
    const after = smallModel(await open(name));
    await loadParameters(after.parameters, saved);
    await after.adam.load(saved);
    for (let update = 11; update <= 20; update++) await after.step(update);
    expect(await saveParameters(after.parameters)).toEqual(await saveParameters(through.parameters));
    expect(await after.adam.save()).toEqual(await through.adam.save());
  });

  it("names the tensor that is missing or has another shape", async () => {
    const { parameters, adam } = smallModel(await open(name));
    const saved = await saveParameters(parameters);
    const { "encoder.0.weight": held, ...missing } = saved;
    await expect(loadParameters(parameters, missing)).rejects.toThrow("tensor encoder.0.weight: is missing");
    const turned = { ...missing, "encoder.0.weight": { shape: [8, 20], data: held.data } };
    await expect(loadParameters(parameters, turned)).rejects.toThrow(
      "has the shape 8 x 20 (expected 20 x 8)",
    );
    await expect(adam.load(saved)).rejects.toThrow("tensor adam.updates");
  });

  it("leaves memory flat over 10,000 steps", async () => {
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const on = await open(name);
    const { step } = smallModel(on);
    const measure = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return { heap: heapUsed + arrayBuffers, engine: on.memory() };
    };
    for (let update = 1; update <= 1000; update++) await step(update);
    const early = measure();
    for (let update = 1001; update <= 11_000; update++) await step(update);
    const late = measure();
    expect(late.engine).toBe(early.engine);
    // One tensor handle (some 100 bytes) kept by each of 10,000 steps would show as more than this; the rest is noise.
    expect(late.heap - early.heap).toBeLessThan(1_000_000);
  });
});

it.skipIf(engineNames.length === 1)(
  "the engines follow each other: the same losses, update by update",
  async () => {
    const [plain, native] = await Promise.all(engineNames.map(async (name) => smallModel(await open(name))));
    for (let update = 1; update <= 200; update++) {
      const [[expected], [actual]] = await Promise.all([plain.step(update), native.step(update)]);
      expect(Math.abs(actual - expected), `update ${update}`).toBeLessThan(1e-4 * expected);
    }
  },
);
