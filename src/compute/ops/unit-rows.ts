import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** Every row divided by max(its L2 norm, 1e-12). */
export function unitRows(tape: Tape, x: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.unitRows(out, x.value);
  return tape.record(out, [x], (g) => engine.unitRowsGradient(x.gradient(), x.value, g));
}
