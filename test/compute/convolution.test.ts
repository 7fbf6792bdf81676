// Convolutions and the gated recurrent unit: gradients against finite differences, values against PyTorch's.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { linear } from "../../src/compute/ops/linear.js";
import { reshape, rowsOf } from "../../src/compute/ops/reshape.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { Parameter } from "../../src/compute/parameter.js";
import { Tape, type Variable } from "../../src/compute/tape.js";
import { viewColumns } from "../../src/compute/tensor.js";
import {
  convolve,
  convolveTransposed,
  pictureWindows,
  sequenceWindows,
  windowPlane,
} from "../../src/nn/convolution.js";
import { gruStep, oneHot, stepsOf } from "../../src/nn/gru.js";
import { fromRows, transpose } from "../../src/sparse/csr.js";
import { Workbench } from "../support/engines.js";
import { gradientError } from "../support/gradients.js";

const TOLERANCE = 1e-7;
const weigh = (tape: Tape, x: Variable, weights: Variable) => sum(tanh(tape, linear(tape, x, weights)));
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

  it("of two steps of a gated recurrent unit, the second over fewer rows", async () => {
    const error = await gradientError(
      [bench.matrix(5, 9), bench.matrix(3, 3), bench.matrix(3, 1)],
      [bench.matrix(3, 9), bench.matrix(1, 9)],
      (tape, [inputs, h, weights], [v, c]) => {
        const first = gruStep(tape, rowsOf(tape, inputs, 0, 3), h, v, c);
        const second = gruStep(tape, rowsOf(tape, inputs, 3, 5), rowsOf(tape, first, 0, 2), v, c);
        return weigh(tape, second, weights).plus(
          weigh(tape, reshape(tape, first, 9, 1), rowsOf(tape, weights, 0, 1)),
        );
      },
    );
    expect(error).toBeLessThan(TOLERANCE);
  });
});

describe("values", () => {
  interface Given {
    shape: [number, number];
    data: number[];
  }
  const fixture = JSON.parse(
    readFileSync(new URL("./fixtures/torch-convolution.json", import.meta.url), "utf8"),
  ) as Record<
    | "picture"
    | "weight"
    | "bias"
    | "convolved"
    | "back"
    | "backBias"
    | "spread"
    | "inputs"
    | "state"
    | "stateBias"
    | "hidden"
    | "next"
    | "sequence"
    | "filters"
    | "filtersBias"
    | "filtered",
    Given
  >;

  async function error(
    of: Given,
    build: (tape: Tape, put: (given: Given) => Variable, parameter: (given: Given) => Parameter) => Variable,
  ) {
    const engine = new ReferenceEngine({ precision: "float64" });
    const tape = new Tape(engine);
    const put = ({ shape, data }: Given) => tape.constant(engine.tensor(...shape, data));
    const parameter = ({ shape, data }: Given) => new Parameter(engine, "p", ...shape, data);
    const found = await engine.read(build(tape, put, parameter).value);
    expect(found).toHaveLength(of.data.length);
    return Math.max(...of.data.map((value, i) => Math.abs(found[i] - value)));
  }
  const map = pictureWindows(2, planes[0], windows);

  it("are PyTorch's conv2d's and conv_transpose2d's", async () => {
    const { picture, weight, bias, convolved, back, backBias, spread } = fixture;
    expect(
      await error(convolved, (tape, put, parameter) =>
        convolve(tape, map, put(picture), parameter(weight), parameter(bias)),
      ),
    ).toBeLessThan(1e-12);
    expect(
      await error(spread, (tape, put, parameter) =>
        convolveTransposed(tape, map, put(convolved), parameter(back), parameter(backBias)),
      ),
    ).toBeLessThan(1e-12);
  });

  it("are conv1d's, sequence by sequence, and a GRU's", async () => {
    const { sequence, filters, filtersBias, filtered, inputs, state, stateBias, hidden, next } = fixture;
    const lengths = fromRows(1, [[0, 0, 0, 0], [0], [0, 0]]);
    expect(
      await error(filtered, (tape, put, parameter) =>
        convolve(
          tape,
          sequenceWindows(lengths, 3),
          put(sequence),
          parameter(filters),
          parameter(filtersBias),
        ),
      ),
    ).toBeLessThan(1e-12);
    expect(
      await error(next, (tape, put, parameter) =>
        gruStep(tape, put(inputs), put(hidden), parameter(state), parameter(stateBias)),
      ),
    ).toBeLessThan(1e-12);
  });
});

describe("steps of sequences", () => {
  it("come with the longest first, cut where they are too long", () => {
    const steps = stepsOf(fromRows(9, [[4], [], [7, 7, 2, 8], [5, 1]]), 3);
    expect([...steps.order]).toEqual([2, 3, 0]);
    expect([...steps.counts]).toEqual([3, 2, 1]);
    expect([...steps.tokens]).toEqual([7, 5, 4, 7, 1, 2]);
  });

  it("have one entry per row, or none", () => {
    const map = oneHot([2, 3, 0], 3);
    expect([...map.offsets]).toEqual([0, 1, 1, 2]);
    expect([...map.indices]).toEqual([2, 0]);
    expect([...transpose(map).offsets]).toEqual([0, 1, 1, 2]);
  });
});

it("a tensor with gaps is not reshaped", () => {
  const engine = new ReferenceEngine();
  const tape = new Tape(engine);
  const x = tape.constant(viewColumns(engine.zeros(2, 4), 0, 2));
  expect(() => reshape(tape, x, 4, 1)).toThrow(RangeError);
  expect(() => reshape(tape, tape.constant(engine.zeros(2, 4)), 3, 3)).toThrow(RangeError);
});
