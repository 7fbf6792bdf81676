// CVAE, the collaborative variational autoencoder (Li and She, KDD 2017), after the paper and the authors' program
// (eelxpeng/CollaborativeVAE, lib/vae.py and lib/cvae.py). An item's factor is what its content says and what its clicks add:
//
//   u_i ~ N(0, I / lambda_u),  z_j ~ N(0, I),  x_j ~ p(x | z_j),  v_j ~ N(z_j, I / lambda_v),  R_ij ~ N(u_i'v_j, 1 / C_ij)
//
// C_ij is a where user i has item j and b elsewhere. Training first pretrains the network on content alone, layer by layer as
// denoising autoencoders, then its latent part as a VAE, then all of it (content/tied-mlp.ts). After that an epoch is
//
//   1. a pass of Adam over the items' content: minimise, on average over a batch,
//      -log p(x_j | z_j) + KL(q(z_j | x_j) || N(0, I)) + (lambda_v / lambda_r) ||v_j - z_j||^2 + 2e-4 sum_l ||W_l||^2,   z_j ~ q
//   2. theta_j = E[z_j], and a sweep of least squares over all u_i, then all v_j (content/factors.ts).
//
// The paper's equation 1 has lambda_v / 2 before the coupling term, its program does not: `coupling`. The program takes log p
// from probabilities held to 1e-10; here it comes from the logits. An item without content has theta_j = 0, its prior mean.
// A history is folded in by the least squares for u with V held fixed; an item that nobody has by those for v.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { sum, sumOfSquares } from "../compute/objective.js";
import { add } from "../compute/ops/arithmetic.js";
import { halfSquaredDistance } from "../compute/ops/dense-likelihood.js";
import { Adam } from "../compute/optimizers.js";
import {
  loadParameters,
  loadTensor,
  type Parameter,
  saveParameters,
  saveTensor,
} from "../compute/parameter.js";
import { Tape } from "../compute/tape.js";
import type { NamedTensors, Tensor } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { type RandomKey, RandomSequence, streamOf } from "../core/philox.js";
import { type ContentForm, contentForm, formOf, type ItemContent } from "../data/content.js";
import type { Dataset } from "../data/dataset.js";
import { initialKey, normal } from "../nn/initializers.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { ContentAware } from "../recommender/content-aware.js";
import type { ModelFiles } from "../recommender/recommender.js";
import type { RunContext } from "../recommender/run-context.js";
import type { BatchPass, PassReport } from "../training/minimise.js";
import type { Epoch, EpochReport, PhaseEpoch, Pretraining, Trainable } from "../training/trainable.js";
import {
  type ContentBatch,
  type ContentReader,
  contentReader,
  independentBatches,
  itemsWithContent,
  masked,
  releaseBatch,
  requireContent,
  sampleWithout,
  toEngine,
} from "./content/batches.js";
import { Factors } from "./content/factors.js";
import type { ContentNetwork, LayerPhase } from "./content/network.js";
import { factorRecommender, factorShapes, loadFactors } from "./content/recommender.js";
import { type ContentLikelihood, TiedMlp } from "./content/tied-mlp.js";
import { published, savedConfig, size } from "./multinomial-autoencoder.js";

const share = z.number().min(0).lt(1);
const weight = z.number().positive();

