// A recommender that owns its engine, for callers who did not create the engine and should not have to close it.

import type { Engine } from "../compute/engine.js";
import { type ContentAware, isContentAware } from "./content-aware.js";
import { ranksByProducts } from "./product-ranking.js";
import type { Recommender } from "./recommender.js";
import { isUncertain, type Uncertain } from "./uncertain.js";
import { hasVectors, type Vectors } from "./vectors.js";

/** The same recommender, whose `dispose` closes the engine too. */
export function closingWith(recommender: Recommender, engine: Engine): Recommender {
  const closing: Recommender = {
    algorithm: recommender.algorithm,
    items: recommender.items,
    score: (histories, options) => recommender.score(histories, options),
    save: () => recommender.save(),
    dispose() {
      recommender.dispose();
      void engine.close();
    },
  };
  return {
    ...closing,
    ...(ranksByProducts(recommender) && { ranking: recommender.ranking }),
    ...(hasVectors(recommender) && vectors(recommender)),
    ...(isContentAware(recommender) && contentAware(recommender)),
    ...(isUncertain(recommender) && uncertain(recommender)),
  };
}

function uncertain(recommender: Uncertain): Omit<Uncertain, keyof Recommender> {
  return { scoreWithUncertainty: (...asked) => recommender.scoreWithUncertainty(...asked) };
}

function vectors(recommender: Vectors): Omit<Vectors, keyof Recommender> {
  return {
    spaces: recommender.spaces,
    userVectors: (...asked) => recommender.userVectors(...asked),
    itemVectors: (...asked) => recommender.itemVectors(...asked),
  };
}

/** A recommender with new items uses the same engine, which is closed with the original recommender. */
function contentAware(recommender: ContentAware): Omit<ContentAware, keyof Recommender> {
  const { content, itemRules } = recommender;
  return { content, itemRules, withItems: (...added) => recommender.withItems(...added) };
}
