// Makes a dataset from files or from any iterable of interactions: read, filter, split, then write a folder or build a
// `Dataset` in memory. Only the last step differs.

import { basename, resolve } from "node:path";
import { refuseToOverwrite, writeFolder } from "../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { withLock } from "../core/lock.js";
import { type ProgressListener, silent } from "../core/progress.js";
import { withoutPasswords } from "../core/secrets.js";
import { version } from "../core/version.js";
import { fromPairs } from "../sparse/csr.js";
import { ItemAttributes } from "./attributes/attributes.js";
import { attributesOf } from "./attributes/of-items.js";
import type { StatedTypes } from "./attributes/types.js";
import type { ReadOptions } from "./columns.js";
import { WantedItems } from "./content/draft.js";
import { type ContentInput, readContent } from "./content/read-content.js";
import { keepContent } from "./content/store.js";
import {
  type Coordinates,
  type Dataset,
  inEntryOrder,
  type LoadDatasetOptions,
  makeHeldOutSplit,
} from "./dataset.js";
import { type Filtered, filterInteractions } from "./filter.js";
import { countRatings } from "./histogram.js";
import { fromIntegerRows, IntegerRows } from "./integer-rows.js";
import { fromIterable, type Interaction, type Interactions, withCatalogue } from "./interactions.js";
import { type ItemFile, type ItemRecord, type ItemSource, itemRecords, readItems } from "./items.js";
import {
  type DatasetCounts,
  type DatasetSource,
  datasetFolder,
  formatVersionOf,
  type HeldOutCounts,
  type Manifest,
} from "./manifest.js";
import { describeItems, itemsWarning } from "./match-items.js";
import { type ProtocolInput, type ProtocolOptions, parseProtocol } from "./protocol.js";
import { databaseInput, nameOfInput, shortInput, shownInput } from "./queries/database-input.js";
import { readInteractions } from "./read.js";
import { PresentCodes, presentCodes } from "./row-buckets.js";
import { part, type SplitTable, SplitTables, splitInteractions, userSplits } from "./split.js";
import { mixedUnits, summariseTimes } from "./times.js";
import { Vocabulary } from "./vocabulary.js";
import { type DatasetContents, writeDataset } from "./write-dataset.js";

