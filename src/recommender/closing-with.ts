// A recommender that owns its engine: for callers who never asked for an engine and should not have to close one.

import type { Engine } from "../compute/engine.js";
import { type ContentAware, isContentAware } from "./content-aware.js";
import type { Recommender } from "./recommender.js";

/** The same recommender, whose `dispose` closes the engine too. */
export function closingWith(recommender: Recommender, engine: Engine): Recommender {
  const closing: Recommender = {
    algorithm: recommender.algorithm,
    items: recommender.items,
    score: (histories) => recommender.score(histories),
    save: () => recommender.save(),
    dispose() {
      recommender.dispose();
      void engine.close();
    },
  };
  if (!isContentAware(recommender)) return closing;
  const { content, itemRules } = recommender;
  // A recommender with new items works on the same engine; whoever asked for it has the first one to close it with.
  const aware: ContentAware = {
    ...closing,
    content,
    itemRules,
    withItems: (...added) => recommender.withItems(...added),
  };
  return aware;
}
