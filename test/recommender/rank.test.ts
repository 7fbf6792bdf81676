// Filtered answers: those of the whole ranking, with the items left out that the filter does not admit, that are no candidates, that are
// excluded, in the history, or not available.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Vocabulary } from "../../src/data/vocabulary.js";
import { ItemSet } from "../../src/recommender/item-set.js";
import { ProductRanking } from "../../src/recommender/product-ranking.js";
import { choiceOf, type Question, questionOf } from "../../src/recommender/question.js";
import { rank } from "../../src/recommender/rank.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { blockwiseScores } from "../../src/recommender/scores.js";
import { similarItems } from "../../src/recommender/similar.js";
import { admits, drawnFilter, drawnItems, itemsOf } from "../support/filters.js";

const engine = new ReferenceEngine();
const WIDTH = 3;

/** Scores that are products with item vectors, some of them equal: ranked by all scores, in blocks of an index, or in blocks of columns. */
function ranked(items: Vocabulary, how: "scores" | "blocks" | "columns"): Recommender {
  const { size } = items;
  const weights = engine.tensor(
    size,
    WIDTH,
    Float32Array.from({ length: size * WIDTH }, (_, at) => ((at * 7919) % 11) - 5),
  );
  const encode = (histories: Parameters<Recommender["score"]>[0]) => {
    const hidden = new Float32Array(histories.rows * WIDTH).fill(1);
    for (let row = 0; row < histories.rows; row++)
      for (let at = histories.offsets[row]; at < histories.offsets[row + 1]; at++)
        hidden[row * WIDTH + (histories.indices[at] % WIDTH)] += 1;
    return engine.tensor(histories.rows, WIDTH, hidden);
  };
  const ranking = new ProductRanking(
    engine,
    { encode, weights },
    {
      final: how !== "columns",
      ...(how === "columns" && { atOnce: 37 }),
    },
  );
  if (how === "blocks") {
    const offsets = Uint32Array.from({ length: Math.ceil(size / 5) + 1 }, (_, block) =>
      Math.min(size, 5 * block),
    );
    const indices = Uint32Array.from({ length: size }, (_, item) => item);
    ranking.useIndex({ blocks: { rows: offsets.length - 1, columns: size, offsets, indices } });
  }
  return {
    algorithm: "products",
    items,
    score: (histories, options) =>
      blockwiseScores(
        engine,
        histories,
        size,
        (block) => {
          const scores = engine.empty(block.rows, size);
          const hidden = encode(block);
          engine.matmul(scores, hidden, weights, { transposeB: true });
          engine.release(hidden);
          return scores;
        },
        { ...options, ...(how !== "scores" && { ranking }) },
      ),
    save: () => Promise.reject(new Error("not needed")),
    dispose: () => {},
  };
}

const indices = fc.array(fc.nat(), { maxLength: 10 });
const asked = fc.record({
  history: indices,
  exclude: indices,
  candidates: fc.option(fc.array(fc.nat(), { maxLength: 40 }), { nil: undefined }),
  filter: fc.option(drawnFilter, { nil: undefined }),
  includeHistory: fc.boolean(),
  k: fc.integer({ min: 1, max: 30 }),
});

describe.each(["scores", "blocks", "columns"] as const)("a filtered ranking by %s", (how) => {
  it("is the whole ranking without the others, for several questions at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnItems,
        fc.array(asked, { minLength: 1, maxLength: 4 }),
        fc.option(indices, { nil: undefined }),
        async (records, requests, gone) => {
          const items = itemsOf(records);
          const model = ranked(items, how);
          const within = (numbers: readonly number[]) => Uint32Array.from(numbers, (n) => n % items.size);
          const out = new Set(gone && within(gone));
          const available = gone && ItemSet.of(items.size, out).complement();
          const questions: Question[] = [];
          for (const { history, exclude, candidates, ...others } of requests) {
            const lists = { exclude: within(exclude), candidates: candidates && within(candidates) };
            const choice = await choiceOf(items, { ...others, ...lists } as never);
            questions.push(await questionOf(items, within(history), choice));
          }
          const answers = await rank(model, questions, { available });
          for (const [q, answer] of answers.entries()) {
            const { k, filter, includeHistory, exclude, candidates } = requests[q];
            const { history } = questions[q];
            const whole = await model
              .score({
                rows: 1,
                columns: items.size,
                offsets: Uint32Array.of(0, history.length),
                indices: history.toSorted(),
              })
              .topK(items.size);
            const expected = Array.from(whole.items, (item, at) => [item, whole.scores[at]]).filter(
              ([item]) =>
                (!filter || admits(filter, records[item])) &&
                (candidates === undefined || within(candidates).includes(item)) &&
                !within(exclude).includes(item) &&
                (includeHistory || !history.includes(item)) &&
                !out.has(item),
            );
            expect(Array.from(answer.items, (item, at) => [item, answer.scores[at]])).toEqual(
              expected.slice(0, k),
            );
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("a filter of the library", () => {
  const records = Array.from({ length: 20 }, (_, item) => ({
    genre: [item % 2 === 0 ? "even" : "odd"],
    year: 2000 + item,
    released: null,
    colour: null,
    inStock: null,
  }));
  const items = itemsOf(records);
  const model = ranked(items, "scores");

  it("applies to recommendations and similar items", async () => {
    const filter = {
      and: [
        { attribute: "genre", is: "odd" },
        { attribute: "year", above: 2010 },
      ],
    };
    const { items: found } = await recommend(model, ["item1"], { filter });
    expect(found.map(({ index }) => index).sort((a, b) => a - b)).toEqual([11, 13, 15, 17, 19]);
    const { items: similar } = await similarItems(model, "item13", { filter });
    expect(similar.map(({ index }) => index).sort((a, b) => a - b)).toEqual([11, 15, 17, 19]);
  });

  it("that admits nothing gives nothing", async () => {
    const filter = { attribute: "genre", is: "neither" };
    expect((await recommend(model, ["item1"], { filter })).items).toEqual([]);
  });
});
