// Bags of words in the format of CTR, CDL and CVAE (mult.dat): line k is "n word:count word:count ...", where words are line
// numbers (from 0) of a vocabulary file with one word per line. Line k belongs to item k, or to the id in line k of an id file.

import { UserError } from "../../core/errors.js";
import { linesOf, readLines, readText } from "../../core/input-file.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { Vocabulary } from "../vocabulary.js";

/** One bag: parallel lists of words and their counts. */
export interface Bag {
  readonly words: readonly number[];
  readonly counts: readonly number[];
}

/** Longer than any valid number. */
const MOST_DIGITS = 40;

/** Reads a file of words (or ids), one per line. Throws UserError if it cannot be read or a word appears twice. */
export async function readWordList(file: string, what: "word" | "id" = "word"): Promise<Vocabulary> {
  const words = linesOf(await readText(file, { expected: `a list of ${what}s, one per line` }));
  while (words.at(-1) === "") words.pop();
  const lineOf = new Map<string, number>();
  for (const [k, word] of words.entries()) {
    const wrong = (problem: string) =>
      new UserError({
        place: `${file}:${k + 1}`,
        problem,
        expected: `one ${what} per line, without duplicates`,
      });
    const before = lineOf.get(word);
    if (word === "") throw wrong("the line is empty");
    if (word.includes("\r")) throw wrong("the line contains a carriage return");
    if (before !== undefined) throw wrong(`"${word.slice(0, 60)}" is already in line ${before + 1}`);
    lineOf.set(word, k);
  }
  return new Vocabulary(words);
}

/** The lines of a mult.dat, in order. Throws UserError, naming file and line, if a line does not have this form. */
export async function* readBags(file: string, words: number): AsyncGenerator<Bag> {
  let line = 0;
  for await (const text of readLines(file, { expected: "bags of words: n word:count word:count ..." }))
    yield parseBag(text, words, `${file}:${++line}`);
}

function parseBag(text: string, words: number, place: string): Bag {
  const [size = "", ...pairs] = text.split(/\s/).filter((part) => part !== "");
  const wrong = (problem: string, expected = "a count followed by that many pairs word:count") =>
    new UserError({ place, problem, expected });
  if (!isShort(size) || !/^\d+$/.test(size)) throw wrong(`cannot read the line "${text.slice(0, 60)}"`);
  if (pairs.length !== Number(size)) throw wrong(`the line has ${pairs.length} pairs`, size);
  const bag = { words: [] as number[], counts: [] as number[] };
  const seen = new Set<number>();
  for (const pair of pairs) {
    const [, word, count] = (isShort(pair) && /^(\d+):(\d+(?:\.\d+)?)$/.exec(pair)) || [];
    // Counts are stored as float32, in which some numbers become 0 or infinite.
    const kept = Math.fround(Number(count));
    if (word === undefined || !(kept > 0 && Number.isFinite(kept)))
      throw wrong(`cannot read "${pair.slice(0, 60)}"`, "word:count, such as 17:2");
    if (Number(word) >= words)
      throw wrong(
        `there is no word ${word}`,
        `numbers from 0 to ${words - 1}: the vocabulary has ${words} words`,
      );
    if (seen.has(Number(word))) throw wrong(`the word ${word} appears twice in the line`);
    seen.add(Number(word));
    bag.words.push(Number(word));
    bag.counts.push(kept);
  }
  return bag;
}

const isShort = (text: string): boolean => text.length <= MOST_DIGITS;

/** Converts bags to rows [items, words]; `bags[item]` is undefined if an item has none. */
export function bagMatrix(
  bags: readonly (Bag | undefined)[],
  words: number,
): CsrMatrix & { readonly values: Float32Array } {
  const offsets = new Uint32Array(bags.length + 1);
  bags.forEach((bag, item) => {
    offsets[item + 1] = offsets[item] + (bag?.words.length ?? 0);
  });
  const indices = new Uint32Array(offsets[bags.length]);
  const values = new Float32Array(indices.length);
  bags.forEach((bag, item) => {
    indices.set(bag?.words ?? [], offsets[item]);
    values.set(bag?.counts ?? [], offsets[item]);
  });
  return { rows: bags.length, columns: words, offsets, indices, values };
}
