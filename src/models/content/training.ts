// The training that CVAE and CDL share: a network is pretrained on the items' content in phases; then an epoch is a pass of the
// network over the items, coupled to their factors, followed by least-squares sweeps, in which the factors are coupled to the
// network's codes.

import type { Communicator } from "../../compute/communicator.js";
import type { Engine } from "../../compute/engine.js";
import { sum } from "../../compute/objective.js";
import type { Optimizer } from "../../compute/optimizers.js";
import {
  loadParameters,
  loadTensor,
  type Parameter,
  saveParameters,
  saveTensor,
} from "../../compute/parameter.js";
import type { Tape } from "../../compute/tape.js";
import type { FloatArray, NamedTensors, Tensor } from "../../compute/tensor.js";
import { throwIfAborted, UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { permutation, type RandomKey, RandomSequence, streamOf } from "../../core/philox.js";
import type { ItemContent } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { initialise } from "../../nn/initialise.js";
import { initialKey, normal } from "../../nn/initializers.js";
import type { ContentAware } from "../../recommender/content-aware.js";
import type { RunContext } from "../../recommender/run-context.js";
import type { BatchPass, PassReport } from "../../training/minimise.js";
import type { Epoch, EpochReport, PhaseEpoch, Pretraining, Trainable } from "../../training/trainable.js";
import {
  type ContentReader,
  contentReader,
  independentBatches,
  itemsWithContent,
  masked,
  releaseBatch,
  sampleWithout,
  toEngine,
} from "./batches.js";
import { contentInBlocks, encodeAll } from "./encode.js";
import { type FactorOptions, Factors, invertPacked, packedSize } from "./factors.js";
import type { ContentModel, JointLoss, Phase, TrainingBatch, UpdateKey } from "./network.js";
import type { ItemRule, SavedFactors } from "./recommender.js";

export interface ContentTrainingOptions extends FactorOptions {
  readonly latent: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** Least-squares sweeps per epoch, and further sweeps after the last epoch. */
  readonly sweeps: number;
  readonly finalSweeps?: number;
  /** Share of a row that masking noise sets to 0. */
  readonly corruption: number;
  /** Share of the items used in pretraining. */
  readonly pretrainingShare: number;
  /** Whether factors have covariances. */
  readonly bayesian?: boolean;
  /** What an item that no user has is scored by: its factor, or what its content says. Default "posterior". */
  readonly unseenItems?: ItemRule;
  /** How a pass draws its batches: each from all items (the CVAE program's), or all items once in random order. */
  readonly batches: "independent" | "shuffled";
}

export interface ContentTrainingParts {
  readonly dataset: Dataset;
  readonly content: ItemContent;
  readonly model: ContentModel;
  readonly options: ContentTrainingOptions;
  /** The options that pretraining depends on. */
  readonly pretrainingOptions: JsonObject;
  readonly recommender: (factors: SavedFactors) => ContentAware;
  /** Handed in so that loading a model loads no training code. */
  readonly minimise: <Batch>(pass: BatchPass<Batch>) => Promise<PassReport>;
}

export class ContentTraining implements Trainable {
  readonly pretraining: Pretraining;
  readonly #engine: Engine;
  readonly #communicator: Communicator | undefined;
  readonly #seed: number;
  readonly #parts: ContentTrainingParts;
  readonly #reader: ContentReader;
  readonly #items: Uint32Array;
  readonly #phases: readonly Phase[];
  readonly #factors: Factors;
  readonly #theta: Tensor;
  /** [items, k]: what users' factors are multiplied by, where that is not the items' factors. */
  readonly #scored: Tensor | undefined;
  /** Index of the phase that is being pretrained; their number once the epochs have begun. */
  #phase = 0;
  #optimizer: Optimizer;

  constructor(
    parts: ContentTrainingParts,
    { engine, communicator, seed }: Pick<RunContext, "engine" | "communicator" | "seed">,
  ) {
    const { dataset, content, model, options } = parts;
    this.#engine = engine;
    this.#communicator = communicator;
    this.#seed = seed;
    this.#parts = parts;
    this.#reader = contentReader(content);
    this.#items = itemsWithContent(content);
    this.#phases = model.phases.filter(({ epochs }) => epochs > 0);
    this.#factors = new Factors(engine, dataset.train, options.latent, options);
    const { users } = this.#factors;
    initialise(engine, users, normal(0.1)(users.rows, users.columns, initialKey(seed, "users")));
    this.#theta = engine.zeros(dataset.items.size, options.latent);
    if (options.unseenItems === "content") this.#scored = engine.zeros(dataset.items.size, options.latent);
    this.#optimizer = this.#enter(0);
    this.pretraining = {
      phases: this.#phases.map((phase, index) => ({
        name: phase.name,
        epochs: phase.epochs,
        key: { ...this.#pretrainedBy(phase), content: content.digest },
        begin: async () => {
          this.#optimizer = this.#enter(index);
          await phase.begin?.(contentInBlocks(this.#reader, this.#pretrainingItems()));
        },
        epoch: (epoch) => this.#pretrain(phase, epoch),
      })),
      save: (phase) => saveParameters(this.#pretrained(phase)),
      load: (phase, outcome) => loadParameters(this.#pretrained(phase), outcome),
      end: async () => {
        this.#optimizer = this.#enter(this.#phases.length);
        // The initial factors of the items are the codes of their content.
        await encodeAll(engine, model, content, this.#reader, this.#theta);
        engine.copy(this.#factors.items, this.#theta);
      },
    };
  }

  get #all(): readonly Parameter[] {
    return [...this.#parts.model.parameters, ...this.#parts.model.scaffolding];
  }

  /** The options that the outcome of a phase, and of those before it, depends on. */
  #pretrainedBy({ independentOf = [] }: Phase): JsonObject {
    const options = Object.entries(this.#parts.pretrainingOptions);
    return Object.fromEntries(options.filter(([name]) => !independentOf.includes(name)));
  }

  /** The parameters of the model that the phases up to this one train. */
  #pretrained(phase: number): readonly Parameter[] {
    const trained = new Set(this.#phases.slice(0, phase + 1).flatMap(({ parameters }) => parameters));
    return this.#parts.model.parameters.filter((parameter) => trained.has(parameter));
  }

  /** Begins a phase: a new optimiser, and gradients only for the parameters that it trains. */
  #enter(index: number): Optimizer {
    const { model } = this.#parts;
    this.#phase = index;
    const phase = this.#phases.at(index);
    const trained = index < this.#phases.length && phase ? phase.parameters : model.parameters;
    for (const parameter of this.#all) {
      parameter.needsGradient = trained.includes(parameter);
      parameter.forgetMoments();
    }
    return model.optimizer(trained, index < this.#phases.length ? "pretraining" : "epochs");
  }

  async #take(rows: Uint32Array, noise?: RandomKey, covariances?: FloatArray): Promise<TrainingBatch> {
    const engine = this.#engine;
    const content = await this.#reader(rows);
    const clean = toEngine(engine, content);
    const { corruption } = this.#parts.options;
    return {
      clean,
      noisy: noise ? toEngine(engine, masked(content, corruption, noise)) : clean,
      ...(covariances && { precisions: this.#precisionsOf(covariances, rows) }),
    };
  }

  #precisionsOf(covariances: FloatArray, rows: Uint32Array): Tensor {
    const { latent } = this.#parts.options;
    const size = packedSize(latent);
    const taken = new Float64Array(rows.length * size);
    for (const [r, row] of rows.entries())
      taken.set(covariances.subarray(row * size, (row + 1) * size), r * size);
    return this.#engine.tensor(rows.length, latent * latent, invertPacked(taken, latent));
  }

  #release({ clean, noisy, precisions }: TrainingBatch): void {
    releaseBatch(this.#engine, clean);
    if (noisy !== clean) releaseBatch(this.#engine, noisy);
    if (precisions) this.#engine.release(precisions);
  }

  #key(pass: string, update: number): UpdateKey {
    return (name) => ({ seed: this.#seed, step: update, stream: streamOf(`${pass}/${name}`) });
  }

  #batches(pass: string, number: number, items: Uint32Array): Uint32Array[] {
    const { batchSize, batches } = this.#parts.options;
    if (batches === "independent")
      return independentBatches(items, batchSize, this.#key(pass, number)("batches"));
    const order = permutation(this.#seed, number, streamOf(`${pass}/batches`), items.length).map(
      (place) => items[place],
    );
    return Array.from({ length: Math.ceil(order.length / batchSize) }, (_, b) =>
      order.subarray(b * batchSize, (b + 1) * batchSize),
    );
  }

  /** The items used in pretraining, ascending; the same in all phases. */
  #pretrainingItems(): Uint32Array {
    const count = Math.max(1, Math.round(this.#parts.options.pretrainingShare * this.#items.length));
    const random = new RandomSequence({ seed: this.#seed, step: 0, stream: streamOf("pretraining items") });
    return sampleWithout(random, this.#items.length, count)
      .sort()
      .map((place) => this.#items[place]);
  }

  /** A pass of updates; `loss` returns sums over a batch by name, which are reported as means over the items. */
  async #pass(
    pass: string,
    epoch: PhaseEpoch,
    items: Uint32Array,
    { noisy, covariances }: { readonly noisy: boolean; readonly covariances?: FloatArray },
    reports: readonly string[],
    loss: (tape: Tape, batch: TrainingBatch, rows: Uint32Array, key: UpdateKey) => JointLoss,
  ): Promise<EpochReport> {
    const engine = this.#engine;
    // Batches are taken in the order of the updates.
    let taken = epoch.updates;
    const { updates, means } = await this.#parts.minimise({
      engine,
      epoch,
      batches: this.#batches(pass, epoch.number, items),
      communicator: this.#communicator,
      optimizer: this.#optimizer,
      reports: ["loss", ...reports],
      take: (rows) => {
        taken++;
        const noise = noisy ? this.#key(pass, taken)("input noise") : undefined;
        return this.#take(rows, noise, covariances);
      },
      release: (batch) => this.#release(batch),
      loss: (tape, batch, update, rows) => {
        const { parts, penalty } = loss(tape, batch, rows, this.#key(pass, update));
        return { loss: Object.values(parts).reduce((all, part) => all.plus(part)), parts, penalty };
      },
    });
    return { updates, values: means };
  }

  #pretrain(phase: Phase, epoch: PhaseEpoch): Promise<EpochReport> {
    const { name, noisyInput: noisy, penalty } = phase;
    return this.#pass(name, epoch, this.#pretrainingItems(), { noisy }, [], (tape, batch, _rows, key) => ({
      parts: { all: sum(phase.loss(tape, batch, key)) },
      penalty,
    }));
  }

  async epoch(epoch: Epoch): Promise<EpochReport> {
    const engine = this.#engine;
    const { model, content, options } = this.#parts;
    const { itemCovariances } = this.#factors;
    const covariances =
      model.needsPrecisions && itemCovariances ? await engine.read(itemCovariances) : undefined;
    const report = await this.#pass(
      "joint",
      epoch,
      this.#items,
      { noisy: model.noisyInput, covariances },
      model.reports,
      (tape, batch, rows, key) => {
        const v = tape.empty(rows.length, options.latent);
        engine.takeRows(v, this.#factors.items, rows);
        return model.loss(tape, batch, { v, precisions: batch.precisions }, key);
      },
    );
    await encodeAll(engine, model, content, this.#reader, this.#theta);
    const last = epoch.number === options.epochs ? (options.finalSweeps ?? 0) : 0;
    for (let sweep = 0; sweep < options.sweeps + last; sweep++) {
      throwIfAborted(epoch.signal);
      await this.#factors.sweep(this.#theta);
      if (last > 0) epoch.onProgress?.((sweep + 1) / (options.sweeps + last), report.values);
    }
    this.#renewScored();
    await engine.finished();
    return report;
  }

  /** Items that no user has are scored by E[z], all others by v (Li and She 2017, section 2.4). */
  #renewScored(): void {
    const scored = this.#scored;
    if (!scored) return;
    const engine = this.#engine;
    const { items, clickedItems, unclickedItems } = this.#factors;
    engine.fill(scored, 0);
    for (const [from, rows] of [
      [items, clickedItems],
      [this.#theta, unclickedItems],
    ] as const) {
      const some = engine.empty(rows.length, scored.columns);
      engine.takeRows(some, from, rows);
      engine.addRows(scored, some, rows);
      engine.release(some);
    }
  }

  async saveState(): Promise<NamedTensors> {
    const pretrains = this.#phase < this.#phases.length;
    const saved = await Promise.all(
      Object.entries(pretrains ? {} : this.#factors.state).map(
        async ([name, tensor]) => [`factors.${name}`, await saveTensor(this.#engine, tensor)] as const,
      ),
    );
    return {
      phase: { shape: [1], data: Uint32Array.of(this.#phase) },
      ...(await saveParameters(pretrains ? this.#all : this.#parts.model.parameters)),
      ...(await this.#optimizer.save()),
      ...Object.fromEntries(saved),
    };
  }

  async loadState(state: NamedTensors): Promise<void> {
    const phase = Object.hasOwn(state, "phase") ? state.phase.data[0] : undefined;
    if (phase === undefined || phase > this.#phases.length)
      throw new UserError({
        place: "tensor phase",
        problem: "is missing, or is not a phase of this training",
      });
    const pretrains = phase < this.#phases.length;
    this.#optimizer = this.#enter(phase);
    await loadParameters(pretrains ? this.#all : this.#parts.model.parameters, state);
    await this.#optimizer.load(state);
    if (pretrains) return;
    for (const [name, tensor] of Object.entries(this.#factors.state))
      await loadTensor(this.#engine, tensor, `factors.${name}`, state);
    if (!this.#scored) return;
    const { model, content } = this.#parts;
    await encodeAll(this.#engine, model, content, this.#reader, this.#theta);
    this.#renewScored();
  }

  recommender(): ContentAware {
    const { items, itemGram, userGram, itemCovariances } = this.#factors;
    return this.#parts.recommender({ items, itemGram, userGram, itemCovariances, scored: this.#scored });
  }

  dispose(): void {
    for (const parameter of this.#all) parameter.release();
    this.#factors.release();
    this.#engine.release(this.#theta);
    if (this.#scored) this.#engine.release(this.#scored);
  }
}
