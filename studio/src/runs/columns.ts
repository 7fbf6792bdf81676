// The columns of the table of runs: which options differ, which metrics there are, and the order of the rows.

import type { Run, SplitName } from "../../../src/studio/api.js";
import { fieldOf } from "./filter.js";

/**
 * The options in which runs of the same model differ, those with the most values first. An option that only some runs of a model
 * have set differs; options that only one of the models has do not.
 */
export function differingOptions(runs: readonly Run[]): string[] {
  const byModel = new Map<string, Run[]>();
  for (const run of runs) byModel.set(run.model, [...(byModel.get(run.model) ?? []), run]);
  const most = new Map<string, number>();
  for (const group of byModel.values())
    for (const name of new Set(group.flatMap(({ options }) => Object.keys(options)))) {
      const values = new Set(group.map(({ options }) => options[name]));
      if (values.size > 1) most.set(name, Math.max(most.get(name) ?? 0, values.size));
    }
  return [...most].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name);
}

/** Metrics as in reports; others follow by name. */
const usual = ["ndcg@100", "recall@20", "recall@50", "ndcg@10"];

/** The metrics that any of the runs has on the split. */
export function metricsOf(runs: readonly Run[], split: SplitName): string[] {
  const names = new Set(runs.flatMap((run) => Object.keys(run.on[split]?.metrics ?? {})));
  const rank = (name: string) => (usual.includes(name) ? usual.indexOf(name) : usual.length);
  return [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

export interface Order {
  /** A field as in the filter. */
  readonly field: string;
  readonly descending: boolean;
}

/** The runs in order; those without the field come last, equal ones by path. */
export function sorted(runs: readonly Run[], { field, descending }: Order, split: SplitName): Run[] {
  const sign = descending ? -1 : 1;
  const keyed = runs.map((run) => ({ run, key: fieldOf(run, field, split) }));
  return keyed
    .sort((a, b) => {
      if (a.key === undefined || b.key === undefined)
        return Number(a.key === undefined) - Number(b.key === undefined) || byId(a.run, b.run);
      return sign * compare(a.key, b.key) || byId(a.run, b.run);
    })
    .map(({ run }) => run);
}

const byId = (a: Run, b: Run) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Numbers, also those in texts, by value; others as texts. */
function compare(a: string | number, b: string | number): number {
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** The datasets of the runs by fingerprint, with names that tell them apart: "films", or "films (data/seed-2)". */
export function datasetNames(runs: readonly Run[]): Map<string, string> {
  const first = new Map<string, Run["dataset"]>();
  for (const { dataset } of runs)
    if (!first.has(dataset.fingerprint)) first.set(dataset.fingerprint, dataset);
  const names = [...first.values()].map(({ name }) => name);
  const labelled = [...first].map(([fingerprint, { name, path }]): [string, string] => {
    const isShared = names.filter((other) => other === name).length > 1;
    const place = path?.split(/[\\/]/).slice(-2).join("/") ?? fingerprint.slice(0, 8);
    return [fingerprint, isShared ? `${name} (${place})` : name];
  });
  return new Map(labelled.sort(([, a], [, b]) => (a < b ? -1 : 1)));
}
