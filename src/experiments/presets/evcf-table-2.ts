// EVCF, table 2: gates and depth, published for Netflix only. The same grid on MovieLens 20M and 1M is ours.

import {
  type EvcfModel,
  type EvcfSchedule,
  type EvcfSize,
  evcfOptions,
  evcfRun,
  evcfSource,
  evcfTitles,
  optionsUnpublished,
} from "./evcf.js";
import type { Preset, PresetRun } from "./preset.js";

/** Netflix, NDCG@100: without gates, gated; 1 layer, then 2. */
const netflix: readonly [EvcfModel, layers: number, plain: number, gated: number][] = [
  ["mult-vae", 1, 0.38711, 0.39229],
  ["mult-vae", 2, 0.38359, 0.39241],
  ["vamp", 1, 0.39589, 0.40169],
  ["vamp", 2, 0.39346, 0.40277],
  ["h-vamp", 1, 0.40242, 0.40728],
  ["h-vamp", 2, 0.3797, 0.40861],
];

/** The rows of the grid; `row` has a row's options. */
function runs(
  row: (model: EvcfModel, size: EvcfSize) => Pick<PresetRun, "options">,
  published = false,
): PresetRun[] {
  return netflix.flatMap(([model, layers, ...means]) =>
    [false, true].map((gated, g) => ({
      key: `${model}-${layers}${gated ? "-gated" : ""}`,
      title: `${evcfTitles[model]}, ${layers} ${layers === 1 ? "layer" : "layers"}${gated ? ", gated" : ""}`,
      model,
      published: published ? { "ndcg@100": { mean: means[g], standardError: 0.001 } } : undefined,
      ...row(model, { gated, layers }),
    })),
  );
}

const study = { protocol: {}, metrics: ["ndcg@100"], curve: "validation ndcg@100" } as const;
/** EVCF's program. */
const published: EvcfSchedule = { epochs: 400, warmup: 100 };

export const evcfTable2: Preset = {
  name: "evcf-table-2",
  summary: "Gates and depth in EVCF's models, on Netflix as published and on MovieLens 20M and 1M (ours).",
  source: `${evcfSource}, table 2`,
  studies: [
    {
      ...study,
      key: "netflix",
      title: "Netflix",
      source: "netflix",
      optional: true,
      runs: runs((model, size) => evcfRun(model, { ...size, ...published }, true), true),
      note: optionsUnpublished,
    },
    {
      ...study,
      key: "ml-20m",
      title: "MovieLens 20M (ours)",
      source: "ml-20m",
      optional: true,
      runs: runs((model, size) => evcfRun(model, { ...size, ...published }, false)),
      note: "Not in the paper, which has this grid for Netflix only.",
    },
    {
      ...study,
      key: "ml-1m",
      title: "MovieLens 1M (ours)",
      source: "ml-1m",
      runs: runs((model, size) => ({ options: evcfOptions(model, { ...size, epochs: 120, warmup: 60 }) })),
      note: "Not in the paper: the same grid on a smaller data set, for 120 epochs with 60 of warm-up, with the multinomial likelihood in every row.",
    },
  ],
};
