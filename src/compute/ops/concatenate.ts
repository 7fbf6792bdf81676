import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { viewColumns } from "../tensor.js";

/** The columns of the parts, side by side: [rows, a] and [rows, b] -> [rows, a + b]. */
export function concatenate(tape: Tape, parts: readonly Differentiable[]): Variable {
  const { engine } = tape;
  const ends: number[] = [];
  for (const { value } of parts) ends.push((ends.at(-1) ?? 0) + value.columns);
  const out = tape.empty(parts[0].value.rows, ends[ends.length - 1]);
  const piece = (of: typeof out, i: number) => viewColumns(of, ends[i] - parts[i].value.columns, ends[i]);
  parts.forEach((part, i) => {
    engine.copy(piece(out, i), part.value);
  });
  return tape.record(out, parts, (g) => {
    parts.forEach((part, i) => {
      if (part.needsGradient) engine.addScaled(part.gradient(), piece(g, i), 1);
    });
  });
}
