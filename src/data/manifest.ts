// manifest.json: what a dataset folder holds, where it came from, and how it was made.

import { z } from "zod";
import { protocolOptions } from "./protocol.js";

/** The version of the folder's layout that this code writes; newer ones are refused. */
export const formatVersion = 1;

export const manifestFile = "manifest.json";

/** The tables of a dataset folder. */
export const tableFiles = [
  "items.parquet",
  "users.parquet",
  "train.parquet",
  "validation.parquet",
  "test.parquet",
] as const;
export type TableFile = (typeof tableFiles)[number];

const count = z.number().int().min(0);

const heldOutCounts = z.object({
  users: count.describe("users of the split"),
  judgedUsers: count.describe("users of the split that have held-out interactions"),
  foldIn: count.describe("interactions to fold in"),
  heldOut: count.describe("interactions that are held out"),
  unknownItems: count.describe("interactions dropped because no training row has their item"),
  coldUsers: count.describe("interactions dropped because their user has too little to fold in"),
});

const counts = z.object({
  users: count.describe("training users"),
  items: count.describe("items of the catalogue"),
  interactions: count.describe("training interactions"),
  sourceRows: count.describe("rows of the source, before any filter"),
  filtered: z.object({
    users: count,
    items: count,
    interactions: count,
    duplicates: count.describe("rows dropped because the same user and item came before"),
    belowRating: count.describe("rows dropped because of their rating"),
  }),
  validation: heldOutCounts,
  test: heldOutCounts,
});

/** Where the interactions came from. */
const source = z.object({
  name: z.string(),
  files: z.array(z.string()).describe("names of the files, without their folders"),
  description: z.string().optional(),
  generated: z.boolean().optional().describe("true: made up by a program, not observed"),
});

export const manifestSchema = z.object({
  format: z.literal("foldin-dataset"),
  formatVersion: z.literal(formatVersion),
  /** The version of foldin that wrote it. */
  foldin: z.string(),
  name: z.string(),
  source,
  protocol: protocolOptions,
  counts,
  /** Whether the tables carry the source's ratings and times. */
  columns: z.object({ value: z.boolean(), time: z.boolean() }),
  tables: z.record(
    z.enum(tableFiles),
    z.object({ rows: count, bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

export type Manifest = z.output<typeof manifestSchema>;
export type DatasetCounts = Manifest["counts"];
export type HeldOutCounts = DatasetCounts["validation"];
export type DatasetSource = Manifest["source"];
