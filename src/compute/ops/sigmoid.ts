import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** 1 / (1 + e^-x) of every element. */
export function sigmoid(tape: Tape, x: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.sigmoid(out, x.value);
  return tape.record(out, [x], (g) => engine.sigmoidGradient(x.gradient(), out, g));
}
