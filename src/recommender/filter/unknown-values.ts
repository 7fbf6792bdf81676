// Values in a filter that no item has, which are often typing errors. They are not an error: a value may come with the next items.

import { nearestName } from "../../core/nearest.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { Filter } from "./filter.js";

export interface UnknownValue {
  /** The attribute's name. */
  readonly attribute: string;
  readonly value: string;
  /** The most similar value that items have. */
  readonly nearest?: string;
}

/** Values that are compared with a mistyped one. */
const MOST_COMPARED = 50_000;

/** The values of text and list attributes in a valid filter that no item has, in the order of the filter. */
export async function unknownValues(items: Vocabulary, filter: Filter): Promise<UnknownValue[]> {
  if ("not" in filter) return unknownValues(items, filter.not);
  if ("and" in filter || "or" in filter) {
    const parts = "and" in filter ? filter.and : filter.or;
    return (await Promise.all(parts.map((part) => unknownValues(items, part)))).flat();
  }
  const { attributes } = items;
  const values = filter.isOneOf ?? [filter.is ?? filter.isNot].filter((value) => value !== undefined);
  if (!attributes || values.length === 0) return [];
  const { name } = attributes.find(filter.attribute, "filter");
  const column = await attributes.column(name);
  if (column.type !== "text" && column.type !== "list") return [];
  return values
    .map(String)
    .filter((value) => column.values.find(value) === undefined)
    .map((value) => ({
      ...{ attribute: name, value },
      nearest: column.values.size <= MOST_COMPARED ? nearestName(value, column.values) : undefined,
    }));
}
