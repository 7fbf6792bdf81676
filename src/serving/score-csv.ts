// A table of scores as CSV that people open: a row is one line whatever its titles are, and where it is made for a
// spreadsheet, no cell is a formula.

import { UserError } from "../core/errors.js";
import { escaped, printable } from "../core/printable.js";
import { type Database, identifier, literal } from "../data/database.js";

/** What a spreadsheet takes for the beginning of a formula, in half and in full width. */
const FORMULA = "^[=+\\-@＝＋－＠]";
const INVISIBLE = "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]";

export interface CsvColumns {
  /** The columns as SQL that selects them. */
  readonly sql: string;
  /** The control characters of titles and ids that are escaped, as they are shown. */
  readonly escapes: readonly string[];
}

/** The columns of a table, texts with their control characters escaped and, for a spreadsheet, with an apostrophe before what looks like a formula. */
export async function csvColumns(
  database: Database,
  from: string,
  { spreadsheet }: { spreadsheet: boolean },
): Promise<CsvColumns> {
  const columns = (await database.rows(`DESCRIBE SELECT * FROM ${from}`)) as string[][];
  const texts = columns.filter(([, type]) => type === "VARCHAR").map(([name]) => identifier(name));
  // Code points, not texts: a byte order mark that is a text of its own would not arrive.
  const found = texts.map(
    (name) =>
      `SELECT unicode(unnest(regexp_extract_all(${name}, ${literal(INVISIBLE)}))) AS point FROM ${from}`,
  );
  const points =
    found.length === 0
      ? []
      : await database.rows(`SELECT DISTINCT point FROM (${found.join(" UNION ALL ")}) ORDER BY point`);
  const characters = points
    .map(([point]) => String.fromCodePoint(Number(point)))
    // A joiner alone may be needed for what is written around it, and a number sign is seen.
    .filter((character) => printable(character) !== character && !/[\u200c\u200d]/.test(character));
  const shown = (name: string) =>
    characters.reduce(
      (sql, character) => `replace(${sql}, chr(${character.codePointAt(0)}), ${literal(escaped(character))})`,
      name,
    );
  const guarded = (sql: string) =>
    spreadsheet
      ? `CASE WHEN regexp_matches(${sql}, ${literal(FORMULA)}) THEN '''' || ${sql} ELSE ${sql} END`
      : sql;
  const sql = columns
    .map(([name]) => identifier(name))
    .map((name) => (texts.includes(name) ? `${guarded(shown(name))} AS ${name}` : name))
    .join(", ");
  return { sql, escapes: characters.map(escaped) };
}

/** Throws UserError where a file of that ending is not one for spreadsheets. */
export function requireSpreadsheet(out: string): void {
  if (/\.csv$/i.test(out)) return;
  throw new UserError({
    place: "--spreadsheet",
    problem: `${out} is not a CSV file`,
    expected: "--out <file>.csv",
  });
}
