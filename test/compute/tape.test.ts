import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { layerNorm } from "../../src/compute/ops/layer-norm.js";
import { linear } from "../../src/compute/ops/linear.js";
import { outputLoss } from "../../src/compute/ops/output-loss.js";
import { sparseLinear } from "../../src/compute/ops/sparse-linear.js";
import { swish } from "../../src/compute/ops/swish.js";
import { Parameter } from "../../src/compute/parameter.js";
import { Tape } from "../../src/compute/tape.js";
import { Workbench } from "../support/engines.js";

describe("the tape", () => {
  it("gives nothing to inputs that need no gradient, and works without gradients", async () => {
    const engine = new ReferenceEngine();
    const weight = new Parameter(engine, "w", 2, 2, [1, 2, 3, 4]);
    const x = engine.tensor(1, 2, [1, 1]);
    const tape = new Tape(engine);
    const constant = tape.constant(x);
    tape.backward(sum(linear(tape, constant, weight)));
    expect(constant.hasGradient).toBe(false);
    expect([...(await weight.fullGradient())]).toEqual([1, 1, 1, 1]);
    tape.dispose();
    const scoring = new Tape(engine, { gradients: false });
    const y = linear(scoring, scoring.constant(x), weight);
    expect([...(await engine.read(y.value))]).toEqual([4, 6]);
    expect(() => scoring.backward(sum(y))).toThrow("without gradients");
    scoring.dispose();
  });

  it("computes nothing for parameters that are left as they are", async () => {
    const engine = new ReferenceEngine();
    const bench = new Workbench(engine, 3);
    const make = (name: string, rows: number, width: number) =>
      new Parameter(engine, name, rows, width, bench.matrix(rows, width).data);
    const encoder = [
      make("w1", 5, 3),
      make("b1", 1, 3),
      make("n", 1, 3),
      make("m", 1, 3),
      make("w2", 3, 2),
      make("b2", 1, 2),
    ];
    const decoder = [make("w3", 5, 2), make("b3", 1, 5)];
    const [w1, b1, n, m, w2, b2] = encoder;
    const histories = bench.sparseMatrix(4, 5, false);
    const gradients = async (trained: Parameter[]) => {
      for (const parameter of [...encoder, ...decoder]) {
        parameter.clearGradient();
        parameter.needsGradient = trained.includes(parameter);
      }
      const tape = new Tape(engine);
      const x = tape.sparse(histories);
      const h = layerNorm(tape, swish(tape, sparseLinear(tape, x, w1, b1)), n, m, 0.1);
      tape.backward(sum(outputLoss(tape, linear(tape, h, w2, b2), decoder[0], decoder[1], x)));
      tape.dispose();
      const all = [...encoder, ...decoder];
      return Promise.all(
        all.map(async (parameter) => parameter.currentGradient && [...(await parameter.fullGradient())]),
      );
    };
    const whole = await gradients([...encoder, ...decoder]);
    expect(whole).not.toContain(undefined);
    expect(await gradients(encoder)).toEqual(whole.map((g, i) => (i < encoder.length ? g : undefined)));
    expect(await gradients(decoder)).toEqual(whole.map((g, i) => (i < encoder.length ? undefined : g)));
  });

  it("walks back once and refuses work after disposal", () => {
    const engine = new ReferenceEngine();
    const tape = new Tape(engine);
    const x = tape.input(tape.zeros(1, 1));
    tape.backward(sum(x));
    expect(() => tape.backward(sum(x))).toThrow("walked");
    tape.dispose();
    tape.dispose();
    expect(() => tape.zeros(1, 1)).toThrow("disposed");
  });
});
