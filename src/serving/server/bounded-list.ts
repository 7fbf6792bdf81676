// Lists in requests. Their length is looked at before their elements, and no more than a few bad elements are reported: zod's
// own arrays check all elements first, which takes long where a megabyte of them is wrong.

import { z } from "zod";

/** Bad elements that are reported. */
const MOST_PROBLEMS = 20;

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is wrong with an element; nothing where it is as expected. */
type Check = (element: unknown) => readonly Problem[];

export interface BoundedListOptions {
  /** The schema of an element. */
  readonly items: z.ZodType;
  readonly least?: number;
  readonly most: number;
  /** A faster check of an element than the schema's. */
  readonly problems?: Check;
}

const NONE: readonly Problem[] = [];

/** A check that finds one thing wrong with an element as a whole, or nothing. */
export function failure(problemOf: (element: unknown) => string | undefined): Check {
  return (element) => {
    const message = problemOf(element);
    return message === undefined ? NONE : [{ path: [], message }];
  };
}

/** The schema of a list of such elements. Elements are checked, not transformed. */
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
      if (list.length < least) return add([], `expected at least ${least}`);
      if (list.length > most) return add([], `expected at most ${most}, found ${list.length}`);
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
