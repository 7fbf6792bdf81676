// Scores as CSV: each row is one line whatever its titles contain, and in CSV for spreadsheets no cell is a formula.

import { UserError } from "../core/errors.js";
import { escaped, printable } from "../core/printable.js";
import { type Database, identifier, literal } from "../data/database.js";

/** Characters that start a formula in a spreadsheet, in half and full width. */
const FORMULA = "^[=+\\-@＝＋－＠]";
const INVISIBLE = "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]";

export interface CsvColumns {
  /** The SQL select list of the columns. */
  readonly sql: string;
  /** The escapes of the control characters in titles and ids. */
  readonly escapes: readonly string[];
}

/** The columns of a table, with control characters escaped and, for spreadsheets, an apostrophe before possible formulas. */
export async function csvColumns(
  database: Database,
  from: string,
  { spreadsheet }: { spreadsheet: boolean },
): Promise<CsvColumns> {
  const columns = (await database.rows(`DESCRIBE SELECT * FROM ${from}`)) as string[][];
  const texts = columns.filter(([, type]) => type === "VARCHAR").map(([name]) => identifier(name));
  // Select code points instead of texts: a text that is only a byte order mark would arrive empty.
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
    // Zero-width joiners may be needed by the surrounding text, and Arabic number signs are visible.
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

/** Throws UserError if the file is not a .csv. */
export function requireSpreadsheet(out: string): void {
  if (/\.csv$/i.test(out)) return;
  throw new UserError({
    place: "--spreadsheet",
    problem: `requires a .csv file; got ${out}`,
    remedy: "Use --out <file>.csv",
  });
}
