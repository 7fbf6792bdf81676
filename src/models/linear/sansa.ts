// SANSA (Spisak, Bartyzal, Hoskovec, Peska, Tuma: "Scalable approximate nonsymmetric autoencoder for collaborative filtering",
// RecSys 2023): EASE whose inverse is approximated by a product of sparse matrices. With a permutation P of the items,
//
//   P (X'X + lambda I) P' ~ L D L',   M ~ L^-1,   W = M P
//   scores of a history x: x W' W_r,   W_r = D^-1 W with column j divided by -(W' D^-1 W)_jj
//
// L has the largest entries of the Cholesky factor (`variant` exact), or is an incomplete factor that keeps the largest entries of
// each column (incomplete), of X with its columns divided by the square root of the length of their column of X'X. M is computed by
// steps of minimal residuals, or by substitution; its largest entries are kept. Neither X'X nor its inverse is ever stored.
//
// P orders the items by the number of others with which they share users, the fewest first: a static minimum degree ordering. Items
// in a history also get a score of their own, where EASE has none; it changes only items of the history.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import type { SparseFactor } from "../../compute/solvers/solvers.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { requireMemory } from "../../core/memory.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { scoresOfInput } from "../../recommender/scores.js";
import { type CsrMatrix, entryCount, transpose } from "../../sparse/csr.js";
import { factorCounts } from "../../sparse/factor-counts.js";
import { logRange } from "../tuned.js";
import { takeItemWeights, weightTensors } from "./item-weights.js";

const options = z.strictObject({
  lambda: z
    .number()
    .min(0)
    .default(20)
    .describe(
      "L2 regularisation (glami/sansa's example); of another scale than EASE's with variant=incomplete, which scales the columns",
    )
    .meta(logRange(1, 2000)),
  density: z
    .number()
    .positive()
    .max(1)
    .default(0.01)
    .describe(
      "share of the items x items entries that each of both sparse factors has (1 % on ML-20M, 0.005 % in glami/sansa's example); at least two per item",
    )
    .meta(logRange(1e-4, 0.1)),
  variant: z
    .enum(["exact", "incomplete"])
    .default("exact")
    .describe(
      "exact = Cholesky factor, of which the largest entries are kept; incomplete = keeps the largest entries of each column while it is computed, for catalogues whose exact factor does not fit into memory",
    ),
  inverse: z
    .enum(["minimal-residual", "exact"])
    .default("minimal-residual")
    .describe(
      "inverse of the factor, of which the largest entries are kept: minimal-residual = approximate, by scans and rounds (glami/sansa); exact = by substitution, better where many entries are kept, for up to some 20,000 items (our addition)",
    ),
  scans: z
    .int()
    .min(0)
    .default(1)
    .describe("with inverse=minimal-residual: passes over all columns that need one (glami/sansa)"),
  rounds: z
    .int()
    .min(0)
    .default(10)
    .describe("with inverse=minimal-residual: further passes over the worst columns (glami/sansa)"),
});
export type SansaOptions = z.infer<typeof options>;

/** The first shift that is added after an incomplete factorisation has failed, and its growth (glami/sansa). */
const SHIFT_STEP = 1e-3;
const SHIFT_GROWTH = 2;
/** The last columns of an exact factor are dense from this share of entries on. */
const DENSE_FROM = 0.5;
/** Entries of a sparse matrix have 32-bit positions. */
const MOST_ENTRIES = 2 ** 32 - 1;

/** W' [items, rank], row i for item i, and D. */
interface Factors {
  readonly left: CsrMatrix;
  readonly pivots: Float32Array;
}

