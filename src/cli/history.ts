// Resolves a history from the command line to items. Each entry is an id, a title (case-insensitive, with or without its
// year), or a comma-separated list of these. `@file` reads entries from a file, one per line; `@-` from stdin. Unknown
// entries are rejected with similar titles. An empty history is valid: a new user.

import { devNull } from "node:os";
import { text as textOf } from "node:stream/consumers";
import { UserError } from "../core/errors.js";
import { readText } from "../core/input-file.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { nearTitles } from "../recommender/near-titles.js";
import { TitleIndex } from "../recommender/titles.js";

/** How many items with the same title are listed in a message. */
const LISTED = 10;

/**
 * The items of a history without duplicates, in the given order; none for blank entries and empty files. Throws
 * UserError for unknown entries and for a title that several items have.
 */
export async function resolveHistory(entries: readonly string[], items: Vocabulary): Promise<Uint32Array> {
  return new Entries(items, "--history", onlyOne).resolve(entries);
}

/** The items to exclude. A title excludes all items that have it. Throws UserError for unknown entries. */
export async function resolveExcluded(entries: readonly string[], items: Vocabulary): Promise<Uint32Array> {
  return new Entries(items, "--exclude", (called) => called).resolve(entries);
}

/** Chooses from several items with the same title. Throws UserError if the title is ambiguous. */
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
    problem: `${called.length} items have the title '${title.trim()}'`,
    remedy: `Use an id instead: ${listed.join(", ")}${others}`,
  });
};

class Entries {
  readonly #items: Vocabulary;
  readonly #option: string;
  readonly #choose: Choose;
  readonly #found = new Set<number>();
  readonly #unknown: string[] = [];

  constructor(items: Vocabulary, option: string, choose: Choose) {
    this.#items = items;
    this.#option = option;
    this.#choose = choose;
  }

  async resolve(entries: readonly string[]): Promise<Uint32Array> {
    for (const entry of entries) {
      const direct = await this.#lookUp(entry);
      if (direct.length > 0) this.#take(direct);
      else if (entry.startsWith("@"))
        for (const line of await linesOf(entry.slice(1), this.#option)) await this.#add(line);
      else await this.#add(entry);
    }
    if (this.#unknown.length > 0) throw unknownItems(this.#unknown, this.#items, this.#option);
    return Uint32Array.from(this.#found);
  }

  /** Adds an entry: an id, a title, or a comma-separated list. */
  async #add(entry: string): Promise<void> {
    const whole = await this.#lookUp(entry);
    if (whole.length > 0) {
      this.#take(whole);
      return;
    }
    const parts = entry
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
    const found: (readonly number[])[] = [];
    for (const part of parts) found.push(await this.#lookUp(part));
    // If no part is known, the entry is a mistyped title that contains commas.
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

  async #lookUp(text: string): Promise<readonly number[]> {
    const index = this.#items.indexOf(text) ?? this.#items.indexOf(text.trim());
    if (index !== undefined) return [index];
    if (text.trim() === "") return [];
    // The index of a large catalogue takes seconds to build, and is only needed for titles.
    const called = (await TitleIndex.of(this.#items)).find(text);
    return called.length > 1 ? this.#choose(called, text, this.#items, this.#option) : called;
  }
}

function named(index: number, items: Vocabulary): string {
  return items.titles?.[index] ? `${items.ids[index]} (${items.titles[index]})` : items.ids[index];
}

function unknownItems(unknown: readonly string[], items: Vocabulary, option: string): UserError {
  const near = nearTitles(unknown[0], items).map((index) => items.titleOf(index));
  const others = unknown.length > 4 ? ` and ${unknown.length - 4} more` : "";
  return new UserError({
    place: option,
    problem: `no item of this model has the id${items.titles ? " or title" : ""} ${quoted(unknown.slice(0, 4))}${others}`,
    expected: near.length > 0 ? undefined : `ids like ${quoted(items.ids.slice(0, 3))}`,
    remedy: near.length > 0 ? `Did you mean ${near.map((title) => `'${title}'`).join(" or ")}?` : undefined,
  });
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(", ");
}

/** The non-empty lines of a file or of stdin. */
async function linesOf(path: string, option: string): Promise<string[]> {
  const expected = `a text file with one id or title per line, for ${option}`;
  const text =
    path === "-" ? await textOf(process.stdin) : path === devNull ? "" : await readText(path, { expected });
  return text
    .replace(/^\ufeff/, "")
    .split(/\r\n|[\r\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
