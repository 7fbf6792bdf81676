// JSON lines as a table whose columns are the keys of all lines, not only of the first ones.

import { throwIfAborted, UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import type { FileBytes } from "./bytes.js";
import { JsonLines, type JsonRow, jsonNested } from "./json-lines.js";
import { idOfJson, textOfJson } from "./json-values.js";
import { type Copy, holds, ScratchTable } from "./scratch-table.js";
import { type Expectations, type FileOptions, numberInText, selected, type TableSource } from "./table.js";
import { TextEncoding } from "./text-encoding.js";

const sampledRows = 100;
const openBracket = 91;

/** Opens a file of JSON lines and reads all of its keys. Throws UserError, naming the line, if a line is not an object. */
export async function openJson(
  bytes: FileBytes,
  database: Database,
  options: FileOptions,
  { prefix = "", progress, signal }: Expectations,
): Promise<TableSource> {
  const { file } = bytes;
  const encoding = new TextEncoding(bytes, options.encoding, `--${prefix}encoding`, (text) =>
    progress?.({ type: "note", text }),
  );
  const scan = async (
    sink: (keys: readonly string[]) => ConstructorParameters<typeof JsonLines>[1],
    after?: () => Promise<void>,
  ) => {
    const lines: JsonLines = new JsonLines(file, (row, fields, line) => take(row, fields, line));
    const take = sink(lines.keys);
    for await (const piece of encoding.pieces(signal)) {
      throwIfAborted(signal);
      lines.push(piece);
      await after?.();
    }
    lines.end();
    await after?.();
    return lines.keys;
  };
  const samples: Map<string, string>[] = [];
  const keys = await scan((known) => (bytes, row) => {
    if (samples.length < sampledRows) samples.push(textsOf(bytes, row, known));
  });
  if (samples.length === 0) throw new UserError({ place: file, problem: "the file has no rows" });
  let table: Copy | undefined;
  const read = async (columns: readonly string[], ids: readonly string[], into: Database): Promise<Copy> => {
    const scratch = await ScratchTable.write(into, columns.map(columnOf), async (scratch) => {
      await scan(
        (known) => {
          const writer = new RowWriter(file, columns, ids, known);
          return (bytes, row, line) => writer.write(bytes, row, line, scratch);
        },
        () => scratch.flush(),
      );
    });
    return { database: into, columns, ids, from: scratch.from(), lines: scratch.lines };
  };
  const columnOf = (name: string) => `c${keys.indexOf(name)}`;

  return {
    file,
    format: "json-lines",
    columns: keys,
    named: true,
    typeOf: () => "VARCHAR",
    expression: (column) => identifier(columnOf(column)),
    id: (column) => identifier(columnOf(column)),
    number: (column) => numberInText(identifier(columnOf(column))),
    from: async (selection, into = database) => {
      const wanted = selection === undefined ? keys : selected(selection);
      const ids = selection?.ids ?? [];
      if (table === undefined || !holds(table, wanted, ids, into)) table = await read(wanted, ids, into);
      return table.from;
    },
    place: (row) => {
      const line = table?.lines.lineOf(row);
      return line === undefined ? `${file}, row ${row + 1}` : `${file}:${line}`;
    },
    sample: (column) => samples.flatMap((row) => row.get(column) ?? []),
  };
}

function textsOf(bytes: Uint8Array, row: JsonRow, keys: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (let k = 0; k < row.count; k++) {
    const text = textOfJson(bytes.subarray(row.start[k], row.end[k]), row.kind[k]);
    if (text != null) texts.set(keys[row.key[k]], Buffer.from(text).toString("utf8"));
  }
  return texts;
}

/** Writes the selected keys of each line in the order of the columns. */
class RowWriter {
  readonly #file: string;
  readonly #names: readonly string[];
  readonly #isId: readonly boolean[];
  readonly #keys: readonly string[];
  /** Per key, the position of its column; -1: not selected. More keys may appear with every line. */
  readonly #placeOf: number[] = [];
  readonly #values: (Uint8Array | null)[];

  constructor(file: string, names: readonly string[], ids: readonly string[], keys: readonly string[]) {
    this.#file = file;
    this.#names = names;
    this.#isId = names.map((name) => ids.includes(name));
    this.#keys = keys;
    this.#values = names.map(() => null);
  }

  write(bytes: Uint8Array, row: JsonRow, line: number, scratch: ScratchTable): void {
    this.#values.fill(null);
    for (let k = 0; k < row.count; k++) {
      const key = row.key[k];
      this.#placeOf[key] ??= this.#names.indexOf(this.#keys[key]);
      const place = this.#placeOf[key];
      if (place < 0) continue;
      const value = bytes.subarray(row.start[k], row.end[k]);
      this.#values[place] = this.#isId[place]
        ? this.#id(value, row.kind[k], place, line)
        : this.#text(value, row.kind[k], place, line);
    }
    for (const value of this.#values) scratch.field(value);
    scratch.endRow(line);
  }

  #id(value: Uint8Array, kind: number, place: number, line: number): Uint8Array | null {
    const id = idOfJson(value, kind);
    if ("text" in id) return id.text;
    const isList = kind === jsonNested && value[0] === openBracket;
    throw new UserError({
      place: `${this.#file}:${line}`,
      problem: `the column "${this.#names[place]}" holds ${id.wrong}`,
      expected: "text or a whole number",
      remedy: isList ? "Write one line per user and item" : undefined,
    });
  }

  #text(value: Uint8Array, kind: number, place: number, line: number): Uint8Array | null {
    const text = textOfJson(value, kind);
    if (text !== undefined && !text?.includes(0)) return text;
    throw new UserError({
      place: `${this.#file}:${line}`,
      problem: `the column "${this.#names[place]}" holds ${text === undefined ? "text with an invalid escape" : "text with a NUL character"}`,
      expected: "text",
    });
  }
}
