// A query of a database whose rows are streamed: what PostgreSQL and SQLite have in common. DuckDB files are read by DuckDB itself.

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import { trimEnd } from "../../core/trim-end.js";

/** Which rows to read: those of a query or of a whole table. */
export type Asked = { readonly query: string } | { readonly table: string };

/** A column of a result. */
export interface QueryColumn {
  readonly name: string;
  /** The type of its values as DuckDB calls it. */
  readonly type: string;
  /** For a type whose values cannot be ids: what they are ("lists") and the type's own name. */
  readonly unfit?: { readonly kind: string; readonly type: string };
}

/** A value that cannot be read. */
export class CellFault extends Error {
  override readonly name = "CellFault";
  /** "holds the number 1.5". */
  readonly problem: string;
  readonly expected: string;

  constructor(problem: string, expected: string) {
    super(problem);
    this.problem = problem;
    this.expected = expected;
  }
}

/** An opened query. */
export interface Query<Value = unknown> {
  /** The database as shown in messages. */
  readonly shown: string;
  readonly columns: readonly QueryColumn[];
  /** The first rows. */
  readonly head: readonly (readonly Value[])[];
  /** All rows, the first ones included, in blocks; each row has the values of all columns. Throws UserError, and AbortedError. */
  rows(): AsyncIterable<readonly (readonly Value[])[]>;
  /** A value as text, null if it is missing; `id`: as an id. Throws CellFault. */
  text(value: Value, column: QueryColumn, id: boolean): string | null;
}

/** The names of a table: "clicks", or "shop.clicks" with its schema. */
export interface TableName {
  readonly schema?: string;
  readonly name: string;
  /** Whether the name alone means this table. */
  readonly visible: boolean;
}

/** The table that is meant. Throws UserError, with the nearest name, if there is none. */
export function findTable(shown: string, wanted: string, tables: readonly TableName[]): TableName {
  const full = ({ schema, name }: TableName) => (schema === undefined ? name : `${schema}.${name}`);
  const found =
    tables.find((table) => table.visible && table.name === wanted) ??
    tables.find((table) => full(table) === wanted);
  if (found) return found;
  const fail = (problem: string, remedy: string) => new UserError({ place: shown, problem, remedy });
  const elsewhere = tables.filter(({ name }) => name === wanted);
  if (elsewhere.length === 1) return elsewhere[0];
  if (elsewhere.length > 1)
    throw fail(
      `several schemas have a table "${wanted}"`,
      `Name one of them: ${elsewhere.map(full).join(", ")}`,
    );
  const problem = `there is no table "${wanted}"`;
  throw fail(
    problem,
    tables.length === 0 ? "The database has no tables that can be read" : nearest(wanted, tables),
  );
}

/** `Did you mean "interactions"?`, or the tables. */
export function nearest(wanted: string, tables: readonly TableName[]): string {
  const lower = wanted.toLowerCase();
  const same = tables.find(({ name }) => name.toLowerCase() === lower);
  return same ? `Did you mean "${shownName(same)}"?` : suggestion(wanted, tables.slice(0, 50).map(shownName));
}

const shownName = ({ schema, name, visible }: TableName) => (visible ? name : `${schema}.${name}`);

/** The missing choice of rows. */
export function nothingAsked(
  shown: string,
  what: string,
  prefix: string,
  tables: readonly TableName[],
): UserError {
  const names = tables.slice(0, 20).map(shownName);
  return new UserError({
    place: shown,
    problem: `this is ${what}: the rows to read are not named`,
    expected: `--${prefix}table <name> or --${prefix}query <select>`,
    remedy: names.length === 0 ? undefined : `Its tables: ${names.join(", ")}`,
  });
}

/** Throws UserError if two columns have the same name. */
export function requireDistinct(shown: string, names: readonly string[]): void {
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined)
    throw new UserError({
      place: shown,
      problem: `the query has several columns named "${twice}"`,
      remedy: "Rename them with AS",
    });
}

/** A failed query as a message; `at`: the position of the fault in the query, from 0; `rows`: rows that were read before. */
export function wrongQuery(
  shown: string,
  query: string,
  message: string,
  { at, rows }: { readonly at?: number; readonly rows?: number },
  remedy?: string,
): UserError {
  const place = at === undefined ? "" : ` at ${positionIn(query, at)}`;
  const after = rows === undefined ? "" : ` after ${rows} rows`;
  return new UserError({ place: shown, problem: `the query fails${place}${after}: ${message}`, remedy });
}

function positionIn(query: string, at: number): string {
  const before = query.slice(0, at).split("\n");
  return `line ${before.length}, column ${before[before.length - 1].length + 1}`;
}

/** Where a word stands in a query; undefined if it occurs several times or never. */
export function onlyPlaceOf(word: string, query: string): number | undefined {
  const part = /[\p{L}\p{N}_]/u;
  const places: number[] = [];
  for (let at = query.indexOf(word); at >= 0 && word !== ""; at = query.indexOf(word, at + 1)) {
    const [before, after] = [query[at - 1] ?? " ", query[at + word.length] ?? " "];
    if (!(part.test(before) && part.test(word[0])) && !(part.test(after) && part.test(word[word.length - 1])))
      places.push(at);
  }
  return places.length === 1 ? places[0] : undefined;
}

/** A query without the semicolon at its end. */
export const withoutSemicolon = (query: string): string => trimEnd(query, "; \t\r\n");

/** Binary data as the text that it encodes in UTF-8. Throws CellFault if it is something else. */
export function bytesAsText(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {}
  throw new CellFault("holds binary data", "text or a number");
}