export interface BuildOptions {
  /** Files or URLs of PostgreSQL databases (read in the order given), or interactions. */
  input: string | readonly string[] | Iterable<Interaction> | AsyncIterable<Interaction>;
  /** How to read the files, and which rows of databases; ignored for an iterable. */
  columns?: ReadOptions;
  /** Titles and attributes of the items: a file, or records. */
  items?: string | ItemFile | Iterable<ItemRecord>;
  /** The types of some attributes ("text", "number", "date", "boolean", "list", "list;"). Default: inferred from all values. */
  itemTypes?: StatedTypes;
  /** The content of the items: a file, a folder of images, or records. */
  content?: string | ContentInput;
  /** Filter and protocol; every field has a default, see `protocolOptions`. */
  options?: ProtocolInput;
  /** A short name. Default: the name of the output folder or of the first file. */
  name?: string;
  /** What the manifest records about the source in addition to its files. */
  source?: Partial<DatasetSource>;
  /** Called with the counts before anything is written; if it throws, nothing is written. */
  check?: (counts: DatasetCounts, protocol: ProtocolOptions) => void;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

export interface PrepareOptions extends BuildOptions {
  /** The dataset folder to create. */
  out: string;
  /** Replace an existing dataset folder. */
  force?: boolean;
}

/**
 * Creates a dataset folder atomically and returns its manifest.
 * Throws UserError for invalid input or options, or if `out` exists; AbortedError if the signal is aborted.
 */
export async function prepareDataset(options: PrepareOptions): Promise<Manifest> {
  const { out, force, signal, progress = silent } = options;
  const place = { force, signal, locked: true, ...datasetFolder };
  await refuseToOverwrite(out, place);
  const work = async () => {
    const contents = await build({ ...options, name: options.name ?? basename(resolve(out)) });
    return writeFolder(out, place, (folder) => writeDataset(folder, contents, progress, signal));
  };
  return withLock(out, work, { onNote: (text) => progress({ type: "note", text }) });
}

/** Makes a dataset in memory, without a folder. Throws like `prepareDataset`. */
export async function buildDataset(
  options: BuildOptions,
  { values = false }: Pick<LoadDatasetOptions, "values"> = {},
): Promise<Dataset> {
  const { interactions, split, tables, items, users, manifest, content } = await build(options);
  const ratingOf = values ? interactions.ratingOf : undefined;
  const coordinates = (table: SplitTable, heldOut?: 0 | 1): Coordinates => {
    const wanted = (_: number, row: number) => table.heldOut?.[row] === heldOut;
    return {
      users: table.users.filter(wanted),
      items: table.items.filter(wanted),
      values: ratingOf && Float32Array.from(table.source.filter(wanted), (row) => ratingOf[row]),
    };
  };
  const trained = countOf(split.splitOf, 0);
  const train = coordinates(tables.train());
  const heldOut = (which: "validation" | "test") => {
    const table = tables.heldOut(which);
    return makeHeldOutSplit(
      coordinates(table, 0),
      coordinates(table, 1),
      users.ids,
      (user) => userSplits[split.splitOf[user]] === which,
      items.size,
    );
  };
  const matrix = fromPairs(trained, items.size, train.users, train.items, train.values);
  const { timeOf, ratingOf: everyRating } = interactions;
  const ratings =
    everyRating && countRatings(Float32Array.from(tables.train().source, (row) => everyRating[row]));
  const trainTimes =
    timeOf &&
    inEntryOrder(
      matrix,
      train.users,
      Float64Array.from(tables.train().source, (row) => timeOf[row]),
    );
  return {
    name: manifest.name,
    items,
    users: new Vocabulary(users.ids.slice(0, trained)),
    train: matrix,
    ...(trainTimes && { trainTimes: async () => trainTimes }),
    ...(ratings && { trainRatings: async () => ratings }),
    validation: heldOut("validation"),
    test: heldOut("test"),
    ...(content && { content: await keepContent(content, items) }),
    manifest,
  };
}

async function build(options: BuildOptions): Promise<DatasetContents> {
  const { input, columns, signal, progress = silent } = options;
  const protocol = parseProtocol(options.options);
  const { minRating } = protocol;
  const files = filesOf(input);
  const known = await readItemTable(options.items, { progress, signal });
  const wholeCatalogue = protocol.protocol !== "notebook" && protocol.items === "catalogue";
  if (wholeCatalogue && !known)
    throw new UserError({
      place: "option items",
      problem: '"catalogue" needs an item file, and none is given',
      remedy: "Pass one with --items",
    });
  const read = files
    ? await readInteractions(files, { columns, minRating, progress, signal })
    : input instanceof IntegerRows
      ? await fromIntegerRows(input, { progress, signal })
      : await fromIterable(input as Iterable<Interaction>, { minRating, signal });
  throwIfAborted(signal);
  const rowsRead = read.userOf.length;
  const filtered = filterInteractions(read, protocol, { reuse: true });
  const matched = known?.matching(read.items);
  const interactions =
    wholeCatalogue && matched ? withCatalogue(filtered.kept, matched.table.byId.keys()) : filtered.kept;
  if (interactions.userOf.length === 0)
    throw new UserError({
      place: files?.map(shownInput).join(", "),
      problem:
        rowsRead === 0
          ? "there are no interactions"
          : `none of ${filtered.unique} interactions remains after filtering with ${asked(protocol)}`,
      remedy: "Lower the minimums",
    });
  throwIfAborted(signal);
  const split = splitInteractions(interactions, protocol);
  throwIfAborted(signal);
  const tables = new SplitTables(interactions, split);
  const counts = countAll(read, rowsRead, filtered, split, tables);
  options.check?.(counts, protocol);
  const table = matched?.table;
  const { ids } = interactions.items.chosen(split.items);
  const attributes =
    table && attributesOf(new Vocabulary(ids), table, { types: options.itemTypes, place: known?.file });
  if (!known && options.itemTypes && Object.keys(options.itemTypes).length > 0)
    throw new UserError({
      place: "itemTypes",
      problem: "types of attributes need an item file, and none is given",
      remedy: "Pass one with --items",
    });
  const items = new Vocabulary(
    ids,
    table?.columns[0] === "title" ? ids.map((id) => table.byId.get(id)?.[0] ?? null) : undefined,
    attributes && attributes.length > 0 ? ItemAttributes.of(ids.length, attributes) : undefined,
  );
  const times = summariseTimes(interactions);
  const described = known && matched && describeItems(known, matched, items);
  const warnings = [
    times && mixedUnits(times),
    known &&
      matched &&
      itemsWarning(
        known,
        matched,
        interactions.items.chosen(presentCodes(interactions.itemOf, interactions.items.size)),
      ),
  ];
  for (const text of warnings) if (text !== undefined) progress({ type: "note", text: `warning: ${text}` });
  const content =
    options.content === undefined
      ? undefined
      : await readContent(options.content, new WantedItems({ catalogue: items }), { progress, signal });
  const name = options.name ?? (files ? nameOfInput(files[0]) : "dataset");
  return {
    interactions,
    split,
    tables,
    items,
    content,
    users: interactions.users.chosen(split.users),
    manifest: {
      format: "foldin-dataset",
      formatVersion: formatVersionOf(content),
      foldin: version,
      name,
      source: {
        name,
        files: (files ?? []).map(shortInput),
        ...(files && askedRows(files, columns)),
        ...options.source,
      },
      protocol,
      counts,
      columns: { value: interactions.ratingOf !== undefined, time: interactions.timeOf !== undefined },
      ...(times && { times: { unit: times.unit, from: times.from, to: times.to, missing: times.missing } }),
      ...(described && {
        items: { ...described, ...(items.attributes && { attributes: [...items.attributes.described] }) },
      }),
    },
  };
}

function filesOf(input: BuildOptions["input"]): readonly string[] | undefined {
  if (typeof input === "string") return [input];
  if (Array.isArray(input) && input.every((entry) => typeof entry === "string") && input.length > 0)
    return input;
  return undefined;
}

/** What was asked of a database, without anything secret. */
function askedRows([first]: readonly string[], { query, table }: ReadOptions = {}): Partial<DatasetSource> {
  const input = query === undefined && table === undefined ? undefined : databaseInput(first);
  if (input === undefined) return {};
  const hide = (text: string) => withoutPasswords(input.kind === "postgres" ? input.url.hide(text) : text);
  return { ...(query !== undefined && { query: hide(query) }), ...(table !== undefined && { table }) };
}

async function readItemTable(
  items: BuildOptions["items"],
  listening: { progress: ProgressListener; signal: AbortSignal | undefined },
): Promise<ItemSource | undefined> {
  if (items === undefined) return undefined;
  if (typeof items === "string") return readItems({ file: items }, listening);
  if (typeof items === "object" && items !== null && "file" in items) return readItems(items, listening);
  return itemRecords(items);
}

const asked = ({ minUser, minItem, minRating, filter }: ProtocolOptions): string =>
  `${minRating === undefined ? "" : `minRating ${minRating}, `}minUser ${minUser}, minItem ${minItem} (${filter})`;

function countOf(values: Uint8Array, wanted: number): number {
  let count = 0;
  for (let k = 0; k < values.length; k++) if (values[k] === wanted) count++;
  return count;
}

function countAll(
  read: Pick<Interactions, "sourceRows" | "repeatedHeaders" | "duplicates">,
  rowsRead: number,
  { kept, unique, users, items }: Filtered,
  split: DatasetContents["split"],
  tables: SplitTables,
): DatasetCounts {
  const heldOutCounts = (which: "validation" | "test"): HeldOutCounts => {
    const { users, heldOut } = tables.heldOut(which);
    const role = heldOut as Uint8Array;
    const own = userSplits.indexOf(which);
    const belongs = split.splitOf.map((of) => (of === own ? 1 : 0));
    const evaluated = new Uint8Array(split.users.length);
    for (let row = 0; row < users.length; row++)
      if (role[row] === 1) {
        evaluated[users[row]] = 1;
        belongs[users[row]] = 1;
      }
    const held = countOf(role, 1);
    return {
      users: countOf(belongs, 1),
      judgedUsers: countOf(evaluated, 1),
      foldIn: role.length - held,
      heldOut: held,
      ...split.lost[which],
    };
  };
  const { repeatedHeaders = 0, duplicates = 0 } = read;
  return {
    users: countOf(split.splitOf, 0),
    items: split.items.length,
    interactions: countOf(split.parts, 1),
    sourceRows: read.sourceRows,
    filtered: {
      users: new PresentCodes(kept.userOf, kept.users.size).size,
      items: new PresentCodes(kept.itemOf, kept.items.size).size,
      interactions: kept.userOf.length,
      duplicates: duplicates + rowsRead - unique,
      belowRating: read.sourceRows - repeatedHeaders - duplicates - rowsRead,
      repeatedHeaders,
      belowMinUser: users.rows,
      rareUsers: users.codes,
      belowMinItem: items.rows,
      rareItems: items.codes,
    },
    kept: split.parts.length - countOf(split.parts, part.dropped),
    validation: heldOutCounts("validation"),
    test: heldOutCounts("test"),
  };
}
