// Asks after the user has paused, and forgets answers to what was asked before.

import { useEffect, useState } from "preact/hooks";

export interface Delayed<T> {
  /** The last answer, also while the next one is awaited. */
  readonly answer: T | undefined;
  readonly problem: string | undefined;
  readonly isWaiting: boolean;
}

/** The answer to `key`, which identifies the question; undefined asks nothing. `ask` is called some milliseconds after its last change. */
export function useDelayed<T>(
  key: string | undefined,
  milliseconds: number,
  ask: (signal: AbortSignal) => Promise<T>,
): Delayed<T> {
  const [state, setState] = useState<{ key?: string; answer?: T; problem?: string }>({});
  // The key identifies the question.
  useEffect(() => {
    if (key === undefined) {
      setState({});
      return;
    }
    const stop = new AbortController();
    const timer = setTimeout(() => {
      ask(stop.signal)
        .then((answer) => setState({ key, answer }))
        .catch((error: Error) => {
          if (!stop.signal.aborted) setState({ key, problem: error.message });
        });
    }, milliseconds);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key]);
  return { answer: state.answer, problem: state.problem, isWaiting: key !== undefined && state.key !== key };
}