/** W_r [rank, items] */
function rightOf({ left, pivots }: Factors): CsrMatrix {
  const { offsets, indices, values = new Float32Array(indices.length).fill(1) } = left;
  const scaled = new Float32Array(indices.length);
  for (let item = 0; item < left.rows; item++) {
    let diagonal = 0;
    for (let e = offsets[item]; e < offsets[item + 1]; e++) diagonal += values[e] ** 2 / pivots[indices[e]];
    for (let e = offsets[item]; e < offsets[item + 1]; e++)
      scaled[e] = -values[e] / (pivots[indices[e]] * diagonal);
  }
  return transpose({ ...left, values: scaled });
}

function sansaRecommender(engine: Engine, factors: Factors, items: Vocabulary): Recommender {
  const { left, pivots } = factors;
  const first = engine.sparse(left);
  const second = engine.sparse(rightOf(factors));
  return {
    algorithm: sansa.name,
    items,
    score: (histories, options) =>
      scoresOfInput(
        engine,
        histories,
        items.size,
        (scores, input) => engine.sumChainedRows(scores, input, first, second),
        options,
      ),
    save: async () => ({
      algorithm: sansa.name,
      config: {},
      items,
      tensors: { ...weightTensors(left), pivots: { shape: [pivots.length], data: pivots } },
    }),
    dispose() {
      engine.releaseSparse(first);
      engine.releaseSparse(second);
    },
  };
}

/** X with its columns in the order of the factor. */
interface Permuted {
  readonly x: CsrMatrix;
  /** The place of each item. */
  readonly places: Uint32Array;
}

async function permuted(
  train: CsrMatrix,
  variant: SansaOptions["variant"],
  engine: Engine,
): Promise<Permuted> {
  const held = engine.sparse(train);
  try {
    const { squares, others } = await solversOf(engine).gramShape(held);
    const order = Uint32Array.from(others.keys()).sort((a, b) => others[a] - others[b] || a - b);
    const places = new Uint32Array(order.length);
    for (const [place, item] of order.entries()) places[item] = place;
    const indices = train.indices.map((item) => places[item]);
    if (variant === "exact") return { x: { ...train, indices }, places };
    // Divided by the square root of a column's length, which is that of its squares.
    const scales = squares.map((square) => (square > 0 ? square ** -0.25 : 1));
    const values = Float32Array.from(train.indices, (item, e) => scales[item] * (train.values?.[e] ?? 1));
    return { x: { ...train, indices, values }, places };
  } finally {
    engine.releaseSparse(held);
  }
}

/** The memory of L, M and both factors of the scores, of 8 bytes an entry, and of X with its transpose. */
function bytesOf(entries: number, x: CsrMatrix): number {
  return 8 * (5 * entries + 2 * x.columns) + 24 * entryCount(x);
}

/** The number of last columns to be computed as a dense matrix. Throws UserError if the factor does not fit into memory. */
function denseColumns(x: CsrMatrix, entries: number): number {
  const counts = factorCounts(x);
  const n = counts.length;
  let [tail, inTail] = [0, 0];
  for (let columns = 1, sum = 0; columns <= n; columns++) {
    sum += counts[n - columns];
    if (sum >= (DENSE_FROM * columns * (columns + 1)) / 2) [tail, inTail] = [columns, sum];
  }
  const all = counts.reduce((sum, count) => sum + count, 0);
  const text = (count: number) => count.toLocaleString("en");
  requireMemory({
    place: sansa.name,
    bytes: 12 * (all - inTail) + 4 * tail ** 2 + bytesOf(entries, x),
    what: `the exact factor of ${text(n)} items, with ${text(all)} entries before the smallest are dropped,`,
    alternatives:
      "Use --set variant=incomplete, leave out rare items (foldin prepare --min-item), or use a machine with more memory",
  });
  return tail;
}

