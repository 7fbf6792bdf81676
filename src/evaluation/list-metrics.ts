// Computes the metrics of a user's list that do not depend on the held-out items (metrics.ts).

import { UserError } from "../core/errors.js";
import { type ItemAttributes, requireAttributes } from "../data/attributes/attributes.js";
import {
  HEAD_SHARE,
  popularityGroups,
  popularityIn,
  selfInformation,
  userCounts,
} from "../data/item-popularity.js";
import type { CsrMatrix } from "../sparse/csr.js";
import { Calibration, categoryColumn } from "./calibration.js";
import { ListDiversity } from "./list-diversity.js";
import type { ListMetric, Metric } from "./metrics.js";

/** The value of a metric for a list, of which it uses the first k items, after a history. */
type OfList = (list: Uint32Array, history: Uint32Array) => number;

/** What these metrics depend on, apart from the lists. */
export interface ListMetricInput {
  /** The training interactions [users, items]. */
  readonly train: CsrMatrix | undefined;
  readonly attributes: ItemAttributes | undefined;
  /** The name of the attribute with the categories of items. */
  readonly categories: string | undefined;
}

/** Functions for these metrics, by name. Throws UserError if the training interactions or the categories that a metric needs are missing. */
export async function listMetrics(
  metrics: readonly Metric[],
  input: ListMetricInput,
): Promise<Map<string, OfList>> {
  const found = new Map<string, OfList>();
  const whole = new Map<ListMetric, OfList>();
  for (const { name, k, ofList } of metrics) {
    if (!ofList) continue;
    const value = whole.get(ofList) ?? (await open(ofList, name, input));
    whole.set(ofList, value);
    found.set(name, (list, history) => value(list.subarray(0, k), history));
  }
  return found;
}

async function open(metric: ListMetric, name: string, input: ListMetricInput): Promise<OfList> {
  if (metric === "calibration") {
    const calibration = new Calibration(await categoriesOf(name, input));
    return (list, history) => calibration.of(history, list);
  }
  const { train } = input;
  if (!train)
    throw new UserError({
      place: "metric",
      problem: `${name} depends on the training interactions, which were not given`,
      remedy: "Use evaluate with the dataset, or give evaluateSplit its training matrix (train)",
    });
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

function categoriesOf(name: string, { attributes, categories }: ListMetricInput) {
  if (categories !== undefined)
    return categoryColumn(requireAttributes(attributes, "categories"), categories, "categories");
  const texts = attributes?.described.filter(({ type }) => type === "text" || type === "list") ?? [];
  throw new UserError({
    place: "metric",
    problem: `${name} compares categories of items, and no attribute is chosen for them`,
    remedy: `Name the attribute with --categories (categories in TypeScript)${texts.length > 0 ? `, such as ${texts[0].name}` : ""}`,
  });
}

function meanOver(list: Uint32Array, values: ArrayLike<number>): number {
  let sum = 0;
  for (const item of list) sum += values[item];
  return list.length === 0 ? 0 : sum / list.length;
}
