import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** max(x, 0) of every element; the gradient at 0 is 0. */
export function relu(tape: Tape, x: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.relu(out, x.value);
  return tape.record(out, [x], (g) => engine.reluGradient(x.gradient(), out, g));
}
