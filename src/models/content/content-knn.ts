// Nearest neighbours by content: items are similar if their words (or vectors) are, weighted as in retrieval. A candidate's score
// is the sum of the similarities of its nearest neighbours that are in the history: score(x) = x W. With `clicks`, an item's row
// has its users after its words ("CFCBF", Mobasher, Jin and Zhou 2004; as in Ferrari Dacrema et al., TOIS 2021, whose kNN beats
// CVAE in two of four settings). An item without interactions has neighbours as well, so new items need no training.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import type { Similarity } from "../../compute/solvers/solvers.js";
import { UserError } from "../../core/errors.js";
import { countRows } from "../../data/content/count-rows.js";
import { type ContentForm, formOf, type ItemContent, requireForm, sizeOfForm } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { joined, type Vocabulary } from "../../data/vocabulary.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ContentAware, NewItems } from "../../recommender/content-aware.js";
import type { HostTensor, ModelFiles } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { type CsrMatrix, fromPairs, stackRows, transpose } from "../../sparse/csr.js";
import { itemWeightsRecommender, takeItemWeights } from "../linear/item-weights.js";
import {
  type FeatureStatistics,
  nearestColumns,
  nearestVectors,
  requireNeighbourMemory,
  similarityOf,
  squaresOf,
  statisticsOf,
  weighted,
} from "../neighbours/similarity.js";

const options = z.strictObject({
  similarity: z
    .enum(["cosine", "jaccard", "dot"])
    .default("cosine")
    .describe(
      "similarity of two items with feature vectors x and y, d = x.y: cosine = d / (|x| |y|); jaccard = d / (|x|^2 + |y|^2 - d); dot = d (TOIS 2021: cosine is best in two settings)",
    ),
  neighbours: z
    .int()
    .min(1)
    .default(50)
    .describe("nearest neighbours of an item that its score sums over (TOIS 2021's code: 50)"),
  shrink: z
    .number()
    .min(0)
    .default(0)
    .describe("added to the denominator: lowers the similarity of items with little in common (0 = none)"),
  asymmetry: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "a in the asymmetric cosine d / (|x|^2a |y|^2(1-a)) of a history item x and a candidate y; 0.5 = the cosine (Aiolli 2013)",
    ),
  weighting: z
    .enum(["none", "tf-idf", "bm25"])
    .default("bm25")
    .describe(
      "weight of a word (or a user): none = its count; tf-idf; bm25 (TOIS 2021: best on citeulike-a); without effect on vectors and pictures",
    ),
  bm25K1: z
    .number()
    .positive()
    .default(1.2)
    .describe("BM25's K1 (Robertson and Walker 1994; TOIS 2021's code)"),
  bm25B: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .describe("BM25's B: influence of an item's length (the same)"),
  clicks: z
    .boolean()
    .default(false)
    .describe("whether an item's row has its users as well as its words (CFCBF); false = content alone"),
  contentWeight: z
    .number()
    .positive()
    .default(1)
    .describe("with clicks: factor of the counts of words (CFCBF's feature weight)"),
});
type Options = z.infer<typeof options>;

/** The only rule by which a new item can be added. */
const itemRules = ["neighbours"] as const;

/** The item features that the similarity is computed from. */
interface Known {
  /** Words, weighted: [items, words]; or vectors: [items, dimensions], row-major. */
  readonly content: CsrMatrix | Float32Array;
  /** [items], squared norms of the complete feature vectors, clicks included. */
  readonly squares: Float32Array;
  /** How words of new items are weighted. */
  readonly statistics: FeatureStatistics;
}

interface Model extends Known {
  /** W [items, items]: row i has the weights from history item i to the candidates. */
  readonly weights: CsrMatrix;
  readonly options: Options;
  readonly items: Vocabulary;
  readonly form: ContentForm;
}

const isSparse = (content: CsrMatrix | Float32Array): content is CsrMatrix => "offsets" in content;

