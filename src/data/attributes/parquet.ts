// Attributes as columns of Parquet: text as VARCHAR, numbers as BIGINT or DOUBLE, dates as TIMESTAMP (UTC), booleans as BOOLEAN,
// lists as VARCHAR[].

import { identifier, type ScalarType } from "../database.js";
import { type AttributeColumn, type AttributeDescription, valuesOf } from "./attributes.js";

/** How a column is written. */
interface StoredColumn {
  readonly name: string;
  /** The type in which `value` is passed to DuckDB. */
  readonly written: ScalarType;
  /** The value of an item. */
  readonly value: (item: number) => string | number | null;
  /** SQL for the column in its own type. */
  readonly sql: string;
}

export function storedColumn(column: AttributeColumn): StoredColumn {
  const { name } = column;
  const quoted = identifier(name);
  const first = (item: number) => valuesOf(column, item).at(0) ?? null;
  switch (column.type) {
    case "text":
      return { name, written: "VARCHAR", value: first, sql: quoted };
    case "boolean":
      return { name, written: "VARCHAR", value: first, sql: `CAST(${quoted} AS BOOLEAN) AS ${quoted}` };
    case "list":
      return {
        name,
        written: "VARCHAR",
        value(item) {
          const values = valuesOf(column, item);
          return values.length === 0 ? null : JSON.stringify(values);
        },
        sql: `CAST(CAST(${quoted} AS JSON) AS VARCHAR[]) AS ${quoted}`,
      };
    case "number": {
      const isWhole = column.numbers.every((value) => Number.isNaN(value) || Number.isSafeInteger(value));
      const sql = isWhole ? `CAST(${quoted} AS BIGINT) AS ${quoted}` : quoted;
      return { name, written: "DOUBLE", value: first, sql };
    }
    case "date":
      return {
        ...{ name, written: "DOUBLE", value: first },
        sql: `make_timestamp_ms(CAST(${quoted} AS BIGINT)) AS ${quoted}`,
      };
  }
}

/** SQL for a column as text that `encodeColumn` reads. */
export function readColumn({ name, type }: AttributeDescription): string {
  const quoted = identifier(name);
  if (type === "list") return `CAST(to_json(${quoted}) AS VARCHAR)`;
  return type === "date" ? `strftime(${quoted}, '%Y-%m-%dT%H:%M:%S.%gZ')` : `CAST(${quoted} AS VARCHAR)`;
}
