// Content-based models: they can add items without interactions by their content, which is item cold start without retraining.

import type { ContentForm, ItemContent } from "../data/content.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Recommender } from "./recommender.js";

/** Items to add. */
export interface NewItems {
  /** None of them is in the model's catalogue. */
  readonly items: Vocabulary;
  /** Content in the model's form; row i is the content of item i. */
  readonly content: ItemContent;
}

/** A recommender that can add items by their content alone. */
export interface ContentAware extends Recommender {
  /** The form that the content of new items must have; saved with the model. */
  readonly content: ContentForm;
  /**
   * The rules for computing the factor of a new item, best first (the default): for CVAE `posterior`,
   * (b U'U + lambda_v I)^-1 lambda_v E[z], and `content`, plain E[z].
   */
  readonly itemRules: readonly string[];
  /**
   * Returns a new recommender whose catalogue is this one's followed by the new items. This recommender does not change, and
   * neither do the scores of its items.
   */
  withItems(added: NewItems, rule: string): Promise<ContentAware>;
}

export function isContentAware(recommender: Recommender): recommender is ContentAware {
  return "withItems" in recommender;
}
