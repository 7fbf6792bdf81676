import { expect, it } from "vitest";
import { relevanceOf } from "../../../src/recommender/rules/relevance.js";

it.each([
  ["from 1 for the best to 0 for the last", [5, 2, 1], [1, 0.25, 0]],
  ["of negative scores", [-1, -3, -5], [1, 0.5, 0]],
  ["1 if all scores are equal", [2, 2], [1, 1]],
  ["of one item", [7], [1]],
  ["of infinite scores", [Infinity, 4, 2, -Infinity], [1, 1, 0, 0]],
  ["of nothing", [], []],
])("relevance %s", (_, scores, relevance) => {
  expect([...relevanceOf(Float32Array.from(scores))]).toEqual(relevance);
});
