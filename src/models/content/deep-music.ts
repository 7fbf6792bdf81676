// DeepMusic (van den Oord, Dieleman, Schrauwen, NIPS 2013), as Li and She 2017 use it, loosely coupled: factors of users and
// items come from the interactions alone, by weighted matrix factorisation; then a network is trained to predict an item's factor
// from its content,
//
//   minimise  1/2 ||f(x_j) - v_j||^2  on average over the items with interactions      (their equation 4)
//
// and an item is scored by its content, u_i'f(x_j), or by v_j where it has no content. A user is folded in with the factors v
// of the items, or f(x) of those without interactions. Their network is convolutional over the frames of audio; here it is
// convolutional over the words of a sequence or over a picture (nn/convolution.ts), and dense over a bag of words or a vector. No
// program was published, so the sizes are ours. The outputs of the filters over a sequence are averaged (their section 3).

import { z } from "zod";
import type { Communicator } from "../../compute/communicator.js";
import type { Engine } from "../../compute/engine.js";
import { sum } from "../../compute/objective.js";
import { halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { relu } from "../../compute/ops/relu.js";
import { sparseLinear } from "../../compute/ops/sparse-linear.js";
import { sparseMap } from "../../compute/ops/sparse-map.js";
import { Adam } from "../../compute/optimizers.js";
import {
  loadParameters,
  loadTensor,
  type Parameter,
  saveParameters,
  saveTensor,
} from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { NamedTensors, Tensor } from "../../compute/tensor.js";
import type { JsonObject } from "../../core/json.js";
import { permutation, streamOf } from "../../core/philox.js";
import { type ContentForm, contentKinds, formOf, type ItemContent, sizeOfForm } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { convolve, sequenceWindows } from "../../nn/convolution.js";
import { tokenEmbedding } from "../../nn/embedding.js";
import { oneHot } from "../../nn/gru.js";
import { initialise, initialised } from "../../nn/initialise.js";
import { heNormal, initialKey, normal, zeros } from "../../nn/initializers.js";
import { Linear, LinearParameters } from "../../nn/linear.js";
import { allocate, numbersIn, release } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ContentAware } from "../../recommender/content-aware.js";
import type { RunContext } from "../../recommender/run-context.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { BatchPass, PassReport } from "../../training/minimise.js";
import type { Epoch, EpochReport, Pretraining, Trainable } from "../../training/trainable.js";
import { published, savedConfig, size } from "../settings.js";
import { requireContentMemory } from "../training-memory.js";
import {
  type ContentBatch,
  contentReader,
  firstTokens,
  releaseBatch,
  requireContent,
  toEngine,
} from "./batches.js";
import { encodeAll } from "./encode.js";
import { Factors } from "./factors.js";
import { networkEncoder, restoreFactorModel, savedFactorModel } from "./model.js";
import { type Filters, PictureLayers } from "./picture-layers.js";

const weight = z.number().positive();

const options = z.strictObject({
  hidden: z
    .array(size)
    .min(1)
    .max(100)
    .default([400, 200])
    .describe("bags of words and vectors: sizes of the hidden layers, ReLU (our choice)"),
  filters: z
    .array(size)
    .min(1)
    .max(100)
    .default([64, 64])
    .describe(
      "sequences and pictures: filters of the convolutional layers, ReLU (two layers in Li and She 2017, section 3.3; the sizes are our choice)",
    ),
  window: size.default(5).describe("sequences: words in a filter's window (ours)"),
  embedding: size.default(64).describe("sequences: dimensions of a word's embedding (ours)"),
  sequenceLength: size.default(200).describe("sequences: words that are used, from the start (ours)"),
  latent: size
    .default(50)
    .describe(
      "K: dimensions of the factors (Li and She 2017, section 3.3; 50 and 400 in van den Oord et al.)",
    ),
  lambdaU: weight.default(0.1).describe("ridge of the users' factors (ours)"),
  lambdaV: weight.default(0.1).describe("ridge of the items' factors (ours)"),
  a: weight.default(1).describe("confidence C_ij where user i has item j (Li and She 2017, section 3.3)"),
  b: weight.default(0.01).describe("confidence C_ij elsewhere (Li and She 2017, section 3.3)"),
  factorSweeps: size
    .default(15)
    .describe("sweeps of the factorisation, before the network is trained (ours)"),
  learningRate: weight.default(1e-3).describe("Adam's step size (ours)"),
  batchSize: size.default(128).describe("items per update (ours)"),
  epochs: published.epochs.default(20).describe("passes over the items with interactions (ours)"),
  patience: published.patience,
});
export type DeepMusicOptions = z.infer<typeof options>;

