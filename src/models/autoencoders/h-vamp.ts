// H+Vamp, and H+Vamp (gated): two layers of latent variables under a VampPrior (Kim and Suh: "Enhancing VAEs for collaborative
// filtering", RecSys 2019, sections 4.1 and 4.2; psywaves/EVCF, models/HVamp.py and HVamp_1layer.py):
//
//   q(z2 | x):      dropout, n hidden layers                       z2 ~ q(z2 | x)
//   q(z1 | x, z2):  [hidden(dropout(x)) | hidden(z2)], n - 1 hidden layers; n = 1: hidden([dropout(x) | z2])
//   p(z1 | z2):     n hidden layers                                z1 ~ q(z1 | x, z2)
//   p(z2) = 1/K sum over k of q(z2 | u_k),  u_k in [0, 1]^items learned
//   p(x | z1, z2):  [hidden(z1) | hidden(z2)], n - 1 hidden layers; n = 1: hidden([z1 | z2]); then the output
//   minimise  -log p(x | z1, z2) + beta (log q(z1 | x, z2) + log q(z2 | x) - log p(z1 | z2) - log p(z2))  at one sample
//
// x is divided by its L2 norm, and every branch has its own dropout mask. A history is scored with z2 = mean of q(z2 | x) and
// z1 = mean of q(z1 | x, z2).

import { z } from "zod";
import { sum } from "../../compute/objective.js";
import { concatenate } from "../../compute/ops/concatenate.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import type { RandomKey } from "../../core/philox.js";
import { HiddenLayer, SparseDenseHiddenLayer, SparseHiddenLayer } from "../../nn/hidden-layer.js";
import { Mlp } from "../../nn/mlp.js";
import type { DiagonalNormal } from "../../nn/normal.js";
import type { OutputLayer } from "../../nn/output-layer.js";
import { type PseudoInputs, vampLogDensity } from "../../nn/vamp-prior.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { type NetworkOutline, OutlineBuilder } from "../../recommender/outline.js";
import type { Prediction } from "../../training/halves.js";
import { size } from "../settings.js";
import {
  droppedAt,
  type EvcfNetwork,
  type EvcfTraining,
  evcfAlgorithm,
  evcfOptions,
  evcfShape,
  GaussianHeads,
  HistoryEncoder,
  layerStart,
  outputLayer,
  pseudoInputs,
  type Terms,
} from "./evcf.js";
import type { Latent } from "./network.js";
import { outlineOutput } from "./outline.js";

const { hidden, ...others } = evcfOptions;
const options = z.strictObject({
  hidden,
  latent1: size
    .default(200)
    .describe("dimensions of z1, the lower layer (EVCF's program; the paper does not say)"),
  latent2: size
    .default(200)
    .describe("dimensions of z2, the upper layer (EVCF's program; the paper does not say)"),
  ...others,
});
export type HVampOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({
  ...evcfShape,
  latent1: options.shape.latent1,
  latent2: options.shape.latent2,
});
type Shape = z.infer<typeof shape>;

/** Widths of the hidden layers after the first `from` of n. */
function widths({ hidden, layers }: Shape, from: number): number[] {
  return new Array<number>(Math.max(0, layers - from)).fill(hidden);
}

type Dropped = ReturnType<typeof droppedAt>;

/** [hidden(x) | hidden(z2)] and n - 1 hidden layers, or for n = 1 hidden([x | z2]), x a history. */
class HistoryAndLatent {
  readonly #joint: SparseDenseHiddenLayer | undefined;
  readonly #ofHistory: SparseHiddenLayer | undefined;
  readonly #ofLatent: HiddenLayer | undefined;
  readonly #rest: Mlp | undefined;

  constructor(name: string, items: number, given: Shape) {
    const { hidden, latent2, layers, gated } = given;
    const layer = { ...layerStart, outputs: hidden, gated };
    if (layers === 1) {
      const inputs = items + latent2;
      this.#joint = new SparseDenseHiddenLayer({ ...layer, name: `${name}.joint`, inputs });
      return;
    }
    const sizes = [2 * hidden, ...widths(given, 1)];
    this.#ofHistory = new SparseHiddenLayer({ ...layer, name: `${name}.input`, inputs: items });
    this.#ofLatent = new HiddenLayer({ ...layer, name: `${name}.z2`, inputs: latent2 });
    this.#rest = new Mlp({ ...layerStart, name, sizes, activateLast: true, gated });
  }

