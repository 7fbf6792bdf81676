// A trained content-based factor model: a history is folded in by the closed form with fixed item factors, and an item without
// interactions gets its factor from its content.

import type { Engine } from "../../compute/engine.js";
import { saveTensor } from "../../compute/parameter.js";
import type { HostTensor, NamedTensors, Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { type ContentForm, type ItemContent, requireForm } from "../../data/content.js";
import { joined, type Vocabulary } from "../../data/vocabulary.js";
import { requireCatalogue } from "../../recommender/catalogue.js";
import type { ContentAware, NewItems } from "../../recommender/content-aware.js";
import {
  type RidgeFoldIn,
  type SolvingRecommender,
  solveFoldIn,
  twoLevelWeights,
} from "../../recommender/fold-in.js";
import { ProductRanking } from "../../recommender/product-ranking.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import { blockwiseScores, rowsPerBlock } from "../../recommender/scores.js";
import type { Uncertain, UncertainScores } from "../../recommender/uncertain.js";
import { productSpace, type Vectors, vectorsFrom } from "../../recommender/vectors.js";
import { type CsrMatrix, emptyMatrix, sliceRows } from "../../sparse/csr.js";
import { type FactorOptions, packedSize, type RowsOfFactors, solveRows, unpacked } from "./factors.js";

/** The factors of a trained model. */
export interface SavedFactors {
  /** V [items, k] */
  readonly items: Tensor;
  /** [k, k]: the sum of v v', or of its expectation, over the items that training counted (`FactorOptions.unclicked`). */
  readonly itemGram: Tensor;
  /** [k, k]: likewise of the users. */
  readonly userGram: Tensor;
  /** [items, k (k + 1) / 2], packed: present if the factors are distributions. */
  readonly itemCovariances?: Tensor;
  /** [items, k]: the vectors that a user's factor is multiplied by, if not V. */
  readonly scored?: Tensor;
}

/** The current state of a model. */
export interface FactorModel extends SavedFactors {
  readonly options: FactorOptions;
  /** The tensors of the encoder, for saving. */
  readonly saveReader: () => Promise<NamedTensors>;
  readonly releaseReader: () => void;
  /** E[z] of each item, zeros for an item without content: [content.items, k]; the caller releases the tensor. */
  readonly encode: (content: ItemContent) => Promise<Tensor>;
  /** The rules by which a new item's factor can be computed, best first. */
  readonly itemRules: readonly ItemRule[];
}

/** posterior = (b U'U + lambda_v I)^-1 lambda_v E[z], as in a sweep for an item without interactions; content = E[z]. */
export type ItemRule = "posterior" | "content";

export interface FactorModelFiles {
  readonly algorithm: string;
  readonly config: JsonObject;
  readonly items: Vocabulary;
  readonly content: ContentForm;
  /** Restores a model from files. */
  readonly restore: (files: ModelFiles) => Promise<ContentAware>;
}

/** Which optional factors a model has. */
export interface FactorKinds {
  readonly bayesian?: boolean;
  readonly scored?: boolean;
}

/** [rows, columns] of a saved model's factors, by name. */
export function factorShapes(
  items: number,
  k: number,
  { bayesian, scored }: FactorKinds = {},
): Record<string, [number, number]> {
  return {
    items: [items, k],
    itemGram: [k, k],
    userGram: [k, k],
    ...(bayesian && { itemCovariances: [items, packedSize(k)] as [number, number] }),
    ...(scored && { scored: [items, k] as [number, number] }),
  };
}

/** The recommender of a model; its `dispose` releases the model's memory. */
export function factorRecommender(
  engine: Engine,
  model: FactorModel,
  files: FactorModelFiles,
): (ContentAware & Vectors) | (ContentAware & Vectors & Uncertain) {
  const { options, items: V, itemGram, userGram, itemCovariances, scored = V, itemRules } = model;
  const { algorithm, config, items, content } = files;
  const k = V.columns;
  const { a, b, lambdaU, lambdaV } = options;
  const tensors: Record<string, Tensor> = {
    ...{ items: V, itemGram, userGram },
    ...(itemCovariances && { itemCovariances }),
    ...(model.scored && { scored: model.scored }),
  };

  const foldIn: RidgeFoldIn = {
    kind: "ridge",
    ...{ items: V, gram: itemGram, ...twoLevelWeights(a, b), ridge: lambdaU },
    ...(itemCovariances && { covariances: itemCovariances }),
  };

  async function save(): Promise<ModelFiles> {
    const factors = await Promise.all(
      Object.entries(tensors).map(
        async ([name, tensor]) => [name, await saveTensor(engine, tensor)] as const,
      ),
    );
    const saved = { ...(await model.saveReader()), ...Object.fromEntries(factors) };
    return { algorithm, config, tensors: saved, items, content };
  }

  /** User factors [histories.rows, k] with the item factors fixed; the caller releases the tensor. */
  function usersOf(histories: CsrMatrix, posterior?: Tensor): Tensor {
    return solveFoldIn(engine, foldIn, { ...histories, values: undefined }, posterior);
  }

  /** The result of a sweep for items without interactions: their factors and, if a tensor is given, their covariances. */
  function withoutClicks(theta: Tensor, posterior?: Tensor): Tensor {
    const out = engine.zeros(theta.rows, k);
    const nothing = engine.sparse(emptyMatrix(theta.rows, 1));
    const fixed = engine.zeros(1, k);
    const half: RowsOfFactors = { a, b, fixed, gram: userGram, ridge: lambdaV, prior: theta };
    solveRows(engine, out, nothing, { ...half, ...(posterior && { posterior }) });
    engine.releaseSparse(nothing);
    engine.release(fixed);
    return out;
  }

  const products = { encode: (block: CsrMatrix) => usersOf(block), weights: scored };
  const ranking = new ProductRanking(engine, products);
  const space = productSpace(engine, { users: "u, folded in", items: "v", ...products });
  const recommender: ContentAware & SolvingRecommender & Vectors = {
    algorithm,
    items,
    content,
    itemRules,
    foldIn,
    scored,
    ...vectorsFrom({ algorithm, items }, [space]),

    score: (histories, options) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        (block) => {
          const users = usersOf(block);
          const scores = engine.empty(block.rows, items.size);
          engine.matmul(scores, users, scored, { transposeB: true });
          engine.release(users);
          return scores;
        },
        { ...options, ranking },
      ),

    save,

    async withItems(added: NewItems, rule: string) {
      requireForm(algorithm, content, added.content);
      if (!(itemRules as readonly string[]).includes(rule))
        throw new UserError({
          place: "rule",
          problem: `"${rule}" is unknown`,
          expected: itemRules.join(", "),
        });
      const theta = await model.encode(added.content);
      const covariances = itemCovariances && engine.zeros(theta.rows, packedSize(k));
      const posterior = withoutClicks(theta, covariances);
      const fresh: Record<string, Tensor> = {
        items: rule === "posterior" ? posterior : theta,
        scored: theta,
        ...(covariances && { itemCovariances: covariances }),
      };
      const before = await save();
      const grown: Record<string, HostTensor> = {};
      for (const name of Object.keys(fresh))
        if (name in tensors)
          grown[name] = stacked(before.tensors[name], await saveTensor(engine, fresh[name]));
      for (const tensor of [theta, posterior, ...(covariances ? [covariances] : [])]) engine.release(tensor);
      return files.restore({
        ...before,
        tensors: { ...before.tensors, ...grown },
        items: joined(items, added.items),
      });
    },

    dispose() {
      for (const tensor of Object.values(tensors)) engine.release(tensor);
      model.releaseReader();
    },
  };
  if (!itemCovariances) return recommender;

  /**
   * u'v has mean mu_u'mu_v and variance mu_u'S_v mu_u + mu_v'S_u mu_v + tr(S_u S_v), u and v being independent under q; mu_v is
   * the row of `scored`.
   */
  async function scoreWithUncertainty(histories: CsrMatrix, wanted: Uint32Array): Promise<UncertainScores> {
    requireCatalogue("score", histories, items.size);
    for (const item of wanted)
      if (item >= items.size) throw new RangeError(`score: item ${item} is outside [0, ${items.size})`);
    const [v, itemS] = await Promise.all(
      [scored, itemCovariances as Tensor].map(async (tensor) => {
        const rows = engine.empty(wanted.length, tensor.columns);
        engine.takeRows(rows, tensor, wanted);
        const data = await engine.read(rows);
        engine.release(rows);
        return data;
      }),
    );
    const p = packedSize(k);
    const covariancesOfItems = Array.from({ length: wanted.length }, (_, j) =>
      unpacked(itemS.subarray(j * p, (j + 1) * p), k),
    );
    const means = new Float32Array(histories.rows * wanted.length);
    const deviations = new Float32Array(means.length);
    const step = rowsPerBlock(items.size);
    for (let first = 0; first < histories.rows; first += step) {
      const block = sliceRows(histories, first, Math.min(histories.rows, first + step));
      const posterior = engine.zeros(block.rows, p);
      const users = usersOf(block, posterior);
      const [u, userS] = await Promise.all([users, posterior].map((tensor) => engine.read(tensor)));
      engine.release(users);
      engine.release(posterior);
      for (let r = 0; r < block.rows; r++) {
        const mu = u.subarray(r * k, (r + 1) * k);
        const S = unpacked(userS.subarray(r * p, (r + 1) * p), k);
        for (let j = 0; j < wanted.length; j++) {
          const nu = v.subarray(j * k, (j + 1) * k);
          const T = covariancesOfItems[j];
          let mean = 0;
          let variance = 0;
          for (let x = 0; x < k; x++) {
            mean += mu[x] * nu[x];
            for (let y = 0; y < k; y++) {
              const at = x * k + y;
              variance += mu[x] * T[at] * mu[y] + nu[x] * S[at] * nu[y] + S[at] * T[at];
            }
          }
          const to = (first + r) * wanted.length + j;
          means[to] = mean;
          deviations[to] = Math.sqrt(variance);
        }
      }
    }
    return { means, deviations };
  }
  return { ...recommender, scoreWithUncertainty };
}

/** The rows of one matrix, then those of the other. */
function stacked(one: HostTensor, other: HostTensor): HostTensor {
  const numbers = one.data instanceof Float64Array ? Float64Array : Float32Array;
  const data = new numbers(one.data.length + other.data.length);
  data.set(one.data);
  data.set(other.data, one.data.length);
  return { shape: [one.shape[0] + other.shape[0], one.shape[1]], data };
}
