// Finds items by title as users write it: in any case, with or without the year, "the godfather" for "Godfather, The". The index
// of a catalogue is built once, in steps that yield to the event loop.

import { setImmediate } from "node:timers/promises";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import { TextTable } from "../core/text-table.js";
import type { Vocabulary } from "../data/vocabulary.js";

/** Titles processed between two checks of the clock. */
const STEP = 64;
/** Searches through more titles share the event loop in turns. */
const MANY = 2000;
/** Bytes searched between two checks of the clock. */
const SEARCHED_AT_ONCE = 1 << 21;
/** Titles that are encoded at a time. */
const ENCODED_AT_ONCE = 1024;

const known = new WeakMap<Vocabulary, Promise<TitleIndex>>();

export class TitleIndex {
  readonly #titles: readonly (string | null)[];
  /** Items by title. */
  readonly #exact: TextTable;
  /** Items by spoken title, if it differs from the title. */
  readonly #spoken: TextTable;
  /** Items by spoken title without the year, if it has one. */
  readonly #withoutYear: TextTable;
  #text: Promise<SearchText> | undefined;

  private constructor(titles: readonly (string | null)[]) {
    this.#titles = titles;
    const exactOf = (item: number) => folded(titles[item] ?? "");
    this.#exact = new TextTable(titles.length, exactOf);
    this.#spoken = new TextTable(titles.length, (item) => spoken(exactOf(item)));
    this.#withoutYear = new TextTable(titles.length, (item) => withoutYear(spoken(exactOf(item))));
  }

  /** The index of a catalogue, built on first use. */
  static of(items: Vocabulary): Promise<TitleIndex> {
    const before = known.get(items);
    if (before) return before;
    const building = TitleIndex.#build(items);
    known.set(items, building);
    return building;
  }

  static async #build(items: Vocabulary): Promise<TitleIndex> {
    const index = new TitleIndex(items.titles ?? []);
    const pauses = new SharedTurns().begin();
    for (const [item, title] of (items.titles ?? []).entries()) {
      if (title !== null) index.#add(item, title);
      if (item % STEP === 0 && pauses.due) await pauses.yield();
    }
    return index;
  }

  #add(item: number, title: string): void {
    const exact = folded(title);
    this.#exact.add(item, exact);
    const said = spoken(exact);
    if (said !== exact) this.#spoken.add(item, said);
    const bare = withoutYear(said);
    if (bare !== said) this.#withoutYear.add(item, bare);
  }

  /** The items with this title: none, one, or several, ascending. */
  find(text: string): readonly number[] {
    const exact = folded(text);
    const called = this.#exact.all(exact);
    if (called.length > 0) return called.reverse();
    const said = spoken(exact);
    const spokenOf = [...this.#exact.all(said), ...this.#spoken.all(said)];
    if (spokenOf.length > 0) return [...new Set(spokenOf)].sort((a, b) => a - b);
    return this.#withoutYear.all(said).reverse();
  }

  /** Encodes the titles for `search`, which otherwise the first search does. */
  async prepareSearch(): Promise<void> {
    this.#text ??= SearchText.of(this.#titles);
    await this.#text;
  }

  /** Up to `most` items whose title contains the text: first those that begin with it, then by index. */
  async search(text: string, most: number, pauses: Pauses = new SharedTurns().begin()): Promise<number[]> {
    this.#text ??= SearchText.of(this.#titles);
    const titles = await this.#text;
    if (this.#titles.length > MANY) await pauses.yield();
    return titles.search(folded(text), most, pauses);
  }
}

/** The folded titles in one piece of memory, in UTF-8 and separated by line ends, which is searched faster than a list. */
class SearchText {
  readonly #bytes: Buffer;
  /** The start of each title, and the end of the last one and its line end. */
  readonly #starts: Float64Array;

  private constructor(bytes: Buffer, starts: Float64Array) {
    this.#bytes = bytes;
    this.#starts = starts;
  }

  static async of(titles: readonly (string | null)[]): Promise<SearchText> {
    const starts = new Float64Array(titles.length + 1);
    const pieces = [Buffer.from("\n")];
    starts[0] = 1;
    const pauses = new SharedTurns().begin();
    for (let from = 0; from < titles.length; from += ENCODED_AT_ONCE) {
      const some = titles.slice(from, from + ENCODED_AT_ONCE).map((title) => `${folded(title ?? "")}\n`);
      for (const [t, title] of some.entries())
        starts[from + t + 1] = starts[from + t] + Buffer.byteLength(title);
      pieces.push(Buffer.from(some.join("")));
      if (pauses.due) await pauses.yield();
    }
    await setImmediate();
    return new SearchText(Buffer.concat(pieces), starts);
  }

  async search(wanted: string, most: number, pauses: Pauses): Promise<number[]> {
    const beginning: number[] = [];
    const within: number[] = [];
    const end = this.#starts[this.#starts.length - 1];
    const anywhere = Buffer.from(wanted);
    const atStart = Buffer.from(`\n${wanted}`);
    for (let from = 0; from < end && beginning.length < most; ) {
      // Once there are enough titles that contain the text, only titles that begin with it are needed.
      const isAnywhere = wanted !== "" && within.length < most;
      const needle = isAnywhere ? anywhere : atStart;
      const until = Math.min(end, from + SEARCHED_AT_ONCE);
      const found = this.#bytes.subarray(0, until + needle.length).indexOf(needle, from);
      if (pauses.due) await pauses.yield();
      if (found < 0) {
        from = until;
        continue;
      }
      const at = isAnywhere ? found : found + 1;
      const item = this.#itemAt(at);
      const next = item === undefined ? end : this.#starts[item + 1];
      // Neither the line end after a title nor a line end within one separates two titles that match.
      const fits = item !== undefined && at + anywhere.length < next && this.#starts[item] < next - 1;
      if (fits && at === this.#starts[item]) beginning.push(item);
      else if (fits && isAnywhere) within.push(item);
      from = fits && isAnywhere ? next - 1 : found + 1;
    }
    return [...beginning, ...within].slice(0, most);
  }

  /** The title that contains this byte or ends before it. */
  #itemAt(at: number): number | undefined {
    const starts = this.#starts;
    if (at >= starts[starts.length - 1]) return undefined;
    let [low, high] = [0, starts.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
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
