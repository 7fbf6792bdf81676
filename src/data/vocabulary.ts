// Maps external ids to indices and back. Ids are kept as text, as in the source file; `numeric` says that all of them are
// integers, so that tables are written with integer ids.

import { TextTable } from "../core/text-table.js";
import { ItemAttributes, joinedAttributes } from "./attributes/attributes.js";
import type { ItemPopularity } from "./item-popularity.js";

/** An integer in plain decimal notation, small enough to be exact as a float64. */
export const plainInteger = /^(0|-?[1-9]\d{0,14})$/;

/** The items (or users) of a dataset: index i stands for `ids[i]`. */
export class Vocabulary {
  readonly ids: readonly string[];
  /** Per index, a human-readable title if one is known. */
  readonly titles: readonly (string | null)[] | undefined;
  /** The items' attributes, if any are known. */
  readonly attributes: ItemAttributes | undefined;
  /** How many training users have each item, if it is known. */
  readonly popularity: ItemPopularity | undefined;
  #indexById: TextTable | undefined;
  /** Valid once `#indexById` exists. */
  #distinct = true;
  #numeric: boolean | undefined;

  constructor(
    ids: readonly string[],
    titles?: readonly (string | null)[],
    attributes?: ItemAttributes,
    popularity?: ItemPopularity,
  ) {
    if (titles && titles.length !== ids.length)
      throw new RangeError("Vocabulary: the number of titles must equal the number of ids");
    if (attributes && attributes.size !== ids.length)
      throw new RangeError("Vocabulary: the attributes must be those of the same number of items");
    this.ids = ids;
    this.titles = titles;
    this.attributes = attributes;
    if (popularity && popularity.counts.length !== ids.length)
      throw new RangeError("Vocabulary: the popularity must be that of the same number of items");
    this.popularity = popularity;
  }

  /** The ids that are these integers in decimal notation. */
  static ofIntegers(integers: Uint32Array): Vocabulary {
    const ids = new Array<string>(integers.length);
    for (let index = 0; index < ids.length; index++) ids[index] = String(integers[index]);
    const vocabulary = new Vocabulary(ids);
    vocabulary.#numeric = true;
    return vocabulary;
  }

  /** The ids of some indices, in their order, without titles and attributes. */
  chosen(indices: Uint32Array): Vocabulary {
    const ids = new Array<string>(indices.length);
    for (let place = 0; place < ids.length; place++) ids[place] = this.ids[indices[place]];
    const vocabulary = new Vocabulary(ids);
    if (this.#numeric === true) vocabulary.#numeric = true;
    return vocabulary;
  }

  /** The same items with their popularity in training data. */
  withPopularity(popularity: ItemPopularity): Vocabulary {
    const items = new Vocabulary(this.ids, this.titles, this.attributes, popularity);
    items.#indexById = this.#indexById;
    items.#distinct = this.#distinct;
    items.#numeric = this.#numeric;
    return items;
  }

  /** Whether every id is an integer in plain decimal notation. */
  get numeric(): boolean {
    this.#numeric ??= this.ids.every((id) => plainInteger.test(id));
    return this.#numeric;
  }

  get size(): number {
    return this.ids.length;
  }

  /** The index of an id, or undefined if it is unknown. */
  indexOf(id: string): number | undefined {
    return this.#index().last(id);
  }

  /** Whether no two ids are the same. If two are, `indexOf` returns the last one's index. */
  get distinct(): boolean {
    this.#index();
    return this.#distinct;
  }

  #index(): TextTable {
    if (this.#indexById) return this.#indexById;
    const table = new TextTable(this.ids.length, (index) => this.ids[index]);
    for (let index = 0; index < this.ids.length; index++) if (!table.addNew(index)) this.#distinct = false;
    this.#indexById = table;
    return table;
  }

  /** The title of an index, or its id if it has no title. */
  titleOf(index: number): string {
    return this.titles?.[index] ?? this.ids[index];
  }
}

/** The concatenation of two vocabularies without common ids. */
export function joined(one: Vocabulary, other: Vocabulary): Vocabulary {
  const ids = [...one.ids, ...other.ids];
  const titlesOf = ({ titles, ids }: Vocabulary) => titles ?? ids.map(() => null);
  const attributesOf = ({ attributes, size }: Vocabulary) => attributes ?? ItemAttributes.of(size, []);
  return new Vocabulary(
    ids,
    one.titles || other.titles ? [...titlesOf(one), ...titlesOf(other)] : undefined,
    one.attributes || other.attributes ? joinedAttributes(attributesOf(one), attributesOf(other)) : undefined,
    one.popularity && joinedPopularity(one.popularity, other),
  );
}

/** The popularity of the first items, followed by that of others, which nobody has if it is not known. */
function joinedPopularity(
  { users, counts }: ItemPopularity,
  { size, popularity }: Vocabulary,
): ItemPopularity {
  const all = new Uint32Array(counts.length + size);
  all.set(counts);
  if (popularity) all.set(popularity.counts, counts.length);
  return { users, counts: all };
}

/**
 * Sorts ids as every protocol needs them: as numbers if all of them are plain integers, otherwise as text by code point (like
 * pandas, NumPy and DuckDB).
 */
export function orderIds(ids: Iterable<string>): string[] {
  const ordered = [...ids];
  if (ordered.every((id) => plainInteger.test(id))) return ordered.sort((a, b) => Number(a) - Number(b));
  return ordered.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
