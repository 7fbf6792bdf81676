// --item-type: the types of columns of an items file, where inference is wrong.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import { collected } from "./engine-options.js";

export interface ItemTypeFlags {
  itemType?: string[];
}

export function addItemTypeOption<C extends Command>(command: C): C {
  return command.option(
    "--item-type <column=type>",
    "items file: type of an attribute: text, number, date, boolean, list, or list and its separator, such as 'tags=list;' (repeatable; default: inferred from all values)",
    collected,
  ) as C;
}

/** The stated types; undefined if there are none. Throws UserError for an option that is not column=type, or repeats a column. */
export function itemTypes({ itemType }: ItemTypeFlags): Record<string, string> | undefined {
  if (!itemType) return undefined;
  const types = new Map<string, string>();
  for (const text of itemType) {
    const [, column, type] = /^(.+?)=(.+)$/s.exec(text) ?? [];
    if (column === undefined || types.has(column))
      throw new UserError({
        place: `--item-type ${text}`,
        problem: column === undefined ? "is not a type" : `the column ${column} has two types`,
        expected: "column=type, such as year=number",
      });
    types.set(column, type);
  }
  return Object.fromEntries(types);
}
