// What a run recommends for a user; items that were held out are marked.

import type { HistoryItem } from "../../../src/studio/dataset-api.js";
import { count, plural } from "../texts.js";

/** An item of the answer of POST /api/recommendations. */
export interface Recommended {
  readonly id: string;
  readonly title: string;
}

interface Props {
  /** Undefined until the answer. */
  readonly items: readonly Recommended[] | undefined;
  /** Items of the history that the model does not know. */
  readonly unknown: number;
  readonly problem: string | undefined;
  readonly k: number;
  readonly run: string;
  readonly heldOut: readonly HistoryItem[];
  readonly heldOutLength: number;
}

export function Recommendations({ items, unknown, problem, k, run, heldOut, heldOutLength }: Props) {
  if (problem !== undefined)
    return (
      <p class="warning" role="alert">
        {problem}
      </p>
    );
  const wanted = new Set(heldOut.map(({ id }) => id));
  const hits = items?.filter(({ id }) => wanted.has(id)).length ?? 0;
  return (
    <>
      <p class="status" role="status">
        {items === undefined
          ? `Asking ${run} …`
          : heldOutLength > 0
            ? `${count(hits)} of the ${plural(heldOutLength, "held-out item")} among the first ${k}.`
            : plural(items.length, "item")}
        {unknown > 0 && ` The model does not know ${plural(unknown, "item")} of the history.`}
      </p>
      {items && (
        <ol class="recommended">
          {items.map(({ id, title }) => (
            <li key={id} class={wanted.has(id) ? "hit" : undefined}>
              {title}
              {wanted.has(id) && <span class="mark">held out</span>}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
