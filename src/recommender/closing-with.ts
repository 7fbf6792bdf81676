// A recommender that owns its engine: for callers who never asked for an engine and should not have to close one.

import type { Engine } from "../compute/engine.js";
import type { Recommender } from "./recommender.js";

/** The same recommender, whose `dispose` closes the engine too. */
export function closingWith(recommender: Recommender, engine: Engine): Recommender {
  return {
    algorithm: recommender.algorithm,
    items: recommender.items,
    score: (histories) => recommender.score(histories),
    save: () => recommender.save(),
    dispose() {
      recommender.dispose();
      void engine.close();
    },
  };
}
