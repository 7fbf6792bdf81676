// The networks of CVAE for sequences (Li and She 2017, figure 3b): one recurrent network encodes the tokens, another generates them
// (Cho et al. 2014). e_t is the embedding of token t, and e_0 is zero.
//
//   inference   h_t = gru(h_(t-1), e_t);   mu = h_T M + m,   log sigma^2 = h_T S + t
//   generation  g_0 = tanh(z G + g),  g_t = gru(g_(t-1), [e_(t-1) | z]);   token t ~ softmax(g_t O' + o)
//
// Word dropout (Bowman et al. 2016, section 3.1) hides some of the previous tokens from the generation network in training, so
// that it does not ignore z.

import { add } from "../../compute/ops/arithmetic.js";
import { linear } from "../../compute/ops/linear.js";
import { outputLoss } from "../../compute/ops/output-loss.js";
import { rowsOf } from "../../compute/ops/reshape.js";
import { sparseLinear } from "../../compute/ops/sparse-linear.js";
import { sparseMap } from "../../compute/ops/sparse-map.js";
import { tanh } from "../../compute/ops/tanh.js";
import { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import { RandomSequence } from "../../core/philox.js";
import { tokenEmbedding } from "../../nn/embedding.js";
import { gruStep, oneHot, type Steps, stepsOf } from "../../nn/gru.js";
import { glorotUniform, zeros } from "../../nn/initializers.js";
import { Linear } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { type ContentBatch, tokenRows } from "./batches.js";
import type { ContentVae, UpdateKey } from "./network.js";

/** A recurrent network: the weights from a token and from the previous state to the gates. */
interface Recurrent {
  readonly input: Linear;
  readonly state: Linear;
}

export interface RecurrentOptions {
  readonly latent: number;
  /** Dimensions of a token's embedding. */
  readonly embedding: number;
  /** Size of the recurrent state. */
  readonly units: number;
}

export class RecurrentVae implements ContentVae {
  readonly scaffolding: readonly Parameter[] = [];
  readonly parts = [];
  readonly #embedding: Parameter;
  readonly #encoder: Recurrent;
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #start: Linear;
  readonly #decoder: Recurrent;
  /** The weights from z to the decoder's input in every step. */
  readonly #decoderLatent: Parameter;
  /** O [tokens, units] and o. */
  readonly #output: { readonly weight: Parameter; readonly bias: Parameter };
  readonly #tokens: number;
  readonly #units: number;
  readonly #length: number;
  readonly #wordDropout: number;

  constructor(
    tokens: number,
    options: RecurrentOptions & {
      /** Maximum number of tokens read from the start of a sequence. */
      readonly length: number;
      /** Share of the previous tokens that are hidden from the generation network. */
      readonly wordDropout: number;
    },
  ) {
    const { latent, embedding, units, length, wordDropout } = options;
    const init = { weight: glorotUniform, bias: zeros };
    const weight = { initial: glorotUniform };
    const linear = (name: string, inputs: number, outputs: number) =>
      new Linear({ ...init, name, inputs, outputs });
    const recurrent = (name: string): Recurrent => ({
      input: linear(`${name}.input`, embedding, 3 * units),
      state: linear(`${name}.state`, units, 3 * units),
    });
    this.#embedding = tokenEmbedding(tokens, embedding);
    this.#encoder = recurrent("encoder");
    this.#mean = linear("mean", units, latent);
    this.#logVariance = linear("logVariance", units, latent);
    this.#start = linear("start", latent, units);
    this.#decoder = recurrent("decoder");
    this.#decoderLatent = Parameter.declare({
      ...{ name: "decoder.latent.weight", rows: latent, columns: 3 * units },
      ...weight,
    });
    this.#output = {
      weight: Parameter.declare({ name: "output.weight", rows: tokens, columns: units, ...weight }),
      bias: Parameter.declare({ name: "output.bias", rows: 1, columns: tokens }),
    };
    this.#tokens = tokens;
    this.#units = units;
    this.#length = length;
    this.#wordDropout = wordDropout;
  }

  get parameters(): readonly Parameter[] {
    const layers = (...some: readonly { weight: Parameter; bias: Parameter }[]) =>
      some.flatMap(({ weight, bias }) => [weight, bias]);
    return [
      this.#embedding,
      ...layers(this.#encoder.input, this.#encoder.state, this.#mean, this.#logVariance, this.#start),
      ...layers(this.#decoder.input),
      this.#decoderLatent,
      ...layers(this.#decoder.state, this.#output),
    ];
  }

  /** The weights of the recurrent networks. */
  get weights(): readonly Parameter[] {
    const { input, state } = this.#decoder;
    const ofEncoder = [this.#encoder.input.weight, this.#encoder.state.weight];
    return [...ofEncoder, input.weight, this.#decoderLatent, state.weight];
  }

  posterior(tape: Tape, x: ContentBatch): DiagonalNormal {
    const steps = stepsOf(tokenRows(x), this.#length);
    const { order, counts } = steps;
    const states = this.#run(
      tape,
      this.#encoder,
      steps.tokens,
      steps,
      tape.constant(tape.zeros(order.length, this.#units)),
    );
    // h_T of every sequence, taken at its last step.
    let last: Variable = tape.constant(tape.zeros(x.rows, this.#units));
    for (let t = 0; t < counts.length; t++) {
      const going = counts[t + 1] ?? 0;
      if (going < counts[t])
        last = add(tape, last, sparseMap(tape, places(x.rows, order, going, counts[t]), states[t]));
    }
    return new DiagonalNormal(this.#mean.forward(tape, last), this.#logVariance.forward(tape, last));
  }

  reconstruction(tape: Tape, z: Variable, x: ContentBatch, key: UpdateKey): Variable {
    const steps = stepsOf(tokenRows(x), this.#length);
    const { order, counts, tokens } = steps;
    const sorted = sparseMap(tape, oneHot(order, x.rows), z);
    const start = tanh(tape, this.#start.forward(tape, sorted));
    const latent = linear(tape, sorted, this.#decoderLatent);
    const told = this.#told(steps, new RandomSequence(key("word dropout")));
    const states = this.#run(tape, this.#decoder, told, steps, start, latent);
    const { weight, bias } = this.#output;
    let loss: Variable = tape.constant(tape.zeros(x.rows, 1));
    let first = 0;
    for (let t = 0; t < counts.length; first += counts[t], t++) {
      const target = tape.sparse(oneHot(tokens.subarray(first, first + counts[t]), this.#tokens));
      const each = outputLoss(tape, states[t], weight, bias, target);
      loss = add(tape, loss, sparseMap(tape, places(x.rows, order, 0, counts[t]), each));
    }
    return loss;
  }

  /** The previous token of each token, or an index of no token if word dropout hides it. */
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
    network: Recurrent,
    tokens: Uint32Array,
    { counts }: Steps,
    start: Variable,
    latent?: Variable,
  ): Variable[] {
    const oneHots = tape.sparse(oneHot(tokens, this.#tokens));
    const inputs = network.input.forward(tape, sparseLinear(tape, oneHots, this.#embedding, undefined));
    const { weight, bias } = network.state;
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

/** The matrix [sequences, to] that moves rows [from, to) of a step [to, ...] to the rows of their sequences. */
function places(sequences: number, order: Uint32Array, from: number, to: number): CsrMatrix {
  const row = new Uint32Array(sequences).fill(to);
  for (let r = from; r < to; r++) row[order[r]] = r;
  return oneHot(row, to);
}
