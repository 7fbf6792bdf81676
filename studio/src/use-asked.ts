// Asks the server once for each path. The answer before stays until the next one arrives, so that the page does not jump.

import { useEffect, useState } from "preact/hooks";
import { ask } from "./ask.js";

export interface Asked<T> {
  readonly answer: T | undefined;
  readonly problem: string | undefined;
  /** Whether the answer is to an earlier question. */
  readonly isBusy: boolean;
}

/** The answer at `path`; undefined as path asks nothing. */
export function useAsked<T>(path: string | undefined): Asked<T> {
  const [state, setState] = useState<{ path?: string; answer?: T; problem?: string }>({});
  useEffect(() => {
    if (path === undefined) return;
    const stop = new AbortController();
    ask<T>(path, stop.signal)
      .then((answer) => setState({ path, answer }))
      .catch(({ message }: Error) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, path, problem: message }));
      });
    return () => stop.abort();
  }, [path]);
  return { answer: state.answer, problem: state.problem, isBusy: path !== undefined && state.path !== path };
}

/** The value, once it has not changed for some milliseconds: a search waits for the next letter. */
export function useSettled<T>(value: T, milliseconds = 200): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
