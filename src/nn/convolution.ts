// Convolutions as matrix products: a sparse 0/1 map gathers the windows of a picture or sequence into rows, which are multiplied by
// the filters; a transposed convolution multiplies first and scatters the windows by the transposed map (Dumoulin and Visin 2016,
// chapter 4). Pictures are stored as [pictures x height x width, channels].

import { linear } from "../compute/ops/linear.js";
import { reshape } from "../compute/ops/reshape.js";
import { sparseMap } from "../compute/ops/sparse-map.js";
import type { Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import { type CsrMatrix, transpose } from "../sparse/csr.js";

/** Height and width. */
export interface Plane {
  readonly height: number;
  readonly width: number;
}

/** Square windows. */
export interface Windows {
  /** The length of a side. */
  readonly size: number;
  readonly stride: number;
  /** Rows and columns of zeros around the picture. */
  readonly padding: number;
}

/** The size of the plane of windows; 0 if no window fits. */
export function windowPlane({ height, width }: Plane, { size, stride, padding }: Windows): Plane {
  const along = (length: number) => Math.max(0, Math.floor((length + 2 * padding - size) / stride) + 1);
  return { height: along(height), width: along(width) };
}

/** The map that gathers the windows of pictures: [pictures x windows x size^2, pictures x height x width], ones; rows of padding are empty. */
export function pictureWindows(pictures: number, plane: Plane, windows: Windows): CsrMatrix {
  const { height, width } = plane;
  const { size, stride, padding } = windows;
  const { height: tall, width: wide } = windowPlane(plane, windows);
  const rows = pictures * tall * wide * size * size;
  const offsets = new Uint32Array(rows + 1);
  const indices = new Uint32Array(rows);
  let row = 0;
  let count = 0;
  for (let picture = 0; picture < pictures; picture++)
    for (let wy = 0; wy < tall; wy++)
      for (let wx = 0; wx < wide; wx++)
        for (let dy = 0; dy < size; dy++)
          for (let dx = 0; dx < size; dx++) {
            const y = wy * stride + dy - padding;
            const x = wx * stride + dx - padding;
            if (y >= 0 && y < height && x >= 0 && x < width)
              indices[count++] = (picture * height + y) * width + x;
            offsets[++row] = count;
          }
  return { rows, columns: pictures * height * width, offsets, indices: indices.subarray(0, count) };
}

/**
 * The map that gathers the windows of concatenated sequences: [tokens x size, tokens], ones. Every token is the middle of a window (for
 * an even size, the first of its right half); windows do not extend beyond their sequence.
 */
export function sequenceWindows(
  { rows, offsets }: Pick<CsrMatrix, "rows" | "offsets">,
  size: number,
): CsrMatrix {
  const tokens = offsets[rows];
  const before = Math.floor(size / 2);
  const ends = new Uint32Array(tokens * size + 1);
  const indices = new Uint32Array(tokens * size);
  let row = 0;
  let count = 0;
  for (let r = 0; r < rows; r++)
    for (let token = offsets[r]; token < offsets[r + 1]; token++)
      for (let d = 0; d < size; d++) {
        const at = token + d - before;
        if (at >= offsets[r] && at < offsets[r + 1]) indices[count++] = at;
        ends[++row] = count;
      }
  return { rows: tokens * size, columns: tokens, offsets: ends, indices: indices.subarray(0, count) };
}

/** windows W + b: x [positions, channels] and filters W [size^2 x channels, filters] -> [windows, filters]. */
export function convolve(
  tape: Tape,
  windows: CsrMatrix,
  x: Variable,
  weight: Parameter,
  bias: Parameter,
): Variable {
  const gathered = sparseMap(tape, windows, x);
  const perWindow = weight.rows / x.value.columns;
  return linear(tape, reshape(tape, gathered, windows.rows / perWindow, weight.rows), weight, bias);
}

/** The transposed convolution: x [windows, filters] and W [filters, size^2 x channels] -> [positions, channels]; overlapping values are added. */
export function convolveTransposed(
  tape: Tape,
  windows: CsrMatrix,
  x: Variable,
  weight: Parameter,
  bias: Parameter,
): Variable {
  const spread = linear(tape, x, weight);
  return sparseMap(tape, transpose(windows), reshape(tape, spread, windows.rows, bias.columns), bias);
}
