// Parquet as a table: DuckDB reads the file; this module converts its types to ids and numbers.

import { UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import { explainReadError } from "./read-error.js";
import { numberInText, type Selection, type TableSource } from "./table.js";

/** Opens a Parquet file. Throws UserError if it is not a Parquet file or is damaged. */
export async function openParquet(file: string, database: Database): Promise<TableSource> {
  const from = database.files("parquet", file);
  let described: unknown[][];
  try {
    described = await database.rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${from})`);
  } catch (error) {
    throw explainReadError(error, file);
  }
  const types = new Map(described.map(([name, type]) => [String(name), String(type)]));
  const typeOf = (column: string) => types.get(column) ?? "VARCHAR";
  const place = (row: number) => `${file}, row ${row + 1}`;

  const id = (column: string): string => {
    const type = typeOf(column);
    const value = identifier(column);
    if (type === "BLOB") return `decode(${value})`;
    if (isFraction(type))
      return `CASE WHEN ${isWhole(value)} THEN CAST(CAST(${value} AS BIGINT) AS VARCHAR) ELSE CAST(${value} AS VARCHAR) END`;
    const wrapped = wrappedId.exec(type);
    return `CAST(${wrapped ? `${value}.${wrapped[1]}` : value} AS VARCHAR)`;
  };

  const requireIds = async (columns: readonly string[]): Promise<void> => {
    for (const column of columns) {
      const type = typeOf(column);
      const expected = "text or a whole number";
      if (/\[\d*\]$|^(?:STRUCT|MAP|UNION|BOOLEAN|INTERVAL)/.test(type) && !wrappedId.test(type))
        throw new UserError({
          place: file,
          problem: `the column "${column}" holds ${kindOf(type)}: ${type.length > 60 ? `${type.slice(0, 60)}...` : type}`,
          expected,
          remedy: type.endsWith("]") ? "Write one row per user and item" : undefined,
        });
      if (!isFraction(type)) continue;
      const value = identifier(column);
      const [found] = await database.rows(
        `SELECT file_row_number, CAST(${value} AS VARCHAR) FROM ${database.files("parquet", file, ["file_row_number = true"])}
         WHERE ${value} IS NOT NULL AND NOT (${isWhole(value)})
         LIMIT 1`,
      );
      if (found !== undefined)
        throw new UserError({
          place: place(Number(found[0])),
          problem: `the column "${column}" holds the number ${found[1]}`,
          expected,
        });
    }
  };

  return {
    file,
    format: "parquet",
    columns: [...types.keys()],
    named: true,
    typeOf,
    expression: identifier,
    id,
    number: (column) => {
      const type = typeOf(column);
      const value = identifier(column);
      if (type !== "VARCHAR") return `TRY_CAST(${value} AS DOUBLE)`;
      return numberInText(value);
    },
    from: async (selection?: Selection) => {
      try {
        await requireIds(selection?.ids ?? []);
      } catch (error) {
        throw explainReadError(error, file);
      }
      return from;
    },
    place,
    sample: () => [],
  };
}

/** A document id in a MongoDB export: a struct with one field. */
const wrappedId = /^STRUCT\(("\$(?:oid|uuid|numberLong|numberInt)") (?:VARCHAR|BIGINT|INTEGER)\)$/;

const isFraction = (type: string): boolean => /^(?:FLOAT|DOUBLE|DECIMAL)/.test(type) && !type.endsWith("]");

/** SQL: whether a float is a whole number that a float64 represents exactly; NULL for NULL. */
const isWhole = (value: string): string =>
  `isfinite(${value}::DOUBLE) AND abs(${value}) <= 9007199254740992 AND ${value} = floor(${value})`;

function kindOf(type: string): string {
  if (/\]$/.test(type)) return "lists";
  if (type === "BOOLEAN") return "booleans";
  return type === "INTERVAL" ? "durations" : "objects";
}
