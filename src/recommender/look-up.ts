// Finds items of a catalogue by id or, if there is no such id, by title (titles.ts). Several items can have the same title: as an
// exclusion it means all of them; in a history it is ambiguous, and the error lists the ids to choose from.

import { UserError } from "../core/errors.js";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { idList, idText } from "./item-ids.js";
import { TitleIndex } from "./titles.js";

/** An item of the catalogue: index, id and title. */
export interface NamedItem {
  /** Index in the model's vocabulary. */
  index: number;
  id: string;
  /** Its title, or its id if it has no title. */
  title: string;
}

/** The index, id and title of an item. */
export function namedItem(index: number, items: Vocabulary): NamedItem {
  return { index, id: items.ids[index], title: items.titleOf(index) };
}

/** A title of several items where one item is required. */
export interface AmbiguousTitle {
  /** The list that contains it, such as `history`; `at` is its position there. */
  readonly place: string;
  readonly at?: number;
  readonly title: string;
  /** The items with this title, or the first of them. */
  readonly items: readonly NamedItem[];
}

/** Thrown for titles of several items where one item is required. */
export class AmbiguousTitlesError extends UserError {
  readonly titles: readonly AmbiguousTitle[];

  constructor(titles: readonly AmbiguousTitle[]) {
    const [{ place, at, title, items }] = titles;
    super({ place: at === undefined ? place : `${place}[${at}]`, ...ambiguity(title, items) });
    this.titles = titles;
  }
}

/** The parts of the message for a title of several items. */
export function ambiguity(title: string, items: readonly NamedItem[]) {
  const listed = items.slice(0, 5).map(({ id, title }) => `${id} (${title})`);
  const count = items.length < MOST_NAMED ? `${items.length} items` : "many items";
  return {
    problem: `${count} are called "${title}"`,
    remedy: `Give the id of the one you mean: ${listed.join(", ")}${items.length > listed.length ? ", ..." : ""}`,
  };
}

/** The maximum number of items listed per ambiguous title, and of titles reported at once. */
const MOST_NAMED = 20;
/** Entries looked up between two checks of the clock. */
const STEP = 32;
/** Look-ups of more entries share the event loop in turns. */
const MANY = 200;

export interface Found {
  /** Indices, each once, in the order given. */
  readonly known: Uint32Array;
  /** Entries that are neither ids nor titles, each once. */
  readonly unknown: readonly string[];
  /** Titles of several items; none of these items is in `known`. */
  readonly ambiguous: readonly AmbiguousTitle[];
}

export interface LookUpOptions {
  /** The name of the list, for messages: `history`. */
  readonly place: string;
  /** How to handle a title of several items: take all of them, throw, or take none and report it. */
  readonly severalOf: "all" | "refused" | "reported";
  readonly pauses?: Pauses;
}

/**
 * Finds the items of entries. A Uint32Array contains item indices. Throws UserError for an entry that is not an id;
 * AmbiguousTitlesError for a title of several items; RangeError for an index outside the catalogue.
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

/** The items of one entry: the item with this id, or otherwise the items with this title. Throws UserError if it cannot be either. */
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
