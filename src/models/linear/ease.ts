// EASE (Steck: "Embarrassingly shallow autoencoders for sparse data", WWW 2019) and its published generalisations, in one closed form.
// With X [users, items], item counts c and user counts d:
//
//   G = X' diag(d^-beta) X,   L = lambda + p / (1 - p) diag(G),   P = (G + diag(L))^-1
//
//   B_ij = -P_ij / P_jj,   B_jj = 0                                                                    (EASE, equation 8)
//   B_ij = -P_ij (L_j + mu_j),   mu_j = max(0, (1 - xi) / P_jj - L_j),   B_jj = 0                      (RLAE, RDLAE)
//
//   W_ij = c_i^alpha B_ij c_j^-alpha,   scores of a history x: x'W
//
// beta = p = alpha = 0 is EASE. p > 0 is EDLAE (Steck: "Autoencoders that don't overfit towards the identity", NeurIPS 2020): the
// limit of dropping out each item with probability p. xi relaxes the constraint B_jj = 0 to B_jj <= xi (Moon, Kim, Lee: "It's
// enough: relaxing diagonal constraints in linear autoencoders for recommendation", SIGIR 2023); the diagonal itself is left
// out here, as it only scores items that are already in the history. alpha and beta are those of DAN (Park et al.: "Why is
// normalization necessary for linear recommenders?", SIGIR 2025): items and users are normalised by their counts.
//
// G is inverted in place, in float32: one matrix of items x items, and a copy while the model is saved.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { MOST_NUMBERS } from "../../compute/shapes.js";
import { invertAllPivots, NotPositiveDefiniteError } from "../../compute/solvers/inverse.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { type FloatArray, type Tensor, viewDiagonal } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { bytesText, requireMemory } from "../../core/memory.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { scoresOfInput } from "../../recommender/scores.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import { forManyItems } from "../training-memory.js";
import { linearRange, logRange, oneOf } from "../tuned.js";

const options = z.strictObject({
  lambda: z
    .number()
    .min(0)
    .default(500)
    .describe("L2 regularisation (Steck 2019, ML-20M; 1000 on Netflix, 200 on MSD)")
    .meta(logRange(1, 5000)),
  p: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("dropout probability of EDLAE (Steck 2020); 0 = none, as in EASE")
    .meta(oneOf(0, 0.2, 0.4, 0.6)),
  xi: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      "upper bound of the diagonal, as in RLAE and RDLAE (Moon et al. 2023); unset = the diagonal is 0, as in EASE",
    ),
  alpha: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      "exponent of the item counts in DAN (Park et al. 2025: 0.2 on Gowalla, 0.3 on Yelp); 0 = none, as in EASE",
    )
    .meta(linearRange(0, 0.4)),
  beta: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("exponent of the user counts in DAN (Park et al. 2025: 0.3); 0 = none, as in EASE")
    .meta(linearRange(0, 0.6)),
});
export type EaseOptions = z.infer<typeof options>;

/** Size in bytes from which a matrix is announced before it is allocated. */
const WORTH_A_WORD = 2 ** 29;
/** P_jj is at most 1 / L_j; the relative excess that float32 rounding may cause. */
const ROUNDING = 1e-2;

function easeRecommender(engine: Engine, weights: Tensor, items: Vocabulary): Recommender {
  return {
    algorithm: ease.name,
    items,
    score: (histories, options) =>
      scoresOfInput(
        engine,
        histories,
        items.size,
        (scores, input) => engine.sparseRowSum(scores, input, weights, {}),
        options,
      ),
    save: async () => ({
      algorithm: ease.name,
      config: {},
      tensors: { weights: { shape: [items.size, items.size], data: await engine.read(weights) } },
      items,
    }),
    dispose: () => engine.release(weights),
  };
}

/** Reports the memory of a large matrix. Throws UserError if this machine cannot hold it and the copy that saving makes. */
function requireRoom(items: number, { engine, progress }: RunContext): void {
  const bytes = items ** 2 * (engine.precision === "float32" ? 4 : 8);
  const matrix = `a matrix of ${items.toLocaleString("en")} x ${items.toLocaleString("en")} items`;
  const alternatives = `Leave out rare items (foldin prepare --min-item), close other programs, or use ${forManyItems("ease")}`;
  requireMemory({
    place: "ease",
    bytes: 2 * bytes,
    what: `${matrix} with its copy while the model is saved`,
    alternatives,
  });
  if (items ** 2 > MOST_NUMBERS)
    throw new UserError({
      place: "ease",
      problem: `${matrix} is too large for an array`,
      expected: `at most ${Math.floor(Math.sqrt(MOST_NUMBERS)).toLocaleString("en")} items`,
      remedy: alternatives,
    });
  if (bytes >= WORTH_A_WORD)
    progress?.({
      type: "note",
      text: `ease: ${matrix} takes ${bytesText(bytes)} of memory, and as much again while the model is saved`,
    });
}

