import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alone } from "../../src/compute/communicator.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum, sumOfSquares } from "../../src/compute/objective.js";
import { dropout } from "../../src/compute/ops/dropout.js";
import { linear } from "../../src/compute/ops/linear.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { Adam, type AdamOptions, type Optimizer } from "../../src/compute/optimizers.js";
import { Parameter } from "../../src/compute/parameter.js";
import type { Tape } from "../../src/compute/tape.js";
import { type FloatArray, type Tensor, viewColumns } from "../../src/compute/tensor.js";
import { Linear, SparseLinear } from "../../src/nn/linear.js";
import { DiagonalNormal } from "../../src/nn/normal.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { allocate } from "../../src/nn/parameters.js";
import { type BatchLoss, trainingStep } from "../../src/training/step.js";
import { Workbench } from "../support/engines.js";
import { together } from "../support/members.js";
import { type Piece, rowPiece } from "../support/pieces.js";

const four = Uint32Array.of(7, 8, 9, 10);

/** An optimiser that looks at the gradient and does nothing else. */
function looking(parameter: Parameter, seen: Promise<FloatArray>[]): Optimizer {
  return {
    parameters: [parameter],
    step() {
      seen.push(parameter.fullGradient());
    },
    save: async () => ({}),
    load: async () => {},
  };
}

describe("a training step", () => {
  it("minimises the mean over the rows with the penalty as it is, and reports sums", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const w = new Parameter(engine, "w", 2, 1, [3, -1]);
    const seen: Promise<FloatArray>[] = [];
    const x = engine.tensor(1, 2, [5, 7]);
    const step = trainingStep<Tensor>({
      engine,
      optimizer: looking(w, seen),
      reports: ["loss", "doubled"],
      loss(tape, batch, update, rows) {
        expect([update, rows]).toEqual([12, four]);
        const loss = sum(linear(tape, tape.constant(batch), w));
        return { loss, parts: { doubled: loss.times(2) }, penalty: sumOfSquares([w]).times(0.5) };
      },
    });
    const totals = engine.tensor(1, 2, [100, 200]);
    const columns = [viewColumns(totals, 0, 1), viewColumns(totals, 1, 2)];
    step(x, 12, columns, four);
    // d/dw of (5 w0 + 7 w1) / 4 + (w0^2 + w1^2) / 2.
    expect([...(await seen[0])]).toEqual([5 / 4 + 3, 7 / 4 - 1]);
    expect([...(await engine.read(totals))]).toEqual([100 + 8, 200 + 16]);
  });

  it("releases everything and does not change the weights if the loss fails", async () => {
    const engine = new ReferenceEngine();
    const w = new Parameter(engine, "w", 2, 1, [3, -1]);
    const seen: Promise<FloatArray>[] = [];
    const batch = engine.zeros(1, 2);
    const run = (loss: (tape: Tape) => BatchLoss) =>
      trainingStep({ engine, optimizer: looking(w, seen), reports: ["loss", "kl"], loss })(
        batch,
        1,
        [engine.zeros(1, 1), engine.zeros(1, 1)],
        four,
      );
    const failing = (tape: Tape) => {
      tape.zeros(100, 100);
      throw new Error("no");
    };
    expect(() => run(failing)).toThrow("no");
    const held = engine.memory();
    expect(() => run(failing)).toThrow("no");
    expect(engine.memory() - held).toBeLessThan(1000);
    expect(() => run((tape) => ({ loss: sum(tape.constant(batch)) }))).toThrow('the loss has no part "kl"');
    expect(seen).toEqual([]);
  });

  it("has one part from one member, and that member's seed", async () => {
    const engine = new ReferenceEngine();
    const communicator = alone(engine);
    const [a, b] = [engine.tensor(1, 2, [1, 2]), engine.zeros(1, 2)];
    communicator.sum(a, [a]);
    communicator.gather(b, [a]);
    expect([...(await engine.read(a)), ...(await engine.read(b))]).toEqual([1, 2, 1, 2]);
    expect(await communicator.broadcast(98765)).toBe(98765);
    expect([communicator.rank, communicator.size]).toEqual([0, 1]);
    expect(() => communicator.sum(a, [a, b])).toThrow("2 parts of one block");
  });
});

/** A small Mult-VAE, with dropout of the decoder's activations too, so that every kind of random number occurs. */
class Model {
  readonly engine: ReferenceEngine;
  readonly #layers;
  readonly adam: Adam;