  get parameters(): readonly Parameter[] {
    return [this.#joint, this.#ofHistory, this.#ofLatent, this.#rest].flatMap(
      (part) => part?.parameters ?? [],
    );
  }

  forward(tape: Tape, x: SparseTensor, z2: Variable, dropout: Dropped): Variable {
    const how = { rowScale: "l2", dropout } as const;
    if (this.#joint) return this.#joint.forward(tape, x, z2, how);
    const [ofHistory, ofLatent, rest] = [this.#ofHistory, this.#ofLatent, this.#rest];
    if (!ofHistory || !ofLatent || !rest) throw new Error("h-vamp: a network without layers");
    const both = concatenate(tape, [ofHistory.forward(tape, x, how), ofLatent.forward(tape, z2)]);
    return rest.forward(tape, both);
  }
}

/** [hidden(z1) | hidden(z2)] and n - 1 hidden layers, or for n = 1 hidden([z1 | z2]). */
class TwoLatents {
  readonly #branches: readonly HiddenLayer[];
  readonly #rest: Mlp;

  constructor(name: string, given: Shape) {
    const { hidden, latent1, latent2, layers, gated } = given;
    const branch = { ...layerStart, outputs: hidden, gated };
    this.#branches =
      layers === 1
        ? []
        : [
            new HiddenLayer({ ...branch, name: `${name}.z1`, inputs: latent1 }),
            new HiddenLayer({ ...branch, name: `${name}.z2`, inputs: latent2 }),
          ];
    const sizes = layers === 1 ? [latent1 + latent2, hidden] : [2 * hidden, ...widths(given, 1)];
    this.#rest = new Mlp({ ...layerStart, name, sizes, activateLast: true, gated });
  }

  get parameters(): readonly Parameter[] {
    return [...this.#branches, this.#rest].flatMap(({ parameters }) => parameters);
  }

  forward(tape: Tape, z1: Variable, z2: Variable): Variable {
    const [first, second] = this.#branches;
    const parts = first ? [first.forward(tape, z1), second.forward(tape, z2)] : [z1, z2];
    return this.#rest.forward(tape, concatenate(tape, parts));
  }
}

class HVampNetwork implements EvcfNetwork {
  readonly output: OutputLayer;
  readonly latent: Latent;
  readonly #encoder2: HistoryEncoder;
  readonly #encoder1: HistoryAndLatent;
  readonly #heads1: GaussianHeads;
  readonly #prior1: Mlp;
  readonly #priorHeads1: GaussianHeads;
  readonly #decoder: TwoLatents;
  readonly #pseudoInputs: PseudoInputs;
  readonly #likelihood: HVampOptions["likelihood"];

  constructor(
    items: number,
    given: Shape,
    { likelihood = "multinomial", pseudoInputStart }: Partial<EvcfTraining> = {},
  ) {
    const { hidden, latent1, latent2, gated } = given;
    this.#likelihood = likelihood;
    this.latent = {
      dimensions: latent1 + latent2,
      what: "the means of q(z1 | x, z2) and of q(z2 | x)",
      mean: (tape, x) => concatenate(tape, this.#latents(tape, x)),
    };
    this.#encoder2 = new HistoryEncoder("encoder2", { ...given, items, latent: latent2 });
    this.#encoder1 = new HistoryAndLatent("encoder1", items, given);
    this.#heads1 = new GaussianHeads("encoder1", hidden, latent1);
    const prior = [latent2, ...widths(given, 0)];
    this.#prior1 = new Mlp({ ...layerStart, name: "prior1", sizes: prior, activateLast: true, gated });
    this.#priorHeads1 = new GaussianHeads("prior1", hidden, latent1);
    this.#decoder = new TwoLatents("decoder", given);
    this.output = outputLayer(items, given);
    this.#pseudoInputs = pseudoInputs(items, given, pseudoInputStart);
  }

  get parameters() {
    return [
      this.#encoder2,
      this.#encoder1,
      this.#heads1,
      this.#prior1,
      this.#priorHeads1,
      this.#decoder,
      this.output,
      this.#pseudoInputs,
    ].flatMap(({ parameters }) => parameters);
  }

  /** q(z1 | x, z2) */
  #posterior1(tape: Tape, x: SparseTensor, z2: Variable, dropout?: Dropped): DiagonalNormal {
    return this.#heads1.forward(tape, this.#encoder1.forward(tape, x, z2, dropout));
  }

  /** The means of z1 and z2. */
  #latents(tape: Tape, histories: SparseTensor): [Variable, Variable] {
    const z2 = this.#encoder2.forward(tape, histories).mean;
    return [this.#posterior1(tape, histories, z2).mean, z2];
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.#decoder.forward(tape, ...this.#latents(tape, histories));
  }

  terms(tape: Tape, { x, target }: Prediction, rate: number, key: (name: string) => RandomKey): Terms {
    const posterior2 = this.#encoder2.forward(tape, x, droppedAt(rate, key("dropout of q(z2 | x)")));
    const z2 = posterior2.sample(tape, key("noise of z2"));
    const posterior1 = this.#posterior1(tape, x, z2, droppedAt(rate, key("dropout of q(z1 | x, z2)")));
    const z1 = posterior1.sample(tape, key("noise of z1"));
    const prior1 = this.#priorHeads1.forward(tape, this.#prior1.forward(tape, z2));
    const hidden = this.#decoder.forward(tape, z1, z2);
    const u = this.#pseudoInputs.forward(tape, droppedAt(rate, key("dropout of pseudo-inputs")));
    const components = this.#encoder2.forwardPseudoInputs(tape, u);
    const logQ = sum(posterior1.logDensity(tape, z1)).plus(sum(posterior2.logDensity(tape, z2)));
    const logP = sum(prior1.logDensity(tape, z1)).plus(sum(vampLogDensity(tape, z2, components)));
    return {
      negativeLogLikelihood: sum(this.output.loss(tape, hidden, target, { likelihood: this.#likelihood })),
      kl: logQ.plus(logP.times(-1)),
    };
  }
}

/** Heads are drawn as one layer: [mean | log-variance]. */
function outline(items: number, options: HVampOptions): NetworkOutline {
  const { hidden, layers, gated, latent1, latent2, dropout, likelihood, pseudoInputs: count } = options;
  const outline = new OutlineBuilder();
  const dense = (name: string, from: string[], column?: number) =>
    outline.dense(name, hidden, "tanh", { gated, from, column });
  /** Layers "<name>_<first>" to "<name>_<n - 1>" one after the other; the name of the last. */
  const stack = (name: string, first: number, from: string) => {
    let last = from;
    for (let layer = first; layer < layers; layer++) last = dense(`${name}_${layer}`, [last]);
    return last;
  };
  const heads = (name: string, latent: number, from: string) =>
    outline.dense(name, 2 * latent, "mean, log-var.", { from: [from] });
  const sample = (name: string, from: string, output: number) =>
    outline.add(name, "Sample", { from: [from], output });
  outline.add("history", "Input", { from: [], output: items, column: 1 });
  const x = outline.add("unit_norm", "Divided by its norm");
  const dropped = (name: string, column: number) =>
    dropout > 0 ? outline.add(name, `Dropout ${dropout}`, { from: [x], column }) : x;

  const x2 = dropped("dropout_z2", 0);
  const encoder2 = stack("encoder2", 1, dense("encoder2_0", [x2], 0));
  const z2 = sample("z2", heads("q(z2 | x)", latent2, encoder2), latent2);
  const x1 = dropped("dropout_z1", 1);
  const joint =
    layers === 1
      ? dense("encoder1_0", [x1, z2], 1)
      : dense("encoder1_1", [dense("encoder1_x", [x1], 1), dense("encoder1_z2", [z2], 1)], 1);
  const z1 = sample("z1", heads("q(z1 | x, z2)", latent1, stack("encoder1", 2, joint)), latent1);
  heads("p(z1 | z2)", latent1, stack("prior1", 1, dense("prior1_0", [z2], 0)));
  const u = outline.add("pseudo_inputs", "Learned, in [0, 1]", {
    ...{ from: [], output: items, rows: count, parameters: count * items, column: 2 },
  });
  outline.add("p(z2)", "Mixture of q(z2 | u)", { from: [u], output: latent2, rows: count });
  const decoder =
    layers === 1
      ? dense("decoder_0", [z1, z2], 1)
      : dense("decoder_1", [dense("decoder_z1", [z1], 1), dense("decoder_z2", [z2], 0)], 1);
  outlineOutput(outline, items, likelihood, [stack("decoder", 2, decoder)]);
  return outline.layers;
}

export const hVamp: Algorithm<HVampOptions> = evcfAlgorithm({
  name: "h-vamp",
  summary:
    "Variational autoencoder with two layers of latent variables and a VampPrior (learned pseudo-inputs).",
  options,
  shape,
  outline,
  Network: HVampNetwork,
});
