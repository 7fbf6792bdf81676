// Content from a table with one row per item: texts (of one column or several), or vectors (a column of lists, or a column per
// dimension). Vectors are streamed: a table of any length passes through in blocks.

import { UserError } from "../../core/errors.js";
import { usualNames } from "../columns.js";
import type { Database } from "../database.js";
import { explainReadError, openTable, plainName, type TableSource } from "../table-source.js";
import type { ItemRow } from "./draft.js";
import type { ContentFile } from "./input.js";

const idNames = [...usualNames.item, "id"];
/** Columns that are taken for text, all that are there, in this order. */
const textNames = [
  "title",
  "name",
  "text",
  "abstract",
  "description",
  "summary",
  "plot",
  "overview",
  "body",
  "content",
];
const vectorNames = ["vector", "embedding", "embeddings", "features", "feature"];
const knownNames = new Set([...idNames, ...textNames, ...vectorNames]);

/** Rows of a table or an array, at most: for each of them its item is kept in mind. */
const MOST_ROWS = 1 << 26;
/** Numbers of a vector, at most. */
const MOST_DIMENSIONS = 1 << 20;

/** Throws UserError for more rows or dimensions than content has. */
export function requirePlausibleSize(place: string, rows: number, dimensions = 0): void {
  if (rows > MOST_ROWS)
    throw new UserError({
      place,
      problem: `it has more than ${MOST_ROWS} rows`,
      expected: "one row per item",
    });
  if (dimensions > MOST_DIMENSIONS)
    throw new UserError({
      place,
      problem: `its vectors have ${dimensions} dimensions`,
      expected: `at most ${MOST_DIMENSIONS}`,
    });
}

/** What a table holds. */
export interface ContentTable {
  readonly source: TableSource;
  readonly id: string;
  /** "lists" = one column with a list of numbers in each row. */
  readonly looks: "text" | "numbers" | "lists";
  readonly fields: readonly string[];
}

/** Looks at a table. Throws UserError where no column looks like ids, or none like content. */
export async function openContentTable(
  given: ContentFile,
  database: Database,
  signal?: AbortSignal,
): Promise<ContentTable> {
  const { file } = given;
  const asked = [given.id, ...(given.fields ?? [])].filter((name) => name !== undefined);
  const names = new Set([...knownNames, ...asked.map(plainName)]);
  const source = await openTable(file, database, given, {
    knownNames: names,
    positions: ["id", "text"],
    prefix: "content-",
    signal,
  });
  const find = (name: string) => source.columns.find((column) => plainName(column) === plainName(name));
  const missing = (problem: string, remedy: string) =>
    new UserError({
      place: file,
      problem,
      expected: `one of its columns: ${source.columns.join(", ")}`,
      remedy,
    });
  const id = given.id === undefined ? firstOf(idNames, find) : find(given.id);
  if (id === undefined)
    throw missing(
      given.id === undefined ? "no column looks like the items' ids" : `there is no column "${given.id}"`,
      "Name it with --content-id",
    );
  const others = source.columns.filter((column) => column !== id);
  const fields = given.fields?.map((name) => {
    const found = find(name);
    if (found === undefined) throw missing(`there is no column "${name}"`, "Mend --content-fields");
    return found;
  });
  const isText = given.kind === "words" || given.kind === "sequences";
  const isNumber = (column: string) => looksNumeric(source, column);
  const lists = (fields ?? others).filter((column) => looksLikeList(source, column));
  if (fields !== undefined) {
    const isList = lists.length === 1 || (given.kind === "vectors" && !fields.every(isNumber));
    if (isList && fields.length === 1 && !isText) return { source, id, looks: "lists", fields };
    const looks = !isText && (given.kind === "vectors" || fields.every(isNumber)) ? "numbers" : "text";
    return { source, id, looks, fields };
  }
  const texts = textNames.flatMap((name) => others.filter((column) => plainName(column) === name));
  if (given.kind !== "vectors" && texts.length > 0) return { source, id, looks: "text", fields: texts };
  if (!isText && lists.length === 1) return { source, id, looks: "lists", fields: lists };
  if (!isText && others.length > 0 && others.every(isNumber))
    return { source, id, looks: "numbers", fields: others };
  if (given.kind !== "vectors" && others.length === 1) return { source, id, looks: "text", fields: others };
  throw missing(
    given.kind === "vectors"
      ? "its columns do not look like vectors: some hold no numbers"
      : "no column looks like text, nor do all look like numbers",
    "Name the columns with --content-fields",
  );
}