/** The options that a trained model needs. */
const shape = options
  .pick({
    ...{ hidden: true, filters: true, window: true, embedding: true, sequenceLength: true, latent: true },
    ...{ lambdaU: true, lambdaV: true, a: true, b: true },
  })
  .strip();
type Shape = z.infer<typeof shape>;

/** f: content -> factors. */
class FactorNetwork {
  readonly #given: Shape;
  /** The layers for pictures, with their filters. */
  readonly #pictures: { readonly layers: PictureLayers; readonly filters: readonly Filters[] } | undefined;
  /** The layers for words: embeddings, and the filters over them. */
  readonly #words:
    | { readonly embedding: Parameter; readonly filters: readonly LinearParameters[] }
    | undefined;
  readonly #layers: readonly Linear[];

  /** Initial values: He-normal weights, zero biases. */
  constructor(form: ContentForm, given: Shape) {
    const { hidden, latent, filters, embedding, window } = given;
    const init = { weight: heNormal("rows"), bias: zeros };
    this.#given = given;
    let units = [sizeOfForm(form), ...hidden, latent];
    if (form.kind === "images") {
      const layers = new PictureLayers(form, filters);
      this.#pictures = { layers, filters: layers.filters("picture", init.weight) };
      units = [layers.outputs, latent];
    }
    if (form.kind === "sequences") {
      const widths = [embedding, ...filters];
      this.#words = {
        embedding: tokenEmbedding(form.tokens.length, embedding),
        filters: filters.map(
          (outputs, l) =>
            new LinearParameters({ ...init, name: `sequence.${l + 1}`, inputs: window * widths[l], outputs }),
        ),
      };
      units = [widths[widths.length - 1], latent];
    }
    this.#layers = units
      .slice(1)
      .map((outputs, l) => new Linear({ ...init, name: `network.${l}`, inputs: units[l], outputs }));
  }

  get parameters(): readonly Parameter[] {
    const filters = [...(this.#pictures?.filters ?? []), ...(this.#words?.filters ?? [])];
    return [
      ...(this.#words ? [this.#words.embedding] : []),
      ...[...filters, ...this.#layers].flatMap(({ weight, bias }) => [weight, bias]),
    ];
  }

  /** f(x): [rows, latent] */
  code(tape: Tape, x: ContentBatch): Variable {
    const [first, ...rest] = this.#layers;
    let h =
      x.kind === "sparse"
        ? sparseLinear(tape, x.sparse, first.weight, first.bias)
        : first.forward(tape, x.kind === "tokens" ? this.#read(tape, x.sequences) : this.#see(tape, x.dense));
    for (const layer of rest) h = layer.forward(tape, relu(tape, h));
    return h;
  }

  #see(tape: Tape, rows: Tensor): Variable {
    if (!this.#pictures) return tape.constant(rows);
    const { layers, filters } = this.#pictures;
    return layers.forward(tape, layers.turned(tape, rows), filters);
  }

  /** Convolutions over the words of each sequence, averaged over positions. */
  #read(tape: Tape, all: CsrMatrix): Variable {
    if (!this.#words) throw new RangeError("deep-music: this network does not read sequences");
    const { window, sequenceLength } = this.#given;
    const sequences = firstTokens(all, sequenceLength);
    const { rows, offsets, indices, columns } = sequences;
    const windows = sequenceWindows(sequences, window);
    let h = sparseLinear(tape, tape.sparse(oneHot(indices, columns)), this.#words.embedding, undefined);
    for (const { weight, bias } of this.#words.filters)
      h = relu(tape, convolve(tape, windows, h, weight, bias));
    const values = new Float32Array(indices.length);
    for (let r = 0; r < rows; r++) values.fill(1 / (offsets[r + 1] - offsets[r]), offsets[r], offsets[r + 1]);
    const places = Uint32Array.from(indices, (_, place) => place);
    return sparseMap(tape, { rows, columns: indices.length, offsets, indices: places, values }, h);
  }
}

class DeepMusicTraining implements Trainable {
  readonly pretraining: Pretraining;
  readonly #engine: Engine;
  readonly #communicator: Communicator | undefined;
  readonly #seed: number;
  readonly #dataset: Dataset;
  readonly #content: ItemContent;
  readonly #options: DeepMusicOptions;
  readonly #config: JsonObject;
  readonly #network: FactorNetwork;
  readonly #adam: Adam;
  readonly #factors: Factors;
  readonly #nothing: Tensor;
  /** f(x) of every item. */
  readonly #predicted: Tensor;
  /** The training set of the network: items that have both interactions and content. */
  readonly #items: Uint32Array;
  readonly #minimise: <Batch>(pass: BatchPass<Batch>) => Promise<PassReport>;
  #pretrains = true;

  constructor(
    dataset: Dataset,
    content: ItemContent,
    network: FactorNetwork,
    options: DeepMusicOptions,
    { engine, communicator, seed }: Pick<RunContext, "engine" | "communicator" | "seed">,
    minimise: <Batch>(pass: BatchPass<Batch>) => Promise<PassReport>,
  ) {
    const { latent, factorSweeps } = options;
    this.#engine = engine;
    this.#communicator = communicator;
    this.#seed = seed;
    this.#dataset = dataset;
    this.#content = content;
    this.#options = options;
    this.#config = savedConfig(shape, options);
    this.#minimise = minimise;
    this.#network = network;
    allocate(engine, network.parameters, seed);
    this.#adam = new Adam(engine, this.#network.parameters, { learningRate: options.learningRate });
    this.#factors = new Factors(engine, dataset.train, latent, options);
    for (const name of ["users", "items"] as const) {
      const factors = this.#factors[name];
      initialise(engine, factors, normal(0.1)(factors.rows, latent, initialKey(seed, name)));
    }
    this.#nothing = engine.zeros(dataset.items.size, latent);
    this.#predicted = engine.zeros(dataset.items.size, latent);
    this.#items = this.#factors.clickedItems.filter((item) => content.known[item] === 1);
    this.pretraining = {
      phases: [
        {
          name: "factorisation",
          epochs: factorSweeps,
          begin: () => {},
          epoch: async ({ number }) => {
            return { updates: number, values: { loss: await this.#factors.sweep(this.#nothing) } };
          },
        },
      ],
      save: async () => ({}),
      load: () => {},
      end: async () => {
        this.#pretrains = false;
      },
    };
  }

  async epoch(epoch: Epoch): Promise<EpochReport> {
    const engine = this.#engine;
    const { batchSize, latent } = this.#options;
    const items = this.#items;
    const order = permutation(this.#seed, epoch.number, streamOf("order of items"), items.length);
    const reader = contentReader(this.#content);
    const { updates, means } = await this.#minimise({
      ...{ engine, communicator: this.#communicator, optimizer: this.#adam },
      epoch,
      batches: Array.from({ length: Math.ceil(items.length / batchSize) }, (_, b) =>
        order.subarray(b * batchSize, (b + 1) * batchSize).map((place) => items[place]),
      ),
      reports: ["loss"],
      take: async (rows) => toEngine(engine, await reader(rows)),
      release: (batch) => releaseBatch(engine, batch),
      loss: (tape, batch, _update, rows) => {
        const v = tape.empty(rows.length, latent);
        engine.takeRows(v, this.#factors.items, rows);
        return { loss: sum(halfSquaredDistance(tape, this.#network.code(tape, batch), tape.constant(v))) };
      },
    });
    await this.#predict();
    return { updates, values: items.length > 0 ? means : { loss: 0 } };
  }

  async #predict(): Promise<void> {
    const engine = this.#engine;
    await encodeAll(engine, this.#network, this.#content, contentReader(this.#content), this.#predicted);
    const [V, f] = await Promise.all(
      [this.#factors.items, this.#predicted].map((tensor) => engine.read(tensor)),
    );
    const { latent } = this.#options;
    const { known } = this.#content;
    const clicked = new Set(this.#factors.clickedItems);
    for (let j = 0; j < this.#dataset.items.size; j++) {
      const [own, told] = [V, f].map((all) => all.subarray(j * latent, (j + 1) * latent));
      // An item without content is scored by its factor; a user's item without clicks is folded in with its predicted factor.
      if (known[j] === 0) told.set(own);
      else if (!clicked.has(j)) own.set(told);
    }
    engine.write(this.#predicted, f);
    engine.write(this.#factors.items, V);
  }

  async saveState(): Promise<NamedTensors> {
    const saved = await Promise.all(
      Object.entries({ ...this.#factors.state, predicted: this.#predicted }).map(
        async ([name, tensor]) => [`factors.${name}`, await saveTensor(this.#engine, tensor)] as const,
      ),
    );
    return {
      pretrains: { shape: [1], data: Uint32Array.of(this.#pretrains ? 1 : 0) },
      ...(await saveParameters(this.#network.parameters)),
      ...(await this.#adam.save()),
      ...Object.fromEntries(saved),
    };
  }

  async loadState(state: NamedTensors): Promise<void> {
    this.#pretrains = state.pretrains?.data[0] !== 0;
    await loadParameters(this.#network.parameters, state);
    await this.#adam.load(state);
    for (const [name, tensor] of Object.entries({ ...this.#factors.state, predicted: this.#predicted }))
      await loadTensor(this.#engine, tensor, `factors.${name}`, state);
  }

  recommender(): ContentAware {
    const encoder = networkEncoder(this.#engine, this.#network, this.#options.latent);
    const { items, itemGram, userGram } = this.#factors;
    const factors = { items, itemGram, userGram, scored: this.#predicted };
    return savedFactorModel(this.#engine, encoder, factors, this.#options, {
      files: {
        algorithm: deepMusic.name,
        config: this.#config,
        items: this.#dataset.items,
        content: formOf(this.#content),
      },
      itemRules,
      restore: (grown) => deepMusic.restore(grown, { engine: this.#engine }),
    });
  }

  dispose(): void {
    release(this.#network.parameters);
    this.#factors.release();
    this.#engine.release(this.#nothing);
    this.#engine.release(this.#predicted);
  }
}

const itemRules = ["content"] as const;

export const deepMusic: Algorithm<DeepMusicOptions> = {
  name: "deep-music",
  summary: "Matrix factorisation, and a network that predicts an item's factor from its content.",
  source: "van den Oord, Dieleman, Schrauwen: Deep content-based music recommendation, NIPS 2013",
  options,

  async fit(dataset, options, run) {
    const [{ fit }, { minimiseBatches }] = await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
    ]);
    const content = requireContent(dataset, deepMusic.name, contentKinds);
    const network = new FactorNetwork(formOf(content), options);
    const numbers = numbersIn(network.parameters);
    requireContentMemory(deepMusic.name, dataset, { network: numbers, latent: options.latent }, run);
    const trainable = await initialised(
      () => new DeepMusicTraining(dataset, content, network, options, run, minimiseBatches),
      { signal: run.signal, release: (training) => training.dispose() },
    );
    const { epochs, patience } = options;
    return fit({ algorithm: deepMusic, options, dataset, trainable, epochs, patience }, run);
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network: (given: Shape, form: ContentForm) =>
        networkEncoder(engine, new FactorNetwork(form, given), given.latent),
      kinds: () => ({ scored: true }),
      itemRules,
      restore: (grown) => deepMusic.restore(grown, { engine }),
    }),
};
