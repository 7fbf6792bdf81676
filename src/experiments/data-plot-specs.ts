// Specifications of the plots of a dataset, for reports and for the studio's page, which bundles this module: it imports only types.

import type { TopLevelSpec } from "vega-lite";
import type { DatasetDescription } from "../data/describe.js";
import type { Bin } from "../data/histogram.js";

/** What the plots show of a dataset. */
export type PlottedData = Pick<DatasetDescription, "historyHistogram" | "itemHistogram" | "ratings">;

/** Stands below the plots. */
export const PLOTS_NOTE =
  "Training interactions, after filtering. The bins of interactions per user and per item become wider to the right.";

const rounded = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(3)));

/** "3–4", or "5" where a bin holds one value. */
export const labelOf = ({ from, to }: Bin): string =>
  from === to ? rounded(from) : `${rounded(from)}–${rounded(to)}`;

/** The bins in words, for those who do not see the plot. */
export const inWords = (bins: readonly Bin[]): string =>
  bins.map((bin) => `${labelOf(bin)}: ${bin.count.toLocaleString("en-US")}`).join(", ");

/** The plots of the training data; those without bins, and ratings that are all equal, are left out. */
export function plotsOf({
  historyHistogram,
  itemHistogram,
  ratings,
}: PlottedData): { readonly title: string; readonly bins: readonly Bin[] }[] {
  return [
    ...(ratings && ratings.length > 1 ? [{ title: "Interactions by rating", bins: ratings }] : []),
    { title: "Users by their interactions", bins: historyHistogram },
    { title: "Items by their interactions", bins: itemHistogram },
  ].filter(({ bins }) => bins.length > 0);
}

/** A bar per bin. */
export function barsSpec(bins: readonly Bin[], width: number, height: number): TopLevelSpec {
  return {
    width,
    height,
    data: { values: bins.map((bin) => ({ bin: labelOf(bin), count: bin.count })) },
    mark: { type: "bar", color: "var(--accent)", cornerRadiusEnd: 2 },
    encoding: {
      x: {
        field: "bin",
        type: "ordinal",
        sort: null,
        scale: { paddingInner: 0.15 },
        axis: { title: null, grid: false, labelAngle: bins.length > 6 ? -45 : 0 },
      },
      y: {
        field: "count",
        type: "quantitative",
        scale: { zero: true, nice: true },
        axis: { title: null, tickCount: 4, format: ",d" },
      },
    },
  };
}
