// Gradients against central finite differences in float64: the objective is rebuilt with one number moved up and down.

import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Objective } from "../../src/compute/objective.js";
import { Parameter } from "../../src/compute/parameter.js";
import { Tape, type Variable } from "../../src/compute/tape.js";
import { RandomSequence } from "../../src/core/philox.js";
import type { HostMatrix } from "./engines.js";

/** Builds an objective from variables (inputs with a gradient) and parameters, in the order in which they were given. */
export type Build = (tape: Tape, inputs: Variable[], parameters: Parameter[]) => Objective;

/** Numbers checked per tensor; all of them in small ones. */
const CHECKED = 24;

/** The largest |analytic - numeric| / (1 + |numeric|) over (a sample of) the numbers of all inputs and parameters. */
export async function gradientError(
  inputs: readonly HostMatrix[],
  parameters: readonly HostMatrix[],
  build: Build,
): Promise<number> {
  const engine = new ReferenceEngine({ precision: "float64" });
  const tensors = inputs.map(({ rows, columns, data }) => engine.tensor(rows, columns, data));
  const owned = parameters.map(
    ({ rows, columns, data }, i) => new Parameter(engine, `p${i}`, rows, columns, data),
  );

  const evaluate = async () => {
    const tape = new Tape(engine, { gradients: false });
    const variables = tensors.map((tensor) => tape.input(tensor));
    const [value] = await engine.read(tape.value(build(tape, variables, owned)));
    tape.dispose();
    return value;
  };

  const tape = new Tape(engine);
  const variables = tensors.map((tensor) => tape.input(tensor));
  tape.backward(build(tape, variables, owned));
  const analytic = [
    ...(await Promise.all(variables.map((variable) => engine.read(variable.gradient())))),
    ...(await Promise.all(owned.map((parameter) => parameter.fullGradient()))),
  ];
  tape.dispose();

  const held = [...tensors, ...owned.map((parameter) => parameter.value)];
  const hosts = [...inputs, ...parameters];
  const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
  let worst = 0;
  for (let t = 0; t < held.length; t++) {
    const { data } = hosts[t];
    for (let n = 0; n < Math.min(CHECKED, data.length); n++) {
      const i = data.length <= CHECKED ? n : random.below(data.length);
      const step = 1e-5 * Math.max(1, Math.abs(data[i]));
      const moved = Float64Array.from(data);
      moved[i] = data[i] + step;
      engine.write(held[t], moved);
      const up = await evaluate();
      moved[i] = data[i] - step;
      engine.write(held[t], moved);
      const down = await evaluate();
      engine.write(held[t], data);
      const numeric = (up - down) / (2 * step);
      const error = Math.abs(analytic[t][i] - numeric) / (1 + Math.abs(numeric));
      worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
  }
  return worst;
}
