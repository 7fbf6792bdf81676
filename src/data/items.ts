// What is known of the items besides their ids: titles and other columns, from a second file or from the caller.

import { UserError } from "../core/errors.js";
import { withDatabase } from "./database.js";
import { usualNames } from "./read.js";
import { explainReadError, type FileOptions, openTable, plainName } from "./table-source.js";

/** A file with one row per item. */
export interface ItemFile extends FileOptions {
  file: string;
  /** The column of the item's id; found by its usual names where not given. */
  id?: string;
  /** The column of its title; found by its usual names where not given. */
  title?: string;
}

/** One item, as a caller in TypeScript gives it: its id, its title, and whatever else is text. */
export interface ItemRecord {
  readonly id: string | number;
  readonly title?: string | null;
  readonly [column: string]: string | number | null | undefined;
}

/** Columns of text, by the id of the item. */
export interface ItemTable {
  /** The columns besides the id; "title" comes first where there is one. */
  readonly columns: readonly string[];
  /** Per id the values of the columns, in their order. */
  readonly byId: ReadonlyMap<string, readonly (string | null)[]>;
}

const titleNames = ["title", "name", "itemname", "movietitle", "producttitle", "productname", "itemtitle"];
const idNames = [...usualNames.item, "id"];
const positions = ["item", "title"];

/** Reads a file of items. Of several rows with one id the first counts. Throws UserError as `readInteractions`. */
export async function readItems(itemFile: ItemFile, signal?: AbortSignal): Promise<ItemTable> {
  return withDatabase(
    async (database) => {
      const { file } = itemFile;
      const given = [itemFile.id, itemFile.title].filter((name) => name !== undefined);
      const knownNames = new Set([...idNames, ...titleNames, ...given.map(plainName)]);
      const source = await openTable(file, database, itemFile, { knownNames, positions }, signal);
      const find = (names: readonly string[]) => {
        for (const name of names) {
          const found = source.columns.find((column) => plainName(column) === plainName(name));
          if (found !== undefined) return found;
        }
        return undefined;
      };
      const id = find(itemFile.id === undefined ? idNames : [itemFile.id]);
      const title = find(itemFile.title === undefined ? titleNames : [itemFile.title]);
      const missing = (problem: string) =>
        new UserError({
          place: file,
          problem,
          expected: `one of the columns that there are: ${source.columns.join(", ")}`,
          remedy: "Name it with --item-id or --item-title",
        });
      if (id === undefined) throw missing("no column looks like the items' ids");
      if (title === undefined && itemFile.title !== undefined)
        throw missing(`there is no column "${itemFile.title}"`);
      const others = source.columns.filter((column) => column !== id && column !== title);
      const chosen = title === undefined ? others : [title, ...others];
      const expressions = [id, ...chosen].map((column) => `CAST(${source.expression(column)} AS VARCHAR)`);
      const byId = new Map<string, (string | null)[]>();
      try {
        const sql = `SELECT ${expressions.join(", ")} FROM ${await source.from()}`;
        for await (const chunk of database.chunks(sql)) {
          const columns = expressions.map((_, place) => chunk.texts(place));
          for (let row = 0; row < chunk.rows; row++) {
            const key = columns[0].getItem(row);
            if (key !== null && !byId.has(key))
              byId.set(
                key,
                columns.slice(1).map((column) => column.getItem(row)),
              );
          }
        }
      } catch (error) {
        throw explainReadError(error, file);
      }
      return { columns: columnNames(title === undefined ? others : ["title", ...others]), byId };
    },
    { signal },
  );
}

/** Items from the caller; columns are those of all records together. */
export function itemTable(records: Iterable<ItemRecord>): ItemTable {
  const all = [...records];
  const names = new Set(all.flatMap((record) => Object.keys(record)));
  names.delete("id");
  const columns = names.delete("title") ? ["title", ...names] : [...names];
  const text = (value: string | number | null | undefined) => (value == null ? null : String(value));
  return {
    columns: columnNames(columns),
    byId: new Map(all.map((record) => [String(record.id), columns.map((name) => text(record[name]))])),
  };
}

/** Names that do not collide with the columns that every items table has. */
function columnNames(names: readonly string[]): string[] {
  const taken = new Set(["index", "id"]);
  return names.map((name) => {
    let free = name;
    while (taken.has(free.toLowerCase())) free = `${free}_`;
    taken.add(free.toLowerCase());
    return free;
  });
}
