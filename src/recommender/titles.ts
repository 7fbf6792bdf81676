// Finds items by title as users write it: in any case, with or without the year, "the godfather" for "Godfather, The". The index
// of a catalogue is built once, in steps that yield to the event loop.

import { LargeMap } from "../core/large-map.js";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import type { Vocabulary } from "../data/vocabulary.js";

/** The items by name. A name nearly always has a single item, for which no list is needed. */
type Names = LargeMap<string, number | number[]>;

/** Titles processed between two checks of the clock. */
const STEP = 64;
/** Searches through more titles share the event loop in turns. */
const MANY = 2000;

const known = new WeakMap<Vocabulary, Promise<TitleIndex>>();

export class TitleIndex {
  /** Normalised titles by item; "" if an item has none. */
  readonly #folded: string[] = [];
  /** Items by title. */
  readonly #exact: Names = new LargeMap();
  /** Items by spoken title, if it differs from the title. */
  readonly #spoken: Names = new LargeMap();
  /** Items by spoken title without the year, if it has one. */
  readonly #withoutYear: Names = new LargeMap();

  private constructor() {}

  /** The index of a catalogue, built on first use. */
  static of(items: Vocabulary): Promise<TitleIndex> {
    const before = known.get(items);
    if (before) return before;
    const building = TitleIndex.#build(items);
    known.set(items, building);
    return building;
  }

  static async #build(items: Vocabulary): Promise<TitleIndex> {
    const index = new TitleIndex();
    const pauses = new SharedTurns().begin();
    for (const [item, title] of (items.titles ?? []).entries()) {
      index.#add(item, title);
      if (item % STEP === 0 && pauses.due) await pauses.yield();
    }
    return index;
  }

  #add(item: number, title: string | null): void {
    const exact = title === null ? "" : folded(title);
    this.#folded.push(exact);
    if (title === null) return;
    put(this.#exact, exact, item);
    const said = spoken(exact);
    if (said !== exact) put(this.#spoken, said, item);
    const bare = withoutYear(said);
    if (bare !== said) put(this.#withoutYear, bare, item);
  }

  /** The items with this title: none, one, or several. */
  find(text: string): readonly number[] {
    if (this.#folded.length === 0) return [];
    const exact = folded(text);
    const called = numbers(this.#exact.get(exact));
    if (called.length > 0) return called;
    const said = spoken(exact);
    const spokenOf = [...numbers(this.#exact.get(said)), ...numbers(this.#spoken.get(said))];
    if (spokenOf.length > 0) return [...new Set(spokenOf)].sort((a, b) => a - b);
    return numbers(this.#withoutYear.get(said));
  }

  /** Up to `most` items whose title contains the text: first those that begin with it, then by index. */
  async search(text: string, most: number, pauses: Pauses = new SharedTurns().begin()): Promise<number[]> {
    if (this.#folded.length > MANY) await pauses.yield();
    const wanted = folded(text);
    const beginning: number[] = [];
    const within: number[] = [];
    for (const [item, title] of this.#folded.entries()) {
      if (item % STEP === 0 && pauses.due) await pauses.yield();
      const at = title === "" ? -1 : title.indexOf(wanted);
      if (at === 0) beginning.push(item);
      else if (at > 0 && within.length < most) within.push(item);
      if (beginning.length === most) break;
    }
    return [...beginning, ...within].slice(0, most);
  }
}

function put(names: Names, name: string, item: number): void {
  const before = names.get(name);
  if (before === undefined) names.set(name, item);
  else if (typeof before === "number") names.set(name, [before, item]);
  else before.push(item);
}

function numbers(items: number | number[] | undefined): readonly number[] {
  if (items === undefined) return [];
  return typeof items === "number" ? [items] : items;
}

export function folded(title: string): string {
  return title.normalize("NFC").trim().toLowerCase();
}

/** The title without a year at its end. (Matching the blanks before the year in the same expression would take quadratic time.) */
export function withoutYear(title: string): string {
  const year = /\(\d{4}\)$/.exec(title);
  return year ? title.slice(0, year.index).trimEnd() : title;
}

/** The spoken form: "the godfather (1972)" for "godfather, the (1972)". */
function spoken(title: string): string {
  return title.replace(/^(.*), (the|an?|les?|la|der|die|das|el|il)(\s*\(\d{4}\))?$/, "$2 $1$3");
}
