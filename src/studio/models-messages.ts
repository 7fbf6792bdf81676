// What the studio and the process with the loaded models send to each other.

import type { UserErrorParts } from "../core/errors.js";
import type { AmbiguousTitle, NamedItem } from "../recommender/look-up.js";
import type { RecommendedItem } from "../recommender/recommend.js";

/** A boost whose filter is text, as in --boost. */
export interface AskedBoost {
  readonly where: string;
  readonly by: number;
}

/** A request for recommendations: the options of the library, with filters as text. */
export interface AskedRecommendations {
  readonly kind: "recommend";
  /** Ids or titles. */
  readonly history: readonly string[];
  readonly k: number;
  readonly exclude?: readonly string[];
  readonly candidates?: readonly string[];
  readonly where?: string;
  readonly includeHistory?: boolean;
  readonly explain?: boolean;
  readonly diversity?: number;
  readonly novelty?: number;
  readonly atMost?: Readonly<Record<string, number>>;
  readonly boost?: readonly AskedBoost[];
}

/** A request for items whose title or id matches what was typed. */
export interface AskedItems {
  readonly kind: "search";
  readonly text: string;
  readonly limit: number;
}

/** A request for the names of items. */
export interface AskedNames {
  readonly kind: "names";
  readonly ids: readonly string[];
}

/** A request for what a model knows about its items. */
export interface AskedDescription {
  readonly kind: "describe";
}

export type Asked = AskedRecommendations | AskedItems | AskedNames | AskedDescription;

export interface RecommendAnswer {
  readonly history: readonly NamedItem[];
  /** Entries of the history that the model does not know, with similar titles. */
  readonly unknown: readonly { readonly text: string; readonly near: readonly string[] }[];
  /** Values in filters that no item has. */
  readonly unknownValues: readonly {
    readonly attribute: string;
    readonly value: string;
    readonly nearest?: string;
  }[];
  readonly items: readonly RecommendedItem[];
}

export interface ItemsAnswer {
  readonly items: readonly NamedItem[];
  /** Titles that are similar to the text, if none contains it. */
  readonly near: readonly NamedItem[];
}

export interface NamesAnswer {
  /** Those that the model knows, in the order given. */
  readonly items: readonly NamedItem[];
}

export interface DescriptionAnswer {
  readonly algorithm: string;
  readonly items: number;
  readonly titled: boolean;
  /** Whether the number of users of each item is known, which novelty needs. */
  readonly popularity: boolean;
  readonly attributes: readonly {
    readonly name: string;
    readonly type: string;
    /** The most frequent values of texts and lists; the smallest and the largest number or date. */
    readonly values: readonly string[];
  }[];
}

export interface Answers {
  readonly recommend: RecommendAnswer;
  readonly search: ItemsAnswer;
  readonly names: NamesAnswer;
  readonly describe: DescriptionAnswer;
}
export type AnswerTo<A extends Asked> = Answers[A["kind"]];

/** How many models are loaded at most, and their bytes. */
export interface ModelLimits {
  readonly models: number;
  readonly bytes: number;
}

export type ToModels =
  | { readonly limits: ModelLimits }
  | { readonly id: number; readonly path: string; readonly asked: Asked }
  | { readonly stop: number };

/** An error that crosses the border between the processes. */
export interface SentError {
  /** Of a UserError. */
  readonly parts?: UserErrorParts;
  readonly ambiguous?: readonly AmbiguousTitle[];
  /** Of any other error. */
  readonly message?: string;
}

export type FromModels =
  | { readonly id: number; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly error: SentError };
