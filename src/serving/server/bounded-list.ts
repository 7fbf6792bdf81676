// A zod schema for lists in requests. It checks the length before the elements and reports only the first few invalid
// elements. Zod's own arrays check all elements, which is slow for a megabyte of invalid ones.

import { z } from "zod";

/** Maximum number of reported problems. */
const MOST_PROBLEMS = 20;

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The problems of an element; empty if it is valid. */
type Check = (element: unknown) => readonly Problem[];

export interface BoundedListOptions {
  /** The schema of an element. */
  readonly items: z.ZodType;
  readonly least?: number;
  readonly most: number;
  /** A faster check for elements than the schema. */
  readonly problems?: Check;
}

const NONE: readonly Problem[] = [];

/** A check that reports at most one problem, for the element as a whole. */
export function failure(problemOf: (element: unknown) => string | undefined): Check {
  return (element) => {
    const message = problemOf(element);
    return message === undefined ? NONE : [{ path: [], message }];
  };
}

/** The schema of a list. Elements are checked, not transformed. */
export function boundedList<T>({
  items,
  least = 0,
  most,
  problems = (element) => items.safeParse(element).error?.issues ?? NONE,
}: BoundedListOptions): z.ZodType<T[]> {
  return z
    .unknown()
    .superRefine((list, context) => {
      const add = (path: readonly PropertyKey[], message: string) =>
        context.addIssue({ code: "custom", path: [...path], message });
      if (!Array.isArray(list)) return add([], "expected a list");
      if (list.length < least) return add([], `expected at least ${least}; got ${list.length}`);
      if (list.length > most) return add([], `expected at most ${most}; got ${list.length}`);
      let found = 0;
      for (const [e, element] of list.entries())
        for (const { path, message } of problems(element)) {
          add([e, ...path], message);
          if (++found === MOST_PROBLEMS) return;
        }
    })
    .meta({
      type: "array",
      items: jsonSchemaOf(items),
      ...(least > 0 && { minItems: least }),
      maxItems: most,
    }) as z.ZodType<T[]>;
}

function jsonSchemaOf(schema: z.ZodType): object {
  const { $schema, ...described } = z.toJSONSchema(schema, { io: "input" });
  return described;
}
