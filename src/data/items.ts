// Item metadata: titles and other columns, from a second file or from the caller.

import { UserError } from "../core/errors.js";
import { LargeMap } from "../core/large-map.js";
import type { ProgressListener } from "../core/progress.js";
import { usualNames } from "./columns.js";
import { withDatabase } from "./database.js";
import { idExpected, isId, show } from "./interactions.js";
import {
  explainTableError,
  type FileOptions,
  openTable,
  plainName,
  type QueryOptions,
  type TableSource,
} from "./table-source.js";
import type { Vocabulary } from "./vocabulary.js";

/** A file, or a query of a database, with one row per item. */
export interface ItemFile extends FileOptions, QueryOptions {
  /** A file, or the URL of a PostgreSQL database. */
  file: string;
  /** The column of the item's id; if not given, it is found by its usual names. */
  id?: string;
  /** The column of its title; if not given, it is found by its usual names. */
  title?: string;
}

/** A value of an attribute, as a TypeScript caller passes it. */
export type ItemValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | readonly (string | number | boolean)[]
  | null
  | undefined;

/** One item, as a TypeScript caller passes it: its id, its title and its attributes, whose types are inferred as those of a file. */
export interface ItemRecord {
  readonly id: string | number | bigint;
  readonly title?: string | null;
  readonly [column: string]: ItemValue;
}

/** Columns by the id of the item, as text; lists are JSON arrays, or separated. */
export interface ItemTable {
  /** The columns other than the id; "title" comes first if there is one. */
  readonly columns: readonly string[];
  /** The values of the columns by id, in the order of `columns`. */
  readonly byId: LargeMap<string, readonly (string | null)[]>;
}

/** Item metadata from a file or a caller, indexed by the most likely id column; `matching` finds the one that fits a catalogue. */
export interface ItemSource extends ItemTable {
  /** The file; absent for a caller's records. */
  readonly file?: string;
  /** The column of the titles, if there is one. */
  readonly title?: string;
  /** Number of rows, with or without an id. */
  readonly rows: number;
  /** The id column that fits a catalogue best, and the rows indexed by it. */
  matching(catalogue: Vocabulary): { readonly id: string; readonly table: ItemTable };
}

const titleNames = [
  ...["title", "name", "itemname", "movietitle", "producttitle", "productname", "itemtitle", "booktitle"],
  ...[
    "songtitle",
    "tracktitle",
    "trackname",
    "artistname",
    "gametitle",
    "businessname",
    "animetitle",
    "headline",
  ],
];
const idNames = [...usualNames.item, "id"];
const positions = ["item", "title"];

/**
 * Reads a file of items. If several rows have the same id, the first is used; blanks around ids and titles are ignored. Throws
 * UserError like `readInteractions`.
 */
export async function readItems(
  itemFile: ItemFile,
  { progress, signal }: { progress?: ProgressListener; signal?: AbortSignal } = {},
): Promise<ItemSource> {
  return withDatabase(
    async (database) => {
      const given = [itemFile.id, itemFile.title].filter((name) => name !== undefined);
      const knownNames = new Set([...idNames, ...titleNames, ...given.map(plainName)]);
      const source = await openTable(itemFile.file, database, itemFile, {
        ...{ knownNames, positions, prefix: "items-", databases: true },
        ...{ progress, signal },
      });
      const { file } = source;
      const find = (names: readonly string[]) =>
        names.flatMap((name) => source.columns.filter((column) => plainName(column) === plainName(name)));
      const title = find(itemFile.title === undefined ? titleNames : [itemFile.title]).at(0);
      // If several columns look like ids, the catalogue decides.
      const endInId = source.columns.filter((column) => /id$/i.test(plainName(column)) && column !== title);
      const ids =
        itemFile.id === undefined ? [...new Set([...find(idNames), ...endInId])] : find([itemFile.id]);
      const missing = (problem: string, option: string) =>
        new UserError({
          place: file,
          problem,
          expected: `one of the ${source.format === "query" ? "query" : "file"}'s columns: ${source.columns.join(", ")}`,
          remedy: `Name it with ${option}`,
        });
      if (ids.length === 0)
        throw missing(
          itemFile.id === undefined ? "no item id column found" : `there is no column "${itemFile.id}"`,
          "--item-id",
        );
      if (title === undefined && itemFile.title !== undefined)
        throw missing(`there is no column "${itemFile.title}"`, "--item-title");
      const rows: (string | null)[][] = [];
      const expressions = source.columns.map((column) =>
        ids.includes(column) ? source.id(column) : textOf(source, column),
      );
      try {
        const sql = `SELECT ${expressions.join(", ")} FROM ${await source.from({ ids: ids.slice(0, 1), columns: source.columns })}`;
        for await (const chunk of database.chunks(sql)) {
          const columns = expressions.map((_, place) => chunk.texts(place));
          for (let row = 0; row < chunk.rows; row++) rows.push(columns.map((column) => column.getItem(row)));
        }
      } catch (error) {
        throw await explainTableError(error, source);
      }
      const kept = source.named ? rows.filter(isNoHeader(source.columns)) : rows;
      const table = { columns: source.columns, rows: kept, title };
      return {
        ...tableBy(table, ids[0]),
        ...{ file, title, rows: kept.length },
        matching: (catalogue) => matching(table, ids, catalogue),
      };
    },
    { signal },
  );
}

