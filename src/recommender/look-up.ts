// What people call items -> indices of a catalogue: an id, or else a title (titles.ts). A title may mean several items. Who
// excludes it excludes them all; what belongs to a history must be one item, and the ids to choose from are then named.

import { UserError } from "../core/errors.js";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { idList, idText } from "./item-ids.js";
import { TitleIndex } from "./titles.js";

/** An item of the catalogue, by all its names. */
export interface NamedItem {
  /** Index in the model's vocabulary. */
  index: number;
  id: string;
  /** Its title; its id where it has none. */
  title: string;
}

/** An item by all its names. */
export function namedItem(index: number, items: Vocabulary): NamedItem {
  return { index, id: items.ids[index], title: items.titleOf(index) };
}

/** A title that several items have, where one was meant. */
export interface AmbiguousTitle {
  /** Where it stands: the list, such as `history`, and where in it. */
  readonly place: string;
  readonly at?: number;
  readonly title: string;
  /** The items that are called so, or the first of them. */
  readonly items: readonly NamedItem[];
}

/** Titles that several items have, where one was meant of each. */
export class AmbiguousTitlesError extends UserError {
  readonly titles: readonly AmbiguousTitle[];

  constructor(titles: readonly AmbiguousTitle[]) {
    const [{ place, at, title, items }] = titles;
    super({ place: at === undefined ? place : `${place}[${at}]`, ...ambiguity(title, items) });
    this.titles = titles;
  }
}

/** What is said of a title that several items have. */
export function ambiguity(title: string, items: readonly NamedItem[]) {
  const listed = items.slice(0, 5).map(({ id, title }) => `${id} (${title})`);
  const count = items.length < MOST_NAMED ? `${items.length} items` : "many items";
  return {
    problem: `${count} are called "${title}"`,
    remedy: `Give the id of the one you mean: ${listed.join(", ")}${items.length > listed.length ? ", ..." : ""}`,
  };
}

/** Items that are named where a title means several, and titles that are reported at once. */
const MOST_NAMED = 20;
/** How many entries are looked up between two questions of the time. */
const STEP = 32;
/** More entries wait for their turn. */
const MANY = 200;

export interface Found {
  /** Indices, each once, in the order given. */
  readonly known: Uint32Array;
  /** Entries that are neither an id nor a title, each once. */
  readonly unknown: readonly string[];
  /** Titles that several items have, none of which was taken. */
  readonly ambiguous: readonly AmbiguousTitle[];
}

export interface LookUpOptions {
  /** What the entries are, for messages: `history`. */
  readonly place: string;
  /** What a title that several items have stands for: all of them, an error, or none of them, which is then reported. */
  readonly severalOf: "all" | "refused" | "reported";
  readonly pauses?: Pauses;
}

/**
 * The items that entries name. Indices are taken as a Uint32Array. Throws UserError for what is not an id;
 * AmbiguousTitlesError where a title does not say which item is meant; RangeError for an index outside the catalogue.
 */
export async function lookUp(
  items: Vocabulary,
  given: unknown,
  { place, severalOf, pauses = new SharedTurns().begin() }: LookUpOptions,
): Promise<Found> {
  if (given instanceof Uint32Array)
    return { known: indices(given, items, place), unknown: [], ambiguous: [] };
  const entries = idList(given, place);
  if (entries.length > MANY) await pauses.yield();
  const known = new Set<number>();
  const unknown = new Set<string>();
  const ambiguous: AmbiguousTitle[] = [];
  for (const [e, entry] of entries.entries()) {
    if (e > 0 && e % STEP === 0 && pauses.due) await pauses.yield();
    const { text, called } = await itemsCalled(items, entry, `${place}[${e}]`);
    if (called.length === 0) unknown.add(text);
    else if (called.length === 1 || severalOf === "all")
      for (const [c, item] of called.entries()) {
        if (c > 0 && c % STEP === 0 && pauses.due) await pauses.yield();
        known.add(item);
      }
    else if (ambiguous.length < MOST_NAMED) ambiguous.push(ambiguousTitle(items, text, called, place, e));
  }
  if (ambiguous.length > 0 && severalOf === "refused") throw new AmbiguousTitlesError(ambiguous);
  return { known: Uint32Array.from(known), unknown: [...unknown], ambiguous };
}

function indices(given: Uint32Array, items: Vocabulary, place: string): Uint32Array {
  for (const index of given)
    if (index >= items.size) throw new RangeError(`${place}: item ${index} is outside [0, ${items.size})`);
  return Uint32Array.from(new Set(given));
}

/** The items that one entry names: those of its title where it is not an id. Throws UserError where it can be neither. */
export async function itemsCalled(
  items: Vocabulary,
  entry: unknown,
  place: string,
): Promise<{ text: string; called: readonly number[] }> {
  const text = idText(entry, place);
  const index = items.indexOf(text);
  if (index !== undefined) return { text, called: [index] };
  const titled = typeof entry === "string" && items.titles;
  return { text, called: titled ? (await TitleIndex.of(items)).find(text) : [] };
}

export function ambiguousTitle(
  items: Vocabulary,
  title: string,
  called: readonly number[],
  place: string,
  at?: number,
): AmbiguousTitle {
  const named = called.slice(0, MOST_NAMED).map((index) => namedItem(index, items));
  return { place, ...(at !== undefined && { at }), title, items: named };
}
