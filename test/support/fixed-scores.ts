// A recommender whose scores are written down: what a test of ranking needs.
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { blockwiseScores } from "../../src/recommender/scores.js";
import { rowIndices } from "../../src/sparse/csr.js";
import { vocabulary } from "./datasets.js";

/** Scores of a history by a function of it; `items` columns. */
export function scoring(items: number, scoresOf: (history: Uint32Array) => ArrayLike<number>): Recommender {
  const engine = new ReferenceEngine();
  return {
    algorithm: "fixed",
    items: vocabulary("item", items),
    score: (histories) =>
      blockwiseScores(engine, histories, items, (block) => {
        const data = new Float32Array(block.rows * items);
        for (let row = 0; row < block.rows; row++) data.set(scoresOf(rowIndices(block, row)), row * items);
        return engine.tensor(block.rows, items, data);
      }),
    save: () => Promise.reject(new Error("not needed")),
    dispose: () => {},
  };
}
