// Ranking metrics of a user's list against the held-out items, by name: "ndcg@100". T is the held-out set, n = |T|, and
// hit_r = 1 if the item at rank r (from 1; fold-in items removed from the ranking) is in T:
//
//   recall@k        sum_{r<=k} hit_r / min(k, n)         Liang et al. 2018 (so recall@5 may exceed recall@20)
//   recall-plain@k  sum_{r<=k} hit_r / n                 the CTR/CDL/CVAE line, RecBole, LensKit
//   ndcg@k          sum_{r<=k} hit_r / log2(r+1)  over  sum_{r<=min(n,k)} 1 / log2(r+1)
//   precision@k     sum_{r<=k} hit_r / k
//   map@k           sum_{r<=k} hit_r precision@r / min(k, n)
//   mrr@k           1 / rank of the first hit, 0 without one
//   hit-rate@k      1 with any hit, else 0
//
// Other metrics describe the list itself, L = its first k items (or all, if it is shorter; 0 if it is empty):
//
//   novelty@k       mean over L of -log2(share of the training users who have the item)        item-popularity.ts
//   diversity@k     mean over the pairs of L of 1 - cosine of their training columns           list-diversity.ts
//   long-tail@k     share of L outside the most popular items with 80 % of the interactions    item-popularity.ts
//   calibration@k   divergence of the categories of L from those of the history, in bits       calibration.ts
//
// and some describe the lists of all users together, without a value per user:
//
//   coverage@k      share of the catalogue in at least one user's top k
//   gini@k          Gini index over the catalogue of how often each item is in a user's top k  gini.ts

import { UserError } from "../core/errors.js";
import { suggestion } from "../core/nearest.js";

/** A metric of one user: `hits[r]` is 1 if the item at rank r + 1 was held out; n >= 1 is the number of held-out items. */
type UserMetric = (hits: Uint8Array, k: number, n: number) => number;

const perUser = {
  recall: (hits, k, n) => count(hits, k) / Math.min(k, n),
  "recall-plain": (hits, k, n) => count(hits, k) / n,
  ndcg(hits, k, n) {
    let gain = 0;
    for (let r = 0; r < Math.min(k, hits.length); r++) if (hits[r]) gain += discount(r);
    return gain / idealGain(Math.min(n, k));
  },
  precision: (hits, k) => count(hits, k) / k,
  map(hits, k, n) {
    let found = 0;
    let sum = 0;
    for (let r = 0; r < Math.min(k, hits.length); r++) if (hits[r]) sum += ++found / (r + 1);
    return sum / Math.min(k, n);
  },
  mrr(hits, k) {
    const first = hits.subarray(0, k).indexOf(1);
    return first < 0 ? 0 : 1 / (first + 1);
  },
  "hit-rate": (hits, k) => (hits.subarray(0, k).includes(1) ? 1 : 0),
} satisfies Record<string, UserMetric>;

/** Metrics of a user's list, whatever was held out. */
const ofList = ["novelty", "diversity", "long-tail", "calibration"] as const;
export type ListMetric = (typeof ofList)[number];

/** Metrics of the lists of all users together. */
const ofLists = ["coverage", "gini"] as const;
export type CatalogueMetric = (typeof ofLists)[number];

/** Metrics of which a lower value is better. */
const lowerIsBetter = new Set(["calibration", "gini"]);

/** The names of all metrics, without their `@k`. */
export const metricNames: readonly string[] = [...Object.keys(perUser), ...ofList, ...ofLists];

/** The default metrics. */
export const defaultMetrics: readonly string[] = ["ndcg@100", "recall@20", "recall@50"];

/** A metric at a depth. One of `ofUser`, `ofList` and `ofLists` is defined. */
export interface Metric {
  /** "ndcg@100" */
  readonly name: string;
  readonly k: number;
  /** Of an accuracy metric: `hits[r]` is 1 if the item at rank r + 1 was held out (at least k ranks, or all); n >= 1 is the number of held-out items. */
  readonly ofUser: ((hits: Uint8Array, n: number) => number) | undefined;
  /** A metric of the list itself, with a value per user. */
  readonly ofList: ListMetric | undefined;
  /** A metric of the lists of all users, which is not a mean over users. */
  readonly ofLists: CatalogueMetric | undefined;
  readonly lowerIsBetter: boolean;
}

/** Parses "ndcg@100". Throws UserError with the most similar name if it is not a metric. */
export function parseMetric(text: string): Metric {
  const [name, ...depths] = text.trim().toLowerCase().split("@");
  const depth = depths.join("@");
  if (!metricNames.includes(name))
    throw new UserError({
      place: "metric",
      problem: `"${text}" is unknown`,
      remedy: suggestion(name, metricNames),
    });
  const k = Number(depth);
  if (!/^\d+$/.test(depth) || k < 1)
    throw new UserError({
      place: "metric",
      problem: `"${text}" has no valid depth`,
      expected: `a whole number of at least 1 after the @, as in ${name}@${name === "ndcg" ? 100 : 20}`,
    });
  const ofUser = (perUser as Record<string, UserMetric>)[name];
  return {
    name: `${name}@${k}`,
    k,
    ofUser: ofUser && ((hits, n) => ofUser(hits, k, n)),
    ofList: ofList.find((known) => known === name),
    ofLists: ofLists.find((known) => known === name),
    lowerIsBetter: lowerIsBetter.has(name),
  };
}

/** By how much one value of a metric is better than another. */
export function gain(metric: string, one: number, other: number): number {
  return parseMetric(metric).lowerIsBetter ? other - one : one - other;
}

/** Parses a metric for choosing a model. Throws UserError, as `parseMetric`, and for a metric that does not compare with the held-out items. */
export function parseAccuracyMetric(text: string): Metric & { ofUser: NonNullable<Metric["ofUser"]> } {
  const metric = parseMetric(text);
  const { name, ofUser, ofLists } = metric;
  if (!ofUser)
    throw new UserError({
      place: "metric",
      problem: ofLists
        ? `${name} is not a mean over users (it has no value per user), so nothing can be chosen by it`
        : `${name} describes the lists and not how well they predict, so nothing can be chosen by it`,
      expected: "a metric that compares with the held-out items, such as ndcg@100",
    });
  return { ...metric, ofUser };
}

function count(hits: Uint8Array, k: number): number {
  let found = 0;
  for (let r = 0; r < Math.min(k, hits.length); r++) found += hits[r];
  return found;
}

/** 1 / log2(rank + 1) for rank r + 1. */
function discount(r: number): number {
  return 1 / Math.log2(r + 2);
}

const idealGains = [0];
/** The discounted gain if the first `hits` ranks are hits. */
function idealGain(hits: number): number {
  for (let r = idealGains.length - 1; r < hits; r++) idealGains.push(idealGains[r] + discount(r));
  return idealGains[hits];
}
