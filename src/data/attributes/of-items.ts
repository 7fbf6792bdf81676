// The attributes of a catalogue from item metadata: the types of all columns but the title, inferred from all rows or stated.

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import type { ItemTable } from "../items.js";
import type { Vocabulary } from "../vocabulary.js";
import type { AttributeColumn, AttributeDescription } from "./attributes.js";
import { encodeColumn } from "./encode.js";
import { inferType, parseType, type StatedType, type StatedTypes } from "./types.js";

export interface AttributeOptions {
  /** The types of some columns; the others are inferred. */
  readonly types?: StatedTypes;
  /** The file, for messages. */
  readonly place?: string;
}

/**
 * The attributes of the items of a catalogue, in the order of the columns. Throws UserError for a stated type of an unknown column,
 * and for a value that does not have the stated type of its column.
 */
export function attributesOf(
  catalogue: Vocabulary,
  { columns, byId }: ItemTable,
  { types = {}, place }: AttributeOptions = {},
): AttributeColumn[] {
  const places = [...columns.keys()].filter((at) => columns[at] !== "title");
  const names = places.map((at) => columns[at]);
  const stated = statedTypes(types, names);
  return places.map((at) => {
    const name = columns[at];
    const type = stated.get(name) ?? inferType(Array.from(byId, ([, row]) => row[at]));
    const values = catalogue.ids.map((id) => byId.get(id)?.[at] ?? null);
    return encodeColumn({ name, values }, type, (item) => catalogue.ids[item], place);
  });
}

/** Parses the stated types. Throws UserError for an unknown column or type. */
function statedTypes(types: StatedTypes, names: readonly string[]): Map<string, StatedType> {
  const parsed = new Map<string, StatedType>();
  for (const [name, type] of Object.entries(types)) {
    const place = `--item-type ${name}`;
    if (!names.includes(name))
      throw new UserError({
        place,
        problem: `the items have no column "${name}" besides id and title`,
        remedy: names.length === 0 ? undefined : suggestion(name, names),
      });
    parsed.set(name, parseType(type, place));
  }
  return parsed;
}

/** Stated types that give new items the types of these attributes. */
export function typesOf(described: readonly AttributeDescription[], columns: readonly string[]): StatedTypes {
  const known = described.filter(({ name }) => columns.includes(name));
  return Object.fromEntries(known.map(({ name, type }) => [name, type]));
}