const options = z.strictObject({
  hidden: z
    .array(size)
    .min(1)
    .default([200, 100])
    .describe("units of the inference network's layers; the generation network mirrors them (section 3.3)"),
  latent: size.default(50).describe("K: dimensions of z and of the factors (section 3.3)"),
  likelihood: z
    .enum(["bernoulli", "gaussian"])
    .optional()
    .describe(
      "p(x | z); unset = bernoulli for bags of words (the paper) and pictures, gaussian for vectors (section 2.1)",
    ),
  lambdaX: weight
    .default(1)
    .describe("precision of a Gaussian likelihood (section 2.1 has it as lambda_x, without a value)"),
  lambdaU: weight.default(0.1).describe("lambda_u (the authors' program; section 3.4)"),
  lambdaV: weight.default(10).describe("lambda_v (the authors' program; section 3.4)"),
  lambdaR: weight
    .default(1)
    .describe(
      "lambda_r: weight of reconstruction and KL beside the ratings (the authors' program; section 3.4)",
    ),
  a: weight.default(1).describe("confidence of what a user has (section 3.3)"),
  b: weight.default(0.01).describe("confidence of what a user has not (section 3.3)"),
  coupling: z
    .enum(["program", "paper"])
    .default("program")
    .describe("lambda_v ||v - z||^2 as in the authors' program, or half of it as in the paper's equation 1"),
  l2: z
    .number()
    .min(0)
    .default(2e-4)
    .describe("weight of the sum of the squares of W_1 ... W_L, nothing else (the authors' program)"),
  learningRate: weight.default(1e-3).describe("Adam's step size (the authors' program)"),
  batchSize: size.default(128).describe("items per update (section 2.2; the authors' program)"),
  epochs: published.epochs
    .default(100)
    .describe("network passes, each with its sweeps of least squares (the authors' program)"),
  patience: published.patience,
  sweeps: size.default(1).describe("sweeps of least squares per epoch (the authors' program, max_iter)"),
  layerEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe("pretraining: epochs of each layer as a denoising autoencoder (the authors' program)"),
  latentEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe(
      "pretraining: epochs of the latent part as a VAE on the last layer's codes (the authors' program)",
    ),
  wholeEpochs: z
    .int()
    .min(0)
    .default(100)
    .describe("pretraining: epochs of the whole VAE (the authors' program)"),
  pretrainingRate: weight.default(0.01).describe("pretraining: Adam's step size (the authors' program)"),
  corruption: share
    .default(0.3)
    .describe("pretraining: share of a layer's input that is masked (the authors' program)"),
  pretrainingShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe(
      "pretraining: share of the items that it sees; the authors' program keeps the others for a validation loss that it prints",
    ),
});
export type CvaeOptions = z.infer<typeof options>;

/** What a trained model needs of the options. */
const shape = options
  .pick({
    ...{ hidden: true, latent: true, likelihood: true, lambdaX: true },
    ...{ lambdaU: true, lambdaV: true, a: true, b: true },
  })
  .strip();
type Shape = z.infer<typeof shape>;

/** Kinds of content that the network takes. */
const kinds = ["words", "vectors", "images"] as const;

function likelihoodOf(kind: ContentForm["kind"], given: Shape["likelihood"]): ContentLikelihood {
  if (given === "gaussian" && kind === "words")
    throw new UserError({
      place: "likelihood",
      problem: '"gaussian" does not fit a bag of words',
      expected: "bernoulli",
    });
  return given ?? (kind === "vectors" ? "gaussian" : "bernoulli");
}

/** The numbers of an item's row. */
function inputsOf(form: ContentForm): number {
  switch (form.kind) {
    case "words":
      return form.words.length;
    case "vectors":
      return form.dimensions;
    case "images":
      return form.channels * form.height * form.width;
    case "sequences":
      return form.tokens.length;
    default:
      return form satisfies never;
  }
}

function networkOf(engine: Engine, form: ContentForm, given: Shape, corruption = 0, seed?: number): TiedMlp {
  return new TiedMlp(engine, {
    inputs: inputsOf(form),
    hidden: given.hidden,
    latent: given.latent,
    likelihood: likelihoodOf(form.kind, given.likelihood),
    precision: given.lambdaX,
    corruption,
    seed,
  });
}

/** How many items are encoded at a time. */
const ENCODED_ROWS = 1024;

/** out [items, latent] = E[z] of every item, zeros where it has no content. */
async function encodeAll(
  engine: Engine,
  network: ContentNetwork,
  content: Pick<ItemContent, "known">,
  reader: ContentReader,
  out: Tensor,
): Promise<void> {
  const items = itemsWithContent(content);
  engine.fill(out, 0);
  for (let first = 0; first < items.length; first += ENCODED_ROWS) {
    const some = items.subarray(first, first + ENCODED_ROWS);
    const batch = toEngine(engine, await reader(some));
    const tape = new Tape(engine, { gradients: false });
    try {
      engine.addRows(out, network.posterior(tape, batch).mean.value, some);
    } finally {
      tape.dispose();
      releaseBatch(engine, batch);
    }
    // Encoding is queued faster than it is done.
    await engine.finished();
  }
}

interface TrainingBatch {
  readonly clean: ContentBatch;
  readonly noisy: ContentBatch;
}

/** A network that learns content, then content and clicks in turns. */
class CvaeTraining implements Trainable {
  readonly pretraining: Pretraining;
  readonly #engine: Engine;
  readonly #seed: number;
  readonly #options: CvaeOptions;
  readonly #dataset: Dataset;
  readonly #content: ItemContent;
  readonly #reader: ContentReader;
  readonly #items: Uint32Array;
  readonly #network: ContentNetwork;
  readonly #factors: Factors;
  readonly #theta: Tensor;
  readonly #phases: readonly (LayerPhase | "whole")[];
  readonly #minimise: <Batch>(pass: BatchPass<Batch>) => Promise<PassReport>;
  readonly #config: JsonObject;
  /** Index of the phase that is being pretrained; their number once the epochs have begun. */
  #phase = 0;
  #adam: Adam;

