// How well item metadata matches the catalogue: the counts for the manifest, and a warning if few items match.

import type { ItemSource, ItemTable } from "./items.js";
import type { ItemsManifest } from "./manifest.js";
import { shortInput } from "./queries/database-input.js";
import type { Vocabulary } from "./vocabulary.js";

type Matched = ReturnType<ItemSource["matching"]>;

const isTitled = ({ columns, byId }: ItemTable, id: string): boolean =>
  columns[0] === "title" && byId.get(id)?.[0] != null;

/** Counts the items of a catalogue that the item file or records describe. */
export function describeItems(
  { file, title, rows }: ItemSource,
  { id, table }: Matched,
  catalogue: Vocabulary,
): ItemsManifest {
  return {
    ...(file !== undefined && { file: shortInput(file) }),
    id,
    ...(title !== undefined && title !== id && { title }),
    rows,
    matched: catalogue.ids.filter((item) => table.byId.has(item)).length,
    titled: catalogue.ids.filter((item) => isTitled(table, item)).length,
  };
}

/** A warning if fewer than half of the items with interactions have a row, or none has a title. */
export function itemsWarning(
  { file, title }: ItemSource,
  { id, table }: Matched,
  touched: Vocabulary,
  whose = "the interactions",
): string | undefined {
  const place = file ?? "the item records";
  const matched = touched.ids.filter((item) => table.byId.has(item)).length;
  if (2 * matched < touched.size) {
    const theirs = [...table.byId.keys()].find((key) => touched.indexOf(key) === undefined);
    const ours = touched.ids.find((item) => !table.byId.has(item));
    const what = title === undefined ? "row" : "title";
    const few =
      matched === 0
        ? `none of ${touched.size} items has a ${what} in ${place}`
        : `only ${matched} of ${touched.size} items ${matched === 1 ? "has" : "have"} a ${what} in ${place}`;
    if (theirs === undefined) return few;
    return `${few}: its ids${file === undefined ? "" : ` (column "${id}")`} look like ${theirs}, the ids of ${whose} like ${ours}${file === undefined ? "" : ". Check the file, or choose another column with --item-id"}`;
  }
  const titled = touched.ids.some((item) => isTitled(table, item));
  return title === undefined || titled
    ? undefined
    : `no item has a title in ${place}: the column "${title}" is empty`;
}
