// What is asked in the playground, in the page's address and as a request.

import type { Address } from "../use-address.js";

export interface Settings {
  /** Ids of runs. */
  readonly runs: readonly string[];
  /** Ids of items. */
  readonly history: readonly string[];
  /** The item whose similar items are shown instead of recommendations for the history. */
  readonly similar: string | undefined;
  readonly k: number;
  readonly where: string;
  readonly exclude: readonly string[];
  /** Recommend only these items; none = all. */
  readonly candidates: readonly string[];
  readonly includeHistory: boolean;
  readonly explain: boolean;
  readonly diversity: number;
  readonly novelty: number;
  readonly atMost: readonly { readonly attribute: string; readonly most: number }[];
  readonly boosts: readonly { readonly by: number; readonly where: string }[];
}

/** The number of items that is shown unless another is chosen. */
const DEFAULT_K = 10;
/** The most models next to each other; the studio keeps as many loaded. */
export const MOST_RUNS = 4;
/** Ids contain no line ends. */
const SEPARATOR = "\n";

/** Reads the settings from an address. What is not valid is left out. */
export function settingsOf(parameters: URLSearchParams): Settings {
  const text = (name: string) => parameters.get(name) ?? "";
  const list = (name: string, separator = SEPARATOR) =>
    text(name)
      .split(separator)
      .filter((entry) => entry !== "");
  return {
    runs: [...new Set(list("runs", "|"))].slice(0, MOST_RUNS),
    history: [...new Set(list("history"))],
    similar: text("similar") || undefined,
    k: numberIn(text("k"), 1, 100, DEFAULT_K),
    where: text("where"),
    exclude: [...new Set(list("exclude"))],
    candidates: [...new Set(list("only"))],
    includeHistory: text("seen") === "1",
    explain: text("explain") !== "0",
    diversity: numberIn(text("diversity"), 0, 1, 0),
    novelty: numberIn(text("novelty"), 0, 1, 0),
    atMost: list("most").flatMap((entry) => {
      const [, attribute, most] = /^(.*)=(\d+)$/s.exec(entry) ?? [];
      return attribute === undefined ? [] : [{ attribute, most: Math.max(1, Number(most)) }];
    }),
    boosts: list("boost").flatMap((entry) => {
      const [, by, where] = /^([^:]*): ?(.*)$/s.exec(entry) ?? [];
      return by === undefined ? [] : [{ by: numberIn(by, -1, 1, 0), where }];
    }),
  };
}

/** The changes of the address for changed settings. */
export function addressOf(changes: Partial<Settings>): Parameters<Address["set"]>[0] {
  const parts: Record<string, string | undefined> = {};
  const put = <K extends keyof Settings>(name: K, key: string, text: (value: Settings[K]) => string) => {
    if (name in changes) parts[key] = text(changes[name] as Settings[K]);
  };
  const lines = (entries: readonly string[]) => entries.join(SEPARATOR);
  put("runs", "runs", (runs) => runs.join("|"));
  put("history", "history", lines);
  put("similar", "similar", (item) => item ?? "");
  put("k", "k", (k) => (k === DEFAULT_K ? "" : String(k)));
  put("where", "where", (where) => where.replaceAll(/\s*\n\s*/g, " "));
  put("exclude", "exclude", lines);
  put("candidates", "only", lines);
  put("includeHistory", "seen", (on) => (on ? "1" : ""));
  put("explain", "explain", (on) => (on ? "" : "0"));
  put("diversity", "diversity", (weight) => (weight > 0 ? String(weight) : ""));
  put("novelty", "novelty", (weight) => (weight > 0 ? String(weight) : ""));
  put("atMost", "most", (limits) => lines(limits.map(({ attribute, most }) => `${attribute}=${most}`)));
  put("boosts", "boost", (boosts) => lines(boosts.map(({ by, where }) => `${by}: ${where}`)));
  return parts;
}

/** The body of POST /api/recommendations for one run. Rules without effect and boosts without a filter are left out. */
export function requestOf(settings: Settings, run: string) {
  const { similar, history, k, where, exclude, candidates, includeHistory, explain } = settings;
  const { diversity, novelty, atMost, boosts } = settings;
  const boost = boosts.filter((one) => one.where.trim() !== "" && one.by !== 0);
  return {
    ...{ run, k, history: similar === undefined ? history : [similar] },
    ...(where.trim() !== "" && { where }),
    ...(exclude.length > 0 && { exclude }),
    ...(candidates.length > 0 && { candidates }),
    ...(includeHistory && similar === undefined && { includeHistory }),
    ...(explain && similar === undefined && history.length > 0 && { explain }),
    ...(diversity > 0 && { diversity }),
    ...(novelty > 0 && { novelty }),
    ...(atMost.length > 0 && {
      atMost: Object.fromEntries(atMost.map(({ attribute, most }) => [attribute, most])),
    }),
    ...(boost.length > 0 && { boost: boost.map(({ by, where }) => ({ by, where })) }),
  };
}

/** Whether anything below the heading of rules is set. */
export function hasRules(settings: Settings): boolean {
  const { where, diversity, novelty, atMost, boosts, exclude, candidates } = settings;
  const lists = [atMost, boosts, exclude, candidates];
  return where !== "" || diversity > 0 || novelty > 0 || lists.some(({ length }) => length > 0);
}

/** The number of a text within bounds, or the default. */
function numberIn(text: string, least: number, most: number, otherwise: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return otherwise;
  return Math.min(most, Math.max(least, value));
}

/** The position that a message names in a text, such as "filter, position 15: ...", from 0; undefined if it names none. */
export function positionIn(message: string, place: string): number | undefined {
  const [, number] = message.startsWith(`${place}, position `) ? (/position (\d+)/.exec(message) ?? []) : [];
  return number === undefined ? undefined : Number(number) - 1;
}
