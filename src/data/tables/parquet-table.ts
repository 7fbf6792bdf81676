// Parquet as a table: DuckDB reads the file, or the parts of a folder; this module converts its types to ids and numbers.

import { join, relative, resolve } from "node:path";
import { UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import { type ParquetParts, partsOf } from "./parquet-folder.js";
import { explainReadError } from "./read-error.js";
import type { Selection, TableSource } from "./table.js";
import { typedColumns } from "./typed-columns.js";

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
  const rowsOf = await database.parquetRows(parts.files);
  const place = (row: number): string => {
    let [part, before] = [0, 0];
    while (part < rowsOf.length && row >= before + rowsOf[part]) before += rowsOf[part++];
    return `${parts.files[part]}, row ${row - before + 1}`;
  };

  const typed = typedColumns(file, types);
  const fraction = async (column: string) => {
    const [found] = await database.rows(
      `SELECT filename, file_row_number, CAST(${identifier(column)} AS VARCHAR)
       FROM ${database.files("parquet", files, ["filename = true", "file_row_number = true"], options)}
       WHERE ${typed.isFraction(column)}
       LIMIT 1`,
    );
    return found && { place: `${found[0]}, row ${Number(found[1]) + 1}`, value: String(found[2]) };
  };
  return {
    file,
    format: "parquet",
    columns: [...types.keys()],
    named: true,
    rows: rowsOf.reduce((sum, rows) => sum + rows, 0),
    ...typed.expressions,
    from: async (selection?: Selection) => {
      try {
        await typed.requireIds(selection?.ids ?? [], fraction);
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
