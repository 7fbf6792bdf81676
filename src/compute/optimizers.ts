// Optimisers: update parameters from their gradients.

import { UserError } from "../core/errors.js";
import type { AdamStep, Engine } from "./engine.js";
import { readAll, type StoredTensors, takeTensor } from "./named-tensors.js";
import { loadTensor, type Parameter, pendingTensor } from "./parameter.js";
import type { NamedTensors } from "./tensor.js";

/** An optimiser, whose state can be saved and restored. */
export interface Optimizer {
  /** The parameters that it trains. */
  readonly parameters: readonly Parameter[];
  /** Whether rows without a gradient are left unchanged. Default false. */
  readonly sparse?: boolean;
  /** Updates every parameter that has a gradient, and clears the gradients. */
  step(): void;
  /** The complete state. */
  save(): Promise<NamedTensors>;
  /** Restores the state of `save`. Throws UserError if a tensor is missing or has another shape. */
  load(saved: NamedTensors): Promise<void>;
}

export interface AdamOptions extends Partial<Omit<AdamStep, "update" | "decay">> {
  /**
   * Every parameter's gradient (without its L2 term) is divided by its norm + 1e-7 before the step: AdamNormGrad of
   * jmtomczak/vae_vampprior and psywaves/EVCF (utils/optimizer.py). Default false.
   */
  readonly normaliseGradients?: boolean;
  /**
   * Adds epsilon to the square root of the second moment before bias correction, as in Keras and TensorFlow (Kingma and Ba 2015,
   * section 2, epsilon hat); equivalent to an epsilon of epsilon / sqrt(1 - beta2^t). This shortens early steps if gradients are as
   * small as epsilon. Default false.
   */
  readonly epsilonHat?: boolean;
  /**
   * For a gradient of rows, updates only those rows and their moments: lazy Adam, as in PyTorch's SparseAdam, with bias correction by the
   * number of all updates. Dense gradients are not affected. Not with weightDecay, normaliseGradients or an L2 term. Default false.
   */
  readonly sparse?: boolean;
}

/** The defaults of Kingma and Ba (2015), algorithm 1. */
const ADAM = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const NORM_EPSILON = 1e-7;

/**
 * Adam (Kingma and Ba 2015), dense by default: rows of a first layer that a batch did not touch are still updated by their
 * momentum, as in the published code. A parameter without a gradient in this step is unchanged.
 */
export class Adam implements Optimizer {
  readonly #engine: Engine;
  readonly parameters: readonly Parameter[];
  #options: typeof ADAM;
  readonly #normalises: boolean;
  readonly #epsilonHat: boolean;
  readonly sparse: boolean;
  #updates = 0;

  /** Throws RangeError for `sparse` with settings that change every row. */
  constructor(
    engine: Engine,
    parameters: readonly Parameter[],
    { normaliseGradients = false, epsilonHat = false, sparse = false, ...options }: AdamOptions = {},
  ) {
    if (sparse && (normaliseGradients || options.weightDecay))
      throw new RangeError("sparse Adam supports neither weightDecay nor normaliseGradients");
    this.#engine = engine;
    this.parameters = parameters;
    this.#options = { ...ADAM, ...options };
    this.#normalises = normaliseGradients;
    this.#epsilonHat = epsilonHat;
    this.sparse = sparse;
  }

