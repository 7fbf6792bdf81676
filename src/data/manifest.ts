// manifest.json: what a dataset folder holds, where it came from, and how it was made.

import { z } from "zod";
import type { FolderKind } from "../core/atomic-folder.js";
import { contentKinds, textRule } from "./content.js";
import { protocolOptions } from "./protocol.js";
import { timeUnits } from "./times.js";

/** The newest version of the folder's layout that this code understands; newer ones are refused. */
export const formatVersion = 2;

/** What is written: 2 with content, which an older foldin would overlook; else 1, which it can read. */
export const formatVersionOf = (content: unknown): 1 | 2 => (content === undefined ? 1 : 2);

export const manifestFile = "manifest.json";

/** How a dataset folder is known when it is to be replaced. */
export const datasetFolder: FolderKind = {
  marker: manifestFile,
  recognises: (head) =>
    typeof head === "object" && head !== null && Reflect.get(head, "format") === "foldin-dataset",
  own: /^(manifest\.json|(items|users|train|validation|test)\.parquet|content\.(parquet|npy)|content-(words|tokens)\.parquet)$/,
};

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
    repeatedHeaders: count.optional().describe("lines dropped because they are a header among the rows"),
    belowMinUser: count.optional().describe("rows dropped because their user has too few"),
    rareUsers: count.optional().describe("the users of these rows"),
    belowMinItem: count.optional().describe("rows dropped because their item has too few"),
    rareItems: count.optional().describe("the items of these rows"),
  }),
  validation: heldOutCounts,
  test: heldOutCounts,
  kept: count
    .optional()
    .describe(
      "rows of the source that are in a table: sourceRows without all that filters dropped, and without the unknownItems and coldUsers of validation and test",
    ),
});

/** What is known of the times of the filtered interactions. */
const times = z.object({
  unit: z
    .enum([...timeUnits, "own"])
    .describe("what the numbers count since 1970; own = they are too small for that"),
  from: z.number(),
  to: z.number(),
  missing: count.describe("interactions without a time"),
});

/** What the items' file or records gave. */
const items = z.object({
  file: z.string().optional().describe("name of the file, without its folder"),
  id: z.string().describe("the column that was taken for the items' ids"),
  title: z.string().optional().describe("the column that was taken for the titles"),
  rows: count,
  matched: count.describe("items of the catalogue that have a row"),
  titled: count.describe("items of the catalogue that have a title"),
});

/** Where the interactions came from. */
const source = z.object({
  name: z.string(),
  files: z.array(z.string()).describe("names of the files, without their folders"),
  description: z.string().optional(),
  generated: z.boolean().optional().describe("true: made up by a program, not observed"),
});

const file = z.object({ rows: count, bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** What is known of the items, and in which files it lies (content/store.ts). */
const content = z.object({
  kind: z.enum(contentKinds),
  shape: z
    .array(z.int().min(1))
    .describe("numbers of an item: [words], [tokens], [dimensions] or [channels, height, width]"),
  text: textRule.optional().describe("how text became words or tokens"),
  files: z.array(z.string()).describe("names of the files it came from, without their folders"),
  items: count.describe("items that have content"),
  missing: count.describe("items of the catalogue that have none"),
  skipped: z.object({
    unknown: count.describe("rows or files of no item of the catalogue"),
    empty: count.describe("rows with nothing in them"),
    duplicate: count.describe("rows of an item that came before"),
    damaged: count.describe("pictures that cannot be decoded"),
  }),
  examples: z
    .array(z.object({ id: z.string(), why: z.string() }))
    .describe("what was skipped: the first hundred of each kind"),
  tables: z.record(z.string().regex(/^content[a-z-]*\.(parquet|npy)$/), file),
});

export const manifestSchema = z.object({
  format: z.literal("foldin-dataset"),
  formatVersion: z.union([z.literal(1), z.literal(formatVersion)]),
  /** The version of foldin that wrote it. */
  foldin: z.string(),
  name: z.string(),
  source,
  protocol: protocolOptions,
  counts,
  /** Whether the tables carry the source's ratings and times. */
  columns: z.object({ value: z.boolean(), time: z.boolean() }),
  times: times.optional(),
  items: items.optional(),
  tables: z.record(z.enum(tableFiles), file),
  content: content.optional(),
});

export type Manifest = z.output<typeof manifestSchema>;
export type ItemsManifest = NonNullable<Manifest["items"]>;
export type TimesManifest = NonNullable<Manifest["times"]>;
export type ContentManifest = z.output<typeof content>;
export type DatasetCounts = Manifest["counts"];
export type HeldOutCounts = DatasetCounts["validation"];
export type DatasetSource = Manifest["source"];
