// Asks the server again and again while the page is visible. An answer that has not changed is not sent again (304).

import { useEffect, useState } from "preact/hooks";
import { ask } from "./ask.js";

/** Milliseconds until the second question: the page is drawn first. */
const AFTER_FIRST = 500;

export interface Polled<T> {
  /** The last answer; undefined until the first. */
  readonly answer: T | undefined;
  /** Why the last request failed. */
  readonly problem: string | undefined;
}

/**
 * The answer at `path`, asked for again after `secondsAfter(answer)`; undefined as path asks nothing. `first` is asked before, and
 * `path` right after it.
 */
export function usePolled<T>(
  path: string | undefined,
  secondsAfter: (answer: T | undefined) => number,
  first?: string,
): Polled<T> {
  const [state, setState] = useState<Polled<T> & { path?: string; text?: string }>({
    answer: undefined,
    problem: undefined,
  });
  useEffect(() => {
    if (path === undefined) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last: T | undefined;
    let next = first ?? path;
    const look = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      const isFirst = next !== path;
      try {
        const answer = await ask<T>(next, stop.signal);
        last = answer;
        const text = JSON.stringify(answer);
        // An equal answer keeps the old object, so that nothing is drawn again.
        setState((before) =>
          before.path === path && before.text === text && before.problem === undefined
            ? before
            : { answer, problem: undefined, path, text },
        );
      } catch (error) {
        if (stop.signal.aborted) return;
        setState((before) => ({ ...before, problem: (error as Error).message }));
      }
      next = path;
      timer = setTimeout(look, isFirst ? AFTER_FIRST : 1000 * secondsAfter(last));
    };
    const onVisible = () => void (document.hidden ? undefined : look());
    document.addEventListener("visibilitychange", onVisible);
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, secondsAfter, first]);
  return state;
}
