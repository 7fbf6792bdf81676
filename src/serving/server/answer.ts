// From what a client calls items to answers of a model: ids or titles in, named items out.

import {
  askedOf,
  type NamedItem,
  type Recommendations,
  type RecommendedItem,
  type RecommendOptions,
} from "../../recommender/recommend.js";
import type { ModelShelf, ServedModel } from "../model-shelf.js";
import { Problem } from "./problems.js";
import type { Serving } from "./types.js";

/** An entry of a history as an id of the model: an id it knows, or the one item with that title; else the entry itself. */
export function idOf({ recommender: { items }, titles }: ServedModel, entry: string | number): string {
  const text = String(entry);
  if (items.indexOf(text) !== undefined) return text;
  const called = typeof entry === "string" ? titles.find(text) : [];
  return called.length === 1 ? items.ids[called[0]] : text;
}

export interface Asked extends Omit<RecommendOptions, "exclude" | "candidates"> {
  readonly history: readonly (string | number)[];
  readonly exclude?: readonly (string | number)[];
  readonly candidates?: readonly (string | number)[];
}

/** Asks the model; what comes in the same moment is answered with it. */
export async function ask(
  model: ServedModel,
  { history, exclude, candidates, ...options }: Asked,
  metrics: Serving["metrics"],
): Promise<Recommendations> {
  const ids = (entries: readonly (string | number)[]) => entries.map((entry) => idOf(model, entry));
  const question = askedOf(model.recommender.items, ids(history), {
    ...options,
    exclude: exclude && ids(exclude),
    candidates: candidates && ids(candidates),
  });
  const answer = await model.batcher.ask(question);
  metrics.answered.inc({ model: model.name });
  if (answer.unknown.length > 0) metrics.unknown.inc({ model: model.name }, answer.unknown.length);
  return answer;
}

/** Works with the model of that name or of the key's share. Throws Problem where there is none of that name. */
export async function withModel<T>(
  shelf: ModelShelf,
  name: string | undefined,
  key: string,
  work: (model: ServedModel) => Promise<T>,
): Promise<T & { model: string; version: string }> {
  const answer = await shelf.use(name, key, async (model) => ({
    model: model.name,
    version: model.version,
    ...(await work(model)),
  }));
  if (answer) return answer;
  const names = shelf.models.map(({ model }) => model.name).join(", ");
  const detail = `no model is called ${name}`;
  throw new Problem(400, detail, [{ field: "model", problem: `${detail}: there is ${names}` }]);
}

export function shownItem({ id, title }: NamedItem) {
  return { id, title };
}

export function shownRecommendation({ rank, id, title, score, deviation, because }: RecommendedItem) {
  return {
    rank,
    id,
    title,
    score,
    ...(deviation !== undefined && { deviation }),
    ...(because && {
      because: because.map((item) => ({ ...shownItem(item), influence: item.influence })),
    }),
  };
}

export function shownAnswer({ history, unknown, items }: Recommendations) {
  return { history: history.map(shownItem), unknown, items: items.map(shownRecommendation) };
}
