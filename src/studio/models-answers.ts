// Answers requests with a loaded model.

import {
  type AttributeColumn,
  type AttributeDescription,
  type ItemAttributes,
  requireAttributes,
} from "../data/attributes/attributes.js";
import { dateText } from "../data/attributes/types.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Filter } from "../recommender/filter/filter.js";
import { unknownValues } from "../recommender/filter/unknown-values.js";
import { parseWhere } from "../recommender/filter/where.js";
import { namedItem } from "../recommender/look-up.js";
import { nearTitles } from "../recommender/near-titles.js";
import { answerAll, askedOf } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";
import { TitleIndex } from "../recommender/titles.js";
import type {
  AnswerTo,
  Asked,
  AskedRecommendations,
  DescriptionAnswer,
  ItemsAnswer,
  RecommendAnswer,
} from "./models-messages.js";

/** Values of an attribute that a description has. */
const MOST_VALUES = 12;
/** Entries that similar titles are looked for. */
const MOST_UNKNOWN = 5;

/** Answers a request. Throws UserError for what cannot be asked of the model; AbortedError if the signal is aborted. */
export async function answerTo<A extends Asked>(
  recommender: Recommender,
  asked: A,
  signal?: AbortSignal,
): Promise<AnswerTo<A>> {
  return (await answered(recommender, asked, signal)) as AnswerTo<A>;
}

async function answered(recommender: Recommender, asked: Asked, signal: AbortSignal | undefined) {
  const { items } = recommender;
  switch (asked.kind) {
    case "recommend":
      return recommendations(recommender, asked, signal);
    case "search":
      return search(items, asked.text, asked.limit);
    case "names":
      return {
        items: asked.ids.flatMap((id) => {
          const index = items.indexOf(id);
          return index === undefined ? [] : [namedItem(index, items)];
        }),
      };
    case "describe":
      return description(recommender);
    default:
      return asked satisfies never;
  }
}

async function recommendations(
  recommender: Recommender,
  { history, where, boost = [], atMost, kind: _, ...options }: AskedRecommendations,
  signal: AbortSignal | undefined,
): Promise<RecommendAnswer> {
  const { items } = recommender;
  const filter = where === undefined ? undefined : parseWhere(where, "filter");
  const boosts = boost.map(({ where, by }, at) => ({ where: parseWhere(where, `boost ${at + 1}`), by }));
  const question = await askedOf(items, history, {
    ...options,
    filter,
    ...(boosts.length > 0 && { boost: boosts }),
    ...(atMost && Object.keys(atMost).length > 0 && { atMost }),
  });
  const filters: Filter[] = [...(filter ? [filter] : []), ...boosts.map(({ where }) => where)];
  const [answer] = await answerAll(recommender, [question], { signal });
  return {
    history: answer.history,
    unknown: answer.unknown.map((text, place) => ({
      text,
      near: place < MOST_UNKNOWN ? nearTitles(text, items).map((index) => items.titleOf(index)) : [],
    })),
    unknownValues: (await Promise.all(filters.map((one) => unknownValues(items, one)))).flat(),
    items: answer.items,
  };
}

/** First the item with this id, then titles that begin with the text, then those that contain it. */
async function search(items: Vocabulary, text: string, limit: number): Promise<ItemsAnswer> {
  const wanted = text.trim();
  if (wanted === "") return { items: [], near: [] };
  const index = await TitleIndex.of(items);
  const exact = items.indexOf(wanted);
  const found = new Set([
    ...(exact === undefined ? [] : [exact]),
    ...index.find(wanted),
    ...(await index.search(wanted, limit)),
  ]);
  const near = found.size > 0 ? [] : nearTitles(wanted, items);
  const named = (some: Iterable<number>) => [...some].slice(0, limit).map((one) => namedItem(one, items));
  return { items: named(found), near: named(near) };
}

async function description({ algorithm, items }: Recommender): Promise<DescriptionAnswer> {
  return {
    algorithm,
    items: items.size,
    titled: items.titles?.some((title) => title !== null) ?? false,
    popularity: items.popularity !== undefined,
    attributes: items.attributes ? await attributesOf(items.attributes) : [],
  };
}

async function attributesOf(attributes: ItemAttributes): Promise<DescriptionAnswer["attributes"]> {
  const described = [];
  for (const { name, type } of attributes.described)
    described.push({ name, type, values: examplesOf(await attributes.column(name)) });
  return described;
}

function examplesOf(column: AttributeColumn): string[] {
  if ("numbers" in column) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of column.numbers) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
    const text = (value: number) => (column.type === "date" ? dateText(value) : String(value));
    return least > most ? [] : [text(least), text(most)];
  }
  return frequentCodes(column)
    .slice(0, MOST_VALUES)
    .map((code) => column.values.at(code));
}

/** The codes of a column that has codes, the most frequent one first. */
export function frequentCodes(column: Exclude<AttributeColumn, { numbers: Float64Array }>): number[] {
  const counts = new Uint32Array(column.values.size);
  for (const code of column.codes) if (code < counts.length) counts[code]++;
  return [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
}

/** The attribute of a name, as filters find it. Throws UserError for an unknown one. */
export function attributeOf(items: Vocabulary, name: string): AttributeDescription {
  return requireAttributes(items.attributes, "attribute").find(name, "attribute");
}
