// The schema of filters in requests. Its JSON Schema is a component of the OpenAPI document, because filters contain filters.

import { z } from "zod";
import {
  bounds,
  type Filter,
  filterProblem,
  MOST_CONDITIONS,
  MOST_VALUES,
} from "../../recommender/filter/filter.js";

const FILTER = { $ref: "#/components/schemas/Filter" };

/** A filter. It is checked by the rules of the library; attributes are looked up in the model that answers. */
export const filterSchema = z
  .unknown()
  .superRefine((value, context) => {
    const found = filterProblem(value);
    if (!found) return;
    const { path, problem, expected, remedy } = found;
    const message = `${problem}${expected === undefined ? "" : ` (expected ${expected})`}${remedy === undefined ? "" : `. ${remedy}`}`;
    context.addIssue({ code: "custom", path: [...path], message });
  })
  .meta(FILTER) as z.ZodType<Filter>;

const value = { oneOf: [{ type: "string" }, { type: "number" }, { type: "boolean" }] };
const bound = { oneOf: [{ type: "number" }, { type: "string" }] };
const attribute = {
  type: "string",
  description: "name of an attribute, as in the items file of the dataset",
};
const object = (properties: Record<string, object>, required: readonly string[], description?: string) => ({
  ...{ type: "object", additionalProperties: false, properties, required },
  ...(description !== undefined && { description }),
});

/** The components that `filterSchema` refers to. */
export const filterComponents = {
  Filter: {
    description: `Which items may be recommended, by their attributes: a condition, or a combination of filters; at most ${MOST_CONDITIONS} conditions and ${MOST_VALUES} values. An item without a value fulfils only "missing": true, isNot, and negations.`,
    examples: [
      {
        and: [
          { attribute: "genre", is: "Comedy" },
          { attribute: "year", atLeast: 1990 },
        ],
      },
    ],
    oneOf: [
      object({ attribute, is: value }, ["attribute", "is"], "equal to the value; a list contains it"),
      object({ attribute, isNot: value }, ["attribute", "isNot"], "the opposite of is"),
      object({ attribute, isOneOf: { type: "array", items: value } }, ["attribute", "isOneOf"]),
      object(
        { attribute, missing: { type: "boolean" } },
        ["attribute", "missing"],
        "whether there is no value",
      ),
      {
        ...object(
          { attribute, ...Object.fromEntries(bounds.map((name) => [name, bound])) },
          ["attribute"],
          "within bounds: numbers, or dates such as 2009, 2009-09 or 2009-09-13",
        ),
        minProperties: 2,
        maxProperties: 3,
      },
      object({ and: { type: "array", items: FILTER } }, ["and"], "all of them hold"),
      object({ or: { type: "array", items: FILTER } }, ["or"], "one of them holds"),
      object({ not: FILTER }, ["not"], "it does not hold"),
    ],
  },
};
