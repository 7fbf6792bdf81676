// Bags of words as CTR, CDL and CVAE keep them (mult.dat): line k is "n word:count word:count ...", words counted from 0 in
// a vocabulary file with one word a line. Line k belongs to item k, or to line k of a file of ids.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { UserError } from "../../core/errors.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { Vocabulary } from "../vocabulary.js";

/** One bag: parallel lists of words and how often they stand in the text. */
export interface Bag {
  readonly words: readonly number[];
  readonly counts: readonly number[];
}

/** A file of words (or ids), one a line. Throws UserError where it cannot be read or a word stands in it twice. */
export async function readWordList(file: string, what: "word" | "id" = "word"): Promise<Vocabulary> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UserError({
      place: file,
      problem: cause.code === "ENOENT" ? "there is no such file" : `the file cannot be read (${cause.code})`,
      expected: `a list of ${what}s, one a line`,
      cause,
    });
  });
  const words = text.replace(/^\ufeff/, "").split(/\r?\n/);
  while (words.at(-1) === "") words.pop();
  const lineOf = new Map<string, number>();
  for (const [k, word] of words.entries()) {
    const before = lineOf.get(word);
    if (before !== undefined || word === "")
      throw new UserError({
        place: `${file}:${k + 1}`,
        problem: word === "" ? "the line is empty" : `"${word}" stands in line ${(before ?? 0) + 1} already`,
        expected: `one ${what} a line, each once`,
      });
    lineOf.set(word, k);
  }
  return new Vocabulary(words);
}

/** The lines of a mult.dat, in their order. Throws UserError, with file and line, where one is not of the form. */
export async function* readBags(file: string, words: number): AsyncGenerator<Bag> {
  const stream = createReadStream(file, "latin1");
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  let line = 0;
  try {
    for await (const text of lines) {
      line++;
      yield parseBag(text, words, `${file}:${line}`);
    }
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError({ place: file, problem: "the file cannot be read", cause });
  } finally {
    stream.destroy();
  }
}

function parseBag(text: string, words: number, place: string): Bag {
  const [size, ...pairs] = text.trim().split(/\s+/);
  const wrong = (problem: string, expected = "a count, and that many pairs word:count") =>
    new UserError({ place, problem, expected });
  if (!/^\d+$/.test(size)) throw wrong(`cannot read the line "${text.slice(0, 60)}"`);
  if (pairs.length !== Number(size)) throw wrong(`the line has ${pairs.length} pairs`, size);
  const bag = { words: [] as number[], counts: [] as number[] };
  const seen = new Set<number>();
  for (const pair of pairs) {
    const [, word, count] = /^(\d+):(\d+(?:\.\d+)?)$/.exec(pair) ?? [];
    if (word === undefined || !(Number(count) > 0))
      throw wrong(`cannot read "${pair}"`, "word:count, as in 17:2");
    if (Number(word) >= words)
      throw wrong(
        `there is no word ${word}`,
        `numbers from 0 to ${words - 1}: the vocabulary has ${words} words`,
      );
    if (seen.has(Number(word))) throw wrong(`the word ${word} stands in the line twice`);
    seen.add(Number(word));
    bag.words.push(Number(word));
    bag.counts.push(Number(count));
  }
  return bag;
}

/** Bags as rows [items, words]; `bags[item]` is undefined where an item has none. */
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
