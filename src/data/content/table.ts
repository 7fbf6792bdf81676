// Reads content from a table with one row per item: texts (in one or several columns), or vectors (a column of lists, or a
// column per dimension). Vectors are streamed in blocks, so tables of any length can be read.

import { UserError } from "../../core/errors.js";
import { usualNames } from "../columns.js";
import type { Database } from "../database.js";
import { explainTableError, openTable, plainName, type TableSource } from "../table-source.js";
import type { ItemRow } from "./draft.js";
import type { ContentFile } from "./input.js";

const idNames = [...usualNames.item, "id"];
/** Columns that are used as text, all that exist, in this order. */
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

/** The maximum number of rows of a table or an array: the item of each row is kept in memory. */
const MOST_ROWS = 1 << 26;
/** The maximum number of dimensions. */
const MOST_DIMENSIONS = 1 << 20;

/** Throws UserError for an implausible number of rows or dimensions. */
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

/** A content table and its columns. */
export interface ContentTable {
  readonly source: TableSource;
  readonly id: string;
  /** "lists" = one column with a list of numbers in each row. */
  readonly looks: "text" | "numbers" | "lists";
  readonly fields: readonly string[];
}

/** Opens a table and finds its columns. Throws UserError if there is no id column or no content column. */
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
      expected: `one of the file's columns: ${source.columns.join(", ")}`,
      remedy,
    });
  const id = given.id === undefined ? firstOf(idNames, find) : find(given.id);
  if (id === undefined)
    throw missing(
      given.id === undefined ? "no item id column found" : `there is no column "${given.id}"`,
      "Name it with --content-id",
    );
  const others = source.columns.filter((column) => column !== id);
  const fields = given.fields?.map((name) => {
    const found = find(name);
    if (found === undefined) throw missing(`there is no column "${name}"`, "Correct --content-fields");
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
      ? "the columns are not vectors: some of them are not numbers"
      : "found neither a text column nor only columns of numbers",
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

/** "1, 2.5e-3", with or without brackets. */
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

/** The texts of a table: several columns are joined. */
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
    throw await explainTableError(error, source);
  }
}

/** The item of each row (undefined: skipped), and the length of its vector (0: none). */
interface RowsOfVectors {
  readonly items: readonly (number | undefined)[];
  readonly lengths: Uint32Array;
  readonly dimensions: number;
}

/** Reads the id and vector length of every row; `take` selects the items. Throws UserError like `openVectors`. */
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
          problem: `the value in the column "${fields[0]}" is not a list of numbers`,
          expected: "numbers separated by commas, with or without brackets",
        });
      if (count > 0) first ??= { id: item, length: count };
      const dimensions = wanted ?? first?.length;
      if (count !== 0 && count !== dimensions)
        throw new UserError({
          place: source.place(row),
          problem: `the vector of item ${item} has ${count} numbers`,
          expected: `${dimensions}, as ${wanted === undefined ? `for item ${first?.id}` : "in the model's training data"}`,
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
  if (first === undefined) throw new UserError({ place: source.file, problem: "it contains no vectors" });
  return { items, lengths: lengths.subarray(0, items.length), dimensions: wanted ?? first.length };
}

/**
 * Opens the vectors of a table: their dimension, and the rows of the items that `take` accepts, streamed. Throws UserError,
 * naming the row, if vectors differ in length (or from `dimensions`) or a value is not a finite number.
 */
export async function openVectors(
  table: ContentTable,
  database: Database,
  take: (id: string, isEmpty: boolean) => number | undefined,
  wanted?: number,
): Promise<{ dimensions: number; rows: (database: Database) => AsyncGenerator<ItemRow> }> {
  const { source, looks, fields } = table;
  const { items, lengths, dimensions } = await inspectRows(table, database, take, wanted).catch(
    async (error: unknown) => {
      throw await explainTableError(error, source);
    },
  );
  const rows = async function* (database: Database): AsyncGenerator<ItemRow> {
    try {
      yield* looks === "lists"
        ? listRows(table, database, items, lengths, dimensions)
        : columnRows(table, database, items);
    } catch (error) {
      throw await explainTableError(error, source);
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
    // Flattened, which avoids an object per list: row by row, each with the number of values counted before.
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

/** SQL for a column as a list of DOUBLE; values that are not numbers become null. */
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
    problem: `there is no value in the column "${column}"`,
    expected: "an id in every row",
    remedy: "Correct or remove the row",
  });
}

function requireNumber(value: number | null, source: TableSource, column: string, row: number): number {
  if (value !== null && Number.isFinite(Math.fround(value))) return value;
  throw new UserError({
    place: source.place(row),
    problem:
      value === null
        ? `the value in the column "${column}" is not a number`
        : `${value} in the column "${column}" is not a finite float32 number`,
    expected: "finite numbers",
  });
}
