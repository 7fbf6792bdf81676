// Writes answers as JSON text in pieces. A large answer is never complete in memory, neither as objects nor as text, and is
// written only as fast as the client reads it.

import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { AmbiguousTitle } from "../../recommender/look-up.js";
import { type Ranked, reasons } from "../../recommender/rank.js";
import type { Work } from "./work.js";

/** Answers with up to this many items are written in one piece. */
const SMALL = 1000;
/** Characters written to a connection at a time. */
const PIECE = 1 << 14;

/** Whether an answer with this many items is written in pieces. */
export function isLarge(items: number): boolean {
  return items > SMALL;
}

/** The number of items in the answers, including those of explanations. */
export function itemsIn(answers: readonly Ranked[]): number {
  return answers.reduce(
    (sum, { question: { history, unknown }, items, influences }) =>
      sum + history.length + unknown.length + items.length + (influences?.length ?? 0),
    0,
  );
}

/** Sends JSON text: in one piece if it is short, otherwise as fast as the client reads it. */
export function sendText(
  reply: FastifyReply,
  text: Iterable<string>,
  large: boolean,
  { pauses, answering }: Work,
): FastifyReply {
  answering();
  reply.type("application/json; charset=utf-8");
  if (!large) return reply.send([...text].join(""));
  async function* pieces() {
    let piece = "";
    for (const part of text) {
      piece += part;
      if (pauses.due) await pauses.yield();
      if (piece.length < PIECE) continue;
      yield piece;
      piece = "";
    }
    yield piece;
  }
  return reply.send(Readable.from(pieces(), { objectMode: false, highWaterMark: PIECE }));
}

/** An object with the given fields and an array of results. */
export function* answerText(
  fields: object,
  results: readonly Ranked[],
  items: Vocabulary,
): Generator<string> {
  yield `${JSON.stringify(fields).slice(0, -1)},"results":`;
  yield* list(results, function* (result) {
    yield "{";
    yield* resultText(result, items);
    yield "}";
  });
  yield "}";
}

/** An object with the given fields and those of one result. */
export function* singleAnswerText(fields: object, result: Ranked, items: Vocabulary): Generator<string> {
  yield `${JSON.stringify(fields).slice(0, -1)},`;
  yield* resultText(result, items);
  yield "}";
}

/** The fields of a result, without braces: the folded-in items, the unknown ones, and the recommended items. */
function* resultText(result: Ranked, items: Vocabulary): Generator<string> {
  const { history, unknown, ambiguous } = result.question;
  yield `"history":`;
  yield* list(history, (index) => [JSON.stringify(shownItem(index, items))]);
  yield `,"unknown":`;
  yield* list(unknown, (entry) => [JSON.stringify(entry)]);
  if (ambiguous.length > 0) yield `,"ambiguous":${JSON.stringify(ambiguous.map(shownAmbiguity))}`;
  yield `,"items":`;
  yield* list(result.items.keys(), (place) => itemText(result, place, items));
}

function* itemText(result: Ranked, place: number, items: Vocabulary): Generator<string> {
  const { influences } = result;
  const item = JSON.stringify(shownRecommendation(result, place, items));
  if (!influences) {
    yield item;
    return;
  }
  yield `${item.slice(0, -1)},"because":`;
  yield* list(reasons(result, place), ({ index, influence }) => [
    JSON.stringify({ ...shownItem(index, items), influence }),
  ]);
  yield "}";
}

function* list<T>(entries: Iterable<T>, text: (entry: T) => Iterable<string>): Generator<string> {
  let before = "[";
  for (const entry of entries) {
    yield before;
    yield* text(entry);
    before = ",";
  }
  yield before === "[" ? "[]" : "]";
}

export function shownItem(index: number, items: Vocabulary): { id: string; title: string } {
  return { id: items.ids[index], title: items.titleOf(index) };
}

/** A recommended item without its explanation. */
export function shownRecommendation(
  { items: ranked, scores, deviations }: Ranked,
  place: number,
  items: Vocabulary,
) {
  return {
    rank: place + 1,
    ...shownItem(ranked[place], items),
    score: scores[place],
    ...(deviations && { deviation: deviations[place] }),
  };
}

/** An ambiguous title with its items. */
export function shownAmbiguity({ title, items }: AmbiguousTitle) {
  return { title, items: items.map(({ id, title }) => ({ id, title })) };
}
