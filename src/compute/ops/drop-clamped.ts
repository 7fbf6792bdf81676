import type { DenseDropout } from "../engine.js";
import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/**
 * Inverted dropout of min(max(x, 0), 1), in one pass in each direction: for matrices as large as pseudo-inputs. The gradient is 0
 * outside (0, 1).
 */
export function dropClamped(tape: Tape, x: Differentiable, options: DenseDropout): Variable {
  const { engine } = tape;
  const { rate } = options;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.dropClamped(out, x.value, options);
  return tape.record(out, [x], (g) => {
    x.addGradient((to, accumulate) => engine.dropClampedGradient(to, x.value, out, g, { rate, accumulate }));
  });
}
