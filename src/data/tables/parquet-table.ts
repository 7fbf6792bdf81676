// Parquet as a table: DuckDB reads the file, or the parts of a folder; this module converts its types to ids and numbers.

import { join, relative, resolve } from "node:path";
import { UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import { type ParquetParts, partsOf } from "./parquet-folder.js";
import { explainReadError } from "./read-error.js";
import { numberInText, type Selection, type TableSource } from "./table.js";

/** Opens a Parquet file. Throws UserError if it is not a Parquet file or is damaged. */
export async function openParquet(file: string, database: Database): Promise<TableSource> {
  return openParts(file, { files: [file], keys: [] }, database);
}

/**
 * Opens a folder of Parquet files as one table. Throws UserError, naming the file, if there is none, if one is damaged, or if
 * their columns differ.
 */
export async function openParquetFolder(folder: string, database: Database): Promise<TableSource> {
  const parts = await partsOf(folder);
  await requireSameColumns(parts.files, database);
  return openParts(folder, parts, database);
}

/** Throws UserError, naming the file and the column, unless all parts have the columns and types of the first. */
async function requireSameColumns(files: readonly string[], database: Database): Promise<void> {
  let first: Map<string, string> | undefined;
  for (const file of files) {
    const columns = await columnsOf(database.files("parquet", file), file, database);
    first ??= columns;
    for (const name of new Set([...first.keys(), ...columns.keys()])) {
      const [expected, actual] = [first.get(name), columns.get(name)];
      if (expected === actual) continue;
      throw new UserError({
        place: file,
        problem:
          actual === undefined
            ? `the part has no column "${name}"`
            : expected === undefined
              ? `the part has a column "${name}", which ${files[0]} does not have`
              : `the column "${name}" has the type ${actual}, but ${expected} in ${files[0]}`,
        expected: "the same columns in all parts",
        remedy: "Write the parts again with one schema",
      });
    }
  }
}

async function columnsOf(from: string, file: string, database: Database): Promise<Map<string, string>> {
  try {
    const described = await database.rows(
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${from})`,
    );
    return new Map(described.map(([name, type]) => [String(name), String(type)]));
  } catch (error) {
    throw explainReadError(error, file);
  }
}

/** The first file that cannot be read to its end. */
async function damagedPart(files: readonly string[], database: Database): Promise<string | undefined> {
  if (files.length === 1) return files[0];
  for (const file of files)
    try {
      await database.run(`SELECT max(hash(COLUMNS(*))) FROM ${database.files("parquet", file)}`);
    } catch {
      return file;
    }
  return undefined;
}

/** The parts as one table; messages about all of it name `file`. */
async function openParts(file: string, parts: ParquetParts, database: Database): Promise<TableSource> {
  const options = { hive: parts.keys.length > 0 };
  // DuckDB takes keys from the whole path, also from folders above this one.
  const root = parts.keys.length > 0 && resolve(file).includes("=") ? database.link(file) : file;
  const files = parts.files.map((part) => (root === file ? part : join(root, relative(file, part))));
  const from = database.files("parquet", files, [], options);
  const types = await columnsOf(from, file, database);
  const typeOf = (column: string) => types.get(column) ?? "VARCHAR";
  const rowsOf = parts.files.length > 1 ? await database.parquetRows(parts.files) : [];
  const place = (row: number): string => {
    let [part, before] = [0, 0];
    while (part < rowsOf.length && row >= before + rowsOf[part]) before += rowsOf[part++];
    return `${parts.files[part]}, row ${row - before + 1}`;
  };

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
        `SELECT filename, file_row_number, CAST(${value} AS VARCHAR)
         FROM ${database.files("parquet", files, ["filename = true", "file_row_number = true"], options)}
         WHERE ${value} IS NOT NULL AND NOT (${isWhole(value)})
         LIMIT 1`,
      );
      if (found !== undefined)
        throw new UserError({
          place: `${found[0]}, row ${Number(found[1]) + 1}`,
          problem: `the column "${column}" holds the number ${found[2]}`,
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
    damaged: () => damagedPart(parts.files, database),
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
