// Asks the server once for each question. The answer before stays until the next one arrives, so that the page does not jump.

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
  return useAnswer<T>(path, (signal) => ask<T>(path ?? "", signal));
}

/**
 * The answer to a question that `key` identifies; undefined asks nothing. `ask` is called once the key has not changed for some
 * milliseconds, and its signal is aborted when the key changes.
 */
export function useAnswer<T>(
  key: string | undefined,
  ask: (signal: AbortSignal) => Promise<T>,
  milliseconds = 0,
): Asked<T> {
  const [state, setState] = useState<{ key?: string; answer?: T; problem?: string }>({});
  // The key identifies the question.
  useEffect(() => {
    if (key === undefined) return;
    const stop = new AbortController();
    const start = () =>
      void ask(stop.signal)
        .then((answer) => setState({ key, answer }))
        .catch(({ message }: Error) => {
          if (!stop.signal.aborted) setState((before) => ({ ...before, key, problem: message }));
        });
    const timer = milliseconds > 0 ? setTimeout(start, milliseconds) : start();
    return () => {
      clearTimeout(timer ?? undefined);
      stop.abort();
    };
  }, [key]);
  return { answer: state.answer, problem: state.problem, isBusy: key !== undefined && state.key !== key };
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