const firstOf = (names: readonly string[], find: (name: string) => string | undefined) =>
  names.map(find).find((found) => found !== undefined);

function looksLikeList(source: TableSource, column: string): boolean {
  const type = source.typeOf(column);
  if (numericType.test(type) && type.endsWith("]")) return true;
  const sample = source.sample(column).filter((value) => value.trim() !== "");
  return sample.length > 0 && sample.every(isListOfNumbers);
}

const numericType = /^(FLOAT|DOUBLE|DECIMAL|TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U\w+INT)/;

/** "1, 2.5e-3", in brackets or not. */
function isListOfNumbers(text: string): boolean {
  const trimmed = text.trim();
  const inner = trimmed.startsWith("[") && trimmed.endsWith("]") ? trimmed.slice(1, -1) : trimmed;
  const parts = inner.split(",").map((part) => part.trim());
  return parts.length > 1 && parts.every((part) => /^[-+\d.]/.test(part) && Number.isFinite(Number(part)));
}

function looksNumeric(source: TableSource, column: string): boolean {
  const type = source.typeOf(column);
  if (numericType.test(type)) return !type.endsWith("]");
  const sample = source.sample(column).filter((value) => value.trim() !== "");
  return sample.length > 0 && sample.every((value) => Number.isFinite(Number(value)));
}

/** The texts of a table: of several columns one after the other, null where all are empty. */
export async function* textsOf(
  { source, id, fields }: ContentTable,
  database: Database,
): AsyncGenerator<{ id: string; text: string; row: number }> {
  const columns = [id, ...fields].map((column) => `CAST(${source.expression(column)} AS VARCHAR)`);
  let row = 0;
  try {
    for await (const chunk of database.chunks(
      `SELECT ${columns.join(", ")} FROM ${await source.from(undefined, database)}`,
    )) {
      const [ids, ...texts] = columns.map((_, place) => chunk.texts(place));
      for (let k = 0; k < chunk.rows; k++, row++) {
        const text = texts.map((column) => column.getItem(k) ?? "").join(" ");
        requirePlausibleSize(source.file, row + 1);
        yield { id: requireId(ids.getItem(k), source, id, row), text, row };
      }
    }
  } catch (error) {
    throw explainReadError(error, source.file);
  }
}

/** The items of a table's rows (undefined: not wanted), and how many numbers each row has (0: none). */
interface RowsOfVectors {
  readonly items: readonly (number | undefined)[];
  readonly lengths: Uint32Array;
  readonly dimensions: number;
}

/** Looks at every row's id and length; `take` says whose vector is wanted. Throws UserError as `openVectors`. */
async function inspectRows(
  { source, id, looks, fields }: ContentTable,
  database: Database,
  take: (id: string, isEmpty: boolean) => number | undefined,
  wanted: number | undefined,
): Promise<RowsOfVectors> {
  const list = looks === "lists" ? listOf(source, fields[0]) : undefined;
  const length = list === undefined ? String(fields.length) : `COALESCE(len(${list}), 0)`;
  const raw = list === undefined ? "''" : `CAST(${source.expression(fields[0])} AS VARCHAR)`;
  const sql = `SELECT CAST(${source.expression(id)} AS VARCHAR), ${length}::INTEGER, (COALESCE(${raw}, '') = '')::INTEGER FROM ${await source.from(undefined, database)}`;
  const items: (number | undefined)[] = [];
  let lengths = new Uint32Array(1024);
  let first: { id: string; length: number } | undefined;
  for await (const chunk of database.chunks(sql)) {
    const [text, size, isEmpty] = [chunk.texts(0), chunk.numbers(1), chunk.numbers(2)];
    for (let k = 0; k < chunk.rows; k++) {
      const row = items.length;
      const item = requireId(text.getItem(k), source, id, row);
      const count = size.getItem(k) as number;
      if (list !== undefined && count === 0 && isEmpty.getItem(k) === 0 && source.format !== "parquet")
        throw new UserError({
          place: source.place(row),
          problem: `the column "${fields[0]}" does not hold a list of numbers`,
          expected: "numbers with commas, in brackets or not",
        });
      if (count > 0) first ??= { id: item, length: count };
      const dimensions = wanted ?? first?.length;
      if (count !== 0 && count !== dimensions)
        throw new UserError({
          place: source.place(row),
          problem: `the vector of item ${item} has ${count} numbers`,
          expected: `${dimensions}, as ${wanted === undefined ? `that of item ${first?.id}` : "the model was trained with"}`,
        });
      requirePlausibleSize(source.file, row + 1, count);
      if (row === lengths.length) {
        const grown = new Uint32Array(2 * row);
        grown.set(lengths);
        lengths = grown;
      }
      lengths[row] = count;
      items.push(take(item, count === 0));
    }
  }
  if (first === undefined) throw new UserError({ place: source.file, problem: "there is no vector in it" });
  return { items, lengths: lengths.subarray(0, items.length), dimensions: wanted ?? first.length };
}

