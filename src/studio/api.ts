// The answers of the studio's server, which its page reads. Numbers that are not finite are null.

import { z } from "zod";

const count = z.int().min(0);
const number = z.number().nullable();

const estimate = z.object({ mean: z.number(), standardError: z.number().optional() });
export type Estimate = z.infer<typeof estimate>;

const evaluated = z.object({
  users: count.optional().describe("evaluated users; absent for metrics that training measured"),
  metrics: z.record(z.string(), estimate),
});

export const splits = ["test", "validation"] as const;
export type SplitName = (typeof splits)[number];

const run = z.object({
  id: z.string().describe("path of the run folder, relative to the studio's folder, with slashes"),
  model: z.string(),
  dataset: z.object({
    name: z.string(),
    path: z.string().nullable(),
    fingerprint: z.string(),
    id: z
      .string()
      .optional()
      .describe("id of the dataset in the folder: by its path, or by its name if it was moved"),
  }),
  state: z.enum(["training", "stopped", "finished"]).describe("stopped: can be resumed"),
  replaces: z.string().optional().describe("id of the run that it replaces when it is finished"),
  options: z.record(z.string(), z.string()).describe("options as texts; those of groups as group.option"),
  seed: z.int(),
  engine: z.string(),
  precision: z.string(),
  threads: count,
  epochs: count.describe("finished epochs"),
  plannedEpochs: count.optional(),
  seconds: number.describe("of training"),
  modelBytes: count.nullable().describe("size of the model's files; null if there are none"),
  changed: z.number().describe("milliseconds since 1970"),
  report: z.boolean().describe("whether the run has a report"),
  on: z.object({ test: evaluated.optional(), validation: evaluated.optional() }),
});
export type Run = z.infer<typeof run>;

const dataset = z.object({
  id: z.string(),
  name: z.string(),
  protocol: z.string(),
  users: count,
  items: count,
  interactions: count,
  validationUsers: count,
  testUsers: count,
  ratings: z.boolean(),
  times: z.boolean(),
  titledItems: count,
  content: z.string().optional().describe("kind of the items' content"),
});
export type DatasetSummary = z.infer<typeof dataset>;

/** Query of GET /api/folder: `recent` answers at once with the last look, which may be old. */
export const folderQuery = z.strictObject({ recent: z.literal("").optional() });

/** Answer of GET /api/folder. */
export const folderAnswer = z.object({
  folder: z.string().describe("absolute path"),
  version: z.string().describe("of foldin"),
  runs: z.array(run),
  datasets: z.array(dataset),
  lowerIsBetter: z.array(z.string()).describe("the metrics of the runs of which a lower value is better"),
  problems: z
    .array(z.object({ id: z.string(), problem: z.string() }))
    .describe("folders that cannot be read, and limits that were reached"),
});
export type FolderAnswer = z.infer<typeof folderAnswer>;

const curve = z.object({
  id: z.string(),
  chosen: z.int().nullable().describe("the epoch whose weights are kept"),
  epochs: z.array(
    z.object({
      epoch: z.int(),
      seconds: z.number().describe("of training since the start, with validation"),
      values: z.record(z.string(), number),
    }),
  ),
});
export type Curve = z.infer<typeof curve>;

/** The most runs of one request for curves. */
const MOST_CURVES = 20;

/** Query of GET /api/curves. */
export const curvesQuery = z.strictObject({
  run: z
    .union([z.string().transform((one) => [one]), z.array(z.string())])
    .refine((ids) => ids.length <= MOST_CURVES, { error: `at most ${MOST_CURVES} runs` }),
});

/** Answer of GET /api/curves. */
export const curvesAnswer = z.object({ curves: z.array(curve) });
export type CurvesAnswer = z.infer<typeof curvesAnswer>;

/** Query of GET /report. */
export const reportQuery = z.strictObject({ run: z.string() });

/** The most runs of one comparison: more cannot be read side by side. */
const MOST_COMPARED = 8;

/** Body of POST /api/comparisons. */
export const comparisonRequest = z.strictObject({
  runs: z.array(z.string()).min(2).max(MOST_COMPARED).describe("ids of finished runs"),
  on: z.enum(splits).default("test"),
  metrics: z.array(z.string()).min(1).max(10).optional().describe("default: ndcg@100, recall@20, recall@50"),
  dataset: z
    .string()
    .optional()
    .describe("id of the dataset; default: where it was when the first run was trained"),
});

const comparison = z.object({
  on: z.enum(splits),
  users: count,
  method: z.string().describe("the tests and their correction, in one sentence"),
  metrics: z.array(z.string()),
  systems: z
    .array(z.object({ id: z.string(), model: z.string(), metrics: z.record(z.string(), estimate) }))
    .describe("best first, by the first metric"),
  pairs: z.array(
    z.object({
      metric: z.string(),
      a: z.string(),
      b: z.string(),
      difference: z.number().describe("mean of a minus mean of b"),
      standardError: z.number(),
      p: z.number().describe("of the randomisation test, corrected"),
    }),
  ),
});

/** Answer of POST /api/comparisons and GET /api/comparisons/:id. */
export const comparisonAnswer = z.object({
  id: z.string(),
  state: z.enum(["waiting", "running", "done", "failed"]),
  progress: z.string().optional(),
  problem: z.string().optional(),
  comparison: comparison.optional(),
});
export type ComparisonAnswer = z.infer<typeof comparisonAnswer>;
