// The networks of CVAE for sequences (Li and She 2017, figure 3b): a recurrent network reads the tokens, another writes them again
// (Cho et al. 2014). e_t is the embedding of token t, and e_0 is zero.
//
//   inference   h_t = gru(h_(t-1), e_t);   mu = h_T M + m,   log sigma^2 = h_T S + t
//   generation  g_0 = tanh(z G + g),  g_t = gru(g_(t-1), [e_(t-1) | z]);   token t ~ softmax(g_t O' + o)
//
// Lest the generation network should live on the tokens before and forget z, some of them are withheld from it in training (word
// dropout: Bowman et al. 2016, section 3.1).

import type { Engine } from "../../compute/engine.js";
import { add } from "../../compute/ops/arithmetic.js";
import { linear } from "../../compute/ops/linear.js";
import { outputLoss } from "../../compute/ops/output-loss.js";
import { rowsOf } from "../../compute/ops/reshape.js";
import { sparseLinear } from "../../compute/ops/sparse-linear.js";
import { sparseMap } from "../../compute/ops/sparse-map.js";
import { tanh } from "../../compute/ops/tanh.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import { RandomSequence } from "../../core/philox.js";
import { gruStep, oneHot, type Steps, stepsOf } from "../../nn/gru.js";
import { DiagonalNormal } from "../../nn/normal.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { type ContentBatch, tokenRows } from "./batches.js";
import type { ContentVae, UpdateKey } from "./network.js";
import { parametersOf, type Shapes } from "./shapes.js";

export interface RecurrentOptions {
  readonly latent: number;
  /** Numbers of a token. */
  readonly embedding: number;
  /** Of the recurrent state. */
  readonly units: number;
}

/** [rows, columns] of the parameters, by name. */
export function recurrentShapes(tokens: number, { latent, embedding, units }: RecurrentOptions): Shapes {
  const gates = 3 * units;
  return {
    "embedding.weight": [tokens, embedding],
    ...{ "encoder.input.weight": [embedding, gates], "encoder.input.bias": [1, gates] },
    ...{ "encoder.state.weight": [units, gates], "encoder.state.bias": [1, gates] },
    ...{ "mean.weight": [units, latent], "mean.bias": [1, latent] },
    ...{ "logVariance.weight": [units, latent], "logVariance.bias": [1, latent] },
    ...{ "start.weight": [latent, units], "start.bias": [1, units] },
    ...{ "decoder.input.weight": [embedding, gates], "decoder.input.bias": [1, gates] },
    "decoder.latent.weight": [latent, gates],
    ...{ "decoder.state.weight": [units, gates], "decoder.state.bias": [1, gates] },
    ...{ "output.weight": [tokens, units], "output.bias": [1, tokens] },
  };
}

export class RecurrentVae implements ContentVae {
  readonly parameters: readonly Parameter[];
  readonly scaffolding: readonly Parameter[] = [];
  readonly parts = [];
  readonly #named: (name: string) => Parameter;
  readonly #tokens: number;
  readonly #units: number;
  readonly #length: number;
  readonly #wordDropout: number;

  /** Initial values depend on the seed; without one all are zero, to be loaded. */
  constructor(
    engine: Engine,
    tokens: number,
    options: RecurrentOptions & {
      /** Tokens of a sequence that are read, from its start. */
      readonly length: number;
      /** Share of the tokens that the generation network is not told. */
      readonly wordDropout: number;
      readonly seed?: number;
    },
  ) {
    const { all, named } = parametersOf(engine, recurrentShapes(tokens, options), options.seed);
    this.parameters = all;
    this.#named = named;
    this.#tokens = tokens;
    this.#units = options.units;
    this.#length = options.length;
    this.#wordDropout = options.wordDropout;
  }

  /** Those of the recurrent networks. */
  get weights(): readonly Parameter[] {
    return this.parameters.filter(({ name }) => /^(encoder|decoder)\..*weight$/.test(name));
  }

