// The networks of CVAE for pictures (Li and She 2017, figure 3a): convolutions, and the way back by transposed convolutions.
//
//   inference   h_l = relu(windows(h_(l-1)) W_l + b_l);   mu = h_L M + m,   log sigma^2 = h_L S + t
//   generation  g_L = relu(z G + g),  g_(l-1) = relu(spread(g_l V_l) + c_l);   x ~ p(spread(g_1 V_1) + c_1)
//
// Windows of 4 x 4 at every second position halve the picture from layer to layer (Radford, Metz, Chintala 2016). p is
// Bernoulli(sigmoid(.)) or N(., 1 / lambda_x) per channel of a pixel.

import { scale } from "../../compute/ops/arithmetic.js";
import { denseBernoulliLoss, halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { relu } from "../../compute/ops/relu.js";
import { reshape } from "../../compute/ops/reshape.js";
import { type Initializer, Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { ContentForm } from "../../data/content.js";
import {
  convolve,
  convolveTransposed,
  type Plane,
  pictureWindows,
  windowPlane,
} from "../../nn/convolution.js";
import { glorotUniform, zeros } from "../../nn/initializers.js";
import { Linear, LinearParameters } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { type ContentBatch, denseRows } from "./batches.js";
import type { ContentVae } from "./network.js";
import type { ContentLikelihood } from "./tied-mlp.js";

type ImageForm = Extract<ContentForm, { kind: "images" }>;

const WINDOWS = { size: 4, stride: 2, padding: 1 };
const AREA = WINDOWS.size ** 2;

/** Of one layer of convolutions. */
export type Filters = Pick<LinearParameters, "weight" | "bias">;

/** The layers of convolutions over pictures: what they are over, and what comes out of them. */
export class PictureLayers {
  /** Of the picture, and of what each layer makes of it. */
  readonly planes: readonly Plane[];
  readonly channels: readonly number[];
  /** [channels, height, width] -> [height, width, channels]; made when first asked for. */
  #order: Uint32Array | undefined;
  readonly #windows = new Map<string, CsrMatrix>();

  /** Throws UserError where a picture is too small for so many layers. */
  constructor({ channels, height, width }: ImageForm, filters: readonly number[]) {
    const planes: Plane[] = [{ height, width }];
    for (const _ of filters) planes.push(windowPlane(planes[planes.length - 1], WINDOWS));
    const last = planes[planes.length - 1];
    if (last.height < 1 || last.width < 1)
      throw new UserError({
        place: "filters",
        problem: `${filters.length} layers are too many for pictures of ${width} x ${height}: each halves them`,
        expected: "layers that leave at least one pixel",
        remedy: "Give fewer filters, or prepare the dataset with larger pictures",
      });
    this.planes = planes;
    this.channels = [channels, ...filters];
  }

  /** Numbers of a picture after the last layer. */
  get outputs(): number {
    const { height, width } = this.planes[this.planes.length - 1];
    return height * width * this.channels[this.channels.length - 1];
  }

  /** Declares the filters of the convolutions: "<name>.1", ..., "<name>.<L>". */
  filters(name: string, weight: Initializer): Filters[] {
    return this.channels.slice(1).map((above, l) => {
      const inputs = AREA * this.channels[l];
      return new LinearParameters({ name: `${name}.${l + 1}`, inputs, outputs: above, weight, bias: zeros });
    });
  }

  /** Declares the filters of the way back, under the same names. */
  filtersBack(name: string, initial: Initializer): Filters[] {
    return this.channels.slice(1).map((above, l) => {
      const below = this.channels[l];
      const shape = { rows: above, columns: AREA * below };
      return {
        weight: Parameter.declare({ name: `${name}.${l + 1}.weight`, ...shape, initial }),
        bias: Parameter.declare({ name: `${name}.${l + 1}.bias`, rows: 1, columns: below }),
      };
    });
  }

  windows(layer: number, pictures: number): CsrMatrix {
    const key = `${layer} ${pictures}`;
    const known = this.#windows.get(key);
    if (known) return known;
    const made = pictureWindows(pictures, this.planes[layer - 1], WINDOWS);
    // Batches come in two sizes, and one more when everything is encoded.
    if (this.#windows.size > 4 * this.planes.length) this.#windows.clear();
    this.#windows.set(key, made);
    return made;
  }

  /** Pictures [rows, channels x height x width] with the channels of a pixel beside each other: the same numbers. */
  turned(tape: Tape, pictures: Tensor): Tensor {
    const [channels] = this.channels;
    const pixels = pictures.columns / channels;
    this.#order ??= Uint32Array.from(
      { length: pictures.columns },
      (_, i) => (i % channels) * pixels + Math.floor(i / channels),
    );
    const out = tape.empty(pictures.rows, pictures.columns);
    tape.engine.takeColumns(out, pictures, this.#order);
    return out;
  }

  /** h_L: turned pictures [rows, ...] -> [rows, outputs] */
  forward(tape: Tape, turned: Tensor, filters: readonly Filters[]): Variable {
    const { rows } = turned;
    const [{ height, width }] = this.planes;
    let h = reshape(tape, tape.constant(turned), rows * height * width, this.channels[0]);
    for (let l = 1; l < this.channels.length; l++) {
      const { weight, bias } = filters[l - 1];
      h = relu(tape, convolve(tape, this.windows(l, rows), h, weight, bias));
    }
    return reshape(tape, h, rows, this.outputs);
  }

  /** g_L [rows, outputs] -> [rows, ...], turned: nothing follows the last layer. */
  back(tape: Tape, top: Variable, filters: readonly Filters[]): Variable {
    const { rows } = top.value;
    const last = this.channels.length - 1;
    let g = reshape(tape, top, (rows * this.outputs) / this.channels[last], this.channels[last]);
    for (let l = last; l >= 1; l--) {
      const { weight, bias } = filters[l - 1];
      g = convolveTransposed(tape, this.windows(l, rows), g, weight, bias);
      if (l > 1) g = relu(tape, g);
    }
    const [{ height, width }] = this.planes;
    return reshape(tape, g, rows, height * width * this.channels[0]);
  }
}

export interface ConvolutionalOptions {
  readonly filters: readonly number[];
  readonly latent: number;
}

export class ConvolutionalVae implements ContentVae {
  readonly scaffolding: readonly Parameter[] = [];
  readonly parts = [];
  readonly #layers: PictureLayers;
  readonly #encoder: readonly Filters[];
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #top: Linear;
  readonly #decoder: readonly Filters[];
  readonly #likelihood: ContentLikelihood;
  readonly #precision: number;

  constructor(
    form: ImageForm,
    options: ConvolutionalOptions & {
      readonly likelihood: ContentLikelihood;
      /** lambda_x */
      readonly precision: number;
    },
  ) {
    const { filters, latent, likelihood, precision } = options;
    const layers = new PictureLayers(form, filters);
    const init = { weight: glorotUniform, bias: zeros };
    const head = { ...init, inputs: layers.outputs, outputs: latent };
    this.#layers = layers;
    this.#encoder = layers.filters("encoder", glorotUniform);
    this.#mean = new Linear({ ...head, name: "mean" });
    this.#logVariance = new Linear({ ...head, name: "logVariance" });
    this.#top = new Linear({ ...init, name: "top", inputs: latent, outputs: layers.outputs });
    this.#decoder = layers.filtersBack("decoder", glorotUniform);
    this.#likelihood = likelihood;
    this.#precision = precision;
  }

  get parameters(): readonly Parameter[] {
    const layers = [...this.#encoder, this.#mean, this.#logVariance, this.#top, ...this.#decoder];
    return layers.flatMap(({ weight, bias }) => [weight, bias]);
  }

  /** Those of the convolutions, both ways. */
  get weights(): readonly Parameter[] {
    return [...this.#encoder, ...this.#decoder].map(({ weight }) => weight);
  }

  posterior(tape: Tape, x: ContentBatch): DiagonalNormal {
    const turned = this.#layers.turned(tape, denseRows(x));
    const h = this.#layers.forward(tape, turned, this.#encoder);
    return new DiagonalNormal(this.#mean.forward(tape, h), this.#logVariance.forward(tape, h));
  }

  reconstruction(tape: Tape, z: Variable, x: ContentBatch): Variable {
    const top = relu(tape, this.#top.forward(tape, z));
    const output = this.#layers.back(tape, top, this.#decoder);
    const turned = this.#layers.turned(tape, denseRows(x));
    if (this.#likelihood === "bernoulli") return denseBernoulliLoss(tape, output, turned);
    return scale(tape, halfSquaredDistance(tape, output, tape.constant(turned)), this.#precision);
  }
}
