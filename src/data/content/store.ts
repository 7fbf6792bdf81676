// Content in a dataset folder:
//   words      content.parquet (item, word, count), content-words.parquet (index, word)
//   sequences  content.parquet (item, token), in the order of each sequence; content-tokens.parquet (index, token)
//   vectors    content.npy, float32 [n, dimensions]; content.parquet (item): the item of each row
//   images     content.npy, uint8 [n, channels, height, width], 255 = 1; content.parquet (item)

import { join } from "node:path";
import { AbortedError, UserError } from "../../core/errors.js";
import { requireMemory } from "../../core/memory.js";
import { fromPairs } from "../../sparse/csr.js";
import { type ItemContent, knownItems, type SequenceContent, type WordContent } from "../content.js";
import { type ColumnType, type Database, identifier, withDatabase } from "../database.js";
import type { ContentManifest } from "../manifest.js";
import { Vocabulary } from "../vocabulary.js";
import type { ContentDraft, ItemRow, RowDraft } from "./draft.js";
import { digestOf, imageContent, sequenceContent, vectorContent, wordContent } from "./in-memory.js";
import { openNpy, readNpyRows, writeNpy } from "./npy.js";

/** Writes the content of `items` items into a folder, and returns its description for the manifest (without checksums). */
export async function writeContent(
  folder: string,
  database: Database,
  { content, files, skipped }: ContentDraft,
  items: number,
): Promise<Omit<ContentManifest, "tables"> & { rows: Record<string, number> }> {
  const written =
    content.kind === "words" || content.kind === "sequences"
      ? await writeSparse(folder, database, content)
      : await writeRows(folder, database, content);
  const { unknown, empty, duplicate, damaged } = skipped.counts;
  return {
    kind: content.kind,
    shape: written.shape,
    text: "text" in content ? content.text : undefined,
    files: [...files],
    items: written.known,
    missing: items - written.known,
    skipped: { unknown, empty, duplicate, damaged },
    examples: [...skipped.examples],
    rows: written.rows,
  };
}

async function writeSparse(folder: string, database: Database, content: WordContent | SequenceContent) {
  const [matrix, names, column] =
    content.kind === "words"
      ? ([content.counts, content.words, "word"] as const)
      : ([content.sequences, content.tokens, "token"] as const);
  const { indices, offsets, values } = matrix;
  const [entries, list] = ["content.parquet", `content-${column}s.parquet`];
  let item = 0;
  const columns: Record<string, ColumnType> = { item: "UINTEGER", [column]: "UINTEGER" };
  if (values) columns.count = "FLOAT";
  await database.createTable(
    "content",
    columns,
    indices.length,
    (from, count, [putItem, putWord, putCount]) => {
      for (let row = 0; row < count; row++) {
        while (from + row >= offsets[item + 1]) item++;
        putItem(row, item);
        putWord(row, indices[from + row]);
        if (values) putCount(row, values[from + row]);
      }
    },
  );
  await copy(database, "content", folder, entries);
  await database.createTable(
    "names",
    { index: "UINTEGER", [column]: "VARCHAR" },
    names.size,
    (from, count, set) => {
      for (let row = 0; row < count; row++) {
        set[0](row, from + row);
        set[1](row, names.ids[from + row]);
      }
    },
  );
  await copy(database, "names", folder, list);
  return {
    shape: [names.size],
    known: knownItems(content),
    rows: { [entries]: indices.length, [list]: names.size },
  };
}

async function writeRows(folder: string, database: Database, { kind, shape, rows }: RowDraft) {
  const items: number[] = [];
  async function* numbers() {
    for await (const { item, row } of rows(database)) {
      items.push(item);
      yield row;
    }
  }
  await writeNpy(join(folder, "content.npy"), kind === "images" ? "|u1" : "<f4", shape, numbers());
  await database.createTable("content", { item: "UINTEGER" }, items.length, (from, count, [putItem]) => {
    for (let row = 0; row < count; row++) putItem(row, items[from + row]);
  });
  await copy(database, "content", folder, "content.parquet");
  return {
    shape: [...shape],
    known: items.length,
    rows: { "content.npy": items.length, "content.parquet": items.length },
  };
}

async function copy(database: Database, table: string, folder: string, file: string): Promise<void> {
  await database.copy(`FROM ${identifier(table)}`, join(folder, file));
  await database.run(`DROP TABLE ${identifier(table)}`);
}

/** Loads the content of a dataset folder, whose files have been verified. Throws UserError if they do not match each other. */
export async function loadContent(
  folder: string,
  database: Database,
  manifest: ContentManifest,
  items: number,
): Promise<ItemContent> {
  try {
    return await readTables(folder, database, manifest, items);
  } catch (cause) {
    const isOurs = cause instanceof UserError || cause instanceof AbortedError;
    // DuckDB's errors for missing columns and wrong types, and RangeErrors for indices out of range.
    if (isOurs || !(cause instanceof RangeError || /Error:/.test((cause as Error).message))) throw cause;
    throw new UserError({
      place: join(folder, "content.parquet"),
      problem: "does not match the manifest",
      expected: `the ${manifest.kind} of ${items} items`,
      remedy: "Prepare the dataset again",
      cause,
    });
  }
}

