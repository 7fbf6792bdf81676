// Optimisers: what a step does with the gradients that the parameters hold.

import { UserError } from "../core/errors.js";
import type { AdamStep, Engine } from "./engine.js";
import { loadTensor, type Parameter, saveTensor } from "./parameter.js";
import type { NamedTensors } from "./tensor.js";

/** What a training step does with the gradients, and goes on with after an interruption. */
export interface Optimizer {
  /** What it trains. */
  readonly parameters: readonly Parameter[];
  /** Whether rows without a gradient stay as they are. Default false. */
  readonly sparse?: boolean;
  /** One update of every parameter that has a gradient, which is used up. */
  step(): void;
  /** All that it remembers. */
  save(): Promise<NamedTensors>;
  /** Goes on where `save` left off. Throws UserError where a tensor is missing or has another shape. */
  load(saved: NamedTensors): Promise<void>;
}

export interface AdamOptions extends Partial<Omit<AdamStep, "update" | "decay">> {
  /**
   * Every parameter's gradient (without its L2 term) is divided by its norm + 1e-7 before the step: AdamNormGrad of
   * jmtomczak/vae_vampprior and psywaves/EVCF (utils/optimizer.py). Default false.
   */
  readonly normaliseGradients?: boolean;
  /**
   * Epsilon is added to the root of the second moment before its bias is corrected, as in Keras and TensorFlow (Kingma and Ba
   * 2015, section 2, epsilon hat): as if it were epsilon / sqrt(1 - beta2^t). Early steps are the shorter for it where gradients
   * are as small as epsilon. Default false.
   */
  readonly epsilonHat?: boolean;
  /**
   * Where a gradient is one of rows, only those rows and their moments move: lazy Adam, as PyTorch's SparseAdam, with biases corrected by
   * the number of all updates. Dense gradients are stepped as ever. Not with weightDecay, normaliseGradients or an L2 term. Default false.
   */
  readonly sparse?: boolean;
}

/** The defaults of Kingma and Ba (2015), algorithm 1. */
const ADAM = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const NORM_EPSILON = 1e-7;

/**
 * Adam (Kingma and Ba 2015), dense unless it is told to be sparse: rows of a first layer that a batch did not touch still move by
 * their momentum, as in the published programs. A parameter to which the step's objective contributed nothing stays as it is.
 */
export class Adam implements Optimizer {
  readonly #engine: Engine;
  readonly parameters: readonly Parameter[];
  #options: typeof ADAM;
  readonly #normalises: boolean;
  readonly #epsilonHat: boolean;
  readonly sparse: boolean;
  #updates = 0;

  /** Throws RangeError for settings that only make sense where every row moves, with `sparse`. */
  constructor(
    engine: Engine,
    parameters: readonly Parameter[],
    { normaliseGradients = false, epsilonHat = false, sparse = false, ...options }: AdamOptions = {},
  ) {
    if (sparse && (normaliseGradients || options.weightDecay))
      throw new RangeError("sparse Adam has neither weightDecay nor normaliseGradients");
    this.#engine = engine;
    this.parameters = parameters;
    this.#options = { ...ADAM, ...options };
    this.#normalises = normaliseGradients;
    this.#epsilonHat = epsilonHat;
    this.sparse = sparse;
  }

  /** The step size of the updates to come; not part of what `save` gives. */
  get learningRate(): number {
    return this.#options.learningRate;
  }

  set learningRate(learningRate: number) {
    this.#options = { ...this.#options, learningRate };
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updates;
  }

