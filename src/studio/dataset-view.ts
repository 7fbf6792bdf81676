// What the studio shows of a loaded dataset: its description, and searches through its items and histories.

import { UserError } from "../core/errors.js";
import { type AttributeColumn, valuesOf } from "../data/attributes/attributes.js";
import type { TextDictionary } from "../data/attributes/dictionary.js";
import { dateText } from "../data/attributes/types.js";
import type { Dataset } from "../data/dataset.js";
import { describeDataset } from "../data/describe.js";
import { longTailOf, userCounts } from "../data/item-popularity.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { itemsMatching } from "../recommender/filter/compile.js";
import { unknownValues } from "../recommender/filter/unknown-values.js";
import { parseWhere } from "../recommender/filter/where.js";
import { type CsrMatrix, rowIndices } from "../sparse/csr.js";
import type {
  DatasetAnswer,
  DatasetPart,
  HistoryItem,
  ItemsPage,
  ListedItem,
  UserAnswer,
  UsersPage,
} from "./dataset-api.js";
import type { ItemsQuestion, UserQuestion, UsersQuestion } from "./dataset-messages.js";

/** The most items of a history that are answered. */
const MOST_HISTORY = 1000;

interface PartUsers {
  readonly users: Vocabulary;
  readonly history: CsrMatrix;
  readonly heldOut?: CsrMatrix;
}

export class DatasetView {
  readonly #dataset: Dataset;
  /** Per item, its training users. */
  readonly #counts: Uint32Array;
  #byPopularity: Uint32Array | undefined;
  #titles: (string | null)[] | undefined;
  #columns: Promise<AttributeColumn[]> | undefined;

  constructor(dataset: Dataset) {
    this.#dataset = dataset;
    this.#counts = userCounts(dataset.train);
  }