async function readTables(
  folder: string,
  database: Database,
  manifest: ContentManifest,
  items: number,
): Promise<ItemContent> {
  const { kind, text, shape } = manifest;
  const table = (file: string) => database.files("parquet", join(folder, file));
  const column = async (name: string, file: string, rows: number) => {
    const numbers = new Uint32Array(rows);
    let place = 0;
    for await (const chunk of database.chunks(`SELECT ${identifier(name)} FROM ${table(file)}`)) {
      const values = chunk.numbers(0);
      for (let row = 0; row < chunk.rows; row++) numbers[place++] = values.getItem(row) as number;
    }
    return numbers;
  };
  // The number in the manifest is not trusted.
  const [[counted]] = await database.rows(`SELECT count(*) FROM ${table("content.parquet")}`);
  const rows = Number(counted);
  const itemOf = await column("item", "content.parquet", rows);
  if (itemOf.some((item) => item >= items))
    throw new UserError({
      place: join(folder, "content.parquet"),
      problem: `it has an item index beyond ${items - 1}`,
    });
  switch (kind) {
    case "words": {
      const words = await names(database, table("content-words.parquet"), "word");
      const counts = new Float32Array(rows);
      let place = 0;
      for await (const chunk of database.chunks(`SELECT count FROM ${table("content.parquet")}`)) {
        const values = chunk.numbers(0);
        for (let row = 0; row < chunk.rows; row++) counts[place++] = values.getItem(row) as number;
      }
      const wordOf = await column("word", "content.parquet", rows);
      return wordContent(fromPairs(items, words.size, itemOf, wordOf, counts), words, { text });
    }
    case "sequences": {
      const tokens = await names(database, table("content-tokens.parquet"), "token");
      const tokenOf = await column("token", "content.parquet", rows);
      return sequenceContent(fromPairs(items, tokens.size, itemOf, tokenOf), tokens, text);
    }
    default:
      return rowContent(folder, kind, shape, itemOf, items, manifest);
  }
}

async function names(database: Database, table: string, column: string): Promise<Vocabulary> {
  const ids: string[] = [];
  for await (const chunk of database.chunks(`SELECT ${column} FROM ${table} ORDER BY "index"`)) {
    const texts = chunk.texts(0);
    for (let row = 0; row < chunk.rows; row++) ids.push(texts.getItem(row) as string);
  }
  return new Vocabulary(ids);
}

async function rowContent(
  folder: string,
  kind: "vectors" | "images",
  shape: readonly number[],
  itemOf: Uint32Array,
  items: number,
  { tables }: ContentManifest,
): Promise<ItemContent> {
  const npy = await openNpy(join(folder, "content.npy"));
  if (npy.shape.slice(1).join() !== shape.join() || npy.shape[0] !== itemOf.length)
    throw new UserError({
      place: npy.path,
      problem: `its shape is (${npy.shape.join(", ")})`,
      expected: `(${[itemOf.length, ...shape].join(", ")}), as in the manifest`,
      remedy: "Prepare the dataset again",
    });
  const known = new Uint8Array(items);
  const rowOf = new Uint32Array(items);
  itemOf.forEach((item, row) => {
    known[item] = 1;
    rowOf[item] = row;
  });
  const scale = kind === "images" ? 1 / 255 : 1;
  const read = async (chosen: ArrayLike<number>) => {
    const places = Array.from(chosen).flatMap((item, place) => (known[item] ? [place] : []));
    const found = await readNpyRows(
      npy,
      places.map((place) => rowOf[chosen[place]]),
    );
    const block = new Float32Array(chosen.length * npy.rowSize);
    for (const [k, place] of places.entries())
      for (let n = 0; n < npy.rowSize; n++)
        block[place * npy.rowSize + n] = scale * found[k * npy.rowSize + n];
    return block;
  };
  const digest = digestOf(kind, [shape.join(), ...Object.values(tables).map(({ sha256 }) => sha256)], known);
  const common = { items, known, digest, read };
  if (kind === "vectors") return { kind, dimensions: shape[0], ...common };
  const [channels, height, width] = shape;
  return { kind, channels, height, width, ...common };
}

/** Keeps content in memory, for a dataset without a folder; the number of items is known after reading. */
export async function keepContent(
  { content }: ContentDraft,
  wanted: { readonly size: number },
): Promise<ItemContent> {
  if (content.kind === "words" || content.kind === "sequences") return content;
  const { kind, shape } = content;
  const size = shape.reduce((product, length) => product * length, 1);
  const rows: ItemRow[] = [];
  await withDatabase(async (database) => {
    for await (const { item, row } of content.rows(database))
      rows.push({ item, row: row instanceof Uint8Array ? row : row.slice() });
  });
  requireMemory({
    ...{ place: "content", bytes: 4 * wanted.size * size },
    what: `the content of ${wanted.size} items with ${size} numbers each`,
    alternatives: "Add fewer items at a time",
  });
  const known = new Uint8Array(wanted.size);
  const numbers = new Float32Array(wanted.size * size);
  for (const { item, row } of rows) {
    known[item] = 1;
    numbers.set(row instanceof Uint8Array ? Float32Array.from(row, (byte) => byte / 255) : row, item * size);
  }
  if (kind === "vectors") return vectorContent(numbers, size, known);
  const [channels, height, width] = shape;
  return imageContent(numbers, [channels, height, width], known);
}
