// What people type as a history -> items: each entry is an id, or a title (in any case, with or without its year), or
// else a list of those with commas; `@file` stands for the lines of a file, `@-` for those of stdin. Anything unknown is refused
// with near titles; nothing at all is the history of somebody new.

import { devNull } from "node:os";
import { text as textOf } from "node:stream/consumers";
import { distance } from "fastest-levenshtein";
import { UserError } from "../core/errors.js";
import { readText } from "../core/input-file.js";
import { LONGEST_NAME } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { folded, TitleIndex, withoutYear } from "../recommender/titles.js";

/** How many of several items of one title are listed. */
const LISTED = 10;

/**
 * The items of a history, each once, in the order given; none for entries of blanks and empty files. Throws UserError for
 * what is unknown, and for a title of several items.
 */
export async function resolveHistory(entries: readonly string[], items: Vocabulary): Promise<Uint32Array> {
  return new Entries(items, await TitleIndex.of(items), "--history", onlyOne).resolve(entries);
}

/** The items to be left out: of a title, all that are called so. Throws UserError for what is unknown. */
export async function resolveExcluded(entries: readonly string[], items: Vocabulary): Promise<Uint32Array> {
  return new Entries(items, await TitleIndex.of(items), "--exclude", (called) => called).resolve(entries);
}

/** What is meant by a title that several items have. Throws UserError where that cannot be known. */
type Choose = (
  called: readonly number[],
  title: string,
  items: Vocabulary,
  option: string,
) => readonly number[];

const onlyOne: Choose = (called, title, items, option) => {
  const listed = called.slice(0, LISTED).map((index) => named(index, items));
  const others = called.length > LISTED ? `, and ${called.length - LISTED} more` : "";
  throw new UserError({
    place: option,
    problem: `${called.length} items are called '${title.trim()}'`,
    remedy: `Give the id of the one you mean: ${listed.join(", ")}${others}`,
  });
};

class Entries {
  readonly #items: Vocabulary;
  readonly #option: string;
  readonly #choose: Choose;
  readonly #titles: TitleIndex;
  readonly #found = new Set<number>();
  readonly #unknown: string[] = [];

  constructor(items: Vocabulary, titles: TitleIndex, option: string, choose: Choose) {
    this.#items = items;
    this.#option = option;
    this.#choose = choose;
    this.#titles = titles;
  }

  async resolve(entries: readonly string[]): Promise<Uint32Array> {
    for (const entry of entries) {
      const direct = this.#lookUp(entry);
      if (direct.length > 0) this.#take(direct);
      else if (entry.startsWith("@"))
        for (const line of await linesOf(entry.slice(1), this.#option)) this.#add(line);
      else this.#add(entry);
    }
    if (this.#unknown.length > 0) throw unknownItems(this.#unknown, this.#items, this.#option);
    return Uint32Array.from(this.#found);
  }

  /** An entry as an id, a title, or a list with commas. */
  #add(entry: string): void {
    const whole = this.#lookUp(entry);
    if (whole.length > 0) {
      this.#take(whole);
      return;
    }
    const parts = entry
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
    const found = parts.map((part) => this.#lookUp(part));
    // None of the parts known: it was a title with commas, mistyped.
    if (found.every((indices) => indices.length === 0)) {
      const ids = parts.length > 1 && parts.every((part) => !/\s/.test(part));
      if (parts.length > 0) for (const text of ids ? parts : [entry.trim()]) this.#unknown.push(text);
      return;
    }
    for (const [p, indices] of found.entries())
      if (indices.length === 0) this.#unknown.push(parts[p]);
      else this.#take(indices);
  }

  #take(indices: readonly number[]): void {
    for (const index of indices) this.#found.add(index);
  }

  #lookUp(text: string): readonly number[] {
    const index = this.#items.indexOf(text) ?? this.#items.indexOf(text.trim());
    if (index !== undefined) return [index];
    if (text.trim() === "") return [];
    const called = this.#titles.find(text);
    return called.length > 1 ? this.#choose(called, text, this.#items, this.#option) : called;
  }
}

function named(index: number, items: Vocabulary): string {
  return items.titles?.[index] ? `${items.ids[index]} (${items.titles[index]})` : items.ids[index];
}

function unknownItems(unknown: readonly string[], items: Vocabulary, option: string): UserError {
  const near = items.titles ? nearTitles(unknown[0], items) : [];
  const others = unknown.length > 4 ? ` and ${unknown.length - 4} more` : "";
  return new UserError({
    place: option,
    problem: `no item of this model has the id${items.titles ? " or title" : ""} ${quoted(unknown.slice(0, 4))}${others}`,
    expected: near.length > 0 ? undefined : `ids like ${quoted(items.ids.slice(0, 3))}`,
    remedy: near.length > 0 ? `Did you mean ${near.map((title) => `'${title}'`).join(" or ")}?` : undefined,
  });
}

/** Up to three titles that the text may have meant: those that contain it, then those a few letters away. */
function nearTitles(text: string, items: Vocabulary): string[] {
  const wanted = folded(text);
  if (wanted === "" || wanted.length > LONGEST_NAME) return [];
  const near: { title: string; apart: number }[] = [];
  for (const title of items.titles ?? []) {
    if (title === null) continue;
    const known = folded(title);
    const apart = Math.min(distance(wanted, known), distance(wanted, withoutYear(known)));
    const contains = wanted.length >= 3 && known.includes(wanted);
    if (contains || apart <= Math.max(1, Math.floor(wanted.length / 3)))
      near.push({ title, apart: contains ? Math.min(apart / 100, 1) : apart });
  }
  return near
    .sort((a, b) => a.apart - b.apart)
    .slice(0, 3)
    .map(({ title }) => title);
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(", ");
}

/** The lines of a file, or of stdin, that are not empty. */
async function linesOf(path: string, option: string): Promise<string[]> {
  const expected = `a text file with one id or title a line, for ${option}`;
  const text =
    path === "-" ? await textOf(process.stdin) : path === devNull ? "" : await readText(path, { expected });
  return text
    .replace(/^\ufeff/, "")
    .split(/\r\n|[\r\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
