// A stack of linear layers with an activation between them.

import type { DenseDropout } from "../compute/engine.js";
import { dropout } from "../compute/ops/dropout.js";
import { tanh } from "../compute/ops/tanh.js";
import type { Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import { HiddenLayer } from "./hidden-layer.js";
import { type LayerOptions, Linear } from "./linear.js";

export interface MlpOptions extends Pick<LayerOptions, "name" | "weight" | "bias"> {
  /** [inputs, ..., outputs]: one layer between every two; a single size makes a stack without layers (the identity). */
  readonly sizes: readonly number[];
  /** Whether the last layer is followed by the activation too. */
  readonly activateLast: boolean;
  /** Use gated layers instead of layers with an activation (see hidden-layer.ts). Default false. */
  readonly gated?: boolean;
  /** Default tanh. */
  readonly activation?: (tape: Tape, x: Variable) => Variable;
}

/** Layers "<name>.0", "<name>.1", ... */
export class Mlp {
  readonly layers: readonly (Linear | HiddenLayer)[];
  readonly #activateLast: boolean;
  readonly #activation: (tape: Tape, x: Variable) => Variable;

  constructor({ name, sizes, activateLast, activation = tanh, gated = false, ...rest }: MlpOptions) {
    this.layers = sizes.slice(1).map((outputs, i) => {
      const layer = { ...rest, name: `${name}.${i}`, inputs: sizes[i], outputs };
      const isGated = gated && (activateLast || i < sizes.length - 2);
      return isGated ? new HiddenLayer({ ...layer, gated }) : new Linear(layer);
    });
    this.#activateLast = activateLast;
    this.#activation = activation;
  }

  get parameters(): readonly Parameter[] {
    return this.layers.flatMap((layer) => layer.parameters);
  }

  /** [rows, inputs] -> [rows, outputs]; `dropped[i]` is applied to the input of layer i. */
  forward(tape: Tape, x: Variable, dropped: readonly (DenseDropout | undefined)[] = []): Variable {
    let activation = x;
    this.layers.forEach((layer, i) => {
      const before = dropped[i];
      if (before) activation = dropout(tape, activation, before);
      activation = layer.forward(tape, activation);
      if (layer instanceof HiddenLayer) return;
      if (this.#activateLast || i < this.layers.length - 1) activation = this.#activation(tape, activation);
    });
    return activation;
  }
}
