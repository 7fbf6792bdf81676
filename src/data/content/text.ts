// Converts text to words: tokenises, removes stop words and chooses the vocabulary by tf-idf (Wang and Blei 2011, section 4: "we
// removed stop words and used tf-idf to choose the top 8,000 distinct words as the vocabulary").

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import { fromRows } from "../../sparse/csr.js";
import type { SequenceContent, TextRule, WordContent } from "../content.js";
import { Vocabulary } from "../vocabulary.js";
import { countRows } from "./count-rows.js";
import type { WantedItems } from "./draft.js";
import { sequenceContent, wordContent } from "./in-memory.js";

/** Longer runs of letters are dropped: they are not words and would overflow the stack of the pattern below. */
const LONGEST_WORD = 1 << 16;
/** Words as in citeulike: runs of at least two letters and digits, with hyphens and apostrophes inside. */
const wordPattern = /[\p{L}\p{N}]+(?:[-'\u2019][\p{L}\p{N}]+)*/gu;

/** A function from a text to its words, in their order. Throws UserError for an unknown language. */
export async function tokeniser({ split, stopWords }: TextRule): Promise<(text: string) => string[]> {
  const stops = stopWords === null ? undefined : await stopWordsOf(stopWords);
  return (text) => {
    const all =
      split === "spaces"
        ? text.split(/\s+/).filter((word) => word !== "" && word.length <= LONGEST_WORD)
        : wordsOf(text.toLowerCase()).filter((word) => word.length > 1);
    return stops ? all.filter((word) => !stops.has(word)) : all;
  };
}

function wordsOf(text: string): string[] {
  if (text.length <= LONGEST_WORD) return text.match(wordPattern) ?? [];
  const pieces = text.split(/[^\p{L}\p{N}'\u2019-]/u).filter((piece) => piece.length <= LONGEST_WORD);
  return pieces.flatMap((piece) => piece.match(wordPattern) ?? []);
}

async function stopWordsOf(language: string): Promise<ReadonlySet<string>> {
  const lists = Object.entries(await import("stopword")).filter(
    ([name, list]) => /^[a-z]{3}$/.test(name) && Array.isArray(list),
  );
  const found = lists.find(([name]) => name === language);
  if (found) return new Set(found[1] as unknown as string[]);
  const known = lists.map(([name]) => name).sort();
  throw new UserError({
    place: "stop words",
    problem: `there is no list for the language "${language}"`,
    expected: `none, or an ISO 639-3 code: ${known.join(", ")}`,
    remedy: suggestion(language, known),
  });
}

/** How texts are converted. */
export interface TextOptions {
  readonly kind: "words" | "sequences";
  readonly rule: TextRule;
  /** The maximum size of the vocabulary. */
  readonly size: number;
  /** The vocabulary; unset: it is chosen. */
  readonly vocabulary?: Vocabulary;
  /** For text of new items: each word's largest count in training. */
  readonly maxima?: readonly number[];
}

/** Collects the texts of items and makes content of them. */
export class TextCollector {
  readonly #options: TextOptions;
  readonly #items: WantedItems;
  readonly #cut: (text: string) => string[];
  /** The number of each word so far. */
  readonly #codeOf = new Map<string, number>();
  /** Per item, the codes of its words, in order. */
  readonly #texts: (Uint32Array | undefined)[] = [];

  private constructor(options: TextOptions, items: WantedItems, cut: (text: string) => string[]) {
    this.#options = options;
    this.#items = items;
    this.#cut = cut;
    for (const word of options.vocabulary?.ids ?? []) this.#codeOf.set(word, this.#codeOf.size);
  }

  static async create(options: TextOptions, items: WantedItems): Promise<TextCollector> {
    return new TextCollector(options, items, await tokeniser(options.rule));
  }

  /** Adds the text of an item; a text without (known) words is skipped and counted. */
  add(id: string, text: string): void {
    if (!this.#items.accepts(id)) {
      this.#items.take(id);
      return;
    }
    const fixed = this.#options.vocabulary !== undefined;
    const codes: number[] = [];
    for (const word of this.#cut(text)) {
      let code = this.#codeOf.get(word);
      if (code === undefined && !fixed) {
        code = this.#codeOf.size;
        this.#codeOf.set(word, code);
      }
      if (code !== undefined) codes.push(code);
    }
    const item = this.#items.take(id, codes.length === 0);
    if (item !== undefined) this.#texts[item] = Uint32Array.from(codes);
  }

  finish(): WordContent | SequenceContent {
    const { kind, rule, size, vocabulary, maxima } = this.#options;
    const all = [...this.#codeOf.keys()];
    const texts = Array.from(
      { length: this.#items.size },
      (_, item) => this.#texts[item] ?? new Uint32Array(0),
    );
    const chosen = vocabulary
      ? undefined
      : chooseWords(texts, all, size, kind === "words" ? "tf-idf" : "frequency");
    const words = vocabulary ?? new Vocabulary((chosen ?? []).map((code) => all[code]));
    const numberOf = new Int32Array(all.length).fill(-1);
    for (const [number, code] of (chosen ?? [...all.keys()]).entries()) numberOf[code] = number;
    const rows = texts.map((codes) =>
      Array.from(codes, (code) => numberOf[code]).filter((number) => number >= 0),
    );
    const sequences = fromRows(words.size, rows);
    return kind === "sequences"
      ? sequenceContent(sequences, words, rule)
      : wordContent(countRows(sequences), words, { text: rule, maxima });
  }
}

/**
 * The codes of the `size` best words, best first, ties by spelling: the most frequent, or those with the largest tf-idf summed
 * over all texts, sum_d tf(w, d) ln(N / df(w)), where N is the number of non-empty texts.
 */
function chooseWords(
  texts: readonly Uint32Array[],
  words: readonly string[],
  size: number,
  by: "tf-idf" | "frequency" = "tf-idf",
): number[] {
  const frequency = new Float64Array(words.length);
  const documents = new Float64Array(words.length);
  const lastSeen = new Int32Array(words.length).fill(-1);
  let filled = 0;
  texts.forEach((codes, text) => {
    if (codes.length > 0) filled++;
    for (const code of codes) {
      frequency[code]++;
      if (lastSeen[code] !== text) documents[code]++;
      lastSeen[code] = text;
    }
  });
  const weight =
    by === "frequency"
      ? frequency
      : frequency.map((count, code) => count * Math.log(filled / documents[code]));
  const order = Array.from(words.keys()).filter((code) => documents[code] > 0);
  order.sort((a, b) => weight[b] - weight[a] || (words[a] < words[b] ? -1 : 1));
  return order.slice(0, size);
}
