import type { DenseDropout } from "../engine.js";
import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** Inverted dropout: drops entries with probability `rate` and scales the others by 1 / (1 - rate). */
export function dropout(tape: Tape, x: Differentiable, options: DenseDropout): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.dropout(out, x.value, options);
  return tape.record(out, [x], (g) => {
    x.addGradient((to, accumulate) => {
      if (!accumulate) return engine.dropout(to, g, options);
      const masked = tape.empty(g.rows, g.columns);
      engine.dropout(masked, g, options);
      engine.addScaled(to, masked, 1);
    });
  });
}
