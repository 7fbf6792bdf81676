// Evaluates a recommender on held-out users: folds in, masks the fold-in items, ranks, and compares with the held-out items. Only
// top-k lists are in memory, for a few hundred users at a time; per-user values are kept for significance tests.

import { NO_ITEM, type TopK } from "../compute/engine.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import type { ProgressListener } from "../core/progress.js";
import { SharedTurns } from "../core/shared-turns.js";
import type { ItemAttributes } from "../data/attributes/attributes.js";
import type { Dataset, HeldOutSplit } from "../data/dataset.js";
import { popularityIn } from "../data/item-popularity.js";
import type { Recommender } from "../recommender/recommender.js";
import { type Best, rerank } from "../recommender/rules/rerank.js";
import { poolSize, type RuleOptions, rulesOf } from "../recommender/rules/rules.js";
import { type CsrMatrix, rowIndices, takeRows } from "../sparse/csr.js";
import { CatalogueMetrics } from "./catalogue-metrics.js";
import { type ItemSelection, topKOf } from "./cold-items.js";
import { everyone } from "./everyone.js";
import { listMetrics } from "./list-metrics.js";
import { type MetricValue, meanOf } from "./mean.js";
import { defaultMetrics, parseMetric } from "./metrics.js";
import { PopularitySegments, type Segments, segmentsByHistory } from "./segments.js";

export type { MetricValue } from "./mean.js";
export type { HistorySegment, PopularitySegment, Segment, Segments } from "./segments.js";

export interface Evaluation {
  algorithm: string;
  /** Users evaluated: those with at least one held-out item. */
  users: number;
  /** Users without held-out items, who are skipped. */
  skipped: number;
  /** By name, in the requested order. */
  metrics: Record<string, MetricValue>;
  /** The rows of the split that were evaluated, ascending. */
  rows: Uint32Array;
  /** By name, the value of each evaluated user, in the order of `rows`; not for coverage and the Gini index. */
  perUser: Record<string, Float64Array>;
  /** If requested. */
  segments?: Segments;
}

export interface EvaluateOptions {
  /** Names such as "ndcg@100". Default ndcg@100, recall@20, recall@50. */
  metrics?: readonly string[];
  /** The relevant items: the held-out items (default), or the complete rows including fold-in items (Keras notebook v1, pitfall 9). */
  truth?: "held-out" | "complete";
  /** Whether fold-in items are removed from the ranking. Default true; the notebook evaluates complete rows with false. */
  maskKnown?: boolean;
  /** Evaluate only these items; `coldItems` returns those without training interactions. Default: all. */
  only?: ItemSelection;
  /** Whether to evaluate segments too: users by the length of their history, held-out items by popularity. Default false. */
  segments?: boolean;
  /** Rules by which the best items are re-ranked, as in `recommend`; the pool is that of the largest k. Default: none. */
  rules?: RuleOptions;
  /** The attribute with the categories of items, which calibration@k compares. */
  categories?: string;
  signal?: AbortSignal;
  progress?: ProgressListener;
}

export interface EvaluateSplitOptions extends EvaluateOptions {
  /** The training interactions [users, items], on which segments and the metrics novelty, diversity and long-tail depend. */
  train?: CsrMatrix;
  /** The attributes of the items. Default: those of the model. */
  attributes?: ItemAttributes;
}

/** Users whose lists are computed at a time. */
const USERS_PER_BATCH = 2000;
/** The maximum number of scores of selected items in memory. */
const SCORES_PER_BATCH = 1 << 24;

/** The evaluator of the CVAE paper's figures (lib/evaluatePaper.m of its program): every user is evaluated, nothing is masked, and training items count as hits. */
export const cvaePaper = { on: "everyone", truth: "complete", maskKnown: false } as const;

/**
 * Evaluates a recommender on the test users of a dataset (or on the validation users, or on all users: `on`). Throws UserError for
 * an unknown metric, if the catalogues of model and dataset differ, and if no user has held-out items.
 */
export async function evaluate(
  recommender: Recommender,
  dataset: Dataset,
  { on = "test", ...options }: EvaluateOptions & { on?: "test" | "validation" | "everyone" } = {},
): Promise<Evaluation> {
  const { ids } = recommender.items;
  if (ids.length !== dataset.items.size || !ids.every((id, index) => id === dataset.items.ids[index]))
    throw new UserError({
      place: dataset.name,
      problem: `its ${dataset.items.size} items differ from the ${ids.length} items that the model was trained on`,
      remedy: dataset.items.ids.every((id, index) => id === ids[index])
        ? "Items were added to the model; evaluate the original run instead"
        : "Evaluate the model on the dataset that it was trained on",
    });
  const evaluation = await evaluateSplit(recommender, on === "everyone" ? everyone(dataset) : dataset[on], {
    ...options,
    train: dataset.train,
  });
  if (evaluation.users === 0)
    throw new UserError({
      place: dataset.name,
      problem: `none of its ${evaluation.skipped} ${on === "everyone" ? "" : `${on} `}users has a held-out item${options.only ? ` among the ${options.only.items.length} evaluated items` : ""}, so there is nothing to evaluate`,
      remedy: options.only
        ? "Prepare the dataset with --catalogue all or catalogue, which keeps items without training interactions"
        : "Prepare the dataset with more held-out users",
    });
  return evaluation;
}

/**
 * Evaluates a recommender on held-out users whose matrices have the model's items as columns. Throws UserError for an unknown metric,
 * and for a metric or segments that depend on the training interactions or on categories without them.
 */
