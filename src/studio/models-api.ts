// Requests to the models of runs. Filters are text, as in --where.

import { z } from "zod";
import { MOST_RULES } from "../recommender/rules/rules.js";
import { defaultLimits } from "../serving/server/limits.js";
import { text, weight } from "../serving/server/schemas.js";

const run = z.string().describe("id of a run with a model");
const filter = text(4000).describe("as text: genre = Comedy and year >= 1990");
const entries = (most: number) => z.array(text(500)).max(most).describe("ids or titles");

/** Query of GET /api/model. */
export const modelQuery = z.strictObject({ run });

/** Query of GET /api/items: what was typed. */
export const itemsQuery = z.strictObject({
  run,
  search: z.string().max(200),
  limit: z.coerce.number().pipe(z.int().min(1).max(100)).default(12),
});

/** Body of POST /api/items/names. */
export const namesRequest = z.strictObject({ run, ids: entries(defaultLimits.history) });

/** Body of POST /api/recommendations: everything that POST /v1/recommendations of the server can do for one history. */
export const recommendationsRequest = z
  .strictObject({
    run,
    history: entries(defaultLimits.history),
    k: z.int().min(1).max(defaultLimits.k).default(10),
    exclude: entries(defaultLimits.ids).optional(),
    candidates: entries(defaultLimits.ids).min(1).optional(),
    where: filter.optional(),
    includeHistory: z.boolean().optional(),
    explain: z.boolean().optional(),
    diversity: weight.optional(),
    novelty: weight.optional(),
    atMost: z.record(text(200), z.int().min(1)).optional(),
    boost: z
      .array(z.strictObject({ where: filter, by: z.number().min(-1).max(1) }))
      .max(MOST_RULES)
      .optional(),
  })
  .superRefine(({ explain, history, k }, context) => {
    const { explained, reasons } = defaultLimits;
    if (!explain || (history.length <= explained && k * history.length <= reasons)) return;
    context.addIssue({
      code: "custom",
      path: ["explain"],
      message: `expected a history of at most ${explained} items, and at most ${reasons} reasons (k times history items)`,
    });
  });
