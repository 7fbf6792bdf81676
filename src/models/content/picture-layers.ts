// Convolutional layers over pictures, forward and transposed. Each layer has 4 x 4 windows with stride 2 and halves the picture
// (Radford, Metz, Chintala 2016).

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
import { zeros } from "../../nn/initializers.js";
import { LinearParameters } from "../../nn/linear.js";
import type { CsrMatrix } from "../../sparse/csr.js";

export type ImageForm = Extract<ContentForm, { kind: "images" }>;

const WINDOWS = { size: 4, stride: 2, padding: 1 };
const AREA = WINDOWS.size ** 2;

/** The parameters of one convolutional layer. */
export type Filters = Pick<LinearParameters, "weight" | "bias">;

/** Convolutional layers over pictures, with the shapes of their inputs and outputs. */
export class PictureLayers {
  /** The shapes of the picture and of the output of each layer. */
  readonly planes: readonly Plane[];
  readonly channels: readonly number[];
  /** [channels, height, width] -> [height, width, channels]; made when first asked for. */
  #order: Uint32Array | undefined;
  readonly #windows = new Map<string, CsrMatrix>();

  /** Throws UserError if a picture is too small for that many layers. */
  constructor({ channels, height, width }: ImageForm, filters: readonly number[]) {
    const planes: Plane[] = [{ height, width }];
    for (const _ of filters) planes.push(windowPlane(planes[planes.length - 1], WINDOWS));
    const last = planes[planes.length - 1];
    if (last.height < 1 || last.width < 1)
      throw new UserError({
        place: "filters",
        problem: `${filters.length} layers are too many for pictures of ${width} x ${height}: each layer halves them`,
        expected: "a number of layers that leaves at least one pixel",
        remedy: "Use fewer layers, or prepare the dataset with larger pictures",
      });
    this.planes = planes;
    this.channels = [channels, ...filters];
  }

  /** Number of outputs per picture after the last layer. */
  get outputs(): number {
    const { height, width } = this.planes[this.planes.length - 1];
    return height * width * this.channels[this.channels.length - 1];
  }

  /** Declares the filters of the convolutional layers: "<name>.1", ..., "<name>.<L>". */
  filters(name: string, weight: Initializer): Filters[] {
    return this.channels.slice(1).map((above, l) => {
      const inputs = AREA * this.channels[l];
      return new LinearParameters({ name: `${name}.${l + 1}`, inputs, outputs: above, weight, bias: zeros });
    });
  }

  /** Declares the filters of the transposed convolutions, with the same naming scheme. */
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
    // There are two batch sizes in training, and one more for encoding.
    if (this.#windows.size > 4 * this.planes.length) this.#windows.clear();
    this.#windows.set(key, made);
    return made;
  }

  /** Pictures [rows, channels x height x width] reordered to [rows, height x width x channels]. */
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

  /** h_L: reordered pictures [rows, ...] -> [rows, outputs] */
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

  /** g_L [rows, outputs] -> reordered pictures [rows, ...]; the last layer has no activation. */
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
