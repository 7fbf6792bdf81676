// Checks ids passed by programs: text, whole numbers or BigInts. Anything else, or a value that is not a list where a list is
// expected, is an error: JavaScript iterates over the characters of a string, so `exclude: "37"` would exclude items 3 and 7.

import { inspect } from "node:util";
import { UserError } from "../core/errors.js";

/** An item's id: text, or a number as in the source file. */
export type ItemId = string | number | bigint;

/** The id as text. Throws UserError, naming the place, if it is not an id. */
export function idText(id: unknown, place: string): string {
  if (typeof id === "string") return id;
  if (typeof id === "bigint" || Number.isSafeInteger(id)) return String(id);
  if (Number.isInteger(id))
    throw new UserError({
      place,
      problem: `${String(id)} is too large to be exact as a number`,
      remedy: "Pass it as text or as a BigInt",
    });
  throw new UserError({
    place,
    problem: `${shown(id)} is not an id`,
    expected: "text, a whole number or a BigInt",
  });
}

/** The list as an array. Throws UserError, naming the place, if it is not a list of ids, or if it is a typed array. */
export function idList(ids: unknown, place: string): readonly unknown[] {
  if (Array.isArray(ids)) return ids;
  const numbers = ArrayBuffer.isView(ids);
  const iterable = typeof ids === "object" && ids !== null && Symbol.iterator in ids;
  if (iterable && !numbers && !(ids instanceof String)) return [...(ids as Iterable<unknown>)];
  throw new UserError({
    place,
    problem: numbers ? `a ${ids.constructor.name} is not a list of ids` : `${shown(ids)} is not a list`,
    expected: numbers ? "an array of ids, or item indices as a Uint32Array" : "an array of ids",
    remedy: typeof ids === "string" ? `Pass [${shown(ids)}]` : undefined,
  });
}

function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 3, maxStringLength: 60 });
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
