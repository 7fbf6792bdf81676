// Gradients against finite differences, values against PyTorch's.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { reshape, rowsOf } from "../../src/compute/ops/reshape.js";
import { gruStep, oneHot, stepsOf } from "../../src/nn/gru.js";
import { fromRows, transpose } from "../../src/sparse/csr.js";
import { Workbench } from "../support/engines.js";
import { gradientError } from "../support/gradients.js";
import { fixture, weigh, worstError } from "../support/torch-convolution.js";

const bench = new Workbench(new ReferenceEngine(), 17);

describe("a gated recurrent unit", () => {
  it("has the gradients of finite differences over two steps, the second over fewer rows", async () => {
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
    expect(error).toBeLessThan(1e-7);
  });

  it("is PyTorch's", async () => {
    const { inputs, state, stateBias, hidden, next } = fixture;
    expect(
      await worstError(next, (tape, put, parameter) =>
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
