// Convolutions and a gated recurrent unit, as PyTorch computes them.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { sum } from "../../src/compute/objective.js";
import { linear } from "../../src/compute/ops/linear.js";
import { tanh } from "../../src/compute/ops/tanh.js";
import { Parameter } from "../../src/compute/parameter.js";
import { Tape, type Variable } from "../../src/compute/tape.js";

/** A number that depends on all of x. */
export const weigh = (tape: Tape, x: Variable, weights: Variable) =>
  sum(tanh(tape, linear(tape, x, weights)));

interface Given {
  shape: [number, number];
  data: number[];
}
export const fixture = JSON.parse(
  readFileSync(new URL("../nn/fixtures/torch-convolution.json", import.meta.url), "utf8"),
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

/** The largest error of what `build` makes of the fixture's numbers, in float64. */
export async function worstError(
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
