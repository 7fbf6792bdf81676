// The diagonal Gaussian that is parametrised by an encoder's output.

import type { Position } from "../compute/engine.js";
import { columns } from "../compute/ops/columns.js";
import { gaussianLogDensity } from "../compute/ops/density.js";
import { clamp } from "../compute/ops/gate.js";
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

  /** One reparameterised sample per row [rows, latent] (Kingma and Welling 2014, section 2.4); `position` if the rows are a piece of a batch. */
  sample(tape: Tape, key: RandomKey, position?: Position): Variable {
    return gaussianSample(tape, this.mean, this.logVariance, key, position);
  }

  /** N(0, I), for `rows` rows. */
  static standard(tape: Tape, rows: number, latent: number): DiagonalNormal {
    const zeros = tape.constant(tape.zeros(rows, latent));
    return new DiagonalNormal(zeros, zeros);
  }

  /** The Gaussian with its log-variance clamped to [low, high], with gradient 0 outside. */
  clamped(tape: Tape, [low, high]: readonly [number, number]): DiagonalNormal {
    return new DiagonalNormal(this.mean, clamp(tape, this.logVariance, low, high));
  }

  /** log N(x; mean, diag(exp(logVariance))) per row [rows, 1], in nats, without the constant -1/2 ln 2 pi per dimension. */
  logDensity(tape: Tape, x: Variable): Variable {
    return gaussianLogDensity(tape, x, this.mean, this.logVariance);
  }

  /** KL to the standard normal per row [rows, 1], in nats (Kingma and Welling 2014, appendix B). */
  kl(tape: Tape): Variable {
    return gaussianKl(tape, this.mean, this.logVariance);
  }
}
