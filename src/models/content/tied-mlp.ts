// The network of CVAE (Li and She 2017, sections 2.1 and 3.3), whose layers CDL uses too: sigmoid layers whose weights are
// shared, transposed, with the decoder.
//
//   inference   h_1 = s(x W_1 + b_1), ..., h_L = s(h_(L-1) W_L + b_L);   mu = h_L M + m,   log sigma^2 = h_L S + t
//   generation  g_L = s(z G + g), g_(L-1) = s(g_L W_L' + b_(L-1)), ..., g_1 = s(g_2 W_2' + b_1);   x ~ p(g_1 W_1' + c)
//
// As the authors' program (eelxpeng/CollaborativeVAE, lib/cvae.py) has it, the decoder shares not only the weights but also the
// biases b_1 ... b_(L-1); M, S, G and the biases next to them are its own. With `tied: false` it has weights and biases of its own
// in place of W_l' and b_l too, and so has each layer's autoencoder. p is Bernoulli(sigmoid(.)) or N(., 1 / lambda_x).

import { add, product, scale } from "../../compute/ops/arithmetic.js";
import { denseBernoulliLoss, halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { dropout } from "../../compute/ops/dropout.js";
import { linear } from "../../compute/ops/linear.js";
import { outputLoss } from "../../compute/ops/output-loss.js";
import { sigmoid } from "../../compute/ops/sigmoid.js";
import { sparseLinear } from "../../compute/ops/sparse-linear.js";
import { transposedLinear } from "../../compute/ops/transposed-linear.js";
import { type Initializer, Parameter } from "../../compute/parameter.js";
import { Tape, type Variable } from "../../compute/tape.js";
import { type RandomKey, RandomSequence } from "../../core/philox.js";
import { glorotUniform, zeros } from "../../nn/initializers.js";
import { Linear } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import {
  addColumns,
  type ContentBatch,
  type ContentRows,
  denseRows,
  maskRows,
  releaseBatch,
  toEngine,
} from "./batches.js";
import type { ContentVae, NetworkPart, UpdateKey } from "./network.js";

export type ContentLikelihood = "bernoulli" | "gaussian";

export interface TiedLayersOptions {
  /** Length of an item's content row: number of words or dimensions. */
  readonly inputs: number;
  /** Units of W_1, ..., W_L. */
  readonly hidden: readonly number[];
  readonly likelihood: ContentLikelihood;
  /** lambda_x: precision of a Gaussian likelihood. */
  readonly precision: number;
  /** Share of a layer's input that is masked in its own pretraining. */
  readonly corruption: number;
  /** Dropout rate of the hidden units, without rescaling. Default 0. */
  readonly dropout?: number;
  /** Weight of the penalty on the mean activity of a layer's units in its own pretraining; see `TiedLayers.parts`. Default 0. */
  readonly sparsity?: number;
  /** Initial visible biases of each layer's autoencoder: 0 (default), or the log-odds of the means of its inputs. */
  readonly visible?: "zeros" | "means";
  /** Initial values of W_1, ..., W_L. Default Glorot uniform; biases start at zero. */
  readonly weight?: Initializer;
  /** Whether the generation network uses the inference network's weights and biases. Default true. */
  readonly tied?: boolean;
}

/** Settings of a pass through the layers. */
export interface Pass {
  /** The random key of dropout; absent = no dropout. */
  readonly dropout?: UpdateKey;
}

/** W_1, b_1, ..., W_L, b_L, used both ways where they are tied, and the layer-wise denoising autoencoders that they start as. */
export class TiedLayers {
  readonly weights: readonly Parameter[];
  readonly biases: readonly Parameter[];
  /** c: the output bias of the generation network. */
  readonly outputBias: Parameter;
  /** The visible biases of each layer's autoencoder; used only in its phase of pretraining. */
  readonly visibleBiases: readonly Parameter[];
  /** [sizes[l - 1], sizes[l]]: what the generation network multiplies by, transposed: `weights`, or its own. */
  readonly #back: readonly Parameter[];
  /** Of g_1, ..., g_(L-1): `biases`, or its own. */
  readonly #backBiases: readonly Parameter[];
  readonly #options: TiedLayersOptions;

  constructor(options: TiedLayersOptions) {
    const { inputs, hidden, weight: initial = glorotUniform, tied = true } = options;
    const sizes = [inputs, ...hidden];
    const bias = (name: string, columns: number) => Parameter.declare({ name, rows: 1, columns });
    const weights = (name: string) =>
      hidden.map((columns, l) =>
        Parameter.declare({ name: `layer.${l + 1}.${name}`, rows: sizes[l], columns, initial }),
      );
    this.#options = options;
    this.weights = weights("weight");
    this.biases = hidden.map((units, l) => bias(`layer.${l + 1}.bias`, units));
    this.#back = tied ? this.weights : weights("generation.weight");
    this.#backBiases = tied
      ? this.biases
      : hidden.slice(0, -1).map((units, l) => bias(`layer.${l + 1}.generation.bias`, units));
    this.outputBias = bias("output.bias", inputs);
    this.visibleBiases = hidden.map((_, l) => bias(`layer.${l + 1}.visible`, sizes[l]));
  }

  get parameters(): readonly Parameter[] {
    return [...new Set([...this.allWeights, ...this.biases, ...this.#backBiases, this.outputBias])];
  }

  /** The weights of both networks, each once. */
  get allWeights(): readonly Parameter[] {
    return [...new Set([...this.weights, ...this.#back])];
  }

  /** h_depth: [rows, inputs] -> [rows, hidden[depth - 1]]; depth from 1, by default all layers. */
  encode(
    tape: Tape,
    x: ContentBatch,
    { dropout: key, depth = this.weights.length }: Pass & { depth?: number } = {},
  ): Variable {
    let h = sigmoid(tape, this.#first(tape, x));
    for (let l = 1; l < depth; l++) {
      const input = this.#dropped(tape, h, `encoder ${l}`, key);
      h = sigmoid(tape, linear(tape, input, this.weights[l], this.biases[l]));
    }
    return h;
  }

  /** -log p(x | g_L) per row. */
  reconstruction(tape: Tape, top: Variable, x: ContentBatch, { dropout: key }: Pass = {}): Variable {
    let g = this.#dropped(tape, top, "bottleneck", key);
    for (let l = this.weights.length - 1; l >= 1; l--) {
      g = sigmoid(tape, transposedLinear(tape, g, this.#back[l], this.#backBiases[l - 1]));
      g = this.#dropped(tape, g, `decoder ${l}`, key);
    }
    return this.#likelihood(tape, g, x, this.outputBias);
  }

  /** Dropout without rescaling: the scaling of the kernel is undone. */
  #dropped(tape: Tape, h: Variable, name: string, key: UpdateKey | undefined): Variable {
    const { dropout: rate = 0 } = this.#options;
    if (rate === 0 || !key) return h;
    return scale(tape, dropout(tape, h, { rate, key: key(`dropout ${name}`) }), 1 - rate);
  }

  /**
   * Each layer as a separate denoising autoencoder, on the clean output of the layers below (Vincent et al. 2010). Sparsity
   * adds its weight times the sum over units of log(1 + e^a), where a is the input of the sigmoid: the gradient in a is the
   * activity itself, as in deepmat with a target activity of 0.
   */
  get parts(): readonly NetworkPart[] {
    return this.weights.map((weight, l) => ({
      name: `layer ${l + 1}`,
      parameters: [...new Set([weight, this.#back[l]]), this.biases[l], this.visibleBiases[l]],
      noisyInput: l === 0,
      begin: (content) => this.#startVisible(l, content),
      loss: (tape, { clean, noisy }, key) => {
        if (l > 0)
          return this.#denoiseCode(tape, l, this.encode(tape, clean, { depth: l }), key("corruption"));
        const into = this.#first(tape, noisy);
        const loss = this.#likelihood(tape, sigmoid(tape, into), clean, this.visibleBiases[0]);
        return this.#withSparsity(tape, loss, into);
      },
    }));
  }

  #withSparsity(tape: Tape, loss: Variable, into: Variable): Variable {
    const { sparsity = 0 } = this.#options;
    if (sparsity === 0) return loss;
    const none = tape.zeros(into.value.rows, into.value.columns);
    return add(tape, loss, scale(tape, denseBernoulliLoss(tape, into, none), sparsity));
  }

  /** The initial visible bias of layer l: if it reconstructs probabilities, the log-odds of the means of its inputs, within +-4; otherwise the means. */
  async #startVisible(l: number, content: AsyncIterable<ContentRows>): Promise<void> {
    if (this.#options.visible !== "means") return;
    const bias = this.visibleBiases[l];
    const sums = new Float64Array(bias.columns);
    let rows = 0;
    for await (const block of content) {
      addColumns(sums, l === 0 ? block : await this.#codesOf(block, l));
      rows += block.kind === "dense" ? block.rows : block.matrix.rows;
    }
    const means = sums.map((sum) => sum / rows);
    const probabilities = l > 0 || this.#options.likelihood === "bernoulli";
    const start = probabilities ? means.map((p) => Math.min(Math.max(Math.log(p / (1 - p)), -4), 4)) : means;
    bias.write(start);
  }

  /** h_depth of the items, on the host. */
  async #codesOf(content: ContentRows, depth: number): Promise<ContentRows> {
    const { engine } = this.weights[0];
    const batch = toEngine(engine, content);
    const tape = new Tape(engine, { gradients: false });
    try {
      const { value } = this.encode(tape, batch, { depth });
      return { kind: "dense", rows: value.rows, columns: value.columns, data: await engine.read(value) };
    } finally {
      tape.dispose();
      releaseBatch(engine, batch);
    }
  }

  #first(tape: Tape, x: ContentBatch): Variable {
    const [weight, bias] = [this.weights[0], this.biases[0]];
    if (x.kind === "sparse") return sparseLinear(tape, x.sparse, weight, bias);
    return linear(tape, tape.constant(denseRows(x)), weight, bias);
  }

  #likelihood(tape: Tape, g: Variable, x: ContentBatch, bias: Parameter): Variable {
    const { likelihood, precision } = this.#options;
    const [weight] = this.#back;
    if (x.kind === "sparse") {
      if (likelihood !== "bernoulli") throw new RangeError("a bag of words needs a Bernoulli likelihood");
      return outputLoss(tape, g, weight, bias, x.sparse, { likelihood });
    }
    const output = transposedLinear(tape, g, weight, bias);
    const target = denseRows(x);
    if (likelihood === "bernoulli") return denseBernoulliLoss(tape, output, target);
    return scale(tape, halfSquaredDistance(tape, output, tape.constant(target)), precision);
  }

  #denoiseCode(tape: Tape, l: number, code: Variable, key: RandomKey): Variable {
    const { rows, columns } = code.value;
    const mask = maskRows(new RandomSequence(key), rows, columns, this.#options.corruption);
    const ones = tape.empty(rows, columns);
    tape.engine.write(ones, mask);
    const noisy = product(tape, code, tape.constant(ones));
    const into = linear(tape, noisy, this.weights[l], this.biases[l]);
    const logits = transposedLinear(tape, sigmoid(tape, into), this.#back[l], this.visibleBiases[l]);
    return this.#withSparsity(tape, denseBernoulliLoss(tape, logits, code.value), into);
  }
}

export interface TiedMlpOptions extends TiedLayersOptions {
  readonly latent: number;
}

export class TiedMlp implements ContentVae {
  readonly layers: TiedLayers;
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #top: Linear;

  constructor(options: TiedMlpOptions) {
    const { hidden, latent, weight = glorotUniform } = options;
    const init = { weight, bias: zeros };
    const width = hidden[hidden.length - 1];
    this.layers = new TiedLayers(options);
    this.#mean = new Linear({ ...init, name: "mean", inputs: width, outputs: latent });
    this.#logVariance = new Linear({ ...init, name: "logVariance", inputs: width, outputs: latent });
    this.#top = new Linear({ ...init, name: "decoder", inputs: latent, outputs: width });
  }

  get #heads(): readonly Parameter[] {
    return [this.#mean, this.#logVariance, this.#top].flatMap(({ parameters }) => parameters);
  }

  get parameters(): readonly Parameter[] {
    return [...this.layers.parameters, ...this.#heads];
  }

  get scaffolding(): readonly Parameter[] {
    return this.layers.visibleBiases;
  }

  /** The weights in the L2 term of training. */
  get weights(): readonly Parameter[] {
    return this.layers.allWeights;
  }

  /** The layers, then the latent part as a VAE on the codes of the last layer. */
  get parts(): ContentVae["parts"] {
    return [...this.layers.parts.map((part) => ({ ...part, kind: "layer" as const })), this.#latentPart];
  }

  get #latentPart(): ContentVae["parts"][number] {
    return {
      kind: "latent",
      name: "latent",
      parameters: this.#heads,
      noisyInput: false,
      loss: (tape, { clean }, key) => {
        const code = this.layers.encode(tape, clean);
        const posterior = this.#posteriorOf(tape, code);
        const logits = this.#top.forward(tape, posterior.sample(tape, key("noise")));
        return add(tape, denseBernoulliLoss(tape, logits, code.value), posterior.kl(tape));
      },
    };
  }

  /** q(z | x) */
  posterior(tape: Tape, x: ContentBatch): DiagonalNormal {
    return this.#posteriorOf(tape, this.layers.encode(tape, x));
  }

  #posteriorOf(tape: Tape, code: Variable): DiagonalNormal {
    return new DiagonalNormal(this.#mean.forward(tape, code), this.#logVariance.forward(tape, code));
  }

  /** -log p(x | z) per row: [rows, 1], in nats, without constants. */
  reconstruction(tape: Tape, z: Variable, x: ContentBatch): Variable {
    return this.layers.reconstruction(tape, sigmoid(tape, this.#top.forward(tape, z)), x);
  }
}
