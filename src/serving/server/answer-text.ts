// Answers as JSON text, piece by piece: a large one is never whole in memory, neither as objects nor as text, and waits for
// the client to read it.

import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { AmbiguousTitle } from "../../recommender/look-up.js";
import { type Ranked, reasons } from "../../recommender/rank.js";
import type { Work } from "./work.js";

/** Items with their names that an answer may hold and be written at once. */
const SMALL = 1000;
/** Characters that are handed to a connection at a time. */
const PIECE = 1 << 14;

/** Whether an answer of so many items is written piece by piece. */
export function isLarge(items: number): boolean {
  return items > SMALL;
}

/** Items with their names in the answers, reasons included. */
export function itemsIn(answers: readonly Ranked[]): number {
  return answers.reduce(
    (sum, { question: { history, unknown }, items, influences }) =>
      sum + history.length + unknown.length + items.length + (influences?.length ?? 0),
    0,
  );
}

/** Sends JSON text: at once where it is short, else as fast as it is read. */
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

/** The fields of an object, and an array of results. */
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

/** The fields of an object, and those of one result. */
export function* singleAnswerText(fields: object, result: Ranked, items: Vocabulary): Generator<string> {
  yield `${JSON.stringify(fields).slice(0, -1)},`;
  yield* resultText(result, items);
  yield "}";
}

/** What was folded in, what was not, and the recommended items: fields without the braces around them. */
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

/** A recommended item without its reasons. */
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

/** A title that several items have, with the items. */
export function shownAmbiguity({ title, items }: AmbiguousTitle) {
  return { title, items: items.map(({ id, title }) => ({ id, title })) };
}
