// Parameters by name and shape: a network that is declared so can be counted before anything is allocated.

import type { Engine } from "../../compute/engine.js";
import type { Parameter } from "../../compute/parameter.js";
import { glorotUniform, type Initializer, normal, zeros } from "../../nn/initializers.js";
import { makeParameter } from "../../nn/linear.js";

/** [rows, columns] by name. */
export type Shapes = Record<string, readonly [rows: number, columns: number]>;

export function numbersIn(shapes: Shapes): number {
  return Object.values(shapes).reduce((sum, [rows, columns]) => sum + rows * columns, 0);
}

/** Of tokens' numbers: how many tokens there are is not a fan-in. */
const embeddings = normal(0.1);

/** The parameters of these shapes: biases zero, weights drawn by the seed; without one all are zero, to be loaded. */
export function parametersOf(
  engine: Engine,
  shapes: Shapes,
  seed: number | undefined,
  weight: Initializer = glorotUniform,
): { all: readonly Parameter[]; named: (name: string) => Parameter } {
  const all = Object.entries(shapes).map(([name, [rows, columns]]) => {
    const drawn = name.startsWith("embedding") ? embeddings : weight;
    const initial = seed === undefined || name.endsWith("bias") ? zeros : drawn;
    return makeParameter(engine, name, rows, columns, seed ?? 0, initial);
  });
  const byName = new Map(all.map((parameter) => [parameter.name, parameter]));
  return {
    all,
    named(name) {
      const found = byName.get(name);
      if (!found) throw new RangeError(`parametersOf: there is no ${name}`);
      return found;
    },
  };
}
