// Calibration: how far the categories of a list are from those of the user's history (Steck, Calibrated recommendations, RecSys 2018,
// equations 2, 3, 6 and 7, with equal weights of items), as a divergence in bits; 0 if they have the same distribution:
//
//   p(c) = mean over the history's items of p(c|i)      q(c) = mean over the list's items of p(c|i)
//   KL(p || q~) = sum over c of p(c) log2( p(c) / q~(c) )      q~ = (1 - alpha) q + alpha p      alpha = 0.01
//
// p(c|i) is 1 / n for each of the n categories of item i; items without a category are left out.

import { UserError } from "../core/errors.js";
import {
  type CodedColumn,
  codesOf,
  type ItemAttributes,
  type ListColumn,
} from "../data/attributes/attributes.js";

const ALPHA = 0.01;

export class Calibration {
  readonly #column: CodedColumn | ListColumn;
  readonly #history: Float64Array;
  readonly #list: Float64Array;

  constructor(column: CodedColumn | ListColumn) {
    this.#column = column;
    this.#history = new Float64Array(column.values.size);
    this.#list = new Float64Array(column.values.size);
  }

  /** The divergence, from 0 to log2(1 / alpha) = 6.64; 0 for a history without categories. */
  of(history: Uint32Array, list: Uint32Array): number {
    const categories = this.#shares(history, this.#history);
    this.#shares(list, this.#list);
    let divergence = 0;
    for (const category of categories) {
      const p = this.#history[category];
      divergence += p * Math.log2(p / ((1 - ALPHA) * this.#list[category] + ALPHA * p));
    }
    return Math.max(0, divergence);
  }

  /** Writes the distribution of the items' categories, and returns the categories that occur. */
  #shares(items: Uint32Array, shares: Float64Array): Set<number> {
    shares.fill(0);
    const found = new Set<number>();
    let counted = 0;
    for (const item of items) {
      const codes = codesOf(this.#column, item);
      if (codes.length > 0) counted++;
      for (const code of codes) {
        shares[code] += 1 / codes.length;
        found.add(code);
      }
    }
    for (const code of found) shares[code] /= counted;
    return found;
  }
}

/** The column with the categories of items. Throws UserError if there is no such attribute, or it is not a text or a list. */
export async function categoryColumn(
  attributes: ItemAttributes,
  name: string,
  place: string,
): Promise<CodedColumn | ListColumn> {
  const column = await attributes.column(attributes.find(name, place).name);
  if (!("numbers" in column)) return column;
  throw new UserError({
    place,
    problem: `${column.name} is a ${column.type}`,
    expected: "an attribute with categories: a text, a list or a boolean",
  });
}
