// Writes the vectors of all items and of folded-in users to files, for a vector database. The folder is written
// atomically:
//   vectors.json                          what the vectors are, and how many
//   items.parquet, users.parquet          id, title (of items that have one) and vector, a list of float32; or, as --format npy,
//   items.npy, users.npy                  float32 [rows, dimensions], and
//   items.ids.json, users.ids.json        the ids of their rows

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FolderKind, writeFolder } from "../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import type { ProgressListener } from "../core/progress.js";
import { writeNpy } from "../data/content/npy.js";
import { type ColumnType, withDatabase } from "../data/database.js";
import type { Histories } from "../data/histories.js";
import { Vocabulary } from "../data/vocabulary.js";
import type { Recommender } from "../recommender/recommender.js";
import { hasVectors, type SpaceName, type Vectors } from "../recommender/vectors.js";
import { sliceRows } from "../sparse/csr.js";

const vectorFormats = ["parquet", "npy"] as const;
export type VectorFormat = (typeof vectorFormats)[number];

const vectorsFile = "vectors.json";

/** Identifies such a folder before it is replaced. */
export const vectorsFolder: FolderKind = {
  marker: vectorsFile,
  recognises: (head) => typeof head === "object" && head !== null && "space" in head && "dimensions" in head,
  own: /^(vectors\.json|(items|users)\.(parquet|npy|ids\.json))$/,
};

export interface EmbedOptions {
  /** The folder to write. */
  readonly out: string;
  /** Default "parquet". */
  readonly format?: VectorFormat;
  /** Default "scores". */
  readonly space?: SpaceName;
  /** Users to fold in. Without it, only item vectors are written. */
  readonly histories?: Histories;
  /** Whether to replace an existing folder of vectors. */
  readonly force?: boolean;
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/** The content of vectors.json. */
export interface Embedded {
  readonly formatVersion: 1;
  readonly model: string;
  readonly space: SpaceName;
  readonly dimensions: number;
  /** How to compare two vectors: inner product in the space of the scores, cosine in the latent space. */
  readonly metric: "inner-product" | "cosine";
  readonly items: { readonly count: number; readonly vectors: string };
  readonly users: { readonly count: number; readonly vectors: string } | null;
}

/** The model as one with vectors. Throws UserError if it has no vectors, or none in this space. */
export function requireVectors(recommender: Recommender, space: SpaceName = "scores"): Vectors {
  const { algorithm } = recommender;
  if (!hasVectors(recommender))
    throw new UserError({
      place: algorithm,
      problem: "the model has no vectors: its scores are not inner products of user and item vectors",
      expected:
        "a factor model (wmf, nmf, ctr, cdl, cvae, deep-music, cdae) or an autoencoder (vae, mult-vae, mult-dae, vamp, h-vamp, rec-vae)",
    });
  if (!recommender.spaces.some(({ name }) => name === space))
    throw new UserError({
      place: "--space",
      problem: `${algorithm} has no ${space} vectors`,
      expected: recommender.spaces.map(({ name }) => name).join(", "),
    });
  return recommender;
}

/** Writes the vectors of a model. Throws UserError for a model or space without vectors, or if `out` exists. */
export async function embed(recommender: Recommender, options: EmbedOptions): Promise<Embedded> {
  const { out, format = "parquet", space: name = "scores", histories, force, progress, signal } = options;
  const model = requireVectors(recommender, name);
  const space = model.spaces.find((known) => known.name === name) as Vectors["spaces"][number];
  const { items } = model;
  const described: Embedded = {
    formatVersion: 1,
    model: model.algorithm,
    space: name,
    dimensions: space.dimensions,
    metric: name === "scores" ? "inner-product" : "cosine",
    items: { count: items.size, vectors: space.items },
    users: histories ? { count: histories.users.length, vectors: space.users } : null,
  };
  const kinds: Table[] = [
    {
      name: "items",
      ids: items.ids,
      titles: items.titles,
      vectors: (from, to) => model.itemVectors(from, to, name),
    },
  ];
  if (histories)
    kinds.push({
      name: "users",
      ids: histories.users,
      vectors: (from, to) => model.userVectors(sliceRows(histories.matrix, from, to), name),
    });
  const task = "vectors";
  const total = kinds.reduce((sum, { ids }) => sum + ids.length, 0);
  let done = 0;
  const rowsWritten: RowsWritten = (rows) => {
    throwIfAborted(signal);
    done += rows;
    progress?.({ type: "advance", task, done });
  };
  await writeFolder(out, { ...vectorsFolder, force, signal }, async (folder) => {
    progress?.({ type: "start", task, total, unit: "vectors" });
    for (const kind of kinds)
      await (format === "npy" ? writeArray : writeTable)(folder, kind, space.dimensions, rowsWritten, signal);
    await writeFile(join(folder, vectorsFile), `${JSON.stringify(described, null, 2)}\n`);
    progress?.({ type: "end", task });
  });
  return described;
}

interface Table {
  readonly name: "items" | "users";
  readonly ids: readonly string[];
  readonly titles?: readonly (string | null)[];
  readonly vectors: (from: number, to: number) => Promise<Float32Array>;
}

type RowsWritten = (rows: number) => void;

async function writeTable(
  folder: string,
  { name, ids, titles, vectors }: Table,
  dimensions: number,
  rowsWritten: RowsWritten,
  signal: AbortSignal | undefined,
): Promise<void> {
  await withDatabase(
    async (database) => {
      const columns: Record<string, ColumnType> = { id: "VARCHAR" };
      if (titles) columns.title = "VARCHAR";
      columns.vector = { vector: dimensions };
      await database.createTable("vectors", columns, ids.length, async (from, count, set) => {
        const numbers = await vectors(from, from + count);
        const [setId, setTitle] = set;
        const setVector = set[set.length - 1];
        for (let row = 0; row < count; row++) {
          setId(row, ids[from + row]);
          if (titles) setTitle(row, titles[from + row]);
          setVector(row, numbers.subarray(row * dimensions, (row + 1) * dimensions));
        }
        rowsWritten(count);
      });
      // Ids that are integers in the source are written as integers.
      const id = new Vocabulary(ids).numeric ? "CAST(id AS BIGINT) AS id" : "id";
      const select = `SELECT ${id}${titles ? ", title" : ""}, vector FROM vectors`;
      await database.copy(select, join(folder, `${name}.parquet`));
    },
    { tables: "file", signal },
  );
}

/** Rows computed at a time for an array. */
const ARRAY_ROWS = 2048;

async function writeArray(
  folder: string,
  { name, ids, vectors }: Table,
  dimensions: number,
  rowsWritten: RowsWritten,
): Promise<void> {
  async function* rows() {
    for (let from = 0; from < ids.length; from += ARRAY_ROWS) {
      const to = Math.min(ids.length, from + ARRAY_ROWS);
      const numbers = await vectors(from, to);
      for (let row = 0; row < to - from; row++)
        yield numbers.subarray(row * dimensions, (row + 1) * dimensions);
      rowsWritten(to - from);
    }
  }
  await writeNpy(join(folder, `${name}.npy`), "<f4", [dimensions], rows());
  await writeFile(join(folder, `${name}.ids.json`), `${JSON.stringify(ids)}\n`);
}