/** L and D, with a larger shift as long as an incomplete factorisation fails. */
async function factorise(
  x: CsrMatrix,
  entries: number,
  { lambda, variant }: SansaOptions,
  { engine, progress, signal }: RunContext,
): Promise<SparseFactor> {
  const exact = variant === "exact";
  const tail = exact ? denseColumns(x, entries) : 0;
  const held = engine.sparse(x);
  try {
    for (let failures = 0, shift = lambda; ; failures++) {
      throwIfAborted(signal);
      const factor = await solversOf(engine).sparseCholesky(held, { shift, entries, tail, exact });
      if (!("failed" in factor)) return factor;
      if (exact)
        throw new UserError({
          place: "lambda",
          problem: `${lambda} is too small: the item matrix is numerically singular`,
          expected: "a larger value; published values lie between 10 and 1000",
        });
      shift = lambda + SHIFT_STEP * SHIFT_GROWTH ** failures;
      progress?.({
        type: "note",
        text: `sansa: the incomplete factorisation failed and is repeated with lambda ${shift}`,
      });
    }
  } finally {
    engine.releaseSparse(held);
  }
}

/** The columns of M by item, with their diagonal: W'. */
function leftOf(inverse: CsrMatrix, places: Uint32Array): CsrMatrix {
  const items = places.length;
  const size = entryCount(inverse) + items;
  const offsets = new Uint32Array(items + 1);
  const indices = new Uint32Array(size);
  const values = new Float32Array(size);
  let at = 0;
  for (const [item, place] of places.entries()) {
    const [from, to] = [inverse.offsets[place], inverse.offsets[place + 1]];
    indices[at] = place;
    values[at++] = 1;
    indices.set(inverse.indices.subarray(from, to), at);
    if (inverse.values) values.set(inverse.values.subarray(from, to), at);
    at += to - from;
    offsets[item + 1] = at;
  }
  return { rows: items, columns: items, offsets, indices, values };
}

export const sansa: Algorithm<SansaOptions> = {
  name: "sansa",
  summary: "EASE with a sparse approximate inverse: a product of two sparse matrices, for large catalogues.",
  source:
    "Spisak, Bartyzal, Hoskovec, Peska, Tuma: Scalable approximate nonsymmetric autoencoder for collaborative filtering, RecSys 2023",
  options,

  async fit({ train, items }, given, run) {
    const { engine, progress, signal } = run;
    const { density, variant, inverse: method, scans, rounds } = given;
    const n = items.size;
    // Below the diagonal, of which no more than half is.
    const entries = Math.min((n * (n - 1)) / 2, Math.max(n, Math.ceil(density * n ** 2) - n));
    if (entries > MOST_ENTRIES)
      throw new UserError({
        place: "density",
        problem: `${density} of ${n.toLocaleString("en")} x ${n.toLocaleString("en")} entries are too many`,
        expected: `at most ${(MOST_ENTRIES / n ** 2).toPrecision(2)}`,
      });
    requireMemory({
      place: sansa.name,
      bytes: bytesOf(entries, train),
      what: `a model of ${(2 * (entries + n)).toLocaleString("en")} entries, while it is trained,`,
      alternatives: "Use a smaller density (--set density=0.001), or a machine with more memory",
    });
    const task = "train";
    progress?.({ type: "start", task, total: 3, unit: "steps" });
    const done = (step: number) => {
      throwIfAborted(signal);
      progress?.({ type: "advance", task, done: step });
    };
    const { x, places } = await permuted(train, variant, engine);
    done(1);
    const { lower, pivots } = await factorise(x, entries, given, run);
    done(2);
    const held = engine.sparse(lower);
    let inverse: CsrMatrix;
    try {
      inverse = await solversOf(engine).triangularInverse(held, {
        ...{ entries, scans, rounds },
        exact: method === "exact",
      });
    } finally {
      engine.releaseSparse(held);
    }
    progress?.({ type: "end", task });
    return sansaRecommender(engine, { left: leftOf(inverse, places), pivots: pivots.slice() }, items);
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    const left = takeItemWeights(saved, items.size);
    const pivots = saved.take("pivots", [items.size]);
    saved.end();
    return sansaRecommender(engine, { left, pivots: Float32Array.from(pivots) }, items);
  },
};
