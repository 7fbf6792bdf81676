// ReduceLROnPlateau as in PyTorch (relative threshold of 1e-4; no cooldown, no minimum): the learning rate is multiplied by a factor
// after more than `patience` epochs without improvement.

import { UserError } from "../core/errors.js";
import type { NamedTensors } from "../recommender/recommender.js";

const THRESHOLD = 1e-4;
/** Smaller changes of the learning rate are not applied. */
const LEAST_CHANGE = 1e-8;

export interface PlateauOptions {
  readonly learningRate: number;
  readonly factor: number;
  readonly patience: number;
  /** Which value is better. */
  readonly mode: "max" | "min";
}

export class Plateau {
  readonly #options: PlateauOptions;
  #learningRate: number;
  #best: number;
  #badEpochs = 0;

  constructor(options: PlateauOptions) {
    this.#options = options;
    this.#learningRate = options.learningRate;
    this.#best = options.mode === "max" ? -Infinity : Infinity;
  }

  get learningRate(): number {
    return this.#learningRate;
  }

  /** The learning rate after an epoch with this value. */
  next(value: number): number {
    const { factor, patience, mode } = this.#options;
    const better =
      mode === "max" ? value > this.#best * (1 + THRESHOLD) : value < this.#best * (1 - THRESHOLD);
    if (better) this.#best = value;
    this.#badEpochs = better ? 0 : this.#badEpochs + 1;
    if (this.#badEpochs > patience) {
      const lower = this.#learningRate * factor;
      if (this.#learningRate - lower > LEAST_CHANGE) this.#learningRate = lower;
      this.#badEpochs = 0;
    }
    return this.#learningRate;
  }

  /** "plateau": [learning rate, best, bad epochs]; empty before the first value, since infinities cannot be saved. */
  save(): NamedTensors {
    if (!Number.isFinite(this.#best)) return {};
    const data = Float64Array.of(this.#learningRate, this.#best, this.#badEpochs);
    return { plateau: { shape: [3], data } };
  }

  /** Restores the state of `save`. Throws UserError if the state is not three numbers. */
  load(saved: NamedTensors): void {
    if (!Object.hasOwn(saved, "plateau")) return;
    const { data } = saved.plateau;
    if (data.length !== 3)
      throw new UserError({ place: "tensor plateau", problem: "does not have three numbers" });
    [this.#learningRate, this.#best, this.#badEpochs] = data;
  }
}

/** The plateau scheduler of a model's options, if any; by default factor 0.4 and patience 5 (RecoTour) and mode "max". */
export function plateauOf(options: {
  readonly learningRate: number;
  readonly scheduler?: "plateau";
  readonly plateauFactor?: number;
  readonly plateauPatience?: number;
  readonly compatibility?: { readonly plateauMode?: "max" | "min" };
}): Plateau | undefined {
  const { learningRate, scheduler, plateauFactor: factor = 0.4, plateauPatience: patience = 5 } = options;
  if (scheduler === undefined) return undefined;
  return new Plateau({ learningRate, factor, patience, mode: options.compatibility?.plateauMode ?? "max" });
}
