// From what a client calls items to answers of a model: ids or titles in, ranked items out.

import type { FastifyReply } from "fastify";
import type { LookUpOptions } from "../../recommender/look-up.js";
import { type Choice, choiceOf, questionOf, type RecommendOptions } from "../../recommender/question.js";
import type { Ranked } from "../../recommender/rank.js";
import type { ServedModel } from "../model-shelf.js";
import { Problem } from "./problems.js";
import type { Serving } from "./types.js";
import type { Work } from "./work.js";

type Entry = string | number;

/** What a request asks of a model. */
export interface Asked extends Omit<RecommendOptions, "exclude" | "candidates" | "signal"> {
  readonly exclude?: readonly Entry[];
  readonly candidates?: readonly Entry[];
  readonly histories: readonly (readonly Entry[])[];
  /** The name of the field with the history of that place, for problems. */
  fieldOf(place: number): string;
  /** What becomes of a title that several items have. */
  readonly severalOf?: LookUpOptions["severalOf"];
}

/** The answers for the histories, in order. */
export async function ask(
  model: ServedModel,
  { histories, fieldOf, severalOf, ...options }: Asked,
  { signal, pauses }: Work,
  { metrics }: Serving,
): Promise<Ranked[]> {
  const { items } = model.recommender;
  const choice: Choice = await choiceOf(items, options, pauses);
  const questions = [];
  for (const [h, history] of histories.entries())
    questions.push(await questionOf(items, history, choice, { place: fieldOf(h), severalOf, pauses }));
  const answers = await model.batcher.ask(questions, signal);
  metrics.answered.inc({ model: model.name }, answers.length);
  const unknown = questions.reduce((sum, { unknown }) => sum + unknown.length, 0);
  if (unknown > 0) metrics.unknown.inc({ model: model.name }, unknown);
  return answers;
}

export interface Worked<T> {
  readonly work: Work;
  readonly model: ServedModel;
  /** Which model it was, as answers say it. */
  readonly by: { model: string; version: string };
  readonly answer: T;
}

/**
 * Works with the model of that name or of the key's share, within the time that an answer may take. Throws Problem where there
 * is none of that name.
 */
export async function withModel<T>(
  { shelf, works }: Serving,
  reply: FastifyReply,
  name: string | undefined,
  key: string,
  answerOf: (model: ServedModel, work: Work) => Promise<T>,
): Promise<Worked<T>> {
  const work = works.begin(reply.raw);
  const worked = await work.race(
    shelf.use(name, key, async (model) => ({
      work,
      model,
      by: { model: model.name, version: model.version },
      answer: await answerOf(model, work),
    })),
  );
  if (worked) return worked;
  const names = shelf.models.map(({ model }) => model.name).join(", ");
  const detail = `no model is called ${name}`;
  throw new Problem(400, detail, [{ field: "model", problem: `${detail}: there is ${names}` }]);
}

/** Lets a large answer be one of those that may be open at the same time, until the client has it. */
export function reserve({ answers }: Serving, reply: FastifyReply, bytes: number): void {
  reply.raw.once("close", answers.take(bytes));
}
