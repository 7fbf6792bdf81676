// What requests and answers look like. The same schemas check requests and make the OpenAPI document.

import { z } from "zod";
import { boundedList, failure } from "./bounded-list.js";
import type { Limits } from "./limits.js";
import { problemSchema } from "./problems.js";

/** Text without control characters and halves of surrogate pairs, which no store would give back as it came. */
const PLAIN = /^[^\p{Cc}\p{Cs}]+$/u;
const text = (most: number) =>
  z.string().min(1).max(most).regex(PLAIN, "expected text without control characters");
/** An id or a title. */
const item = z.union([z.int(), text(500)], { error: "expected an id or a title: text, or a whole number" });
type Item = z.output<typeof item>;
/** What is wrong with an id or a title: a check of its own, as a request may hold a hundred thousand. */
function itemProblem(value: unknown): string | undefined {
  if (typeof value === "string") {
    if (value.length === 0 || value.length > 500) return "expected an id or a title of 1 to 500 characters";
    return PLAIN.test(value) ? undefined : "expected text without control characters";
  }
  if (Number.isSafeInteger(value)) return undefined;
  if (Number.isInteger(value)) return "expected an id: a number of this size is not exact, send it as text";
  return "expected an id or a title: text, or a whole number";
}
const event = z.strictObject({
  item: item.describe("an id or a title"),
  at: z.iso.datetime({ offset: true }).optional().describe("when; unset = now"),
});
const userId = text(200).describe("whatever the application calls the user");
const flag = z.enum(["true", "false"]).transform((value) => value === "true");

const named = { id: z.string(), title: z.string().describe("the id where it has no title") };
const recommended = z.object({
  rank: z.int().describe("from 1"),
  ...named,
  score: z.number().describe("only the order within one history means something"),
  deviation: z.number().optional().describe("of the score, where the model knows how sure it is"),
  because: z
    .array(
      z.object({
        ...named,
        influence: z.number().describe("the score with the whole history less the score without this item"),
      }),
    )
    .optional(),
});
const result = z.object({
  history: z.array(z.object(named)).describe("what was folded in"),
  unknown: z.array(z.string()).describe("what of the history the model does not know"),
  ambiguous: z
    .array(z.object({ title: z.string(), items: z.array(z.object(named)) }))
    .optional()
    .describe("titles in a kept history that several items have by now; they were left out"),
  items: z.array(recommended).describe("best first"),
});
const model = {
  model: z.string().describe("the name of the model that answered"),
  version: z.string().describe("changes whenever the model's files do"),
};

/** Why an explanation is refused. */
export function tooManyReasons(k: number, history: number, most: number): string {
  return `${k} recommendations with ${history} reasons each are ${k * history}; the limit is ${most}`;
}

/** Zod's schemas of all requests and answers under these limits. */
export function schemasOf(limits: Limits) {
  const k = z.int().min(1).max(limits.k);
  const ids = boundedList<Item>({ items: item, most: limits.ids, problems: failure(itemProblem) });
  const historyBounds = { items: item, most: limits.history, problems: failure(itemProblem) };
  const history = boundedList<Item>(historyBounds);
  const modelName = text(64).describe("the name of a model; unset = by its share of the traffic");
  const query = z.strictObject({
    k: z.coerce.number().pipe(k).default(10),
    model: modelName.optional(),
  });
  return {
    recommendations: {
      body: z
        .strictObject({
          history: history.optional().describe("ids or titles: one history"),
          histories: boundedList<Item[]>({ items: history, least: 1, most: limits.histories })
            .optional()
            .describe("several of them, instead of `history`"),
          k: k.default(10).describe("how many items"),
          exclude: ids.default([]).describe("ids or titles never to recommend"),
          candidates: ids.optional().describe("the only ids or titles to choose from; unset = the catalogue"),
          includeHistory: z.boolean().default(false).describe("items of the history may be recommended too"),
          explain: z
            .boolean()
            .default(false)
            .describe(
              `which items of the history speak for each recommendation; one history of at most ${limits.explained} items, and at most ${limits.reasons} reasons: k times the items of the history`,
            ),
          model: modelName.optional(),
          user: userId.optional().describe("the same user gets the same model; unset = by the history"),
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
      answer: z.object({ ...model, results: z.array(result).describe("one for each history, in order") }),
    },
    items: {
      query: z.strictObject({
        search: text(200).describe("an id, or part of a title"),
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
    events: {
      body: z.strictObject({
        events: boundedList<z.output<typeof event>>({ items: event, least: 1, most: limits.history }),
      }),
      answer: z.object({
        stored: z.int().describe("events that a crash cannot lose any more"),
        unknown: z.array(z.string()).describe("items that the model does not know; they are stored too"),
      }),
    },
    user: {
      params: z.object({ id: userId }),
      query: z.strictObject({
        ...query.shape,
        explain: flag.default(false),
        includeHistory: flag.default(false),
      }),
      answer: z.object({ ...model, ...result.shape }),
      history: z.object({
        events: z.array(z.object({ item: z.string(), at: z.string() })).describe("oldest first"),
      }),
      removed: z.object({ removed: z.int().describe("items that were forgotten") }),
    },
    models: {
      answer: z.object({
        models: z.array(
          z.object({
            name: z.string(),
            version: z.string(),
            algorithm: z.string(),
            items: z.int(),
            share: z.number().describe("of the traffic, from 0 to 1"),
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
