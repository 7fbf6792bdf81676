// The diagonal Gaussian that an encoder's output describes.

import { columns } from "../compute/ops/columns.js";
import { gaussianKl, gaussianSample } from "../compute/ops/gaussian.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { RandomKey } from "../core/philox.js";

/** N(mean, diag(exp(logVariance))), one per row: both [rows, latent]. */
export class DiagonalNormal {
  readonly mean: Variable;
  readonly logVariance: Variable;

  constructor(mean: Variable, logVariance: Variable) {
    this.mean = mean;
    this.logVariance = logVariance;
  }

  /** From an encoder's last activations [rows, 2 latent] = [mean | log-variance]; no copy is made. */
  static fromHalves(tape: Tape, activations: Variable): DiagonalNormal {
    const width = activations.value.columns;
    if (width % 2 !== 0) throw new RangeError(`DiagonalNormal: ${width} columns do not split into halves`);
    return new DiagonalNormal(
      columns(tape, activations, 0, width / 2),
      columns(tape, activations, width / 2, width),
    );
  }

  /** One reparameterised sample per row [rows, latent] (Kingma and Welling 2014, section 2.4). */
  sample(tape: Tape, key: RandomKey): Variable {
    return gaussianSample(tape, this.mean, this.logVariance, key);
  }

  /** KL to the standard normal per row [rows, 1], in nats (Kingma and Welling 2014, appendix B). */
  kl(tape: Tape): Variable {
    return gaussianKl(tape, this.mean, this.logVariance);
  }
}
