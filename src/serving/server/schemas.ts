// The schemas of requests and answers, used for validation and for the OpenAPI document.

import { z } from "zod";
import { MOST_RULES } from "../../recommender/rules/rules.js";
import { boundedList, failure } from "./bounded-list.js";
import { filterSchema } from "./filter-schema.js";
import type { Limits } from "./limits.js";
import { problemSchema } from "./problems.js";

/** Text without control characters and lone surrogates, which stores would not return unchanged. */
const PLAIN = /^[^\p{Cc}\p{Cs}]+$/u;
export const text = (most: number) =>
  z.string().min(1).max(most).regex(PLAIN, "expected text without control characters");
/** An id or a title. */
const item = z.union([z.int(), text(500)], { error: "expected an id or a title: a string or an integer" });
type Item = z.output<typeof item>;
/** The problem of an id or a title. A separate check for speed, because a request may contain 100,000 of them. */
function itemProblem(value: unknown): string | undefined {
  if (typeof value === "string") {
    if (value.length === 0 || value.length > 500) return "expected an id or a title of 1 to 500 characters";
    return PLAIN.test(value) ? undefined : "expected text without control characters";
  }
  if (Number.isSafeInteger(value)) return undefined;
  if (Number.isInteger(value))
    return "expected an id; a number of this size is not exact, send it as a string";
  return "expected an id or a title: a string or an integer";
}
const event = z.strictObject({
  item: item.describe("an id or a title"),
  at: z.iso.datetime({ offset: true }).optional().describe("time of the interaction; default: now"),
});
const userId = text(200).describe("user id of the application");
export const weight = z.number().min(0).max(1);
const DIVERSITY =
  "re-rank the best items so that the items of a list differ: weight of the similarity with items that rank higher";
const NOVELTY = "re-rank the best items in favour of those that few users have: weight against relevance";
const flag = z.enum(["true", "false"]).transform((value) => value === "true");

const named = { id: z.string(), title: z.string().describe("the id if the item has no title") };
const recommended = z.object({
  rank: z.int().describe("from 1"),
  ...named,
  score: z.number().describe("comparable only within one history"),
  deviation: z.number().optional().describe("standard deviation of the score, for models that estimate it"),
  because: z
    .array(
      z.object({
        ...named,
        influence: z.number().describe("score with the whole history minus score without this item"),
      }),
    )
    .optional(),
});
const result = z.object({
  history: z.array(z.object(named)).describe("items that were folded in"),
  unknown: z.array(z.string()).describe("entries of the history that the model does not know"),
  ambiguous: z
    .array(z.object({ title: z.string(), items: z.array(z.object(named)) }))
    .optional()
    .describe("titles in a stored history that several items have; they were ignored"),
  items: z.array(recommended).describe("best first"),
});
const model = {
  model: z.string().describe("name of the model that answered"),
  version: z.string().describe("changes whenever the files of the model change"),
};

/** The message for an explanation that is too large. */
export function tooManyReasons(k: number, history: number, most: number): string {
  return `${k} recommendations with ${history} reasons each are ${k * history} reasons; the limit is ${most}`;
}