  constructor(engine: ReferenceEngine, items: number, adam: AdamOptions) {
    this.engine = engine;
    const [hidden, latent, seed] = [6, 3, 5];
    this.#layers = {
      input: new SparseLinear({ name: "input", inputs: items, outputs: hidden }),
      inner: new Linear({ name: "inner", inputs: hidden, outputs: 2 * latent }),
      decoder: new Linear({ name: "decoder", inputs: latent, outputs: hidden }),
      output: new OutputLayer({ name: "output", inputs: hidden, outputs: items }),
    };
    allocate(engine, this.parameters, seed);
    this.adam = new Adam(engine, this.parameters, adam);
  }

  get parameters() {
    return Object.values(this.#layers).flatMap(({ parameters }) => parameters);
  }

  /** Of users `first`, `first` + 1, ... of a batch. */
  loss(tape: Tape, { matrix, piece }: Piece, first: number, update: number): BatchLoss {
    const { input, inner, decoder, output } = this.#layers;
    const key = (stream: number) => ({ seed: 3, step: update, stream });
    const x = tape.sparse(matrix, piece);
    const h = tanh(tape, input.forward(tape, x, { rowScale: "l2", dropout: { rate: 0.5, key: key(1) } }));
    const posterior = DiagonalNormal.fromHalves(tape, inner.forward(tape, h));
    const z = posterior.sample(tape, key(2), { first: first * posterior.mean.value.columns });
    const decoded = tanh(tape, decoder.forward(tape, z));
    const { columns } = decoded.value;
    const kept = dropout(tape, decoded, { rate: 0.3, key: key(3), first: first * columns });
    const kl = sum(posterior.kl(tape));
    return {
      loss: sum(output.loss(tape, kept, x)).plus(kl.times(0.2)),
      parts: { kl },
      penalty: sumOfSquares([output.weight]).times(0.01),
    };
  }

  async weights(): Promise<number[]> {
    const values = await Promise.all(this.parameters.map(({ value }) => this.engine.read(value)));
    return values.flatMap((value) => [...value]);
  }
}

describe("members that divide the rows of a batch", () => {
  it.each<[string, AdamOptions]>([
    ["Adam", {}],
    ["Adam with normalised gradients", { normaliseGradients: true }],
  ])("make the same update as one member with the whole batch, by %s", async (_, adam) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 2, max: 3 }),
        fc.nat(1000),
        async (users, size, seed) => {
          const engine = new ReferenceEngine({ precision: "float64" });
          const items = 13;
          const bench = new Workbench(engine, seed);
          // Every model has an epsilon that keeps an all but zero gradient from becoming a step of full length.
          const options = { learningRate: 0.01, epsilon: 1e-3, ...adam };
          const whole = new Model(engine, items, options);
          const members = Array.from({ length: size }, () => new Model(engine, items, options));
          const reports = ["loss", "kl"];
          const makeTotals = () => reports.map(() => engine.zeros(1, 1));
          const totals = makeTotals();
          const totalsOf = members.map(makeTotals);
          for (let update = 1; update <= 3; update++) {
            const histories = bench.sparseMatrix(users, items, false);
            const rows = Uint32Array.from({ length: users }, (_, user) => user);
            trainingStep<Piece>({
              ...{ engine, optimizer: whole.adam, reports },
              loss: (tape, batch) => whole.loss(tape, batch, 0, update),
            })({ matrix: histories, piece: {} }, update, totals, rows);
            const cut = (rank: number) => Math.round((rank * users) / size);
            await together(
              engine,
              size,
              (communicator) => {
                const { rank } = communicator;
                const model = members[rank];
                trainingStep<Piece>({
                  ...{ engine, communicator, optimizer: model.adam, reports },
                  loss: (tape, batch) => model.loss(tape, batch, cut(rank), update),
                })(rowPiece(histories, cut(rank), cut(rank + 1)), update, totalsOf[rank], rows);
              },
              (rank) => {
                for (const parameter of members[rank].parameters) parameter.clearGradient();
              },
            );
          }
          const expected = await whole.weights();
          for (const [rank, member] of members.entries()) {
            const weights = await member.weights();
            expect(weights).toEqual(await members[0].weights());
            for (const [i, weight] of weights.entries()) expect(weight).toBeCloseTo(expected[i], 11);
            for (const [r, total] of totals.entries())
              expect((await engine.read(totalsOf[rank][r]))[0]).toBeCloseTo((await engine.read(total))[0], 9);
          }
          expect(expected).not.toEqual(await new Model(engine, items, options).weights());
        },
      ),
      { numRuns: 8, seed: 1 },
    );
  });
});
