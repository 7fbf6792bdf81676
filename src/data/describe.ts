// Describes a dataset: its counts, its density, the lengths of histories, and the popularity of items.

import { largest } from "../core/largest.js";
import { entryCount } from "../sparse/csr.js";
import type { AttributeColumn, AttributeDescription } from "./attributes/attributes.js";
import { NO_VALUE } from "./attributes/dictionary.js";
import { dateText } from "./attributes/types.js";
import { type ContentKind, type ItemContent, knownItems, shapeOf } from "./content.js";
import { type Dataset, type HeldOutSplit, loadDataset } from "./dataset.js";
import { type Bin, countRatings, histogramOf, ratingBins } from "./histogram.js";
import type { DatasetCounts, DatasetSource } from "./manifest.js";
import type { ProtocolOptions } from "./protocol.js";

/** The distribution of lengths or counts. */
export interface Lengths {
  readonly min: number;
  readonly median: number;
  readonly mean: number;
  readonly max: number;
}

export interface HeldOutDescription {
  /** Users of the split. */
  readonly users: number;
  /** Users of the split with held-out items. */
  readonly judgedUsers: number;
  /** Interactions to fold in. */
  readonly foldIn: number;
  /** Interactions held out. */
  readonly heldOut: number;
}

interface ContentDescription {
  readonly kind: ContentKind;
  /** The shape of an item's content: [words], [tokens], [dimensions] or [channels, height, width]. */
  readonly shape: readonly number[];
  /** Items that have content. */
  readonly items: number;
  /** Items with content and without a training interaction. */
  readonly coldItems: number;
}

/** An attribute of the items. */
interface DescribedAttribute extends AttributeDescription {
  /** Items without a value. */
  readonly missing: number;
  /** Different values; absent for numbers and dates. */
  readonly values?: number;
  /** The most frequent values and the number of items that have them. */
  readonly frequent?: readonly { readonly value: string; readonly items: number }[];
  /** The range of numbers, or of dates as text; absent if all are missing. */
  readonly from?: number | string;
  readonly to?: number | string;
}

/** One point of the popularity curve. */
interface PopularityPoint {
  /** The share of the catalogue that the most popular items are. */
  readonly itemShare: number;
  /** Their number. */
  readonly items: number;
  /** Their share of all training interactions. */
  readonly interactionShare: number;
}

export interface DatasetDescription {
  readonly name: string;
  /** Training users. */
  readonly users: number;
  readonly items: number;
  /** Training interactions. */
  readonly interactions: number;
  /** Of the training matrix: interactions / (users x items). */
  readonly density: number;
  /** Of all that was left after filtering, before the split, likewise; absent where there is no manifest. */
  readonly filteredDensity?: number;
  /** Training interactions per user. */
  readonly historyLengths: Lengths;
  /** Training interactions per item. */
  readonly itemCounts: Lengths;
  /** Users by their training interactions, items likewise. */
  readonly historyHistogram: readonly Bin[];
  readonly itemHistogram: readonly Bin[];
  /** Training interactions by their rating; absent where they were neither loaded nor asked for, or the source has none. */
  readonly ratings?: readonly Bin[];
  /** Items that have a title. */
  readonly titledItems: number;
  /** The items' attributes, if there are any. */
  readonly attributes?: readonly DescribedAttribute[];
  readonly popularity: readonly PopularityPoint[];
  /** The content of the items, if there is any. */
  readonly content?: ContentDescription;
  readonly validation: HeldOutDescription;
  readonly test: HeldOutDescription;
  /** From the manifest; absent for a dataset that a program assembled. */
  readonly source?: DatasetSource;
  readonly protocol?: ProtocolOptions;
  readonly sourceRows?: number;
  readonly filtered?: DatasetCounts["filtered"];
}

