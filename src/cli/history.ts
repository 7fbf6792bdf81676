// What people type as a history -> items: each entry is an id, or a title (in any case, with or without its year), or
// else a list of those with commas; `@file` stands for the lines of a file. Anything unknown is refused with near titles.

import { readFile } from "node:fs/promises";
import { distance } from "fastest-levenshtein";
import { UserError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { folded, TitleIndex, withoutYear } from "../recommender/titles.js";

const OPTION = "--history";

/** The items meant, each once, in the order given. Throws UserError for what is unknown or ambiguous. */
export async function resolveHistory(entries: readonly string[], items: Vocabulary): Promise<Uint32Array> {
  const titles = new TitleIndex(items);
  const found = new Set<number>();
  const unknown: string[] = [];
  for (const entry of entries) {
    const direct = lookUp(entry, items, titles);
    if (direct !== undefined) found.add(direct);
    else if (entry.startsWith("@"))
      for (const line of await linesOf(entry.slice(1))) addAll(line, items, titles, found, unknown);
    else addAll(entry, items, titles, found, unknown);
  }
  if (unknown.length > 0) throw unknownItems(unknown, items);
  return Uint32Array.from(found);
}

/** An entry as an id, a title, or a list with commas. */
function addAll(
  entry: string,
  items: Vocabulary,
  titles: TitleIndex,
  found: Set<number>,
  unknown: string[],
): void {
  const whole = lookUp(entry, items, titles);
  if (whole !== undefined) {
    found.add(whole);
    return;
  }
  const parts = entry
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const indices = parts.map((part) => lookUp(part, items, titles));
  // None of the parts known: it was a title with commas, mistyped.
  if (parts.length < 2 || indices.every((index) => index === undefined)) {
    const ids = parts.length > 1 && parts.every((part) => !/\s/.test(part));
    unknown.push(...(ids ? parts : [entry.trim()]));
    return;
  }
  for (const [p, index] of indices.entries())
    if (index === undefined) unknown.push(parts[p]);
    else found.add(index);
}

function lookUp(text: string, items: Vocabulary, titles: TitleIndex): number | undefined {
  const index = items.indexOf(text) ?? items.indexOf(text.trim());
  if (index !== undefined) return index;
  const called = titles.find(text);
  if (called.length > 1)
    throw new UserError({
      place: OPTION,
      problem: `${called.length} items are called '${text.trim()}'`,
      remedy: `Give the id of the one you mean: ${listed(called.slice(0, 5).map((index) => named(index, items)))}`,
    });
  return called[0];
}

function named(index: number, items: Vocabulary): string {
  return items.titles?.[index] ? `${items.ids[index]} (${items.titles[index]})` : items.ids[index];
}

function listed(texts: readonly string[]): string {
  return texts.join(", ");
}

function unknownItems(unknown: readonly string[], items: Vocabulary): UserError {
  const near = items.titles ? nearTitles(unknown[0], items) : [];
  const others = unknown.length > 4 ? ` and ${unknown.length - 4} more` : "";
  return new UserError({
    place: OPTION,
    problem: `no item of this model has the id${items.titles ? " or title" : ""} ${listed(unknown.slice(0, 4).map((text) => `'${text}'`))}${others}`,
    expected:
      near.length > 0 ? undefined : `ids like ${listed(items.ids.slice(0, 3).map((id) => `'${id}'`))}`,
    remedy: near.length > 0 ? `Did you mean ${near.map((title) => `'${title}'`).join(" or ")}?` : undefined,
  });
}

/** Up to three titles that the text may have meant: those that contain it, then those a few letters away. */
function nearTitles(text: string, items: Vocabulary): string[] {
  const wanted = folded(text);
  if (wanted === "") return [];
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

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UserError({
      place: `${OPTION} @${path}`,
      problem: "this file cannot be read",
      expected: "a text file with one id or title a line",
      cause,
    });
  });
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (lines.length === 0)
    throw new UserError({
      place: `${OPTION} @${path}`,
      problem: "this file is empty",
      expected: "one id or title a line",
    });
  return lines;
}