/** Counts [items, words] of bags or sequences; vectors and pictures as rows of numbers. */
async function rowsOf(content: ItemContent): Promise<CsrMatrix | Float32Array> {
  switch (content.kind) {
    case "words":
      return content.counts;
    case "sequences":
      return countRows(content.sequences);
    default:
      return content.read(Array.from({ length: content.items }, (_, item) => item));
  }
}

/** The neighbours are those of the candidate: `of=candidate` in item-knn. */
const similarity = (squares: ArrayLike<number>, options: Options): Similarity =>
  similarityOf(squares, { ...options, of: "candidate" });

async function learn(dataset: Dataset, options: Options, run: RunContext): Promise<Model> {
  const { content, items, train } = dataset;
  if (content === undefined)
    throw new UserError({
      place: dataset.name,
      problem: "has no content of its items",
      expected: "a dataset with content",
      remedy: "Prepare it with --content, or train item-knn, which needs no content",
    });
  const rows = await rowsOf(content);
  const ends = { options, items, form: formOf(content) };
  if (!isSparse(rows)) {
    if (options.clicks)
      throw new UserError({
        place: "clicks",
        problem: `clicks cannot be combined with ${content.kind}`,
        remedy: "Leave clicks false, or prepare the dataset with words",
      });
    const squares = squaresOfRows(rows, content.items);
    const nearest = await nearestVectors(run.engine, rows, similarity(squares, options), run);
    const statistics = { inverseFrequencies: [], averageLength: 0 };
    return { ...ends, content: rows, squares, statistics, weights: transpose(nearest) };
  }
  const words = transpose({ ...rows, values: rows.values?.map((count) => options.contentWeight * count) });
  const features = options.clicks ? stackRows(items.size, [train, words]) : words;
  const { inverseFrequencies, averageLength } = statisticsOf(features);
  requireNeighbourMemory(contentKnn.name, features, options, run);
  const x = weighted(features, options);
  const squares = Float32Array.from(squaresOf(x));
  const nearest = await nearestColumns(run.engine, x, similarity(squares, options), run);
  return {
    ...ends,
    content: transpose(lastRows(x, words.rows)),
    squares,
    statistics: {
      inverseFrequencies: Float32Array.from(inverseFrequencies).slice(-words.rows),
      averageLength,
    },
    weights: transpose(nearest),
  };
}

/** The last rows of a matrix. */
function lastRows(x: CsrMatrix, count: number): CsrMatrix {
  const from = x.rows - count;
  const start = x.offsets[from];
  const offsets = x.offsets.slice(from).map((offset) => offset - start);
  return { ...x, rows: count, offsets, indices: x.indices.slice(start), values: x.values?.slice(start) };
}

function squaresOfRows(rows: Float32Array, items: number): Float32Array {
  const size = rows.length / Math.max(1, items);
  return Float32Array.from({ length: items }, (_, item) =>
    rows.subarray(item * size, (item + 1) * size).reduce((sum, x) => sum + x * x, 0),
  );
}