  /** The learning rate of future updates; not part of the saved state. */
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
      const given = parameter.currentGradient;
      if (given === undefined && decay === 0) continue;
      // Dense Adam updates a bias faster as one row than number by number.
      const gradient =
        given?.kind === "rows" && parameter.isByColumn && !this.sparse
          ? { kind: "dense" as const, tensor: parameter.gradient() }
          : given;
      const { m, v } = parameter.moments;
      const step = { ...this.#options, epsilon, update: this.#updates, decay };
      if (gradient?.kind === "rows" && this.sparse) {
        if (decay !== 0) throw new RangeError(`sparse Adam: ${parameter.name} has an L2 term`);
        const { tensor, touched } = gradient;
        const [value, first, second] = [parameter.value, m, v].map((of) => parameter.byRow(of));
        this.#engine.sparseAdam(value, first, second, tensor, touched, step);
      } else if (gradient && this.#normalises) {
        // The norm stays on the engine, so nothing waits for it.
        const squares = this.#engine.zeros(1, 1);
        parameter.addSquaresOfGradient(squares);
        this.#engine.adam(parameter.value, m, v, gradient, step, { squares, epsilon: NORM_EPSILON });
        this.#engine.release(squares);
      } else if (gradient) {
        this.#engine.adam(parameter.value, m, v, gradient, step);
      } else {
        // Only the L2 term has a gradient.
        const none = this.#engine.empty(0, parameter.columns);
        const touched = new Uint32Array(0);
        this.#engine.adam(parameter.value, m, v, { kind: "rows", tensor: none, touched }, step);
        this.#engine.release(none);
      }
      parameter.changed();
      parameter.clearGradient();
    }
  }

  /** The moments ("<parameter>.m", "<parameter>.v") and the number of updates ("adam.updates"), to be read before the next update. */
  pending(): StoredTensors {
    return {
      "adam.updates": { shape: [1], data: Uint32Array.of(this.#updates) },
      ...pendingMoments(this.#engine, this.parameters, MOMENTS),
    };
  }

  /** The state of `pending`, on the host. */
  save(): Promise<NamedTensors> {
    return readAll(this.pending());
  }

  /** Goes on where `save` left off. Throws UserError where a tensor is missing or has another shape. */
  async load(saved: NamedTensors): Promise<void> {
    const updates = Object.hasOwn(saved, "adam.updates") ? saved["adam.updates"] : undefined;
    if (updates?.data.length !== 1)
      throw new UserError({ place: "tensor adam.updates", problem: "is missing or is not a single number" });
    await loadMoments(this.#engine, this.parameters, MOMENTS, saved);
    this.#updates = updates.data[0];
  }
}

export interface NadamOptions {
  /** Default 2e-3. */
  readonly learningRate?: number;
  /** Default 1e-8; 1e-7 in Keras. */
  readonly epsilon?: number;
  /** Whether a gradient of rows updates only these rows and their moments; false = all rows, as in Keras. Default true. */
  readonly sparse?: boolean;
}

/** PyTorch's defaults of NAdam (torch/optim/nadam.py), with Dozat's schedule of the momentum. */
const NADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, momentumDecay: 4e-3 };

/** mu_t */
function nesterovMomentum(update: number): number {
  return NADAM.beta1 * (1 - 0.5 * 0.96 ** (update * NADAM.momentumDecay));
}

/**
 * NAdam (Dozat: "Incorporating Nesterov momentum into Adam", 2016), as in PyTorch: in update t the momentum is
 * mu_t = beta1 (1 - 0.96^(t momentumDecay) / 2).
 */
export class Nadam implements Optimizer {
  readonly #engine: Engine;
  readonly parameters: readonly Parameter[];
  /** The learning rate of future updates; not part of the saved state. */
  learningRate: number;
  readonly sparse: boolean;
  readonly #epsilon: number;
  #updates = 0;
  /** mu_1 ... mu_t */
  #product = 1;

  constructor(
    engine: Engine,
    parameters: readonly Parameter[],
    { learningRate = 2e-3, epsilon = NADAM.epsilon, sparse = true }: NadamOptions = {},
  ) {
    this.#engine = engine;
    this.parameters = parameters;
    this.learningRate = learningRate;
    this.#epsilon = epsilon;
    this.sparse = sparse;
  }

  step(): void {
    const { momentumDecay: _, ...constants } = NADAM;
    const update = ++this.#updates;
    const [now, next] = [nesterovMomentum(update), nesterovMomentum(update + 1)];
    this.#product *= now;
    const step = {
      ...constants,
      epsilon: this.#epsilon,
      update,
      gradientRate: (this.learningRate * (1 - now)) / (1 - this.#product),
      momentumRate: (this.learningRate * next) / (1 - this.#product * next),
    };
    for (const parameter of this.parameters) {
      const given = parameter.currentGradient;
      if (given === undefined) continue;
      const gradient = this.sparse ? given : { tensor: parameter.gradient() };
      const { m, v } = parameter.moments;
      this.#engine.nadam(parameter.value, m, v, gradient, step);
      parameter.changed();
      parameter.clearGradient();
    }
  }

  /** The moments ("<parameter>.m", "<parameter>.v") and the number of updates ("nadam.updates"), to be read before the next update. */
  pending(): StoredTensors {
    return {
      "nadam.updates": { shape: [1], data: Uint32Array.of(this.#updates) },
      ...pendingMoments(this.#engine, this.parameters, MOMENTS),
    };
  }

  /** The state of `pending`, on the host. */
  save(): Promise<NamedTensors> {
    return readAll(this.pending());
  }

  async load(saved: NamedTensors): Promise<void> {
    const [updates] = takeTensor(saved, "nadam.updates", [1], "whole numbers");
    await loadMoments(this.#engine, this.parameters, MOMENTS, saved);
    this.#updates = updates;
    this.#product = 1;
    for (let update = 1; update <= updates; update++) this.#product *= nesterovMomentum(update);
  }
}

export interface AdaDeltaOptions {
  /** Decay of the running squares. Default 0.95. */
  readonly rho?: number;
  /** Default 1e-6. */
  readonly epsilon?: number;
}

/** AdaDelta (Zeiler 2012, algorithm 1, with its defaults): no learning rate; the running squares of gradients and updates decay by rho. */
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
  save(): Promise<NamedTensors> {
    return readAll(pendingMoments(this.#engine, this.parameters, SQUARES));
  }

  load(saved: NamedTensors): Promise<void> {
    return loadMoments(this.#engine, this.parameters, SQUARES, saved);
  }
}

/** How the two moments of a parameter are named in a saved state. */
interface MomentNames {
  readonly m: string;
  readonly v: string;
}
const MOMENTS: MomentNames = { m: "m", v: "v" };
const SQUARES: MomentNames = { m: "squares", v: "deltas" };

/** Both moments of every parameter, to be read before the next update. */
function pendingMoments(engine: Engine, parameters: readonly Parameter[], names: MomentNames): StoredTensors {
  return Object.fromEntries(
    parameters.flatMap(({ name, moments: { m, v }, divided }) => [
      [`${name}.${names.m}`, pendingTensor(engine, m, divided)] as const,
      [`${name}.${names.v}`, pendingTensor(engine, v, divided)] as const,
    ]),
  );
}

async function loadMoments(
  engine: Engine,
  parameters: readonly Parameter[],
  names: MomentNames,
  saved: NamedTensors,
): Promise<void> {
  for (const { name, moments } of parameters) {
    await loadTensor(engine, moments.m, `${name}.${names.m}`, saved);
    await loadTensor(engine, moments.v, `${name}.${names.v}`, saved);
  }
}
