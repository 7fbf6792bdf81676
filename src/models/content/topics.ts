// Latent Dirichlet allocation by variational EM (Blei, Ng, Jordan 2003, section 5): the initial topics of CTR.
//
//   E   phi_wk ~ beta_kw exp(psi(gamma_k)),   gamma_k = alpha + sum_w count_w phi_wk      until gamma converges
//   M   beta_kw ~ eta + sum_documents count_w phi_wk
//
// theta = gamma / sum gamma. Documents are sparse and short, so the loops run on plain arrays in float64, one document after
// the other: the result is bitwise the same for any number of threads.

import { type RandomKey, RandomSequence } from "../../core/philox.js";
import { Turns } from "../../core/turns.js";
import type { CsrMatrix } from "../../sparse/csr.js";

/** Word counts [documents, words]. */
export type Documents = CsrMatrix & { readonly values: Float32Array };

export interface TopicOptions {
  readonly topics: number;
  /** Dirichlet prior of a document's topics. */
  readonly alpha: number;
}

/** Maximum number of inner iterations per document, and the mean change of gamma that ends them (Hoffman, Blei, Bach 2010). */
const INNER = 50;
const STILL = 1e-3;
/** Added to every expected count of a word, so that no probability is 0. */
const ETA = 1e-2;

/** psi(x) for x > 0: the recurrence up to 6, then the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18). */
export function digamma(x: number): number {
  let result = 0;
  let z = x;
  for (; z < 6; z++) result -= 1 / z;
  const inverse = 1 / z;
  const square = inverse * inverse;
  const series =
    square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))));
  return result + Math.log(z) - inverse / 2 - series;
}

/** beta [words, topics], word-major: every topic is a random distribution over the words, close to uniform. */
export function initialTopics(words: number, topics: number, key: RandomKey): Float64Array {
  const random = new RandomSequence(key);
  const beta = new Float64Array(words * topics);
  for (let i = 0; i < beta.length; i++) beta[i] = 1 + random.uniform();
  return normalisedTopics(beta, topics);
}

/** Normalises every topic of word-major [words, topics] to sum to 1, in place. */
export function normalisedTopics(beta: Float64Array, topics: number): Float64Array {
  const sums = new Float64Array(topics);
  for (let i = 0; i < beta.length; ) for (let t = 0; t < topics; t++, i++) sums[t] += beta[i];
  for (let i = 0; i < beta.length; ) for (let t = 0; t < topics; t++, i++) beta[i] /= sums[t];
  return beta;
}

/** Expected word counts and topic proportions of documents under fixed topics. */
export class TopicInference {
  readonly #options: TopicOptions;
  readonly #weights: Float64Array;
  readonly #before: Float64Array;

  constructor(options: TopicOptions) {
    this.#options = options;
    this.#weights = new Float64Array(options.topics);
    this.#before = new Float64Array(options.topics);
  }

  /**
   * Updates gamma [topics] of a document from its words. Adds the expected counts to `expected` [words, topics], if given.
   * Returns the document's part of the log-likelihood bound that depends on phi.
   */
  document(
    documents: Documents,
    row: number,
    beta: Float64Array,
    gamma: Float64Array,
    expected?: Float64Array,
  ): number {
    const { topics, alpha } = this.#options;
    const { indices, values } = documents;
    const [from, to] = [documents.offsets[row], documents.offsets[row + 1]];
    const weights = this.#weights;
    const before = this.#before;
    let total = 0;
    for (let e = from; e < to; e++) total += values[e];
    gamma.fill(alpha + total / topics);
    for (let round = 0; round < INNER; round++) {
      before.set(gamma);
      for (let k = 0; k < topics; k++) weights[k] = Math.exp(digamma(gamma[k]));
      gamma.fill(0);
      for (let e = from; e < to; e++) {
        const at = indices[e] * topics;
        let sum = 0;
        for (let k = 0; k < topics; k++) sum += weights[k] * beta[at + k];
        const scale = values[e] / sum;
        for (let k = 0; k < topics; k++) gamma[k] += scale * beta[at + k];
      }
      let change = 0;
      for (let k = 0; k < topics; k++) {
        gamma[k] = alpha + weights[k] * gamma[k];
        change += Math.abs(gamma[k] - before[k]);
      }
      if (change / topics < STILL) break;
    }
    let likelihood = 0;
    let sumOfGamma = 0;
    for (let k = 0; k < topics; k++) sumOfGamma += gamma[k];
    const normaliser = digamma(sumOfGamma);
    for (let k = 0; k < topics; k++) weights[k] = Math.exp(digamma(gamma[k]) - normaliser);
    for (let e = from; e < to; e++) {
      const at = indices[e] * topics;
      let sum = 0;
      for (let k = 0; k < topics; k++) sum += weights[k] * beta[at + k];
      likelihood += values[e] * Math.log(sum);
      if (!expected) continue;
      const scale = values[e] / sum;
      for (let k = 0; k < topics; k++) expected[at + k] += scale * weights[k] * beta[at + k];
    }
    return likelihood;
  }
}

