// Computes the metrics of a user's list that do not depend on the held-out items (metrics.ts).

import { UserError } from "../core/errors.js";
import {
  HEAD_SHARE,
  popularityGroups,
  popularityIn,
  selfInformation,
  userCounts,
} from "../data/item-popularity.js";
import type { CsrMatrix } from "../sparse/csr.js";
import { ListDiversity } from "./list-diversity.js";
import type { ListMetric, Metric } from "./metrics.js";

/** The value of a metric for a list, of which it uses the first k items; 0 for an empty list. */
type OfList = (list: Uint32Array) => number;

/** Functions for these metrics, by name. Throws UserError if a metric needs the training interactions and they are not given. */
export function listMetrics(metrics: readonly Metric[], train: CsrMatrix | undefined): Map<string, OfList> {
  const found = new Map<string, OfList>();
  const whole = new Map<ListMetric, OfList>();
  for (const { name, k, ofList } of metrics) {
    if (!ofList) continue;
    if (!train)
      throw new UserError({
        place: "metric",
        problem: `${name} depends on the training interactions, which were not given`,
        remedy: "Use evaluate with the dataset, or give evaluateSplit its training matrix (train)",
      });
    const value = whole.get(ofList) ?? open(ofList, train);
    whole.set(ofList, value);
    found.set(name, (list) => value(list.subarray(0, k)));
  }
  return found;
}

function open(metric: ListMetric, train: CsrMatrix): OfList {
  switch (metric) {
    case "novelty": {
      const popularity = popularityIn(train);
      const information = Float64Array.from(popularity.counts, (_, item) =>
        selfInformation(popularity, item),
      );
      return (list) => meanOver(list, information);
    }
    case "long-tail": {
      const isTail = popularityGroups(userCounts(train), [HEAD_SHARE]);
      return (list) => meanOver(list, isTail);
    }
    case "diversity": {
      const diversity = new ListDiversity(train);
      return (list) => diversity.of(list);
    }
    default:
      return metric satisfies never;
  }
}

function meanOver(list: Uint32Array, values: ArrayLike<number>): number {
  let sum = 0;
  for (const item of list) sum += values[item];
  return list.length === 0 ? 0 : sum / list.length;
}
