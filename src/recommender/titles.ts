// Items by their titles as people write them: in any case, with or without the year, "the godfather" for "Godfather, The".

import type { Vocabulary } from "../data/vocabulary.js";

export class TitleIndex {
  readonly #items: Vocabulary;
  #exact: Map<string, number[]> | undefined;
  #spoken: Map<string, number[]> | undefined;
  #withoutYear: Map<string, number[]> | undefined;

  constructor(items: Vocabulary) {
    this.#items = items;
  }

  /** The items that are called so: none, one, or several of the same title. */
  find(text: string): readonly number[] {
    if (!this.#items.titles) return [];
    this.#exact ??= this.#by(folded);
    this.#spoken ??= this.#by((title) => spoken(folded(title)));
    this.#withoutYear ??= this.#by((title) => withoutYear(spoken(folded(title))));
    return (
      this.#exact.get(folded(text)) ??
      this.#spoken.get(spoken(folded(text))) ??
      this.#withoutYear.get(spoken(folded(text))) ??
      []
    );
  }

  /** The items whose title has the text in it, those that begin with it first, then by index; at most `most`. */
  search(text: string, most: number): number[] {
    const wanted = folded(text);
    const beginning: number[] = [];
    const within: number[] = [];
    for (const [index, title] of (this.#items.titles ?? []).entries()) {
      const at = title === null ? -1 : folded(title).indexOf(wanted);
      if (at === 0) beginning.push(index);
      else if (at > 0) within.push(index);
      if (beginning.length === most) break;
    }
    return [...beginning, ...within].slice(0, most);
  }

  #by(key: (title: string) => string): Map<string, number[]> {
    const index = new Map<string, number[]>();
    for (const [i, title] of (this.#items.titles ?? []).entries()) {
      if (title === null) continue;
      const same = index.get(key(title));
      if (same) same.push(i);
      else index.set(key(title), [i]);
    }
    return index;
  }
}

export function folded(title: string): string {
  return title.normalize("NFC").trim().toLowerCase();
}

export function withoutYear(title: string): string {
  return /\(\d{4}\)$/.test(title) ? title.slice(0, -6).trimEnd() : title;
}

/** As people say it: "godfather, the (1972)" is "the godfather (1972)". */
function spoken(title: string): string {
  return title.replace(/^(.*), (the|an?|les?|la|der|die|das|el|il)(\s*\(\d{4}\))?$/, "$2 $1$3");
}
