// One row of a reproduced table from several trainings: with several seeds, on several splits of the data, or both.

import type { MetricValue } from "../evaluation/evaluate.js";
import { tTail } from "../evaluation/significance.js";
import type { Published } from "./presets/preset.js";

/** A metric over several seeds. */
export interface RepeatedValue extends MetricValue {
  /** Standard deviation of the runs' values (ddof 1); absent where there was one run. */
  runDeviation?: number;
  /** The number of runs; absent where there was one. */
  runs?: number;
}

/** What one training's evaluation found. */
export interface Evaluated {
  readonly metrics: Readonly<Record<string, MetricValue>>;
  /** By metric, the value of each user; not for coverage. */
  readonly perUser: Readonly<Record<string, Float64Array>>;
}

/**
 * The mean over trainings that differ in their seed alone and were evaluated on the same users. The standard error is over users:
 * that of each user's mean over the runs.
 */
export function meanOfSeeds(evaluations: readonly Evaluated[]): Record<string, RepeatedValue> {
  const [first] = evaluations;
  if (evaluations.length === 1) return { ...first.metrics };
  return Object.fromEntries(
    Object.keys(first.metrics).map((name) => {
      const means = evaluations.map(({ metrics }) => metrics[name].mean);
      const value: RepeatedValue = {
        mean: meanOf(means),
        runDeviation: deviation(means),
        runs: means.length,
      };
      if (first.perUser[name]) {
        const users = first.perUser[name].map((_, u) =>
          meanOf(evaluations.map(({ perUser }) => perUser[name][u])),
        );
        const mean = meanOf(users);
        const variance = meanOf(users.map((user) => (user - mean) ** 2));
        value.standardError = Math.sqrt(variance / users.length);
      }
      return [name, value];
    }),
  );
}

/** The mean over splits; its standard error is the splits' (ddof 1), of one split the users'. */
export function meanOfSplits(values: readonly RepeatedValue[]): RepeatedValue {
  if (values.length === 1) return values[0];
  const means = values.map(({ mean }) => mean);
  return { mean: meanOf(means), standardError: deviation(means) / Math.sqrt(values.length) };
}

/**
 * The probability that one more run on our test users is as far from our runs' mean as the published number, or further, on the same
 * side: the tail of Student's t with n - 1 degrees of freedom beyond distance / (deviation sqrt(1 + 1/n)), the predictive
 * distribution of the next of normal values after n of them. Undefined without a published number or without several runs.
 */
export function chanceOfPublished(
  { mean, runDeviation, runs }: RepeatedValue,
  published: Published | undefined,
): number | undefined {
  if (!published || !runDeviation || !runs) return undefined;
  const distance = Math.abs(published.mean - mean);
  return tTail(distance / (runDeviation * Math.sqrt(1 + 1 / runs)), runs - 1) / 2;
}

function meanOf(values: readonly number[] | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** With ddof 1. */
function deviation(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
