// Paired significance tests on the per-user values of a metric: Fisher's randomisation test, which makes no assumption about
// their distribution (Smucker, Allan, Carterette: A comparison of statistical significance tests for information retrieval
// evaluation, CIKM 2007), and Student's paired t test; Holm's correction for multiple tests.

import { randomWords, streamOf } from "../core/philox.js";

export interface PairedTest {
  /** Mean of the differences. */
  readonly difference: number;
  /** Standard error of that mean (ddof 1, as in the t test). */
  readonly standardError: number;
  /** Two-sided p of the randomisation test; at least 1 / (rounds + 1). */
  readonly randomisation: number;
  /** Two-sided p of the paired t test. */
  readonly t: number;
}

export interface RandomisationOptions {
  /** Random assignments of signs. Default 10,000. If there are not more than that, all are evaluated and p is exact. */
  rounds?: number;
  /** Default 98765. */
  seed?: number;
}

/**
 * Tests, for each list of paired differences (all of the same length, for the same users), whether their mean could be zero.
 * Throws RangeError for lists of different lengths.
 */
export function pairedTests(
  differences: readonly Float64Array[],
  options: RandomisationOptions = {},
): PairedTest[] {
  const randomisation = randomisationTests(differences, options);
  return differences.map((list, d) => {
    const { difference, standardError } = meanOf(list);
    const p = tTail(difference / standardError, list.length - 1);
    return { difference, standardError, randomisation: randomisation[d], t: difference === 0 ? 1 : p };
  });
}

function meanOf(list: Float64Array): { difference: number; standardError: number } {
  const n = list.length;
  const difference = list.reduce((sum, value) => sum + value, 0) / n;
  const variance = list.reduce((sum, value) => sum + (value - difference) ** 2, 0) / (n - 1);
  return { difference, standardError: Math.sqrt(variance / n) };
}

/** The maximum size of the tables of partial sums, in bytes. */
const TABLES = 64 * 2 ** 20;

function randomisationTests(differences: readonly Float64Array[], options: RandomisationOptions): number[] {
  const n = differences[0]?.length ?? 0;
  if (differences.some((list) => list.length !== n))
    throw new RangeError("pairedTests: the lists of differences have different lengths");
  const atATime = Math.max(1, Math.floor(TABLES / (256 * 8 * Math.ceil(n / 8))));
  const ps: number[] = [];
  for (let first = 0; first < differences.length; first += atATime)
    for (const p of randomisationTest(differences.slice(first, first + atATime), n, options)) ps.push(p);
  return ps;
}

/**
 * Under the null hypothesis, the sign of each user's difference is random: p is the share of random sign assignments whose sum is
 * at least as far from zero as the observed one, which is included in the count: (1 + hits) / (1 + rounds).
 */
function randomisationTest(
  differences: readonly Float64Array[],
  n: number,
  { rounds = 10_000, seed = 98765 }: RandomisationOptions,
): number[] {
  const bytes = Math.ceil(n / 8);
  const exact = n <= 30 && 2 ** n <= rounds;
  const sums = differences.map(partialSums);
  const bounds = differences.map((list) => {
    const size = list.reduce((sum, value) => sum + Math.abs(value), 0);
    // Sums of the same numbers in another order may differ in their last bits and count as equal.
    return Math.abs(list.reduce((sum, value) => sum + value, 0)) - 1e-12 * size;
  });
  const hits = differences.map(() => 0);
  const words = new Uint32Array(Math.ceil(n / 32));
  const signs = new Uint8Array(words.buffer);
  const stream = streamOf("randomisation test");
  const total = exact ? 2 ** n : rounds;
  for (let round = 0; round < total; round++) {
    if (exact) words[0] = round;
    else randomWords({ seed, step: round, stream }, 0, words);
    for (let d = 0; d < sums.length; d++) {
      const table = sums[d];
      let sum = 0;
      for (let byte = 0; byte < bytes; byte++) sum += table[256 * byte + signs[byte]];
      if (Math.abs(sum) >= bounds[d]) hits[d]++;
    }
  }
  // The observed assignment is one of them.
  return hits.map((count) => (exact ? count / total : (1 + count) / (1 + total)));
}

/** [bytes, 256]: for every eight differences, the sum for each of the 256 sign assignments. */
function partialSums(list: Float64Array): Float64Array {
  const bytes = Math.ceil(list.length / 8);
  const table = new Float64Array(256 * bytes);
  for (let byte = 0; byte < bytes; byte++)
    for (let signs = 0; signs < 256; signs++) {
      let sum = 0;
      for (let bit = 0; bit < 8 && 8 * byte + bit < list.length; bit++)
        sum += (signs >> bit) & 1 ? -list[8 * byte + bit] : list[8 * byte + bit];
      table[256 * byte + signs] = sum;
    }
  return table;
}

/** Holm's step-down correction (1979): the adjusted p of each test, in the order given. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a] - ps[b]);
  const adjusted = new Array<number>(ps.length);
  let least = 0;
  order.forEach((i, rank) => {
    least = Math.max(least, Math.min(1, (ps.length - rank) * ps[i]));
    adjusted[i] = least;
  });
  return adjusted;
}

/** The two-sided tail of Student's t: P(|T| >= |t|) for the given degrees of freedom. NaN for NaN. */
export function tTail(t: number, degreesOfFreedom: number): number {
  if (Number.isNaN(t) || !(degreesOfFreedom > 0)) return Number.NaN;
  if (!Number.isFinite(t)) return 0;
  const x = degreesOfFreedom / (degreesOfFreedom + t * t);
  return regularizedBeta(x, (t * t) / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5);
}

/** I_x(a, b), with y = 1 - x as a separate argument for accuracy near x = 1 (Abramowitz and Stegun 26.5.8, Lentz's method). */
function regularizedBeta(x: number, y: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  // The continued fraction converges fast only on this side.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(y, x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y));
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1), tiny);
  let value = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d, tiny);
    c = nonZero(1 + even / c, tiny);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d, tiny);
    c = nonZero(1 + odd / c, tiny);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return (front * value) / a;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

// Lanczos, g = 7, nine terms.
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** ln Gamma(x) for x >= 1/2. */
function logGamma(x: number): number {
  const base = x + 6.5;
  let sum = lanczos[0];
  for (let i = 1; i < lanczos.length; i++) sum += lanczos[i] / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}
