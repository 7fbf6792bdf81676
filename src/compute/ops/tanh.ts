import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** tanh of every element. */
export function tanh(tape: Tape, x: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.tanh(out, x.value);
  return tape.record(out, [x], (g) =>
    x.addGradient((to, accumulate) => engine.tanhGradient(to, out, g, { accumulate })),
  );
}
