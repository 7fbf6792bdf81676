// Reads content from files or records: detects the format, then reads the content of the requested items. Content for new items
// of a trained model is read in the form that the model was trained on.

import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { linesOf, openInput, readText } from "../../core/input-file.js";
import { type ProgressListener, silent } from "../../core/progress.js";
import type { ContentForm, ContentKind } from "../content.js";
import { withDatabase } from "../database.js";
import { encodingNamed } from "../tables/encoding.js";
import { Vocabulary } from "../vocabulary.js";
import type { ContentDraft, ItemRow, RowDraft, WantedItems } from "./draft.js";
import { defaultImageShape, findImages, type ImageShape, readImages } from "./images.js";
import { wordContent } from "./in-memory.js";
import {
  type ContentFile,
  type ContentInput,
  type ContentOptions,
  type ContentRecord,
  defaultWords,
  textRuleOf,
} from "./input.js";
import { type Bag, bagMatrix, readBags, readWordList } from "./mult-dat.js";
import { npyBlocks, openNpy } from "./npy.js";
import { openContentTable, openVectors, requirePlausibleSize, textsOf } from "./table.js";
import { TextCollector } from "./text.js";

export type { ContentInput } from "./input.js";

export interface ReadContentOptions {
  /** The form that a trained model needs. */
  form?: ContentForm;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

/** The arguments of all readers. */
interface Reading {
  readonly given: ContentOptions;
  readonly wanted: WantedItems;
  readonly form: ContentForm | undefined;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads the content of the items that `wanted` accepts; other content is skipped and counted. Throws UserError, naming file and
 * line, if content cannot be read or does not have the required form, or if no such item has any.
 */
export async function readContent(
  input: string | ContentInput,
  wanted: WantedItems,
  { form, progress = silent, signal }: ReadContentOptions = {},
): Promise<ContentDraft> {
  const given: ContentInput = typeof input === "string" ? { file: input } : input;
  const reading: Reading = { given, wanted, form, progress, signal };
  if ("records" in given) return readRecords(given.records, reading);
  const { file } = given;
  const task = `reading ${file}`;
  progress({ type: "start", task });
  try {
    switch (await formatOf(file)) {
      case "folder":
        return await imageDraft(file, reading);
      case "bags":
        return await bagDraft(given, reading);
      case "array":
        return await arrayDraft(given, reading);
      case "lines":
        return await lineDraft(given, reading);
      case "table":
        return await tableDraft(given, reading);
    }
  } finally {
    progress({ type: "end", task });
  }
}

type Format = "folder" | "bags" | "array" | "lines" | "table";

async function formatOf(file: string): Promise<Format> {
  const status = await stat(file).catch(() => undefined);
  if (status?.isDirectory()) return "folder";
  const { file: handle } = await openInput(file, {
    expected: "texts, bags of words, vectors, or a folder of images",
  });
  const head = Buffer.alloc(4096);
  const { bytesRead } = await handle.read(head, 0, head.length, 0).finally(() => handle.close());
  if (bytesRead === 0) throw new UserError({ place: file, problem: "the file is empty" });
  const start = head.subarray(0, 3).toString("hex") === "efbbbf" ? 3 : 0;
  const text = head.subarray(start, bytesRead).toString("latin1");
  if (text.startsWith("\x93NUMPY") || /\.npy$/i.test(file)) return "array";
  if (/\.(csv|tsv|jsonl|ndjson|json|parquet|pq)(\.gz)?$/i.test(file)) return "table";
  if (head[0] === 0x1f && head[1] === 0x8b)
    throw new UserError({
      place: file,
      problem: "the file is compressed with gzip",
      expected: "an uncompressed file, or a table whose name says its format, such as texts.csv.gz",
      remedy: "Unpack it first with gunzip",
    });
  if (/^\d+(\s+\d+:\d+(\.\d+)?)+\s*$/.test(firstPairs(text)) || /\.dat$/i.test(file)) return "bags";
  return /\.txt$/i.test(file) && !text.includes("\t") ? "lines" : "table";
}

/** The first line; a long one is cut between two pairs. */
function firstPairs(text: string): string {
  const end = text.indexOf("\n");
  return text.slice(0, end >= 0 ? end : text.length < 4000 ? text.length : text.lastIndexOf(" "));
}

/** Throws UserError if this kind of content is not the one that the options or the model require. */
function requireKind(kind: ContentKind, what: string, place: string, { given, form }: Reading): void {
  const expected = form?.kind ?? given.kind;
  if (expected === undefined || expected === kind) return;
  throw new UserError({
    place,
    problem: `${what} are content of kind ${kind}`,
    expected: form
      ? `${form.kind}, on which the model was trained`
      : `${expected}, as set with --content-kind`,
  });
}

function requireSome<Draft extends ContentDraft>(draft: Draft, place: string, wanted: WantedItems): Draft {
  if (wanted.taken > 0) return draft;
  const { counts, examples } = wanted.skipped;
  const [most] = (["present", "unknown", "empty"] as const).toSorted((a, b) => counts[b] - counts[a]);
  const [first] = examples.filter(({ why }) => why === most);
  const problems = {
    present: `all of its items are already in the model (${first?.id}, ...)`,
    unknown: `none of its items is in the catalogue (${first?.id}, ...)`,
    empty: `it has no usable content: its entries are empty or contain only unknown words (item ${first?.id}, ...)`,
  };
  throw new UserError({
    place,
    problem: first === undefined ? "it contains no content" : problems[most],
    expected:
      most === "unknown" && wanted.size > 0 ? `ids such as ${wanted.ids.slice(0, 3).join(", ")}` : undefined,
  });
}

async function imageDraft(folder: string, reading: Reading): Promise<ContentDraft> {
  const { given, form, wanted, progress, signal } = reading;
  requireKind("images", "the files in this folder", folder, reading);
  const [height, width] = given.size ?? [defaultImageShape.height, defaultImageShape.width];
  const asked: ImageShape = { channels: given.channels ?? defaultImageShape.channels, height, width };
  const shape = form?.kind === "images" ? form : asked;
  const images = await findImages(folder);
  if (!images.some(({ id }) => wanted.accepts(id))) {
    for (const { id } of images) wanted.take(id);
    requireSome({} as ContentDraft, folder, wanted);
  }
  return {
    content: {
      kind: "images",
      shape: [shape.channels, shape.height, shape.width],
      rows: () => readImages(folder, wanted, shape, { progress, signal }),
    },
    files: [`${basename(folder)}/ (${images.length} images)`],
    skipped: wanted.skipped,
  };
}

async function bagDraft(given: ContentFile, reading: Reading): Promise<ContentDraft> {
  const { wanted, form, signal } = reading;
  const { file } = given;
  requireKind("words", "bags of words", file, reading);
  const wordFile = given.vocabulary ?? join(dirname(file), "vocabulary.dat");
  if (given.vocabulary === undefined && !existsSync(wordFile))
    throw new UserError({
      place: file,
      problem: "its words are numbers, and there is no vocabulary.dat in the same folder",
      remedy: "Pass a file with one word per line with --content-vocabulary",
    });
  const own = await readWordList(wordFile);
  const trained = form?.kind === "words" ? form : undefined;
  const words = trained ? new Vocabulary(trained.words) : own;
  const idOf = await rowIds(given, "line");
  const bags: (Bag | undefined)[] = [];
  let line = 0;
  for await (const bag of readBags(file, own.size)) {
    if (line % 4096 === 0) throwIfAborted(signal);
    const translated = trained ? translate(bag, own, words) : bag;
    const item = wanted.take(idOf(line++), translated.words.length === 0);
    if (item !== undefined) bags[item] = translated;
  }
  idOf.requireAll(line);
  const rows = Array.from({ length: wanted.size }, (_, item) => bags[item]);
  const draft = {
    content: wordContent(bagMatrix(rows, words.size), words, {
      maxima: trained?.maxima,
      text: trained?.text,
    }),
    files: [basename(file), basename(wordFile)],
    skipped: wanted.skipped,
  };
  return requireSome(draft, file, wanted);
}

/** Converts a bag to another vocabulary; words that it does not contain are dropped. */
function translate({ words, counts }: Bag, from: Vocabulary, to: Vocabulary): Bag {
  const kept = words.flatMap((word, k) => {
    const number = to.indexOf(from.ids[word]);
    return number === undefined ? [] : [{ number, count: counts[k] }];
  });
  return { words: kept.map(({ number }) => number), counts: kept.map(({ count }) => count) };
}

/** The item id of each row of a file without ids: from the file `ids`, or the row's number. */
async function rowIds({ file, ids }: ContentFile, unit: string) {
  const listed = ids === undefined ? undefined : (await readWordList(ids, "id")).ids;
  const idOf = (row: number): string => {
    const id = listed === undefined ? String(row) : listed[row];
    if (id !== undefined) return id;
    throw new UserError({
      place: `${file}:${row + 1}`,
      problem: `there are more ${unit}s than ids in ${ids}`,
      expected: `${listed?.length} ${unit}s`,
    });
  };
  const requireAll = (rows: number) => {
    if (listed === undefined || listed.length === rows) return;
    throw new UserError({
      place: file,
      problem: `there are ${rows} ${unit}s`,
      expected: `${listed.length}, one for each id in ${ids}`,
    });
  };
  return Object.assign(idOf, { requireAll });
}

async function arrayDraft(given: ContentFile, reading: Reading): Promise<ContentDraft> {
  const { form, wanted } = reading;
  const { file } = given;
  requireKind("vectors", "arrays", file, reading);
  const npy = await openNpy(file);
  const [rows, dimensions] = npy.shape;
  const expected = form?.kind === "vectors" ? form.dimensions : undefined;
  if (npy.shape.length !== 2 || dimensions === 0 || (expected !== undefined && dimensions !== expected))
    throw new UserError({
      place: file,
      problem: `the array has the shape (${npy.shape.join(", ")})`,
      expected:
        expected === undefined
          ? "(items, dimensions)"
          : `(items, ${expected}), as in the model's training data`,
    });
  requirePlausibleSize(file, rows, dimensions);
  const idOf = await rowIds(given, "row");
  idOf.requireAll(rows);
  const items = Array.from({ length: rows }, (_, row) => wanted.take(idOf(row)));
  const draft: ContentDraft & { content: RowDraft } = {
    content: {
      kind: "vectors",
      shape: [dimensions],
      rows: async function* () {
        for await (const { from, rows, numbers } of npyBlocks(npy))
          for (let k = 0; k < rows; k++) {
            const item = items[from + k];
            if (item === undefined) continue;
            const row = numbers.subarray(k * dimensions, (k + 1) * dimensions);
            const wrong = row.findIndex((number) => !Number.isFinite(number));
            if (wrong >= 0)
              throw new UserError({
                place: `${file}, row ${from + k}`,
                problem: `number ${wrong} of item ${idOf(from + k)} is ${row[wrong]}`,
                expected: "finite numbers",
              });
            yield { item, row };
          }
      },
    },
    files: [basename(file)],
    skipped: wanted.skipped,
  };
  return watched(requireSome(draft, file, wanted), reading);
}

async function lineDraft(given: ContentFile, reading: Reading): Promise<ContentDraft> {
  const { file } = given;
  const encoding = given.encoding && encodingNamed(given.encoding, "--content-encoding");
  const lines = linesOf(await readText(file, { encoding, expected: "texts, one per line" }));
  const idOf = await rowIds(given, "line");
  idOf.requireAll(lines.length);
  const collector = await textCollector(given.vocabulary, file, reading);
  for (const [row, line] of lines.entries()) collector.add(idOf(row), line);
  return finish(collector, given, reading);
}

async function textCollector(
  vocabulary: string | undefined,
  place: string,
  reading: Reading,
): Promise<TextCollector> {
  const { given, form, wanted } = reading;
  const kind = form?.kind ?? given.kind ?? "words";
  if (kind !== "words" && kind !== "sequences") requireKind("words", "texts", place, reading);
  const trained = form?.kind === "words" ? form.words : form?.kind === "sequences" ? form.tokens : undefined;
  const known =
    trained !== undefined
      ? new Vocabulary(trained)
      : vocabulary === undefined
        ? undefined
        : await readWordList(vocabulary);
  return TextCollector.create(
    {
      kind: kind === "sequences" ? kind : "words",
      rule: textRuleOf(kind === "sequences" ? kind : "words", given, form),
      size: given.words ?? defaultWords,
      vocabulary: known,
      maxima: form?.kind === "words" ? form.maxima : undefined,
    },
    wanted,
  );
}

function finish(
  collector: TextCollector,
  { file, vocabulary }: ContentFile,
  { wanted, form }: Reading,
): ContentDraft {
  const files = [file, ...(vocabulary !== undefined && !form ? [vocabulary] : [])].map((path) =>
    basename(path),
  );
  return requireSome({ content: collector.finish(), files, skipped: wanted.skipped }, file, wanted);
}

async function tableDraft(given: ContentFile, reading: Reading): Promise<ContentDraft> {
  const { form, wanted, signal } = reading;
  const { file } = given;
  const asked = { ...given, kind: form?.kind ?? given.kind };
  return withDatabase(
    async (database) => {
      const table = await openContentTable(asked, database, signal);
      if (table.looks === "text") {
        const collector = await textCollector(given.vocabulary, file, reading);
        for await (const { id, text } of textsOf(table, database)) collector.add(id, text);
        return finish(collector, given, reading);
      }
      requireKind("vectors", "columns of numbers", file, reading);
      const dimensions = form?.kind === "vectors" ? form.dimensions : undefined;
      const vectors = await openVectors(
        table,
        database,
        (id, isEmpty) => wanted.take(id, isEmpty),
        dimensions,
      );
      const draft = {
        content: { kind: "vectors" as const, shape: [vectors.dimensions], rows: vectors.rows },
        files: [basename(file)],
        skipped: wanted.skipped,
      };
      return watched(requireSome(draft, file, wanted), reading);
    },
    { signal },
  );
}

/** The same rows with progress reports and an abort signal. */
function watched(
  draft: ContentDraft & { content: RowDraft },
  { wanted, progress, signal }: Reading,
): ContentDraft {
  const { content } = draft;
  const rows: RowDraft["rows"] = async function* (database): AsyncGenerator<ItemRow> {
    const task = "reading vectors";
    progress({ type: "start", task, total: wanted.taken, unit: "items" });
    let done = 0;
    for await (const row of content.rows(database)) {
      if (++done % 4096 === 0) {
        throwIfAborted(signal);
        progress({ type: "advance", task, done });
      }
      yield row;
    }
    progress({ type: "end", task });
  };
  return { ...draft, content: { ...content, rows } };
}

async function readRecords(records: Iterable<ContentRecord>, reading: Reading): Promise<ContentDraft> {
  const { wanted, form, given } = reading;
  const all = [...records];
  const place = "content";
  const first = all.find(({ text, tokens, vector }) => text ?? tokens ?? vector);
  if (first?.vector === undefined) {
    const isTokens = first?.tokens !== undefined;
    const asked = isTokens
      ? { kind: "sequences" as const, split: "spaces" as const, stopWords: null, ...given }
      : given;
    const collector = await textCollector(undefined, place, { ...reading, given: asked });
    for (const { id, text, tokens } of all) collector.add(String(id), text ?? tokens?.join(" ") ?? "");
    return requireSome({ content: collector.finish(), files: [], skipped: wanted.skipped }, place, wanted);
  }
  requireKind("vectors", "vectors", place, reading);
  const dimensions = form?.kind === "vectors" ? form.dimensions : first.vector.length;
  const rows: ItemRow[] = [];
  for (const { id, vector } of all) {
    const isEmpty = vector === undefined || vector.length === 0;
    if (!isEmpty && vector.length !== dimensions)
      throw new UserError({
        place,
        problem: `the vector of item ${id} has ${vector.length} numbers`,
        expected: `${dimensions}, as ${form ? "in the model's training data" : `for item ${first.id}`}`,
      });
    if (!isEmpty && !Array.from(vector).every(Number.isFinite))
      throw new UserError({
        place,
        problem: `the vector of item ${id} contains a value that is not a finite number`,
      });
    const item = wanted.take(String(id), isEmpty);
    if (item !== undefined && vector) rows.push({ item, row: Float32Array.from(vector) });
  }
  const content: RowDraft = {
    kind: "vectors",
    shape: [dimensions],
    rows: async function* () {
      yield* rows;
    },
  };
  return requireSome({ content, files: [], skipped: wanted.skipped }, place, wanted);
}
