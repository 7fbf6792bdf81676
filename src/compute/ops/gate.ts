// The gated linear unit's product (Dauphin et al. 2017; van den Oord et al. 2016), and the clamp of a log-variance.

import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** a * sigmoid(b), element by element. */
export function gate(tape: Tape, a: Differentiable, b: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(a.value.rows, a.value.columns);
  engine.gate(out, a.value, b.value);
  return tape.record(out, [a, b], (g) => {
    // The kernel computes both gradients; one that is not needed is discarded.
    const [toA, toB] = [a, b].map((x) => (x.needsGradient ? x.gradient() : tape.zeros(g.rows, g.columns)));
    engine.gateGradient(toA, toB, a.value, b.value, g);
  });
}

/** min(max(x, low), high); the gradient is 0 outside the open interval (PyTorch's Hardtanh). */
export function clamp(tape: Tape, x: Differentiable, low: number, high: number): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, x.value.columns);
  engine.clamp(out, x.value, low, high);
  return tape.record(out, [x], (g) => engine.clampGradient(x.gradient(), x.value, g, low, high));
}
