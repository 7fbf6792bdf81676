// Converts columns of text to attributes: infers or checks the type, and codes the values.

import { UserError } from "../../core/errors.js";
import type { AttributeColumn } from "./attributes.js";
import { NO_VALUE, TextDictionary } from "./dictionary.js";
import { booleanOf, dateOf, listOf, numberOf, type StatedType } from "./types.js";

/** A column of text: its value for each item of a catalogue, null = missing. */
export interface TextColumn {
  readonly name: string;
  readonly values: readonly (string | null)[];
}

const descriptions: Record<StatedType["type"], string> = {
  text: "text",
  number: "a number such as 7 or 0.5",
  date: "a date such as 2009-09-13 or 2009-09-13T21:30:00Z",
  boolean: "true or false",
  list: "values without blank ones, such as Comedy|Drama, or a JSON array",
};

/**
 * The attribute of a column of this type. Throws UserError for a value of another type, naming the column and, through `itemOf`, the
 * item.
 */
export function encodeColumn(
  { name, values }: TextColumn,
  { type, separator }: StatedType,
  itemOf: (place: number) => string,
  place?: string,
): AttributeColumn {
  const refuse = (at: number): never => {
    const value = values[at] ?? "";
    throw new UserError({
      place,
      problem: `column "${name}" is "${value.length > 60 ? `${value.slice(0, 60)}...` : value}" for the item ${itemOf(at)}`,
      expected: descriptions[type],
      remedy: `Correct it, or state another type for the column: --item-type '${name}=text'`,
    });
  };
  const text = (at: number) => values[at]?.trim() ?? "";
  switch (type) {
    case "number":
    case "date": {
      const numbers = new Float64Array(values.length).fill(Number.NaN);
      for (let at = 0; at < values.length; at++) {
        if (text(at) === "") continue;
        const number = type === "number" ? numberOf(text(at)) : dateOf(text(at))?.at;
        numbers[at] = number ?? refuse(at);
      }
      return { name, type, numbers };
    }
    case "text":
    case "boolean": {
      const coder = new Coder();
      const codes = new Uint32Array(values.length).fill(NO_VALUE);
      for (let at = 0; at < values.length; at++) {
        if (text(at) === "") continue;
        const value = type === "text" ? text(at) : String(booleanOf(text(at)) ?? refuse(at));
        codes[at] = coder.codeOf(value);
      }
      return { name, type, ...coder.sorted(codes) };
    }
    case "list": {
      const coder = new Coder();
      const offsets = new Uint32Array(values.length + 1);
      const codes: number[] = [];
      for (let at = 0; at < values.length; at++) {
        if (text(at) !== "")
          for (const value of listOf(text(at), separator) ?? refuse(at)) codes.push(coder.codeOf(value));
        offsets[at + 1] = codes.length;
      }
      return { name, type, offsets, ...coder.sorted(Uint32Array.from(codes)) };
    }
  }
}

/** Numbers texts by their first appearance, and then by their order. */
class Coder {
  readonly #codes = new Map<string, number>();

  codeOf(value: string): number {
    // A lone surrogate has no UTF-8.
    const text = /\p{Cs}/u.test(value) ? Buffer.from(value).toString() : value;
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.#codes.size;
    this.#codes.set(text, code);
    return code;
  }

  /** The dictionary, and the codes of its order in place of those that `codeOf` returned. */
  sorted(codes: Uint32Array): { values: TextDictionary; codes: Uint32Array } {
    const values = TextDictionary.of(this.#codes.keys());
    const orderOf = new Uint32Array(values.size);
    let code = 0;
    for (const text of values) orderOf[this.#codes.get(text) as number] = code++;
    return { values, codes: codes.map((one) => (one === NO_VALUE ? one : orderOf[one])) };
  }
}
