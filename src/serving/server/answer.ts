// Answers requests with a model: resolves ids and titles, and returns ranked items.

import type { FastifyReply } from "fastify";
import type { ItemSet } from "../../recommender/item-set.js";
import type { LookUpOptions } from "../../recommender/look-up.js";
import { type Choice, choiceOf, questionOf, type RecommendOptions } from "../../recommender/question.js";
import type { Ranked } from "../../recommender/rank.js";
import type { ServedModel } from "../model-router.js";
import { Problem } from "./problems.js";
import type { Serving } from "./types.js";
import type { Work } from "./work.js";

type Entry = string | number;

/** The parts of a request that a model needs. */
export interface Asked extends Omit<RecommendOptions, "exclude" | "candidates" | "signal"> {
  readonly exclude?: readonly Entry[];
  readonly candidates?: readonly Entry[];
  readonly histories: readonly (readonly Entry[])[];
  /** The name of the field with the history at this position, for error messages. */
  fieldOf(place: number): string;
  /** How to handle a title that several items have. */
  readonly severalOf?: LookUpOptions["severalOf"];
}

/** The answers for the histories, in order. */
export async function ask(
  model: ServedModel,
  { histories, fieldOf, severalOf, ...options }: Asked,
  { signal, pauses }: Work,
  { metrics, availability }: Serving,
): Promise<Ranked[]> {
  const { items } = model.recommender;
  const choice: Choice = await choiceOf(items, options, { pauses, within: "body." });
  const questions = [];
  for (const [h, history] of histories.entries())
    questions.push(await questionOf(items, history, choice, { place: fieldOf(h), severalOf, pauses }));
  let answers = await model.batcher.ask(questions, signal);
  // Items may have been taken out meanwhile.
  while (answers.some((answer) => hasUnavailable(answer, availability.of(items))))
    answers = await model.batcher.ask(questions, signal);
  metrics.answered.inc({ model: model.name }, answers.length);
  const unknown = questions.reduce((sum, { unknown }) => sum + unknown.length, 0);
  if (unknown > 0) metrics.unknown.inc({ model: model.name }, unknown);
  return answers;
}

function hasUnavailable({ items }: Ranked, available: ItemSet | undefined): boolean {
  return available !== undefined && items.some((item) => !available.has(item));
}

export interface Worked<T> {
  readonly work: Work;
  readonly model: ServedModel;
  /** Name and version of the model, as in answers. */
  readonly by: { model: string; version: string };
  readonly answer: T;
}

/**
 * Runs `answerOf` with the named model, or with the one assigned to the key, within the time limit of an answer. Throws
 * Problem for an unknown name.
 */
export async function withModel<T>(
  { router, works }: Serving,
  reply: FastifyReply,
  name: string | undefined,
  key: string,
  answerOf: (model: ServedModel, work: Work) => Promise<T>,
): Promise<Worked<T>> {
  const work = works.begin(reply.raw);
  const worked = await work.race(
    router.use(name, key, async (model) => ({
      work,
      model,
      by: { model: model.name, version: model.version },
      answer: await answerOf(model, work),
    })),
  );
  if (worked) return worked;
  const names = router.models.map(({ model }) => model.name).join(", ");
  const detail = `unknown model ${name}`;
  throw new Problem(400, detail, [{ field: "model", problem: `${detail} (expected ${names})` }]);
}

/** Reserves memory for a large answer until the client has received it. Throws OverloadedError beyond the limit. */
export function reserve({ answers }: Serving, reply: FastifyReply, bytes: number): void {
  reply.raw.once("close", answers.take(bytes));
}
