// The titles of items that the page knows only by id, such as those in its address.

import { useEffect, useState } from "preact/hooks";
import type { NamesAnswer } from "../../../src/studio/models-messages.js";
import { tell } from "../ask.js";

/** Titles by run and id. */
const known = new Map<string, Map<string, string>>();

/** Titles of one run. */
function titlesOf(run: string): Map<string, string> {
  const titles = known.get(run) ?? new Map<string, string>();
  known.set(run, titles);
  return titles;
}

/** Remembers titles that an answer has. */
export function remember(
  run: string,
  items: Iterable<{ readonly id: string; readonly title: string }>,
): void {
  for (const { id, title } of items) titlesOf(run).set(id, title);
}

/** A function from an id to its title in the catalogue of a run: the id until it is known. */
export function useNames(run: string | undefined, ids: readonly string[]): (id: string) => string {
  const [, setCount] = useState(0);
  const missing = run === undefined ? [] : ids.filter((id) => !titlesOf(run).has(id));
  const wanted = missing.join("\n");
  useEffect(() => {
    if (run === undefined || wanted === "") return;
    let isGone = false;
    tell<NamesAnswer>("POST", "/api/items/names", { run, ids: wanted.split("\n").slice(0, 1000) })
      .then(({ items }) => {
        remember(run, items);
        if (!isGone) setCount((count) => count + 1);
      })
      // What is wrong is shown with the recommendations.
      .catch(() => {});
    return () => {
      isGone = true;
    };
  }, [run, wanted]);
  return (id) => (run === undefined ? id : (titlesOf(run).get(id) ?? id));
}
