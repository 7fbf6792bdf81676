// Layers of one width, each of which also adds the outputs of all earlier ones, as in the encoders of RecVAE and VASP:
//
//   h_1 = LN(swish(x)),   h_k = LN(swish(W_k h_(k-1) + b_k + h_1 + ... + h_(k-1)))
//
// x is the output of the first layer, whose input has another width. The earlier outputs are added before swish.

import { add } from "../compute/ops/arithmetic.js";
import { swish } from "../compute/ops/swish.js";
import type { Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import { LayerNorm } from "./layer-norm.js";
import { type LayerOptions, Linear } from "./linear.js";

export interface ResidualStackOptions extends Pick<LayerOptions, "name" | "weight" | "bias"> {
  readonly width: number;
  /** Number of layers, with the first one, which belongs to the caller. */
  readonly layers: number;
  /** Epsilon of the layer normalisations. */
  readonly epsilon: number;
}

/** Layers "<name>.2", "<name>.3", ... and normalisations "<name>.1.norm", ... */
export class ResidualStack {
  readonly #rest: readonly Linear[];
  readonly #norms: readonly LayerNorm[];

  constructor({ name, width, layers, epsilon, ...initial }: ResidualStackOptions) {
    this.#rest = Array.from(
      { length: layers - 1 },
      (_, i) => new Linear({ ...initial, name: `${name}.${i + 2}`, inputs: width, outputs: width }),
    );
    this.#norms = Array.from(
      { length: layers },
      (_, i) => new LayerNorm({ name: `${name}.${i + 1}.norm`, width, epsilon }),
    );
  }

  get parameters(): readonly Parameter[] {
    return [...this.#rest, ...this.#norms].flatMap(({ parameters }) => parameters);
  }

  /** From the first layer's output before its activation to the last layer's: [rows, width]. */
  forward(tape: Tape, first: Variable): Variable {
    let h = this.#norms[0].forward(tape, swish(tape, first));
    let earlier = h;
    this.#rest.forEach((layer, i) => {
      if (i > 0) earlier = add(tape, earlier, h);
      h = this.#norms[i + 1].forward(tape, swish(tape, add(tape, layer.forward(tape, h), earlier)));
    });
    return h;
  }
}
