// Items of a map by the values of their attributes: the most frequent values of texts and lists, and ranges of numbers and dates with
// equally many items.

import type { AttributeColumn, ItemAttributes } from "../data/attributes/attributes.js";
import { codesOf } from "../data/attributes/attributes.js";
import { dateText } from "../data/attributes/types.js";
import type { MapColours } from "./map-api.js";
import { frequentCodes } from "./models-answers.js";

/** As many as there are colours. */
const MOST_LABELS = 8;
const RANGES = 6;
const MOST_ATTRIBUTES = 8;

/** The colours of the given items by each of their first attributes that tell items apart. */
export async function coloursOf(
  attributes: ItemAttributes | undefined,
  items: Uint32Array,
): Promise<MapColours[]> {
  const all: MapColours[] = [];
  for (const { name } of attributes?.described ?? []) {
    if (all.length === MOST_ATTRIBUTES) break;
    const found = colourBy((await attributes?.column(name)) as AttributeColumn, items);
    if (found.labels.length > 1) all.push(found);
  }
  return all;
}

/** The colours of the given items by one attribute. An item with several values has the colour of its most frequent one. */
export function colourBy(column: AttributeColumn, items: Uint32Array): MapColours {
  if ("numbers" in column) return byRange(column.name, column.type, column.numbers, items);
  const frequent = frequentCodes(column).slice(0, MOST_LABELS);
  const placeOf = new Map(frequent.map((code, place) => [code, place]));
  return {
    attribute: column.name,
    labels: frequent.map((code) => column.values.at(code)),
    codes: Array.from(items, (item) => {
      const places = codesOf(column, item).flatMap((code) => placeOf.get(code) ?? []);
      return places.length === 0 ? -1 : Math.min(...places);
    }),
  };
}

function byRange(
  attribute: string,
  type: "number" | "date",
  numbers: Float64Array,
  items: Uint32Array,
): MapColours {
  const sorted = Float64Array.from(items, (item) => numbers[item])
    .filter((value) => !Number.isNaN(value))
    .sort();
  // The smallest value of each range; values that are frequent fill several ranges.
  const starts = [
    ...new Set(
      Array.from({ length: RANGES }, (_, k) => sorted[Math.floor((k * sorted.length) / RANGES)]).filter(
        (value) => value !== undefined,
      ),
    ),
  ];
  const text = (value: number) => (type === "date" ? dateText(value) : String(value));
  const labels = starts.map((start, k) => {
    const next = starts[k + 1];
    const last = next === undefined ? sorted[sorted.length - 1] : sorted[sorted.indexOf(next) - 1];
    return last === start ? text(start) : `${text(start)} to ${text(last)}`;
  });
  const codes = Array.from(items, (item) => {
    const value = numbers[item];
    return Number.isNaN(value) ? -1 : starts.findLastIndex((start) => start <= value);
  });
  return { attribute, labels, codes };
}
