// Answers questions with item indices and scores, several questions in one pass over the model's weights. recommend.ts turns the
// answers into objects, the server into a stream of text.

import { NO_ITEM } from "../compute/engine.js";
import { wordsFor } from "../core/bits.js";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import { fromRows } from "../sparse/csr.js";
import { influences } from "./explain.js";
import { ItemSet } from "./item-set.js";
import { depthOf, leftOut, type Question } from "./question.js";
import type { Recommender } from "./recommender.js";
import { type Best, rerank } from "./rules/rerank.js";
import { isUncertain, type Uncertain } from "./uncertain.js";

export interface Ranked {
  readonly question: Question;
  /** Indices, best first; equal scores by ascending index. In the order of the rules, if there are any. */
  readonly items: Uint32Array;
  readonly scores: Float32Array;
  /** The standard deviations of the scores, if the model provides them. */
  readonly deviations?: Float32Array;
  /** If requested: the contribution of each history item to each score, [history, items], row-major. */
  readonly influences?: Float32Array;
}

/** Items whose deviations are computed at a time. */
const DEVIATIONS_AT_ONCE = 100;

export interface RankOptions {
  /** Aborts the work with AbortedError. */
  readonly signal?: AbortSignal;
  /** Yields to the event loop during long computations. */
  readonly pauses?: Pauses;
  /** Called between the steps of an explanation, so that other requests can use the model. */
  readonly between?: () => Promise<void>;
  /** The items that are available; undefined = all. */
  readonly available?: ItemSet;
}

/** Answers questions, in order; the model scores all of them at once. */
export async function rank(
  recommender: Recommender,
  questions: readonly Question[],
  options: RankOptions = {},
): Promise<Ranked[]> {
  const { signal, pauses = new SharedTurns().begin(signal) } = options;
  const best = await bestOf(recommender, questions, options);
  const answers: Ranked[] = [];
  for (const [place, question] of questions.entries())
    answers.push({
      question,
      ...(await ruled(recommender, question, best[place], { ...options, pauses })),
    });
  for (const [place, answer] of answers.entries()) {
    const { question, items } = answer;
    answers[place] = {
      ...answer,
      ...(isUncertain(recommender) && { deviations: await deviations(recommender, answer, pauses) }),
      ...(question.explain && {
        influences: await influences(recommender, question.history, items, options),
      }),
    };
  }
  return answers;
}

async function deviations(
  recommender: Uncertain,
  { question, items }: Ranked,
  pauses: Pauses,
): Promise<Float32Array> {
  const all = new Float32Array(items.length);
  const history = fromRows(recommender.items.size, [question.history]);
  for (let first = 0; first < items.length; first += DEVIATIONS_AT_ONCE) {
    if (pauses.due) await pauses.yield();
    const some = items.subarray(first, first + DEVIATIONS_AT_ONCE);
    all.set((await recommender.scoreWithUncertainty(history, some)).deviations, first);
  }
  return all;
}

/** The answer to a question, given its best items. */
async function ruled(
  recommender: Recommender,
  question: Question,
  best: Best,
  options: RankOptions & { readonly pauses: Pauses },
): Promise<Best> {
  const { k, rules } = question;
  if (!rules) return best;
  const deeper = async (depth: number) => (await bestOf(recommender, [question], options, () => depth))[0];
  const reranking = { k, rules, depth: depthOf(question), deeper };
  return rerank(recommender, best, reranking, options.pauses, { signal: options.signal });
}

async function bestOf(
  recommender: Recommender,
  questions: readonly Question[],
  { signal, available }: RankOptions,
  depthOfEach = depthOf,
): Promise<Best[]> {
  const { size } = recommender.items;
  const k = questions.reduce((most, question) => Math.max(most, depthOfEach(question)), 1);
  const histories = fromRows(
    size,
    questions.map(({ history }) => history),
  );
  const without = fromRows(size, questions.map(leftOut));
  const best = await recommender
    .score(histories, { signal })
    .topK(k, without.indices.length > 0 ? without : undefined, allowedSets(questions, size, available));
  return questions.map((question, row) => {
    const from = row * best.k;
    let count = 0;
    while (count < Math.min(depthOfEach(question), best.k) && best.items[from + count] !== NO_ITEM) count++;
    return {
      items: best.items.slice(from, from + count),
      scores: best.scores.slice(from, from + count),
    };
  });
}

/**
 * The items that each question may choose from: those that are its candidates, are admitted by its filter and are available. One set
 * if it is the same for all questions, otherwise one after the other; undefined = all items.
 */
function allowedSets(
  questions: readonly Question[],
  size: number,
  available: ItemSet | undefined,
): Uint32Array | undefined {
  const candidateSets = new Map<Uint32Array, ItemSet>();
  const both = (one: ItemSet | undefined, other: ItemSet | undefined) =>
    one && other ? one.and(other) : (one ?? other);
  const setOf = ({ candidates, admitted }: Question): ItemSet | undefined => {
    const chosen = candidates && (candidateSets.get(candidates) ?? ItemSet.of(size, candidates));
    if (candidates && chosen) candidateSets.set(candidates, chosen);
    return both(both(chosen, admitted), available);
  };
  const [first, ...others] = questions;
  if (!first) return undefined;
  if (others.every((one) => one.candidates === first.candidates && one.admitted === first.admitted))
    return setOf(first)?.words;
  const words = wordsFor(size);
  const sets = new Uint32Array(questions.length * words);
  for (const [row, question] of questions.entries())
    sets.set((setOf(question) ?? ItemSet.all(size)).words, row * words);
  return sets;
}

/** The contributions of the history items to the score of the item at this position, largest first. */
export function reasons(
  { question, items, influences = new Float32Array() }: Ranked,
  place: number,
): { index: number; influence: number }[] {
  return Array.from(question.history, (index, row) => ({
    index,
    influence: influences[row * items.length + place],
  })).sort((a, b) => b.influence - a.influence);
}