/**
 * The vectors of a table: their dimension, and the rows that `take` wants, streamed. Throws UserError, naming the row, for a
 * vector of another length than the first's (or than `dimensions`), and for what is not a finite number.
 */
export async function openVectors(
  table: ContentTable,
  database: Database,
  take: (id: string, isEmpty: boolean) => number | undefined,
  wanted?: number,
): Promise<{ dimensions: number; rows: (database: Database) => AsyncGenerator<ItemRow> }> {
  const { source, looks, fields } = table;
  const { items, lengths, dimensions } = await inspectRows(table, database, take, wanted).catch(
    (error: unknown) => {
      throw explainReadError(error, source.file);
    },
  );
  const rows = async function* (database: Database): AsyncGenerator<ItemRow> {
    try {
      yield* looks === "lists"
        ? listRows(table, database, items, lengths, dimensions)
        : columnRows(table, database, items);
    } catch (error) {
      throw explainReadError(error, source.file);
    }
  };
  return { dimensions, rows };

  async function* columnRows(
    { source }: ContentTable,
    database: Database,
    items: readonly (number | undefined)[],
  ) {
    const columns = fields.map((field) => `TRY_CAST(${source.expression(field)} AS DOUBLE)`);
    let row = 0;
    for await (const chunk of database.chunks(
      `SELECT ${columns.join(", ")} FROM ${await source.from(undefined, database)}`,
    )) {
      const numbers = columns.map((_, place) => chunk.numbers(place));
      for (let k = 0; k < chunk.rows; k++, row++) {
        const item = items[row];
        if (item === undefined) continue;
        const vector = new Float32Array(dimensions);
        for (let d = 0; d < dimensions; d++)
          vector[d] = requireNumber(numbers[d].getItem(k), source, fields[d], row);
        yield { item, row: vector };
      }
    }
  }

  async function* listRows(
    { source, fields }: ContentTable,
    database: Database,
    items: readonly (number | undefined)[],
    lengths: Uint32Array,
    dimensions: number,
  ) {
    // Flat, so that a list does not become an object: row after row, each with as many numbers as were counted.
    const flat = `SELECT unnest(${listOf(source, fields[0])}) FROM ${await source.from(undefined, database)}`;
    let row = 0;
    let filled = 0;
    let vector = new Float32Array(dimensions);
    for await (const chunk of database.chunks(flat)) {
      const numbers = chunk.numbers(0);
      for (let k = 0; k < chunk.rows; k++) {
        while (lengths[row] === 0) row++;
        vector[filled++] = requireNumber(numbers.getItem(k), source, fields[0], row);
        if (filled < dimensions) continue;
        const item = items[row++];
        filled = 0;
        if (item === undefined) continue;
        yield { item, row: vector };
        vector = new Float32Array(dimensions);
      }
    }
  }
}

/** A column as a list of DOUBLE; what is not a number in it becomes null. */
function listOf(source: TableSource, column: string): string {
  const expression = source.expression(column);
  if (source.typeOf(column).endsWith("]")) return `CAST(${expression} AS DOUBLE[])`;
  const inner = `trim(${expression}, '[] ')`;
  return `CASE WHEN ${inner} = '' THEN [] ELSE list_transform(string_split(${inner}, ','), lambda x: TRY_CAST(trim(x) AS DOUBLE)) END`;
}

function requireId(id: string | null, source: TableSource, column: string, row: number): string {
  if (id !== null && id !== "") return id;
  throw new UserError({
    place: source.place(row),
    problem: `the column "${column}" is empty`,
    expected: "an id in every row",
  });
}

function requireNumber(value: number | null, source: TableSource, column: string, row: number): number {
  if (value !== null && Number.isFinite(Math.fround(value))) return value;
  throw new UserError({
    place: source.place(row),
    problem:
      value === null
        ? `what stands in the column "${column}" is not a number`
        : `${value} in the column "${column}" is not a number to compute with`,
    expected: "finite numbers",
  });
}
