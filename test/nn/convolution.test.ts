// Gradients against finite differences, values against PyTorch's.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import {
  convolve,
  convolveTransposed,
  pictureWindows,
  sequenceWindows,
  windowPlane,
} from "../../src/nn/convolution.js";
import { fromRows } from "../../src/sparse/csr.js";
import { Workbench } from "../support/engines.js";
import { gradientError } from "../support/gradients.js";
import { fixture, weigh, worstError } from "../support/torch-convolution.js";

const TOLERANCE = 1e-7;
const planes = [
  { height: 5, width: 4 },
  { height: 4, width: 7 },
];
const windows = { size: 4, stride: 2, padding: 1 };

describe("gradients equal central finite differences in float64", () => {
  const bench = new Workbench(new ReferenceEngine(), 17);

  it.each(planes)("of convolutions, both ways, over %j", async (plane) => {
    const [pictures, channels, filters] = [2, 3, 2];
    const small = windowPlane(plane, windows);
    const positions = pictures * plane.height * plane.width;
    const gathered = pictures * small.height * small.width;
    const map = pictureWindows(pictures, plane, windows);
    expect([map.rows, map.columns]).toEqual([gathered * 16, positions]);
    const error = await gradientError(
      [
        bench.matrix(positions, channels),
        bench.matrix(gathered, filters),
        bench.matrix(filters, 1),
        bench.matrix(channels, 1),
      ],
      [
        bench.matrix(16 * channels, filters),
        bench.matrix(1, filters),
        bench.matrix(filters, 16 * channels),
        bench.matrix(1, channels),
      ],
      (tape, [x, g, forFilters, forChannels], [w, b, v, c]) =>
        weigh(tape, convolve(tape, map, x, w, b), forFilters).plus(
          weigh(tape, convolveTransposed(tape, map, g, v, c), forChannels),
        ),
    );
    expect(error).toBeLessThan(TOLERANCE);
  });

  it("of convolutions over sequences", async () => {
    const sequences = fromRows(9, [[1, 2, 3, 1], [], [5], [8, 0]]);
    const error = await gradientError(
      [bench.matrix(7, 3), bench.matrix(4, 1)],
      [bench.matrix(9, 4), bench.matrix(1, 4)],
      (tape, [x, weights], [w, b]) =>
        weigh(tape, convolve(tape, sequenceWindows(sequences, 3), x, w, b), weights),
    );
    expect(error).toBeLessThan(TOLERANCE);
  });
});

describe("values", () => {
  const map = pictureWindows(2, planes[0], windows);

  it("are PyTorch's conv2d's and conv_transpose2d's", async () => {
    const { picture, weight, bias, convolved, back, backBias, spread } = fixture;
    expect(
      await worstError(convolved, (tape, put, parameter) =>
        convolve(tape, map, put(picture), parameter(weight), parameter(bias)),
      ),
    ).toBeLessThan(1e-12);
    expect(
      await worstError(spread, (tape, put, parameter) =>
        convolveTransposed(tape, map, put(convolved), parameter(back), parameter(backBias)),
      ),
    ).toBeLessThan(1e-12);
  });

  it("are conv1d's, sequence by sequence", async () => {
    const { sequence, filters, filtersBias, filtered } = fixture;
    const lengths = fromRows(1, [[0, 0, 0, 0], [0], [0, 0]]);
    expect(
      await worstError(filtered, (tape, put, parameter) =>
        convolve(
          tape,
          sequenceWindows(lengths, 3),
          put(sequence),
          parameter(filters),
          parameter(filtersBias),
        ),
      ),
    ).toBeLessThan(1e-12);
  });
});
