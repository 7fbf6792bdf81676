import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** Normalises every row to mean 0 and variance 1, multiplies by weight and adds bias (Ba, Kiros and Hinton 2016); weight and bias are [1, columns]. */
export function layerNorm(
  tape: Tape,
  x: Differentiable,
  weight: Parameter,
  bias: Parameter,
  epsilon: number,
): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  const statistics = tape.empty(x.value.rows, 2);
  engine.layerNorm(out, x.value, weight.value, bias.value, statistics, epsilon);
  return tape.record(out, [x, weight, bias], (g) => {
    if (bias.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (weight.needsGradient) engine.layerNormWeightGradient(weight.gradient(), x.value, statistics, g);
    if (x.needsGradient) engine.layerNormGradient(x.gradient(), x.value, weight.value, statistics, g);
  });
}
