// One row of a reproduced table from several trainings: with several seeds, on several splits of the data, or both.

import { normalTail } from "../core/normal-tail.js";
import type { MetricValue } from "../evaluation/evaluate.js";
import type { Published } from "./presets/preset.js";

/** A metric over several seeds. */
export interface RepeatedValue extends MetricValue {
  /** Standard deviation of the runs' values (ddof 1); absent where there was one run. */
  runDeviation?: number;
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
      const value: RepeatedValue = { mean: meanOf(means), runDeviation: deviation(means) };
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

/** How likely a run is to be at least as far from our runs' mean, on the same side, as the published number is. */
export interface PublishedChance {
  /** On our test users: a normal distribution with the runs' mean and standard deviation. */
  readonly ourUsers: number;
  /** On other test users as well: the variance also has the square of the standard error over users. */
  readonly otherUsers: number;
}

/** Undefined without a published number or without several runs. */
export function chanceOfPublished(
  { mean, standardError = 0, runDeviation }: RepeatedValue,
  published: Published | undefined,
): PublishedChance | undefined {
  if (!published || !runDeviation) return undefined;
  const distance = Math.abs(published.mean - mean);
  return {
    ourUsers: normalTail(distance / runDeviation),
    otherUsers: normalTail(distance / Math.hypot(runDeviation, standardError)),
  };
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
