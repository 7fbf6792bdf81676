// Answers questions with item indices and scores, several questions in one pass over the model's weights. recommend.ts turns the
// answers into objects, the server into a stream of text.

import { NO_ITEM } from "../compute/engine.js";
import { largest } from "../core/largest.js";
import { type Pauses, SharedTurns } from "../core/shared-turns.js";
import { fromRows } from "../sparse/csr.js";
import { influences } from "./explain.js";
import { leftOut, type Question } from "./question.js";
import type { Recommender } from "./recommender.js";
import { isUncertain, type Uncertain } from "./uncertain.js";

export interface Ranked {
  readonly question: Question;
  /** Indices, best first; equal scores by ascending index. */
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
}

/** Answers questions, in order; the model scores all of them at once. */
export async function rank(
  recommender: Recommender,
  questions: readonly Question[],
  options: RankOptions = {},
): Promise<Ranked[]> {
  const { signal, pauses = new SharedTurns().begin(signal) } = options;
  const answers: Ranked[] = new Array(questions.length);
  for (const [candidates, places] of byCandidates(questions)) {
    const asked = places.map((place) => questions[place]);
    const best = candidates
      ? await amongCandidates(recommender, asked, candidates, pauses, signal)
      : await inCatalogue(recommender, asked, signal);
    for (const [a, place] of places.entries()) answers[place] = { question: asked[a], ...best[a] };
  }
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

type Best = Pick<Ranked, "items" | "scores">;

/** The positions of the questions with the same candidates. */
function byCandidates(questions: readonly Question[]): Map<Uint32Array | undefined, number[]> {
  const groups = new Map<Uint32Array | undefined, number[]>();
  for (const [place, { candidates }] of questions.entries()) {
    const group = groups.get(candidates);
    if (group) group.push(place);
    else groups.set(candidates, [place]);
  }
  return groups;
}

async function inCatalogue(
  recommender: Recommender,
  questions: readonly Question[],
  signal: AbortSignal | undefined,
): Promise<Best[]> {
  const { size } = recommender.items;
  const k = questions.reduce((most, question) => Math.max(most, question.k), 1);
  const histories = fromRows(
    size,
    questions.map(({ history }) => history),
  );
  const without = fromRows(size, questions.map(leftOut));
  const best = await recommender
    .score(histories, { signal })
    .topK(k, without.indices.length > 0 ? without : undefined);
  return questions.map(({ k }, row) => {
    const from = row * best.k;
    let count = 0;
    while (count < Math.min(k, best.k) && best.items[from + count] !== NO_ITEM) count++;
    return {
      items: best.items.slice(from, from + count),
      scores: best.scores.slice(from, from + count),
    };
  });
}

/** Ranks only the candidates. (Excluding all other items would need a list as long as the catalogue for every history.) */
async function amongCandidates(
  recommender: Recommender,
  questions: readonly Question[],
  candidates: Uint32Array,
  pauses: Pauses,
  signal: AbortSignal | undefined,
): Promise<Best[]> {
  const histories = fromRows(
    recommender.items.size,
    questions.map(({ history }) => history),
  );
  const all = await recommender.score(histories, { signal }).at(candidates);
  const answers: Best[] = [];
  for (const [row, question] of questions.entries()) {
    if (pauses.due) await pauses.yield();
    const scores = all.subarray(row * candidates.length, (row + 1) * candidates.length);
    // The same order as in `topK`.
    for (let c = 0; c < scores.length; c++) if (Number.isNaN(scores[c])) scores[c] = -Infinity;
    const out = new Set(leftOut(question));
    const open = Uint32Array.from(candidates.keys()).filter((c) => !out.has(candidates[c]));
    const best = largest(scores, question.k, open);
    answers.push({
      items: Uint32Array.from(best, (c) => candidates[c]),
      scores: Float32Array.from(best, (c) => scores[c]),
    });
  }
  return answers;
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