/**
 * One round of EM over all documents: sets theta [documents, topics] to their topic proportions (uniform for an empty document)
 * and beta to the new topics. Returns the mean log-probability of the words under q, in nats. Throws AbortedError.
 */
export async function emRound(
  documents: Documents,
  beta: Float64Array,
  theta: Float64Array,
  options: TopicOptions,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (share: number) => void } = {},
): Promise<number> {
  const { topics } = options;
  const inference = new TopicInference(options);
  const gamma = new Float64Array(topics);
  const expected = new Float64Array(beta.length).fill(ETA);
  let likelihood = 0;
  let words = 0;
  const turns = new Turns(signal);
  for (let d = 0; d < documents.rows; d++) {
    likelihood += inference.document(documents, d, beta, gamma, expected);
    for (let e = documents.offsets[d]; e < documents.offsets[d + 1]; e++) words += documents.values[e];
    setProportions(theta.subarray(d * topics, (d + 1) * topics), gamma);
    if (turns.due) {
      onProgress?.((d + 1) / documents.rows);
      await turns.yield();
    }
  }
  beta.set(normalisedTopics(expected, topics));
  return likelihood / Math.max(1, words);
}

/** theta = gamma / sum gamma */
export function setProportions(theta: Float64Array, gamma: Float64Array): void {
  let sum = 0;
  for (const value of gamma) sum += value;
  for (let k = 0; k < gamma.length; k++) theta[k] = gamma[k] / sum;
}

/** Projects x on the simplex (sum 1, no negative element), in place (Duchi et al. 2008, figure 1). */
export function projectOnSimplex(x: Float64Array): void {
  const sorted = x.toSorted().reverse();
  let sum = 0;
  let shift = 0;
  for (let j = 0; j < sorted.length; j++) {
    sum += sorted[j];
    if (sorted[j] - (sum - 1) / (j + 1) > 0) shift = (sum - 1) / (j + 1);
  }
  for (let k = 0; k < x.length; k++) x[k] = Math.max(0, x[k] - shift);
}

/**
 * One step of projected gradient ascent with backtracking on
 *   sum_k gamma_k log theta_k - lambda / 2 ||v - theta||^2
 * over the simplex (blei-lab/ctr, opt.cpp: the 1-norm of the gradient limited to 1, the step halved at most 100 times, Armijo's
 * rule with slope 1/2). theta changes only if the objective increases.
 */
export function stepOnSimplex(
  gamma: ArrayLike<number>,
  v: ArrayLike<number>,
  lambda: number,
  theta: Float64Array,
): void {
  const k = theta.length;
  const cost = (x: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += (lambda / 2) * (v[i] - x[i]) ** 2 - gamma[i] * Math.log(x[i]);
    return sum;
  };
  const gradient = new Float64Array(k);
  let norm = 0;
  for (let i = 0; i < k; i++) {
    gradient[i] = lambda * (theta[i] - v[i]) - gamma[i] / theta[i];
    norm += Math.abs(gradient[i]);
  }
  const scale = norm > 1 ? 1 / norm : 1;
  const direction = new Float64Array(k);
  for (let i = 0; i < k; i++) direction[i] = theta[i] - scale * gradient[i];
  projectOnSimplex(direction);
  let slope = 0;
  for (let i = 0; i < k; i++) {
    direction[i] -= theta[i];
    slope += 0.5 * scale * gradient[i] * direction[i];
  }
  const before = cost(theta);
  const candidate = new Float64Array(k);
  for (let t = 0.5, round = 0; round < 100; t /= 2, round++) {
    for (let i = 0; i < k; i++) candidate[i] = theta[i] + t * direction[i];
    const after = cost(candidate);
    if (after <= before + slope * t) {
      if (after < before) theta.set(candidate);
      return;
    }
  }
}
