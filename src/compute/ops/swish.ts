import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** x * sigmoid(x) of every element (Ramachandran, Zoph and Le 2017). */
export function swish(tape: Tape, x: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.swish(out, x.value);
  return tape.record(out, [x], (g) => engine.swishGradient(x.gradient(), x.value, g));
}