/** A column as text; lists as JSON. */
function textOf(source: TableSource, column: string): string {
  const value = source.expression(column);
  return `CAST(${source.typeOf(column).endsWith("]") ? `to_json(${value})` : value} AS VARCHAR)`;
}

/** False for a row that repeats the column names, as in files concatenated with cat. */
const isNoHeader =
  (columns: readonly string[]) =>
  (row: readonly (string | null)[]): boolean =>
    row.some((value, place) => plainName(value ?? "") !== plainName(columns[place]));

interface RawTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly title: string | undefined;
}

/** Indexes the rows by the ids of a column, which `keyOf` maps to the catalogue's ids. */
function tableBy({ columns, rows, title }: RawTable, id: string, keyOf = (text: string) => text): ItemTable {
  const others = columns.filter((column) => column !== id && column !== title);
  const places = (title === undefined ? others : [title, ...others]).map((name) => columns.indexOf(name));
  const idPlace = columns.indexOf(id);
  const byId = new LargeMap<string, (string | null)[]>();
  for (const row of rows) {
    const text = row[idPlace]?.trim();
    if (text === undefined || text === "") continue;
    const key = keyOf(text);
    if (byId.has(key)) continue;
    const values = places.map((place) => row[place]);
    if (title !== undefined) values[0] = values[0]?.trim() || null;
    byId.set(key, values);
  }
  return { columns: columnNames(title === undefined ? others : ["title", ...others]), byId };
}

/** The column that contains the most ids of the catalogue (ties: the first), and the rows indexed by it. */
function matching(table: RawTable, ids: readonly string[], catalogue: Vocabulary) {
  const known = catalogueIds(catalogue);
  const matched = ids.map((id) => {
    const place = table.columns.indexOf(id);
    const found = new LargeMap<string, true>();
    for (const row of table.rows) {
      const key = known(row[place]?.trim() ?? "");
      if (key !== undefined) found.set(key, true);
    }
    return found.size;
  });
  const id = ids[matched.indexOf(Math.max(...matched))];
  return { id, table: tableBy(table, id, (text) => known(text) ?? text) };
}

/** The catalogue's id for a trimmed text, or undefined. */
function catalogueIds(catalogue: Vocabulary): (text: string) => string | undefined {
  const trimmed = new LargeMap<string, string>(
    catalogue.ids.filter((id) => id !== id.trim()).map((id) => [id.trim(), id] as const),
  );
  return (text) => (catalogue.indexOf(text) === undefined ? trimmed.get(text) : text);
}

/** Items from the caller; the columns are the union of those of all records. Throws UserError for a record without an id. */
function itemTable(records: Iterable<ItemRecord>): ItemTable {
  if (typeof records !== "object" || records === null || !(Symbol.iterator in records))
    throw new UserError({
      problem: `the items are ${show(records)}`,
      expected: "a file name, or an iterable of records such as { id, title }",
    });
  const all = [...records];
  for (const [place, record] of all.entries()) {
    const fail = (problem: string, expected: string) =>
      new UserError({ place: `item record ${place + 1}`, problem, expected });
    if (typeof record !== "object" || record === null)
      throw fail(`it is ${show(record)}`, "an object such as { id, title }");
    if (!isId(record.id))
      throw fail(record.id === undefined ? "the id is missing" : `the id is ${show(record.id)}`, idExpected);
    for (const [name, value] of Object.entries(record))
      if (value != null && !(isScalar(value) || (name !== "title" && isDateOrList(value))))
        throw fail(
          `its ${name} is ${show(value)}`,
          name === "title"
            ? "text, a number, or null"
            : "text, a number, a boolean, a date, a list of these, or null",
        );
  }
  const names = new Set(all.flatMap((record) => Object.keys(record)));
  names.delete("id");
  const columns = names.delete("title") ? ["title", ...names] : [...names];
  const text = (value: ItemValue) => {
    if (value == null) return null;
    if (value instanceof Date) return value.toISOString();
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };
  return {
    columns: columnNames(columns),
    byId: new LargeMap(
      all.map((record) => [String(record.id), columns.map((name) => text(record[name]))] as const),
    ),
  };
}

const isScalar = (value: unknown): boolean =>
  ["string", "number", "bigint", "boolean"].includes(typeof value);

const isDateOrList = (value: ItemValue): boolean =>
  value instanceof Date
    ? Number.isFinite(value.getTime())
    : Array.isArray(value) && value.every((one) => ["string", "number", "boolean"].includes(typeof one));

/** The caller's records in the form of an item file. */
export function itemRecords(records: Iterable<ItemRecord>): ItemSource {
  const table = itemTable(records);
  const title = table.columns[0] === "title" ? "title" : undefined;
  return { ...table, title, rows: table.byId.size, matching: () => ({ id: "id", table }) };
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