  /** One update of every parameter that has a gradient, which is used up. */
  step(): void {
    this.#updates++;
    const { beta2 } = this.#options;
    const epsilon = this.#options.epsilon / (this.#epsilonHat ? Math.sqrt(1 - beta2 ** this.#updates) : 1);
    for (const parameter of this.parameters) {
      const { decay } = parameter;
      const gradient = parameter.currentGradient;
      if (gradient === undefined && decay === 0) continue;
      const { m, v } = parameter.moments;
      const step = { ...this.#options, epsilon, update: this.#updates, decay };
      if (gradient?.kind === "rows" && this.sparse) {
        if (decay !== 0) throw new RangeError(`sparse Adam: ${parameter.name} has an L2 term`);
        const { tensor, touched } = gradient;
        this.#engine.sparseAdam(parameter.value, m, v, tensor, touched, step);
      } else if (gradient && this.#normalises) {
        // The norm stays in the engine: nothing waits for it.
        const squares = this.#engine.zeros(1, 1);
        this.#engine.addSumOfSquares(squares, gradient.tensor, 1);
        this.#engine.adam(parameter.value, m, v, gradient, step, { squares, epsilon: NORM_EPSILON });
        this.#engine.release(squares);
      } else if (gradient) {
        this.#engine.adam(parameter.value, m, v, gradient, step);
      } else {
        // Only the L2 term: the gradient of the rest is zero everywhere.
        const none = this.#engine.empty(0, parameter.columns);
        const touched = new Uint32Array(0);
        this.#engine.adam(parameter.value, m, v, { kind: "rows", tensor: none, touched }, step);
        this.#engine.release(none);
      }
      parameter.changed();
      parameter.clearGradient();
    }
  }

  /** The moments ("<parameter>.m", "<parameter>.v") and the number of updates ("adam.updates"). */
  async save(): Promise<NamedTensors> {
    const moments = this.parameters.flatMap((parameter) => [
      [`${parameter.name}.m`, parameter.moments.m] as const,
      [`${parameter.name}.v`, parameter.moments.v] as const,
    ]);
    const saved = moments.map(
      async ([name, tensor]) => [name, await saveTensor(this.#engine, tensor)] as const,
    );
    return {
      "adam.updates": { shape: [1], data: Uint32Array.of(this.#updates) },
      ...Object.fromEntries(await Promise.all(saved)),
    };
  }

  /** Goes on where `save` left off. Throws UserError where a tensor is missing or has another shape. */
  async load(saved: NamedTensors): Promise<void> {
    const updates = Object.hasOwn(saved, "adam.updates") ? saved["adam.updates"] : undefined;
    if (updates?.data.length !== 1)
      throw new UserError({ place: "tensor adam.updates", problem: "is missing or not a single number" });
    for (const parameter of this.parameters) {
      await loadTensor(this.#engine, parameter.moments.m, `${parameter.name}.m`, saved);
      await loadTensor(this.#engine, parameter.moments.v, `${parameter.name}.v`, saved);
    }
    this.#updates = updates.data[0];
  }
}

export interface AdaDeltaOptions {
  /** Decay of the running squares. Default 0.95. */
  readonly rho?: number;
  /** Default 1e-6. */
  readonly epsilon?: number;
}

/** AdaDelta (Zeiler 2012, algorithm 1; its defaults): no step size; the squares of gradients and of changes decay by rho. */
export class AdaDelta implements Optimizer {
  readonly #engine: Engine;
  readonly parameters: readonly Parameter[];
  readonly #rho: number;
  readonly #epsilon: number;

  constructor(
    engine: Engine,
    parameters: readonly Parameter[],
    { rho = 0.95, epsilon = 1e-6 }: AdaDeltaOptions = {},
  ) {
    this.#engine = engine;
    this.parameters = parameters;
    this.#rho = rho;
    this.#epsilon = epsilon;
  }

  step(): void {
    for (const parameter of this.parameters) {
      const { decay } = parameter;
      if (parameter.currentGradient === undefined && decay === 0) continue;
      const { m: squares, v: deltas } = parameter.moments;
      const step = { rho: this.#rho, epsilon: this.#epsilon, decay };
      this.#engine.adadelta(parameter.value, squares, deltas, parameter.gradient(), step);
      parameter.changed();
      parameter.clearGradient();
    }
  }

  /** "<parameter>.squares" and "<parameter>.deltas". */
  async save(): Promise<NamedTensors> {
    const saved = this.parameters.flatMap((parameter) => [
      [`${parameter.name}.squares`, parameter.moments.m] as const,
      [`${parameter.name}.deltas`, parameter.moments.v] as const,
    ]);
    return Object.fromEntries(
      await Promise.all(
        saved.map(async ([name, tensor]) => [name, await saveTensor(this.#engine, tensor)] as const),
      ),
    );
  }

  async load(saved: NamedTensors): Promise<void> {
    for (const parameter of this.parameters) {
      await loadTensor(this.#engine, parameter.moments.m, `${parameter.name}.squares`, saved);
      await loadTensor(this.#engine, parameter.moments.v, `${parameter.name}.deltas`, saved);
    }
  }
}