  async describe(): Promise<DatasetAnswer> {
    const { source: _, protocol: _p, sourceRows: _r, ...described } = await describeDataset(this.#dataset);
    return { ...described, longTail: longTailOf(this.#counts) };
  }

  /** Items that contain all words of the search in their title, their id, or a text of their attributes. Throws UserError for a wrong filter. */
  async items({ search, where = "", order, from, limit }: ItemsQuestion): Promise<ItemsPage> {
    const { items } = this.#dataset;
    const filter = where.trim() === "" ? undefined : parseWhere(where);
    const admitted = filter && (await itemsMatching(items, filter, { place: "where" }));
    const unknown = filter ? await unknownValues(items, filter) : [];
    const matches = await this.#matcher(search);
    const ordered = this.#ordered();
    const found: number[] = [];
    let total = 0;
    for (let place = 0; place < ordered.length; place++) {
      const item = ordered[order === "popular" ? place : ordered.length - 1 - place];
      if ((admitted && !admitted.has(item)) || !matches(item)) continue;
      if (total >= from && found.length < limit) found.push(item);
      total++;
    }
    return { total, items: await Promise.all(found.map((item) => this.#listed(item))), unknown };
  }

  /** Users whose id contains the search, in the order of the dataset; an id that is equal to it comes first. */
  users({ of, search, from, limit }: UsersQuestion): UsersPage {
    const { users, history, heldOut } = this.#part(of);
    const wanted = search.trim().toLowerCase();
    const exact = wanted === "" ? undefined : users.indexOf(search.trim());
    const found: number[] = [];
    let total = 0;
    const add = (row: number) => {
      if (total >= from && found.length < limit) found.push(row);
      total++;
    };
    if (exact !== undefined) add(exact);
    const contains = containing(users, wanted);
    for (let row = 0; row < users.size; row++) if (row !== exact && contains(row)) add(row);
    return {
      total,
      users: found.map((row) => ({
        id: users.ids[row],
        history: lengthOf(history, row),
        heldOut: heldOut ? lengthOf(heldOut, row) : 0,
      })),
    };
  }

  /** One user. Throws UserError for an unknown id. */
  async user({ of, user }: UserQuestion): Promise<UserAnswer> {
    const { users, history, heldOut } = this.#part(of);
    const row = users.indexOf(user);
    if (row === undefined)
      throw new UserError({
        problem: `${user} is not one of the ${of === "train" ? "training" : of} users`,
      });
    return {
      id: user,
      of,
      place: row,
      users: users.size,
      ...(row > 0 && { previous: users.ids[row - 1] }),
      ...(row + 1 < users.size && { next: users.ids[row + 1] }),
      history: await this.#row(history, row),
      historyLength: lengthOf(history, row),
      heldOut: heldOut ? await this.#row(heldOut, row) : [],
      heldOutLength: heldOut ? lengthOf(heldOut, row) : 0,
    };
  }

  #part(of: DatasetPart): PartUsers {
    const { users, train } = this.#dataset;
    if (of === "train") return { users, history: train };
    const { users: held, foldIn, heldOut } = this.#dataset[of];
    return { users: held, history: foldIn, heldOut };
  }

  /** The items of a row, the best rated first; equal ones by popularity. */
  async #row(matrix: CsrMatrix, row: number): Promise<HistoryItem[]> {
    const start = matrix.offsets[row];
    const rated = Array.from(rowIndices(matrix, row), (item, place) => ({
      item,
      rating: matrix.values?.[start + place],
    }));
    rated.sort(
      (a, b) =>
        (b.rating ?? 0) - (a.rating ?? 0) || this.#counts[b.item] - this.#counts[a.item] || a.item - b.item,
    );
    return Promise.all(
      rated.slice(0, MOST_HISTORY).map(async ({ item, rating }) => ({
        ...(await this.#listed(item)),
        ...(rating !== undefined && { rating }),
      })),
    );
  }

  /** All items, the most popular first. */
  #ordered(): Uint32Array {
    this.#byPopularity ??= Uint32Array.from(this.#counts.keys()).sort(
      (a, b) => this.#counts[b] - this.#counts[a] || a - b,
    );
    return this.#byPopularity;
  }

  async #listed(item: number): Promise<ListedItem> {
    const { ids, titles } = this.#dataset.items;
    this.#columns ??= this.#dataset.items.attributes?.columns() ?? Promise.resolve([]);
    const values = (await this.#columns).flatMap((column): [string, (string | number)[]][] => {
      const found = valuesOf(column, item);
      if (found.length === 0) return [];
      return [[column.name, column.type === "date" ? found.map((one) => dateText(Number(one))) : found]];
    });
    return {
      ...{ id: ids[item], title: titles?.[item] ?? null, users: this.#counts[item] },
      ...(values.length > 0 && { attributes: Object.fromEntries(values) }),
    };
  }

  /** Whether an item contains all words. */
  async #matcher(search: string): Promise<(item: number) => boolean> {
    const words = folded(search)
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length === 0) return () => true;
    const { titles, attributes } = this.#dataset.items;
    if (titles) this.#titles ??= titles.map((title) => title && folded(title));
    const columns = (await attributes?.columns()) ?? [];
    const tests = words.map((word) => {
      const inAttributes = columns.flatMap((column) => testOf(column, word));
      const inId = containing(this.#dataset.items, word);
      return (item: number) =>
        this.#titles?.[item]?.includes(word) || inId(item) || inAttributes.some((test) => test(item));
    });
    return (item) => tests.every((test) => test(item));
  }
}

const lengthOf = ({ offsets }: CsrMatrix, row: number): number => offsets[row + 1] - offsets[row];

/** Whether an id contains a text in small letters. */
function containing({ ids, numeric }: Vocabulary, text: string): (index: number) => boolean {
  return numeric ? (index) => ids[index].includes(text) : (index) => ids[index].toLowerCase().includes(text);
}

/** In small letters and without accents: "cafe" finds "Café". */
const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** A test for items with the word in a text of this attribute; none if no text contains it. */
function testOf(column: AttributeColumn, word: string): ((item: number) => boolean)[] {
  if ("numbers" in column || column.type === "boolean") return [];
  const { codes, values } = column;
  const wanted = codesWith(values, word);
  if (wanted.size === 0) return [];
  if (!("offsets" in column)) return [(item) => wanted.has(codes[item])];
  const { offsets } = column;
  return [
    (item) => {
      for (let at = offsets[item]; at < offsets[item + 1]; at++) if (wanted.has(codes[at])) return true;
      return false;
    },
  ];
}

function codesWith(values: TextDictionary, word: string): Set<number> {
  const codes = new Set<number>();
  for (let code = 0; code < values.size; code++) if (folded(values.at(code)).includes(word)) codes.add(code);
  return codes;
}