/** The shares of the catalogue at which the popularity curve is given. */
const curve = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** Describes a dataset, or the one in a folder; `ratings` counts its ratings too. Throws UserError as `loadDataset`. */
export async function describeDataset(
  datasetOrFolder: Dataset | string,
  { ratings = false, signal }: { ratings?: boolean; signal?: AbortSignal } = {},
): Promise<DatasetDescription> {
  const dataset =
    typeof datasetOrFolder === "string" ? await loadDataset(datasetOrFolder, { signal }) : datasetOrFolder;
  const { train, items, users, manifest } = dataset;
  const interactions = entryCount(train);
  const lengths = Uint32Array.from({ length: train.rows }, (_, u) => train.offsets[u + 1] - train.offsets[u]);
  const perItem = new Uint32Array(items.size);
  for (let k = 0; k < interactions; k++) perItem[train.indices[k]]++;
  const content = dataset.content && describeContent(dataset.content, perItem);
  perItem.sort().reverse();
  const attributes = ((await items.attributes?.columns()) ?? []).map(describeAttribute);
  const filtered = manifest?.counts.filtered;
  const rated = train.values ? countRatings(train.values) : ratings && (await dataset.trainRatings?.());
  return {
    name: dataset.name,
    users: users.size,
    items: items.size,
    interactions,
    density: interactions / Math.max(1, users.size * items.size),
    ...(filtered && {
      filteredDensity: filtered.interactions / Math.max(1, filtered.users * filtered.items),
    }),
    historyLengths: lengthsOf(lengths),
    itemCounts: lengthsOf(perItem),
    historyHistogram: histogramOf(lengths),
    itemHistogram: histogramOf(perItem),
    ...(rated && { ratings: ratingBins(rated) }),
    titledItems: items.titles?.filter((title) => title !== null).length ?? 0,
    ...(attributes.length > 0 && { attributes }),
    popularity: curve.map((itemShare) => popularityAt(itemShare, perItem, interactions)),
    ...(content && { content }),
    validation: describeHeldOut(dataset.validation),
    test: describeHeldOut(dataset.test),
    source: manifest?.source,
    protocol: manifest?.protocol,
    sourceRows: manifest?.counts.sourceRows,
    filtered,
  };
}

function lengthsOf(counts: Uint32Array): Lengths {
  if (counts.length === 0) return { min: 0, median: 0, mean: 0, max: 0 };
  const sorted = counts.slice().sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const total = sorted.reduce((sum, count) => sum + count, 0);
  return { min: sorted[0], median, mean: total / sorted.length, max: sorted[sorted.length - 1] };
}

function popularityAt(itemShare: number, descending: Uint32Array, interactions: number): PopularityPoint {
  const items = Math.ceil(itemShare * descending.length);
  const theirs = descending.subarray(0, items).reduce((sum, count) => sum + count, 0);
  return { itemShare, items, interactionShare: theirs / Math.max(1, interactions) };
}

/** How many of the most frequent values are listed. */
const MOST_FREQUENT = 5;

function describeAttribute(column: AttributeColumn): DescribedAttribute {
  const { name, type } = column;
  if ("numbers" in column) {
    let [from, to, missing] = [Infinity, -Infinity, 0];
    for (const value of column.numbers)
      if (Number.isNaN(value)) missing++;
      else [from, to] = [Math.min(from, value), Math.max(to, value)];
    const shown = (value: number) => (type === "date" ? dateText(value) : value);
    return { name, type, missing, ...(from <= to && { from: shown(from), to: shown(to) }) };
  }
  const counts = new Uint32Array(column.values.size);
  let missing = 0;
  for (const code of column.codes)
    if (code === NO_VALUE) missing++;
    else counts[code]++;
  if (column.type === "list")
    for (let item = 1; item < column.offsets.length; item++)
      if (column.offsets[item] === column.offsets[item - 1]) missing++;
  const frequent = largest(counts, MOST_FREQUENT);
  return {
    ...{ name, type, missing, values: counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0) },
    frequent: Array.from(frequent, (code) => ({ value: column.values.at(code), items: counts[code] })),
  };
}

function describeContent(content: ItemContent, interactions: Uint32Array): ContentDescription {
  const { kind, known } = content;
  const coldItems = known.reduce((sum, one, item) => sum + (one && interactions[item] === 0 ? 1 : 0), 0);
  return { kind, shape: shapeOf(content), items: knownItems(content), coldItems };
}

function describeHeldOut({ users, foldIn, heldOut }: HeldOutSplit): HeldOutDescription {
  let judgedUsers = 0;
  for (let u = 0; u < heldOut.rows; u++) if (heldOut.offsets[u + 1] > heldOut.offsets[u]) judgedUsers++;
  return { users: users.size, judgedUsers, foldIn: entryCount(foldIn), heldOut: entryCount(heldOut) };
}
