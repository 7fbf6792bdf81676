// The content of items: a bag of words, a vector, an image or a sequence of tokens per item. With it, models can score items
// that have no interactions. An item may have no content; `known` says which items have some.
// Counts and tokens are sparse and kept in memory; vectors and images are read one block of items at a time.

import { z } from "zod";
import { UserError } from "../core/errors.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { Vocabulary } from "./vocabulary.js";

export const contentKinds = ["words", "sequences", "vectors", "images"] as const;
export type ContentKind = (typeof contentKinds)[number];

interface Known {
  /** Number of items: the dataset's catalogue, in its order. */
  readonly items: number;
  /** [items], 1 if the item has content. Without content, a matrix row is empty and a block row is all zeros. */
  readonly known: Uint8Array;
  /** A hash (hexadecimal) of the content: equal for equal content. */
  readonly digest: string;
}

/** A bag of words per item. */
export interface WordContent extends Known {
  readonly kind: "words";
  /** [items, words], how often each word occurs in the item's text; `scaledByMaximum` gives CVAE's input. */
  readonly counts: CsrMatrix & { readonly values: Float32Array };
  /** The words: column w of `counts` is `words.ids[w]`. */
  readonly words: Vocabulary;
  /** [words], each word's largest count over all items; 0 for a word that no item has. */
  readonly maxima: Float32Array;
  /** How text was tokenised, if the source was text. The text of new items must be tokenised in the same way. */
  readonly text: TextRule | undefined;
}

/** A sequence of tokens per item, of any length. */
export interface SequenceContent extends Known {
  readonly kind: "sequences";
  /** [items, tokens]: row i holds the tokens of item i in order; tokens may repeat. No values. */
  readonly sequences: CsrMatrix;
  readonly tokens: Vocabulary;
  readonly text: TextRule | undefined;
}

/** Rows of numbers that are read from memory or disk on demand. */
export interface RowBlocks {
  /** The rows of the chosen items, [chosen.length, row size], zeros for an item without content. Throws UserError if the file is damaged. */
  read(chosen: ArrayLike<number>): Promise<Float32Array>;
}

/** A real vector per item. */
export interface VectorContent extends Known, RowBlocks {
  readonly kind: "vectors";
  readonly dimensions: number;
}

/** An image per item: a row is [channels, height, width], values in [0, 1]. */
export interface ImageContent extends Known, RowBlocks {
  readonly kind: "images";
  /** 3 (red, green, blue) or 1 (greyscale). */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export type ItemContent = WordContent | SequenceContent | VectorContent | ImageContent;

/** How text is split into words. Saved with a model, so that it can read the text of new items. */
export const textRule = z.strictObject({
  split: z
    .enum(["words", "spaces"])
    .describe("words = runs of letters and digits, in lower case; spaces = split at white space, unchanged"),
  stopWords: z
    .string()
    .nullable()
    .describe("ISO 639-3 code of the language whose stop words are removed; null: none are removed"),
});
export type TextRule = z.output<typeof textRule>;

/** The form that the content of new items must have for a model: JSON, saved with the model's weights (content.json). */
export const contentForm = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("words"),
    words: z.array(z.string()),
    /** [words], each word's largest count in training, by which counts are divided. */
    maxima: z.array(z.number()),
    text: textRule.optional(),
  }),
  z.strictObject({ kind: z.literal("sequences"), tokens: z.array(z.string()), text: textRule.optional() }),
  z.strictObject({ kind: z.literal("vectors"), dimensions: z.int().min(1) }),
  z.strictObject({
    kind: z.literal("images"),
    channels: z.union([z.literal(1), z.literal(3)]),
    height: z.int().min(1),
    width: z.int().min(1),
  }),
]);
export type ContentForm = z.output<typeof contentForm>;

/** The form of a dataset's content, to be saved with a model. */
export function formOf(content: ItemContent): ContentForm {
  switch (content.kind) {
    case "words": {
      const { kind, words, maxima, text } = content;
      return { kind, words: [...words.ids], maxima: [...maxima], ...(text && { text }) };
    }
    case "sequences":
      return {
        kind: content.kind,
        tokens: [...content.tokens.ids],
        ...(content.text && { text: content.text }),
      };
    case "vectors":
      return { kind: content.kind, dimensions: content.dimensions };
    case "images": {
      const { kind, channels, height, width } = content;
      return { kind, channels: channels === 1 ? 1 : 3, height, width };
    }
  }
}

/**
 * Counts divided by each word's maximum: [items, words], values in [0, 1] (CVAE paper, section 3.1: "normalized over the
 * maximum occurrences of each word in all articles"). Counts above the maximum, which only new items can have, become 1.
 */
export function scaledByMaximum({ counts, maxima }: Pick<WordContent, "counts" | "maxima">): CsrMatrix & {
  readonly values: Float32Array;
} {
  const values = counts.values.map((count, k) => {
    const most = maxima[counts.indices[k]];
    return most > 0 ? Math.min(1, count / most) : 0;
  });
  return { ...counts, values };
}

/** Numbers per row of content of a form. */
export function sizeOfForm(form: ContentForm): number {
  switch (form.kind) {
    case "words":
      return form.words.length;
    case "sequences":
      return form.tokens.length;
    case "vectors":
      return form.dimensions;
    case "images":
      return form.channels * form.height * form.width;
  }
}

/** Throws UserError if content does not have the form that a model was trained on. */
export function requireForm(model: string, form: ContentForm, content: ItemContent): void {
  // Maxima and text rules may differ: they have already been applied.
  const named = (of: ContentForm) => {
    switch (of.kind) {
      case "words":
        return [of.kind, ...of.words];
      case "sequences":
        return [of.kind, ...of.tokens];
      case "vectors":
        return [of.kind, of.dimensions];
      case "images":
        return [of.kind, of.channels, of.height, of.width];
    }
  };
  const [expected, given] = [named(form), named(formOf(content))];
  if (expected.length === given.length && expected.every((part, k) => part === given[k])) return;
  throw new UserError({
    place: model,
    problem: `the ${content.kind} of the new items do not have the form that the model was trained on`,
    expected: `${form.kind} as described in the model's content.json`,
    remedy: "Read the content of the new items with the model's form, as add-items does",
  });
}

/** The number of items that have content. */
export function knownItems({ known }: Pick<ItemContent, "known">): number {
  return known.reduce((sum, one) => sum + one, 0);
}

/** The shape of an item's row: [words], [tokens], [dimensions] or [channels, height, width]. */
export function shapeOf(content: ItemContent): number[] {
  switch (content.kind) {
    case "words":
      return [content.words.size];
    case "sequences":
      return [content.tokens.size];
    case "vectors":
      return [content.dimensions];
    case "images":
      return [content.channels, content.height, content.width];
  }
}

/** Numbers per item. */
export function rowSize(content: ItemContent): number {
  return shapeOf(content).reduce((product, length) => product * length, 1);
}