  constructor(
    dataset: Dataset,
    content: ItemContent,
    options: CvaeOptions,
    { engine, seed }: Pick<RunContext, "engine" | "seed">,
    minimise: <Batch>(pass: BatchPass<Batch>) => Promise<PassReport>,
  ) {
    const { latent, corruption, layerEpochs, latentEpochs, wholeEpochs } = options;
    this.#engine = engine;
    this.#seed = seed;
    this.#options = options;
    this.#dataset = dataset;
    this.#content = content;
    this.#reader = contentReader(content);
    this.#items = itemsWithContent(content);
    this.#config = savedConfig(shape, options);
    this.#minimise = minimise;
    const form = formOf(content);
    this.#network = networkOf(engine, form, options, corruption, seed);
    const users = normal(0.1)(dataset.train.rows, latent, initialKey(seed, "users"));
    this.#factors = new Factors(engine, dataset.train, users, latent, options);
    this.#theta = engine.zeros(dataset.items.size, latent);
    const epochsOf = (phase: LayerPhase) => (phase.kind === "layer" ? layerEpochs : latentEpochs);
    this.#phases = [
      ...this.#network.layerPhases.filter((phase) => epochsOf(phase) > 0),
      ...(wholeEpochs > 0 ? ["whole" as const] : []),
    ];
    this.#adam = this.#enter(0);
    const { hidden, likelihood, lambdaX, batchSize, pretrainingRate, pretrainingShare } = options;
    this.pretraining = {
      phases: this.#phases.map((phase, index) => ({
        name: phase === "whole" ? "whole network" : phase.name,
        epochs: phase === "whole" ? wholeEpochs : epochsOf(phase),
        begin: () => {
          this.#adam = this.#enter(index);
        },
        epoch: (epoch) => this.#pretrain(phase, epoch),
      })),
      key: JSON.parse(
        JSON.stringify({
          content: content.digest,
          ...{
            hidden,
            latent,
            likelihood,
            lambdaX,
            batchSize,
            pretrainingRate,
            pretrainingShare,
            corruption,
          },
          ...{ layerEpochs, latentEpochs, wholeEpochs },
        }),
      ) as JsonObject,
      save: () => saveParameters(this.#network.parameters),
      load: (outcome) => loadParameters(this.#network.parameters, outcome),
      end: async () => {
        this.#adam = this.#enter(this.#phases.length);
        // "The item latent vectors start as the content's" (lib/cvae.py): V = theta.
        await encodeAll(engine, this.#network, content, this.#reader, this.#theta);
        engine.copy(this.#factors.items, this.#theta);
      },
    };
  }

  get #all(): readonly Parameter[] {
    return [...this.#network.parameters, ...this.#network.scaffolding];
  }

  /** A phase begins: an Adam of its own, and gradients for what it trains alone. */
  #enter(index: number): Adam {
    this.#phase = index;
    const phase = this.#phases[index];
    const trained = phase === undefined || phase === "whole" ? this.#network.parameters : phase.parameters;
    for (const parameter of this.#all) {
      parameter.needsGradient = trained.includes(parameter);
      parameter.forgetMoments();
    }
    const { learningRate, pretrainingRate } = this.#options;
    return new Adam(this.#engine, trained, {
      learningRate: phase === undefined ? learningRate : pretrainingRate,
    });
  }

  async #take(rows: Uint32Array, noise?: RandomKey): Promise<TrainingBatch> {
    const content = await this.#reader(rows);
    const clean = toEngine(this.#engine, content);
    const noisy = noise ? toEngine(this.#engine, masked(content, this.#options.corruption, noise)) : clean;
    return { clean, noisy };
  }

  #release({ clean, noisy }: TrainingBatch): void {
    releaseBatch(this.#engine, clean);
    if (noisy !== clean) releaseBatch(this.#engine, noisy);
  }

  #key(phase: string, update: number) {
    return (name: string): RandomKey => ({
      seed: this.#seed,
      step: update,
      stream: streamOf(`${phase}/${name}`),
    });
  }

  /** One epoch of a phase of pretraining: mean over a batch of what the phase minimises. */
  #pretrain(phase: LayerPhase | "whole", epoch: PhaseEpoch): Promise<PassReport & EpochReport> {
    const engine = this.#engine;
    const name = phase === "whole" ? phase : phase.name;
    const { batchSize, pretrainingShare } = this.#options;
    const seen = this.#pretrainingItems(pretrainingShare);
    const batches = independentBatches(seen, batchSize, this.#key(name, epoch.number)("batches"));
    let { updates } = epoch;
    return this.#pass({
      engine,
      epoch,
      batches,
      reports: ["loss"],
      take: (rows) => {
        const noisy = phase !== "whole" && phase.noisyInput;
        return this.#take(rows, noisy ? this.#key(name, ++updates)("input noise") : undefined);
      },
      release: (batch) => this.#release(batch),
      step: ({ clean, noisy }, update, [total]) => {
        const key = this.#key(name, update);
        const tape = new Tape(engine);
        try {
          let loss: Parameters<typeof sum>[0];
          if (phase === "whole") {
            const posterior = this.#network.posterior(tape, clean);
            const z = posterior.sample(tape, key("noise"));
            loss = add(tape, this.#network.reconstruction(tape, z, clean), posterior.kl(tape));
          } else loss = phase.loss(tape, clean, noisy, key);
          engine.sum(total, loss.value, 1);
          tape.backward(sum(loss).times(1 / clean.rows));
        } finally {
          tape.dispose();
        }
        this.#adam.step();
      },
    });
  }

  /** A random share of the items with content, the same in all phases. */
  #pretrainingItems(share: number): Uint32Array {
    const count = Math.max(1, Math.round(share * this.#items.length));
    const random = new RandomSequence({ seed: this.#seed, step: 0, stream: streamOf("pretraining items") });
    return sampleWithout(random, this.#items.length, count)
      .sort()
      .map((place) => this.#items[place]);
  }

  async #pass<Batch>(pass: BatchPass<Batch>): Promise<PassReport & EpochReport> {
    const { updates, means } = await this.#minimise(pass);
    return { updates, means, values: means };
  }

  async epoch(epoch: Epoch): Promise<EpochReport> {
    const engine = this.#engine;
    const { batchSize, lambdaV, lambdaR, coupling, l2, sweeps } = this.#options;
    const factor = ((coupling === "program" ? 2 : 1) * lambdaV) / lambdaR;
    const report = await this.#pass({
      engine,
      epoch,
      batches: independentBatches(this.#items, batchSize, this.#key("joint", epoch.number)("batches")),
      reports: ["loss", "reconstruction", "kl", "coupling"],
      take: (rows) => this.#take(rows),
      release: (batch) => this.#release(batch),
      step: ({ clean }, update, totals, rows) => {
        const tape = new Tape(engine);
        try {
          const posterior = this.#network.posterior(tape, clean);
          const z = posterior.sample(tape, this.#key("joint", update)("noise"));
          const v = tape.empty(rows.length, z.value.columns);
          engine.takeRows(v, this.#factors.items, rows);
          const parts = [
            sum(this.#network.reconstruction(tape, z, clean)),
            sum(posterior.kl(tape)),
            sum(halfSquaredDistance(tape, z, tape.constant(v))).times(factor),
          ];
          const loss = parts[0].plus(parts[1]).plus(parts[2]);
          for (const [column, of] of [loss, ...parts].entries())
            for (const term of of.terms)
              if (term.kind === "sum") engine.sum(totals[column], term.of.value, term.weight);
          const perItem = loss.times(1 / rows.length);
          tape.backward(l2 > 0 ? perItem.plus(sumOfSquares(this.#network.weights).times(l2)) : perItem);
        } finally {
          tape.dispose();
        }
        this.#adam.step();
      },
    });
    await encodeAll(engine, this.#network, this.#content, this.#reader, this.#theta);
    for (let sweep = 0; sweep < sweeps; sweep++) this.#factors.sweep(this.#theta);
    await engine.finished();
    return report;
  }

  async saveState(): Promise<NamedTensors> {
    const pretrains = this.#phase < this.#phases.length;
    const { users, items, userGram } = this.#factors;
    const factors = pretrains ? {} : { users, items, userGram };
    const saved = await Promise.all(
      Object.entries(factors).map(
        async ([name, tensor]) => [`factors.${name}`, await saveTensor(this.#engine, tensor)] as const,
      ),
    );
    return {
      phase: { shape: [1], data: Uint32Array.of(this.#phase) },
      ...(await saveParameters(pretrains ? this.#all : this.#network.parameters)),
      ...(await this.#adam.save()),
      ...Object.fromEntries(saved),
    };
  }

  loadState(state: NamedTensors): void {
    const phase = Object.hasOwn(state, "phase") ? state.phase.data[0] : undefined;
    if (phase === undefined || phase > this.#phases.length)
      throw new UserError({ place: "tensor phase", problem: "is missing, or no phase of this training" });
    this.#adam = this.#enter(phase);
    loadParameters(phase < this.#phases.length ? this.#all : this.#network.parameters, state);
    this.#adam.load(state);
    if (phase < this.#phases.length) return;
    const { users, items, userGram } = this.#factors;
    for (const [name, tensor] of Object.entries({ users, items, userGram }))
      loadTensor(this.#engine, tensor, `factors.${name}`, state);
    this.#factors.renewItemGram();
  }

  recommender(): ContentAware {
    return recommenderOf(this.#engine, this.#network, this.#factors, this.#options, {
      algorithm: cvae.name,
      config: this.#config,
      items: this.#dataset.items,
      content: formOf(this.#content),
    });
  }

  dispose(): void {
    for (const parameter of this.#all) parameter.release();
    this.#factors.release();
    this.#engine.release(this.#theta);
  }
}

function recommenderOf(
  engine: Engine,
  network: ContentNetwork,
  factors: { readonly items: Tensor; readonly itemGram: Tensor; readonly userGram: Tensor },
  options: Shape,
  files: Required<Omit<ModelFiles, "tensors">>,
): ContentAware {
  const model = {
    ...factors,
    options,
    parameters: network.parameters,
    async encode(content: ItemContent) {
      const out = engine.empty(content.items, options.latent);
      await encodeAll(engine, network, content, contentReader(content), out);
      return out;
    },
  };
  return factorRecommender(engine, model, { ...files, restore: (grown) => restore(engine, grown) });
}

async function restore(engine: Engine, files: ModelFiles): Promise<ContentAware> {
  const { algorithm, config, tensors, items, content } = files;
  const unfit = (problem: string, cause?: unknown) =>
    new UserError({
      place: algorithm,
      problem: `the saved model is not sound: ${problem}`,
      remedy: "Copy or train it again",
      cause,
    });
  const parsed = shape.safeParse(config);
  if (!parsed.success) throw unfit(z.prettifyError(parsed.error), parsed.error);
  const form = contentForm.safeParse(content);
  if (!form.success) throw unfit("it does not say what content it was trained on (content.json)");
  const { hidden, latent } = parsed.data;
  // Before anything is allocated: a hostile configuration may ask for any size.
  const sizes = [inputsOf(form.data), ...hidden];
  const layers = hidden.reduce((sum, units, l) => sum + (sizes[l] + 1) * units, sizes[0]);
  const heads = 2 * (sizes[hidden.length] + 1) * latent + (latent + 1) * sizes[hidden.length];
  const factors = Object.values(factorShapes(items.size, latent)).reduce((sum, [r, c]) => sum + r * c, 0);
  const given = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
  if (layers + heads + factors !== given)
    throw unfit(`its network and factors need ${layers + heads + factors} numbers, it has ${given}`);
  const network = networkOf(engine, form.data, parsed.data);
  for (const parameter of network.scaffolding) parameter.release();
  try {
    loadParameters(network.parameters, tensors);
    const loaded = loadFactors(engine, tensors, items.size, latent);
    return recommenderOf(engine, network, loaded, parsed.data, {
      algorithm,
      config,
      items,
      content: form.data,
    });
  } catch (error) {
    for (const parameter of network.parameters) parameter.release();
    throw error instanceof UserError ? unfit(error.message, error) : error;
  }
}

export const cvae: Algorithm<CvaeOptions> = {
  name: "cvae",
  summary:
    "Collaborative variational autoencoder: items' content and clicks together; knows new items by content.",
  source: "Li, She: Collaborative variational autoencoder for recommender systems, KDD 2017",
  options,

  async fit(dataset, options, run) {
    const [{ fit }, { minimiseBatches }] = await Promise.all([
      import("../training/fit.js"),
      import("../training/minimise.js"),
    ]);
    const content = requireContent(dataset, cvae.name, kinds);
    const trainable = new CvaeTraining(dataset, content, options, run, minimiseBatches);
    const { epochs, patience } = options;
    return fit({ algorithm: cvae, options, dataset, trainable, epochs, patience }, run);
  },

  restore: (files, { engine }) => restore(engine, files),
};
