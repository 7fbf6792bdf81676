import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** a + factor * b, element by element. */
export function addScaled(tape: Tape, a: Differentiable, b: Differentiable, factor: number): Variable {
  const { engine } = tape;
  const out = tape.empty(a.value.rows, a.value.columns);
  engine.copy(out, a.value);
  engine.addScaled(out, b.value, factor);
  return tape.record(out, [a, b], (g) => {
    if (a.needsGradient) engine.addScaled(a.gradient(), g, 1);
    if (b.needsGradient) engine.addScaled(b.gradient(), g, factor);
  });
}

/** a + b, element by element. */
export function add(tape: Tape, a: Differentiable, b: Differentiable): Variable {
  return addScaled(tape, a, b, 1);
}

/** factor * a. */
export function scale(tape: Tape, a: Differentiable, factor: number): Variable {
  const { engine } = tape;
  const out = tape.zeros(a.value.rows, a.value.columns);
  engine.addScaled(out, a.value, factor);
  return tape.record(out, [a], (g) => engine.addScaled(a.gradient(), g, factor));
}

/** a * b, element by element. */
export function product(tape: Tape, a: Differentiable, b: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.zeros(a.value.rows, a.value.columns);
  engine.addProduct(out, a.value, b.value);
  return tape.record(out, [a, b], (g) => {
    if (a.needsGradient) engine.addProduct(a.gradient(), g, b.value);
    if (b.needsGradient) engine.addProduct(b.gradient(), g, a.value);
  });
}
