// The attributes of items: typed columns that filters, boosts and diversity use. A text or boolean is a code in the dictionary of its
// column, a list is several codes, numbers and dates are float64. Columns of a saved model are read when they are first used.

import { UserError } from "../../core/errors.js";
import { nearestName } from "../../core/nearest.js";
import { NO_VALUE, TextDictionary } from "./dictionary.js";
import type { AttributeType } from "./types.js";

/** The name and type of an attribute. */
export interface AttributeDescription {
  readonly name: string;
  readonly type: AttributeType;
}

/** One text of a dictionary per item; a boolean is the text "true" or "false". */
export interface CodedColumn {
  readonly name: string;
  readonly type: "text" | "boolean";
  readonly values: TextDictionary;
  /** [items]: the code of each item's value; `NO_VALUE` = missing. */
  readonly codes: Uint32Array;
}

/** Several texts of a dictionary per item. */
export interface ListColumn {
  readonly name: string;
  readonly type: "list";
  readonly values: TextDictionary;
  /** [items + 1]: item i has the codes [offsets[i], offsets[i + 1]); none = missing. */
  readonly offsets: Uint32Array;
  readonly codes: Uint32Array;
}

/** A number per item. */
export interface NumberColumn {
  readonly name: string;
  readonly type: "number" | "date";
  /** [items]; dates in milliseconds since 1970; NaN = missing. */
  readonly numbers: Float64Array;
}

/** The values of an attribute for all items. */
export type AttributeColumn = CodedColumn | ListColumn | NumberColumn;

/** The attributes of the items of a catalogue, in its order. */
export class ItemAttributes {
  /** The number of items. */
  readonly size: number;
  readonly described: readonly AttributeDescription[];
  readonly #load: (name: string) => Promise<AttributeColumn>;
  readonly #bytesOf: (name: string) => number;
  readonly #columns = new Map<string, Promise<AttributeColumn>>();

  /** `load` reads a column when it is first used; `bytesOf` is its size in memory. */
  constructor(
    size: number,
    described: readonly AttributeDescription[],
    load: (name: string) => Promise<AttributeColumn>,
    bytesOf: (name: string) => number = () => 0,
  ) {
    this.size = size;
    this.described = described;
    this.#load = load;
    this.#bytesOf = bytesOf;
  }

  /** Attributes in memory. Throws RangeError if a column has another number of items. */
  static of(size: number, columns: readonly AttributeColumn[]): ItemAttributes {
    for (const column of columns)
      if (itemsOf(column) !== size)
        throw new RangeError(`attribute ${column.name}: ${itemsOf(column)} items, expected ${size}`);
    const byName = new Map(columns.map((column) => [column.name, column]));
    const described = columns.map(({ name, type }) => ({ name, type }));
    return new ItemAttributes(size, described, async (name) => byName.get(name) as AttributeColumn);
  }

  /**
   * The attribute of this name; case is ignored if there is no other with the same letters. Throws UserError, naming the place and
   * the nearest name, for an unknown one.
   */
  find(name: string, place = "attribute"): AttributeDescription {
    const exact = this.described.find((one) => one.name === name);
    const alike = this.described.filter((one) => one.name.toLowerCase() === name.toLowerCase());
    const found = exact ?? (alike.length === 1 ? alike[0] : undefined);
    if (found) return found;
    const names = this.described.map((one) => one.name);
    const near = nearestName(name, names);
    throw new UserError({
      place,
      problem: `the items have no attribute "${name}"`,
      expected: names.slice(0, MOST_NAMED).join(", ") + (names.length > MOST_NAMED ? ", ..." : ""),
      remedy: near === undefined ? undefined : `Did you mean "${near}"?`,
    });
  }