  posterior(tape: Tape, x: ContentBatch): DiagonalNormal {
    const steps = stepsOf(tokenRows(x), this.#length);
    const { order, counts } = steps;
    const states = this.#run(
      tape,
      "encoder",
      steps.tokens,
      steps,
      tape.constant(tape.zeros(order.length, this.#units)),
    );
    // h_T of every sequence, from the step at which it ends.
    let last: Variable = tape.constant(tape.zeros(x.rows, this.#units));
    for (let t = 0; t < counts.length; t++) {
      const going = counts[t + 1] ?? 0;
      if (going < counts[t])
        last = add(tape, last, sparseMap(tape, places(x.rows, order, going, counts[t]), states[t]));
    }
    const head = (name: string) =>
      linear(tape, last, this.#named(`${name}.weight`), this.#named(`${name}.bias`));
    return new DiagonalNormal(head("mean"), head("logVariance"));
  }

  reconstruction(tape: Tape, z: Variable, x: ContentBatch, key: UpdateKey): Variable {
    const steps = stepsOf(tokenRows(x), this.#length);
    const { order, counts, tokens } = steps;
    const sorted = sparseMap(tape, oneHot(order, x.rows), z);
    const start = tanh(tape, linear(tape, sorted, this.#named("start.weight"), this.#named("start.bias")));
    const latent = linear(tape, sorted, this.#named("decoder.latent.weight"));
    const told = this.#told(steps, new RandomSequence(key("word dropout")));
    const states = this.#run(tape, "decoder", told, steps, start, latent);
    const [weight, bias] = [this.#named("output.weight"), this.#named("output.bias")];
    let loss: Variable = tape.constant(tape.zeros(x.rows, 1));
    let first = 0;
    for (let t = 0; t < counts.length; first += counts[t], t++) {
      const target = tape.sparse(oneHot(tokens.subarray(first, first + counts[t]), this.#tokens));
      const each = outputLoss(tape, states[t], weight, bias, target);
      loss = add(tape, loss, sparseMap(tape, places(x.rows, order, 0, counts[t]), each));
    }
    return loss;
  }

  /** The token before each, as far as the generation network is told it; else a number that no token has. */
  #told({ counts, tokens }: Steps, random: RandomSequence): Uint32Array {
    const told = new Uint32Array(tokens.length).fill(this.#tokens);
    let before = 0;
    for (let t = 1, first = counts[0]; t < counts.length; before = first, first += counts[t], t++)
      for (let r = 0; r < counts[t]; r++)
        if (random.uniform() >= this.#wordDropout) told[first + r] = tokens[before + r];
    return told;
  }

  /** The states of all steps, [counts[t], units] each. */
  #run(
    tape: Tape,
    name: "encoder" | "decoder",
    tokens: Uint32Array,
    { counts }: Steps,
    start: Variable,
    latent?: Variable,
  ): Variable[] {
    const embedded = sparseLinear(
      tape,
      tape.sparse(oneHot(tokens, this.#tokens)),
      this.#named("embedding.weight"),
      undefined,
    );
    const inputs = linear(
      tape,
      embedded,
      this.#named(`${name}.input.weight`),
      this.#named(`${name}.input.bias`),
    );
    const [weight, bias] = [this.#named(`${name}.state.weight`), this.#named(`${name}.state.bias`)];
    const states: Variable[] = [];
    let h = start;
    let first = 0;
    for (const count of counts) {
      const input = rowsOf(tape, inputs, first, first + count);
      const given = latent ? add(tape, input, rowsOf(tape, latent, 0, count)) : input;
      h = gruStep(tape, given, rowsOf(tape, h, 0, count), weight, bias);
      states.push(h);
      first += count;
    }
    return states;
  }
}

/** Puts rows [from, to) of a step [to, ...] where their sequences are: [sequences, to]. */
function places(sequences: number, order: Uint32Array, from: number, to: number): CsrMatrix {
  const row = new Uint32Array(sequences).fill(to);
  for (let r = from; r < to; r++) row[order[r]] = r;
  return oneHot(row, to);
}