/** The column of a solved weight: s_j, such that B_ij = -P_ij s_j. */
function columnScales(
  inverseDiagonal: FloatArray,
  ridge: Float64Array,
  xi: number | undefined,
): Float64Array {
  return ridge.map((l, j) =>
    xi === undefined ? 1 / inverseDiagonal[j] : Math.max(l, (1 - xi) / inverseDiagonal[j]),
  );
}

/** Replaces G by W. Throws UserError if lambda is too small for float32. */
async function solve(
  weights: Tensor,
  train: CsrMatrix,
  { lambda, p, xi, alpha, beta }: EaseOptions,
  { engine, signal, progress }: RunContext,
): Promise<void> {
  const solvers = solversOf(engine);
  const items = train.columns;
  const singular = (item: number, cause?: unknown) =>
    new UserError({
      place: "lambda",
      problem: `${lambda} is too small: the item matrix is numerically singular in ${engine.precision} (at item ${item})`,
      expected: "a larger value; published values lie between 10 and 1000",
      cause,
    });

  // G = X' diag(d^-beta) X
  const x = engine.sparse(train);
  const userWeights = engine.tensor(
    1,
    train.rows,
    Float64Array.from({ length: train.rows }, (_, u) => {
      const d = train.offsets[u + 1] - train.offsets[u];
      return d === 0 ? 0 : d ** -beta;
    }),
  );
  solvers.gram(weights, x, userWeights);
  engine.release(userWeights);
  engine.releaseSparse(x);

  // G + diag(L)
  const diagonal = viewDiagonal(weights);
  const ridge = Float64Array.from(await engine.read(diagonal), (g) => lambda + (p / (1 - p)) * g);
  const added = engine.tensor(items, 1, ridge);
  engine.addScaled(diagonal, added, 1);
  engine.release(added);

  // -P, in the lower triangle
  progress?.({ type: "start", task: "invert", total: items, unit: "items" });
  const onPivots = (done: number) => progress?.({ type: "advance", task: "invert", done });
  await invertAllPivots(solvers, weights, { signal, onPivots }).catch((error) => {
    throw error instanceof NotPositiveDefiniteError ? singular(error.pivot, error) : error;
  });
  progress?.({ type: "end", task: "invert" });
  const inverseDiagonal = (await engine.read(diagonal)).map((value) => -value);
  for (let j = 0; j < items; j++)
    if (!(inverseDiagonal[j] > 0 && inverseDiagonal[j] * ridge[j] <= 1 + ROUNDING)) throw singular(j);

  // W_ij = c_i^alpha (-P_ij) s_j c_j^-alpha
  const counts = new Float64Array(items);
  for (const item of train.indices) counts[item]++;
  const scales = columnScales(inverseDiagonal, ridge, xi);
  const rows = engine.tensor(
    1,
    items,
    counts.map((c) => c ** alpha),
  );
  // An item without interactions has no weights.
  const columns = engine.tensor(
    1,
    items,
    counts.map((c, j) => (c === 0 ? 0 : scales[j] * c ** -alpha)),
  );
  solvers.expandLower(weights, rows, columns);
  engine.fill(diagonal, 0);
  for (const tensor of [rows, columns]) engine.release(tensor);
  await engine.finished();
}

export const ease: Algorithm<EaseOptions> = {
  name: "ease",
  summary:
    "Linear autoencoder in closed form (EASE), with its generalisations EDLAE (p), RLAE and RDLAE (xi), and DAN (alpha, beta).",
  source: "Steck: Embarrassingly shallow autoencoders for sparse data, WWW 2019",
  options,

  async fit({ train, items }, options, run) {
    const { engine } = run;
    requireRoom(items.size, run);
    const weights = engine.empty(items.size, items.size);
    try {
      await solve(weights, train, options, run);
    } catch (error) {
      engine.release(weights);
      throw error;
    }
    return easeRecommender(engine, weights, items);
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    saved.require("weights", [items.size, items.size]);
    saved.end();
    return easeRecommender(engine, await saved.load(engine, "weights", items.size, items.size), items);
  },
};