  /** The column of an attribute, by its exact name. Throws UserError if its file is damaged, RangeError for an unknown name. */
  column(name: string): Promise<AttributeColumn> {
    const before = this.#columns.get(name);
    if (before) return before;
    if (!this.described.some((one) => one.name === name)) throw new RangeError(`no attribute ${name}`);
    const loading = this.#load(name);
    this.#columns.set(name, loading);
    // A failure is reported again by the next use, which may succeed.
    loading.catch(() => this.#columns.delete(name));
    return loading;
  }

  /** Reads the columns now that do not need much memory: not those with long texts of a million items. Throws like `column`. */
  async prepare(): Promise<void> {
    for (const { name } of this.described) if (this.#bytesOf(name) <= MOST_PREPARED) await this.column(name);
  }

  /** All columns, in order. Throws like `column`. */
  async columns(): Promise<AttributeColumn[]> {
    const all: AttributeColumn[] = [];
    for (const { name } of this.described) all.push(await this.column(name));
    return all;
  }
}

/** Bytes of a column that is read before it is used. */
const MOST_PREPARED = 32 << 20;
/** Attributes listed in a message. */
const MOST_NAMED = 20;

/** The attributes of a catalogue. Throws UserError if it has none. */
export function requireAttributes(attributes: ItemAttributes | undefined, place: string): ItemAttributes {
  if (attributes && attributes.described.length > 0) return attributes;
  throw new UserError({
    place,
    problem: "the model has no item attributes",
    remedy:
      "Prepare the dataset with an items file that has columns besides id and title (foldin prepare --items), and train again; datasets and models of earlier versions have none",
  });
}

function itemsOf(column: AttributeColumn): number {
  if ("numbers" in column) return column.numbers.length;
  return column.type === "list" ? column.offsets.length - 1 : column.codes.length;
}

/** The values of an item as texts and numbers: none if it is missing, several for a list. */
export function valuesOf(column: AttributeColumn, item: number): (string | number)[] {
  if ("numbers" in column) {
    const value = column.numbers[item];
    return Number.isNaN(value) ? [] : [value];
  }
  return codesOf(column, item).map((code) => column.values.at(code));
}

/** The codes of an item's values: none if it is missing, several for a list. */
export function codesOf(column: CodedColumn | ListColumn, item: number): number[] {
  if (column.type === "list")
    return [...column.codes.subarray(column.offsets[item], column.offsets[item + 1])];
  return column.codes[item] === NO_VALUE ? [] : [column.codes[item]];
}

/** The attributes of two catalogues, one after the other; an attribute that one of them lacks is missing for its items. */
export function joinedAttributes(one: ItemAttributes, other: ItemAttributes): ItemAttributes {
  const own = new Set(one.described.map(({ name }) => name));
  const described = [...one.described, ...other.described.filter(({ name }) => !own.has(name))];
  const part = async (of: ItemAttributes, { name, type }: AttributeDescription) => {
    const found = of.described.find((known) => known.name === name);
    if (found && found.type !== type)
      throw new UserError({
        place: `attribute ${name}`,
        problem: `it is a ${found.type} for the new items, and a ${type} for the others`,
        remedy: "State its type",
      });
    return found && (await of.column(name));
  };
  return new ItemAttributes(one.size + other.size, described, async (name) => {
    const attribute = described.find((known) => known.name === name) as AttributeDescription;
    return joinedColumn(
      attribute,
      { column: await part(one, attribute), size: one.size },
      { column: await part(other, attribute), size: other.size },
    );
  });
}

interface Part {
  readonly column: AttributeColumn | undefined;
  readonly size: number;
}

function joinedColumn({ name, type }: AttributeDescription, ...parts: [Part, Part]): AttributeColumn {
  const size = parts[0].size + parts[1].size;
  if (type === "number" || type === "date") {
    const numbers = new Float64Array(size).fill(Number.NaN);
    let at = 0;
    for (const { column, size } of parts) {
      if (column && "numbers" in column) numbers.set(column.numbers, at);
      at += size;
    }
    return { name, type, numbers };
  }
  const coded = parts.map(({ column }) => (column && "codes" in column ? column : undefined));
  const values = TextDictionary.of(coded.flatMap((column) => (column ? [...column.values] : [])));
  const recoded = coded.map((column) => {
    const codes = Uint32Array.from(column?.values ?? [], (text) => values.find(text) as number);
    return column?.codes.map((code) => (code === NO_VALUE ? code : codes[code])) ?? new Uint32Array();
  });
  if (type === "list") {
    const codes = new Uint32Array(recoded[0].length + recoded[1].length);
    codes.set(recoded[0]);
    codes.set(recoded[1], recoded[0].length);
    const offsets = new Uint32Array(size + 1);
    let [item, end] = [0, 0];
    for (const [p, part] of parts.entries()) {
      const { column } = part;
      for (let i = 1; i <= part.size; i++)
        offsets[++item] = end + (column?.type === "list" ? column.offsets[i] : 0);
      end += recoded[p].length;
    }
    return { name, type, values, offsets, codes };
  }
  const codes = new Uint32Array(size).fill(NO_VALUE);
  codes.set(recoded[0]);
  codes.set(recoded[1], parts[0].size);
  return { name, type, values, codes };
}