function concatenated(one: Float32Array, other: Float32Array): Float32Array {
  const both = new Float32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** The model with new items: each gets its nearest neighbours among all items, with weights in both directions. */
async function extend(model: Model, added: NewItems, engine: Engine): Promise<Model> {
  const { options, content, squares: before, statistics, weights } = model;
  requireForm(contentKnn.name, model.form, added.content);
  const items = joined(model.items, added.items);
  const fresh = await rowsOf(added.content);
  const from = model.items.size;
  let known: Known;
  let nearest: CsrMatrix;
  if (isSparse(content) && isSparse(fresh)) {
    const counts = { ...fresh, values: fresh.values?.map((count) => options.contentWeight * count) };
    const rows = transpose(weighted(transpose(counts), options, statistics));
    const all = stackRows(content.columns, [content, rows]);
    const squares = concatenated(before, Float32Array.from(squaresOf(transpose(rows))));
    known = { content: all, squares, statistics };
    nearest = await nearestColumns(engine, transpose(all), similarity(squares, options), { from });
  } else {
    const all = concatenated(content as Float32Array, fresh as Float32Array);
    const squares = squaresOfRows(all, items.size);
    known = { content: all, squares, statistics };
    nearest = await nearestVectors(engine, all, similarity(squares, options), { from });
  }
  const [rowOf, columnOf, votes]: number[][] = [[], [], []];
  const add = (row: number, column: number, vote: number) => {
    rowOf.push(row);
    columnOf.push(column);
    votes.push(vote);
  };
  for (let row = 0; row < weights.rows; row++)
    for (let k = weights.offsets[row]; k < weights.offsets[row + 1]; k++)
      add(row, weights.indices[k], weights.values?.[k] ?? 1);
  for (let row = 0; row < nearest.rows; row++)
    for (let k = nearest.offsets[row]; k < nearest.offsets[row + 1]; k++) {
      const [other, vote] = [nearest.indices[k], nearest.values?.[k] ?? 1];
      add(other, from + row, vote);
      if (other < from) add(from + row, other, vote);
    }
  return { ...model, ...known, items, weights: fromPairs(items.size, items.size, rowOf, columnOf, votes) };
}

function contentKnnRecommender(engine: Engine, model: Model): ContentAware {
  const { weights, options, items, form, content, squares, statistics } = model;
  const config = { options: { ...options }, averageLength: statistics.averageLength };
  const scoring = itemWeightsRecommender(engine, weights, { algorithm: contentKnn.name, config, items });
  return {
    ...scoring,
    content: form,
    itemRules,
    async save(): Promise<ModelFiles> {
      const { tensors, ...files } = await scoring.save();
      const vector = <Data extends Uint32Array | Float32Array>(data: Data) => ({
        shape: [data.length],
        data,
      });
      const known: Record<string, HostTensor> = isSparse(content)
        ? {
            contentOffsets: vector(content.offsets),
            contentIndices: vector(content.indices),
            contentValues: vector(content.values ?? new Float32Array(content.indices.length).fill(1)),
            inverseFrequencies: vector(Float32Array.from(statistics.inverseFrequencies)),
          }
        : { vectors: { shape: [items.size, content.length / Math.max(1, items.size)], data: content } };
      return { ...files, tensors: { ...tensors, ...known, squares: vector(squares) }, content: form };
    },
    withItems: async (added) => contentKnnRecommender(engine, await extend(model, added, engine)),
  };
}

export const contentKnn: Algorithm<Options> = {
  name: "content-knn",
  summary: "Nearest neighbours by items' content: words or vectors; scores new items without training.",
  source:
    "Ferrari Dacrema, Boglio, Cremonesi, Jannach: A Troubling Analysis of Reproducibility and Progress in Recommender Systems Research, TOIS 2021",
  options,

  fit: async (dataset, options, run) => contentKnnRecommender(run.engine, await learn(dataset, options, run)),

  async restore(files, { engine }) {
    const { items, content: form } = files;
    const saved = new SavedModel(files);
    const { options: given, averageLength } = saved.config(z.object({ options, averageLength: z.number() }));
    if (form === undefined) throw saved.unsound("it has no content.json");
    const size = sizeOfForm(form);
    const isBag = form.kind === "words" || form.kind === "sequences";
    const model: Model = {
      weights: takeItemWeights(saved, items.size),
      ...{ options: given, items, form },
      squares: saved.take("squares", [items.size], "float32"),
      content: isBag
        ? saved.takeSparse(contentNames, { rows: items.size, columns: size })
        : saved.take("vectors", [items.size, size], "float32"),
      statistics: {
        inverseFrequencies: isBag ? saved.take("inverseFrequencies", [size], "float32") : [],
        averageLength,
      },
    };
    saved.end();
    return contentKnnRecommender(engine, model);
  },
};

/** The names of the tensors of bags. */
const contentNames = { offsets: "contentOffsets", indices: "contentIndices", values: "contentValues" };