export async function evaluateSplit(
  recommender: Recommender,
  split: HeldOutSplit,
  {
    metrics: names = defaultMetrics,
    truth = "held-out",
    maskKnown = true,
    only,
    segments = false,
    rules: ruleOptions = {},
    categories,
    train,
    attributes = recommender.items.attributes,
    signal,
    progress,
  }: EvaluateSplitOptions = {},
): Promise<Evaluation> {
  const metrics = [...new Map(names.map(parseMetric).map((metric) => [metric.name, metric])).values()];
  const depth = Math.max(1, ...metrics.map((metric) => metric.k));
  const { foldIn, heldOut } = split;
  const catalogue = recommender.items.size;
  const isJudged = only && new Uint8Array(catalogue);
  for (const item of only?.items ?? []) if (isJudged) isJudged[item] = 1;
  const ranked = only?.among === "themselves" ? only.items : undefined;
  const truthOf = (row: number) => {
    // Fold-in and held-out items are disjoint.
    const whole =
      truth === "held-out"
        ? rowIndices(heldOut, row)
        : Uint32Array.of(...rowIndices(foldIn, row), ...rowIndices(heldOut, row));
    return isJudged ? whole.filter((item) => isJudged[item] === 1) : whole;
  };
  const rows = Uint32Array.from({ length: heldOut.rows }, (_, row) => row).filter(
    (row) => truthOf(row).length > 0,
  );
  const evaluated = metrics.filter((metric) => !metric.ofLists);
  const perUser = Object.fromEntries(evaluated.map(({ name }) => [name, new Float64Array(rows.length)]));
  const ofList = await listMetrics(metrics, { train, attributes, categories });
  const ofLists = new CatalogueMetrics(metrics, catalogue, ranked);
  const popularity = segments ? new PopularitySegments(metrics, required(train)) : undefined;
  const isHeldOut = new Uint8Array(catalogue);
  const { items } = recommender;
  const rules = await rulesOf(
    items.popularity || !train ? items : items.withPopularity(popularityIn(train)),
    ruleOptions,
  );
  const reach = rules ? poolSize(depth) : depth;
  const pauses = new SharedTurns().begin(signal);
  const hits = new Uint8Array(Math.min(depth, ranked?.length ?? catalogue));
  const usersAtOnce = ranked
    ? Math.max(1, Math.min(USERS_PER_BATCH, Math.floor(SCORES_PER_BATCH / ranked.length)))
    : USERS_PER_BATCH;

  const bestOfRows = async (some: Uint32Array, k: number): Promise<TopK> => {
    const histories = takeRows(foldIn, some);
    const scores = recommender.score(histories, { signal });
    const known = maskKnown ? histories : undefined;
    return ranked ? topKOf(scores, ranked, k, known) : scores.topK(k, known);
  };

  const task = "evaluate";
  progress?.({ type: "start", task, total: rows.length, unit: "users" });
  for (let first = 0; first < rows.length; first += usersAtOnce) {
    throwIfAborted(signal);
    const batch = rows.subarray(first, first + usersAtOnce);
    const best = await bestOfRows(batch, reach);
    for (let b = 0; b < batch.length; b++) {
      const relevant = truthOf(batch[b]);
      const history = rowIndices(foldIn, batch[b]);
      for (const item of relevant) isHeldOut[item] = 1;
      const pool = bestOf(best, b);
      const { items: list } = rules
        ? await rerank(
            recommender,
            pool,
            {
              ...{ k: depth, rules, depth: reach },
              deeper: async (size) => bestOf(await bestOfRows(batch.subarray(b, b + 1), size), 0),
            },
            pauses,
            { signal },
          )
        : pool;
      hits.fill(0);
      for (let rank = 0; rank < list.length; rank++) hits[rank] = isHeldOut[list[rank]];
      for (const { name, ofUser } of evaluated)
        perUser[name][first + b] = ofUser?.(hits, relevant.length) ?? ofList.get(name)?.(list, history) ?? 0;
      ofLists.add(list);
      popularity?.add(list, hits, relevant);
      for (const item of relevant) isHeldOut[item] = 0;
    }
    progress?.({ type: "advance", task, done: first + batch.length });
  }
  progress?.({ type: "end", task });

  return {
    algorithm: recommender.algorithm,
    users: rows.length,
    skipped: heldOut.rows - rows.length,
    metrics: Object.fromEntries(
      metrics.map(({ name, k, ofLists: kind }): [string, MetricValue] => [
        name,
        kind ? { mean: ofLists.value(kind, k) } : meanOf(perUser[name]),
      ]),
    ),
    rows,
    perUser,
    ...(popularity && {
      segments: {
        history: segmentsByHistory(
          rows.map((row) => foldIn.offsets[row + 1] - foldIn.offsets[row]),
          perUser,
        ),
        popularity: popularity.summary(),
      },
    }),
  };
}

/** A row of a top-k list, which is shorter than k if there are no more items. */
function bestOf({ items, scores, k }: TopK, row: number): Best {
  const end = items.subarray(row * k, (row + 1) * k).indexOf(NO_ITEM);
  const to = row * k + (end < 0 ? k : end);
  return { items: items.subarray(row * k, to), scores: scores.subarray(row * k, to) };
}

function required(train: CsrMatrix | undefined): CsrMatrix {
  if (train) return train;
  throw new UserError({
    place: "segments",
    problem: "depend on the training interactions, which were not given",
    remedy: "Use evaluate with the dataset, or give evaluateSplit its training matrix (train)",
  });
}
