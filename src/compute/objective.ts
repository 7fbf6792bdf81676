// The objective: a weighted sum of scalars, each of them the sum of a variable's elements or of a parameter's squares. Because
// it is linear and its weights are known on the host, a backward pass starts from plain numbers, and an L2 term does not need
// a separate pass: it becomes the `decay` of its parameters.

import type { Differentiable, Parameter } from "./parameter.js";

export type Term =
  | { readonly kind: "sum"; readonly of: Differentiable; readonly weight: number }
  | { readonly kind: "squares"; readonly of: Parameter; readonly weight: number };

export class Objective {
  readonly terms: readonly Term[];

  constructor(terms: readonly Term[]) {
    this.terms = terms;
  }

  plus(other: Objective): Objective {
    return new Objective([...this.terms, ...other.terms]);
  }

  times(factor: number): Objective {
    return new Objective(this.terms.map((term) => ({ ...term, weight: term.weight * factor })));
  }
}

/** The sum of all elements. */
export function sum(of: Differentiable): Objective {
  return new Objective([{ kind: "sum", of, weight: 1 }]);
}

/** The mean of all elements (0 without elements): for a loss per user [users, 1], the mean over users. */
export function mean(of: Differentiable): Objective {
  return sum(of).times(1 / Math.max(1, of.value.rows * of.value.columns));
}

/** The sum of the squares of all elements of the parameters: ||W||^2, without a factor 1/2. */
export function sumOfSquares(parameters: readonly Parameter[]): Objective {
  return new Objective(parameters.map((of) => ({ kind: "squares", of, weight: 1 })));
}