/** The zod schemas of all requests and answers under these limits. */
export function schemasOf(limits: Limits) {
  const k = z.int().min(1).max(limits.k);
  const ids = boundedList<Item>({ items: item, most: limits.ids, problems: failure(itemProblem) });
  const unavailableIds = boundedList<Item>({
    items: item,
    most: limits.availability,
    problems: failure(itemProblem),
  });
  const historyBounds = { items: item, most: limits.history, problems: failure(itemProblem) };
  const history = boundedList<Item>(historyBounds);
  const modelName = text(64).describe("name of a model; default: chosen by the traffic shares");
  const query = z.strictObject({
    k: z.coerce.number().pipe(k).default(10),
    where: z
      .string()
      .min(1)
      .max(4000)
      .optional()
      .describe("filter by attributes, as text: genre = Comedy and year >= 1990"),
    model: modelName.optional(),
  });
  return {
    recommendations: {
      body: z
        .strictObject({
          history: history.optional().describe("one history of ids or titles"),
          histories: boundedList<Item[]>({ items: history, least: 1, most: limits.histories })
            .optional()
            .describe("several histories, instead of `history`"),
          k: k.default(10).describe("number of items"),
          exclude: ids.default([]).describe("ids or titles not to recommend"),
          candidates: ids
            .optional()
            .describe("recommend only these ids or titles; default: the whole catalogue"),
          filter: filterSchema
            .optional()
            .describe("recommend only items whose attributes fulfil this; default: all items"),
          includeHistory: z.boolean().default(false).describe("also recommend items of the history"),
          explain: z
            .boolean()
            .default(false)
            .describe(
              `explain each recommendation by the influence of the history items; only for one history of at most ${limits.explained} items, with at most ${limits.reasons} reasons (k times history items)`,
            ),
          diversity: weight.default(0).describe(DIVERSITY),
          novelty: weight.default(0).describe(NOVELTY),
          atMost: z
            .record(text(200), z.int().min(1))
            .default({})
            .describe("by the name of an attribute: at most this number of items with the same value"),
          boost: z
            .array(z.strictObject({ where: filterSchema, by: z.number().min(-1).max(1) }))
            .max(MOST_RULES)
            .default([])
            .describe(
              "rank the items of a filter higher, or lower if `by` is negative; 1 is the difference between the best and the last item that is considered",
            ),
          model: modelName.optional(),
          user: userId
            .optional()
            .describe(
              "user id for choosing the model: a user always gets the same model; default: the history",
            ),
        })
        .superRefine((body, context) => {
          if ((body.history === undefined) === (body.histories === undefined))
            context.addIssue({
              code: "custom",
              path: ["history"],
              message: "expected either history or histories",
            });
          const explained = body.history ?? body.histories?.[0] ?? [];
          if (body.explain && ((body.histories?.length ?? 1) > 1 || explained.length > limits.explained))
            context.addIssue({
              code: "custom",
              path: ["explain"],
              message: `expected one history of at most ${limits.explained} items`,
            });
          else if (body.explain && body.k * explained.length > limits.reasons)
            context.addIssue({
              code: "custom",
              path: ["explain"],
              message: tooManyReasons(body.k, explained.length, limits.reasons),
            });
        }),
      answer: z.object({ ...model, results: z.array(result).describe("one per history, in order") }),
    },
    items: {
      query: z.strictObject({
        search: text(200).describe("an id or a part of a title"),
        limit: z.coerce.number().pipe(z.int().min(1).max(100)).default(20),
        model: modelName.optional(),
      }),
      answer: z.object({ ...model, items: z.array(z.object(named)) }),
    },
    similar: {
      params: z.object({ id: text(500) }),
      query,
      answer: z.object({ ...model, item: z.object(named), items: z.array(recommended) }),
    },
    availability: {
      body: z
        .strictObject({
          takeOut: unavailableIds
            .optional()
            .describe("ids of items that must not be recommended from now on"),
          bringBack: unavailableIds.optional().describe("ids of items that may be recommended again"),
          replace: unavailableIds
            .optional()
            .describe("the ids of all items that must not be recommended, instead of takeOut and bringBack"),
        })
        .superRefine(({ takeOut, bringBack, replace }, context) => {
          const add = (path: string, message: string) =>
            context.addIssue({ code: "custom", path: [path], message });
          if (!takeOut && !bringBack && !replace) add("takeOut", "expected takeOut, bringBack or replace");
          if (replace && (takeOut || bringBack))
            add("replace", "expected either replace, or takeOut and bringBack");
          // A list that is not valid has been reported.
          if (![takeOut, bringBack].every(Array.isArray)) return;
          const out = new Set(takeOut?.map(String));
          const both = bringBack?.find((id) => out.has(String(id)));
          if (both !== undefined) add("bringBack", `${JSON.stringify(both)} is also in takeOut`);
        }),
      answer: z.object({
        unavailable: z.int().describe("number of items that are out, including unknown ones"),
        unknown: z.array(z.string()).describe("ids in the request that no model knows, at most 100 of them"),
        kept: z.boolean().describe("whether the items stay out when the server is restarted"),
      }),
      query: z.strictObject({
        limit: z.coerce.number().pipe(z.int().min(0).max(limits.availability)).default(1000),
      }),
      list: z.object({
        unavailable: z.int().describe("number of items that are out"),
        items: z.array(z.string()).describe("their ids, at most `limit` of them"),
        kept: z.boolean().describe("whether the items stay out when the server is restarted"),
      }),
    },
    events: {
      body: z.strictObject({
        events: boundedList<z.output<typeof event>>({ items: event, least: 1, most: limits.history }),
      }),
      answer: z.object({
        stored: z.int().describe("number of durably stored events"),
        unknown: z.array(z.string()).describe("items that the model does not know; they are also stored"),
      }),
    },
    user: {
      params: z.object({ id: userId }),
      query: z.strictObject({
        ...query.shape,
        explain: flag.default(false),
        includeHistory: flag.default(false),
        diversity: z.coerce.number().pipe(weight).default(0).describe(DIVERSITY),
        novelty: z.coerce.number().pipe(weight).default(0).describe(NOVELTY),
      }),
      answer: z.object({ ...model, ...result.shape }),
      history: z.object({
        events: z.array(z.object({ item: z.string(), at: z.string() })).describe("oldest first"),
      }),
      removed: z.object({ removed: z.int().describe("number of deleted items") }),
    },
    models: {
      answer: z.object({
        models: z.array(
          z.object({
            name: z.string(),
            version: z.string(),
            algorithm: z.string(),
            items: z.int(),
            share: z.number().describe("share of the traffic, from 0 to 1"),
            loadedAt: z.string(),
          }),
        ),
      }),
    },
    health: { answer: z.object({ status: z.string() }) },
    problem: problemSchema,
  };
}
export type Schemas = ReturnType<typeof schemasOf>;
