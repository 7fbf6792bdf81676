// The page's state in its address, #/runs?filter=ease&sort=seconds: it survives a reload and can be sent to others.

import { useCallback, useEffect, useState } from "preact/hooks";

export interface Address {
  /** "runs" of #/runs?... */
  readonly page: string;
  readonly parameters: URLSearchParams;
  /** Sets parameters; those that are undefined or empty are removed. */
  readonly set: (changes: Readonly<Record<string, string | undefined>>) => void;
}

export function useAddress(): Address {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const onChange = () => setHash(window.location.hash);
    window.addEventListener("hashchange", onChange);
    return () => window.removeEventListener("hashchange", onChange);
  }, []);
  const set = useCallback((changes: Readonly<Record<string, string | undefined>>) => {
    const { page, parameters } = parse(window.location.hash);
    for (const [name, value] of Object.entries(changes))
      if (value === undefined || value === "") parameters.delete(name);
      else parameters.set(name, value);
    const next = addressOf(page, parameters);
    window.history.replaceState(null, "", next);
    setHash(next);
  }, []);
  return { ...parse(hash), set };
}

function parse(hash: string) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { page: path === "" ? "runs" : path, parameters: new URLSearchParams(query) };
}

/** The address of a view: "#/run?id=a". */
export function addressOf(page: string, parameters: URLSearchParams): string {
  const query = parameters.toString();
  return `#/${page}${query === "" ? "" : `?${query}`}`;
}

/** The address of the page of a run. */
export const addressOfRun = (id: string): string => addressOf("run", new URLSearchParams({ id }));

/** The address of the comparison of runs. */
export const addressOfComparison = (ids: readonly string[]): string =>
  addressOf("compare", new URLSearchParams({ runs: ids.join("|") }));
