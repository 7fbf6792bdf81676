// Columns with the types of DuckDB, of a Parquet file or a DuckDB file: their values as ids and numbers.

import { UserError } from "../../core/errors.js";
import { identifier } from "../database.js";
import { numberInText, type TableSource } from "./table.js";

export interface TypedColumns {
  readonly expressions: Pick<TableSource, "typeOf" | "expression" | "id" | "number">;
  /** SQL: whether a value of a column is a number that is not whole; false for types that have none. */
  isFraction(column: string): string;
  /**
   * Throws UserError if a column has values that cannot be ids. `fraction`: finds the first number of a column that is not
   * whole, and its place.
   */
  requireIds(
    columns: readonly string[],
    fraction: (column: string) => Promise<{ readonly place: string; readonly value: string } | undefined>,
  ): Promise<void>;
}

/** The columns of a file with these types, by name. */
export function typedColumns(file: string, types: ReadonlyMap<string, string>): TypedColumns {
  const typeOf = (column: string) => types.get(column) ?? "VARCHAR";
  const id = (column: string): string => {
    const type = typeOf(column);
    const value = identifier(column);
    if (type === "BLOB") return `decode(${value})`;
    if (isFraction(type))
      return `CASE WHEN ${isWhole(value)} THEN CAST(CAST(${value} AS BIGINT) AS VARCHAR) ELSE CAST(${value} AS VARCHAR) END`;
    const wrapped = wrappedId.exec(type);
    return `CAST(${wrapped ? `${value}.${wrapped[1]}` : value} AS VARCHAR)`;
  };
  return {
    expressions: {
      typeOf,
      expression: identifier,
      id,
      number: (column) => {
        const type = typeOf(column);
        const value = identifier(column);
        return type === "VARCHAR" ? numberInText(value) : `TRY_CAST(${value} AS DOUBLE)`;
      },
    },
    isFraction: (column) => {
      const value = identifier(column);
      return isFraction(typeOf(column)) ? `${value} IS NOT NULL AND NOT (${isWhole(value)})` : "false";
    },
    async requireIds(columns, fraction) {
      for (const column of columns) {
        const type = typeOf(column);
        if (/\[\d*\]$|^(?:STRUCT|MAP|UNION|BOOLEAN|INTERVAL)/.test(type) && !wrappedId.test(type))
          throw unfitForId(file, column, kindOf(type), type);
        const found = isFraction(type) ? await fraction(column) : undefined;
        if (found !== undefined)
          throw new UserError({
            place: found.place,
            problem: `the column "${column}" holds the number ${found.value}`,
            expected: idExpected,
          });
      }
    },
  };
}

/** What an id in a table may be, for messages. */
export const idExpected = "text or a whole number";

/** The error about a column whose type has no values that can be ids; `kind`: what they are ("lists"). */
export function unfitForId(place: string, column: string, kind: string, type: string): UserError {
  return new UserError({
    place,
    problem: `the column "${column}" holds ${kind}: ${type.length > 60 ? `${type.slice(0, 60)}...` : type}`,
    expected: idExpected,
    remedy: kind === "lists" ? "Write one row per user and item" : undefined,
  });
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
