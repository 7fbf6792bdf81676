// Models that know items by their content, and so can take in items that nobody has touched: cold start without retraining.

import type { ContentForm, ItemContent } from "../data/content.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Recommender } from "./recommender.js";

/** Items to take in. */
export interface NewItems {
  /** None of them is in the model's catalogue. */
  readonly items: Vocabulary;
  /** Of the model's form; row i is the content of item i. */
  readonly content: ItemContent;
}

/** A recommender that can take in items by their content alone. */
export interface ContentAware extends Recommender {
  /** What the content of new items must look like; saved with the model. */
  readonly content: ContentForm;
  /**
   * The ways in which a new item can be given its place, best first (the default): for CVAE `posterior`,
   * (b U'U + lambda_v I)^-1 lambda_v E[z], and `content`, plain E[z].
   */
  readonly itemRules: readonly string[];
  /**
   * A new recommender, whose catalogue is this one's followed by the new items; this one stays as it is. Scores of the
   * items known before do not change.
   */
  withItems(added: NewItems, rule: string): Promise<ContentAware>;
}

export function isContentAware(recommender: Recommender): recommender is ContentAware {
  return "withItems" in recommender;
}
