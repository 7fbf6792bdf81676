// The model-based sampler of `tune`: the tree-structured Parzen estimator (Bergstra et al., NIPS 2011), in its multivariate form
// (Falkner et al., ICML 2018). The tried settings are divided into the best and the others; both are smoothed into densities l and
// g; of several settings drawn from l, the one with the largest l / g is tried next. Every choice depends only on (seed, number).

import type { JsonValue } from "../../core/json.js";
import { RandomSequence, streamOf } from "../../core/philox.js";
import { type Dimension, isRange, type Range, type Setting, valueInRange } from "../search/space.js";

export interface Observation {
  readonly setting: Setting;
  /** Larger is better. */
  readonly value: number;
}

/** Candidates drawn from the density of the best settings. */
const CANDIDATES = 24;
/** At most so many settings are "the best". */
const MOST_BEST = 25;
/** The share of a categorical kernel's weight that is spread over all values. */
const SPREAD = 0.3;

/** A point in the unit cube: numbers of ranges between 0 and 1, indices of lists. */
type Point = readonly number[];

/**
 * The next setting to try. Without enough observations, and for one setting in ten, it is drawn at random. Draws of different
 * streams or numbers are independent.
 */
export function suggest(
  space: readonly Dimension[],
  observations: readonly Observation[],
  { seed, stream, number }: { readonly seed: number; readonly stream: string; readonly number: number },
): Setting {
  const random = new RandomSequence({ seed, step: number, stream: streamOf(`tune ${stream}`) });
  const enough = Math.max(4, Math.min(10, space.length + 1));
  if (observations.length < enough || random.uniform() < 0.1)
    return settingOf(
      space,
      space.map(({ alternatives }) =>
        isRange(alternatives) ? random.uniform() : random.below(alternatives.length),
      ),
    );
  const ranked = [...observations].sort((a, b) => b.value - a.value);
  const best = Math.min(MOST_BEST, Math.ceil(0.25 * ranked.length));
  const pointsOf = (some: readonly Observation[]) => some.map(({ setting }) => pointOf(space, setting));
  const good = new Density(space, pointsOf(ranked.slice(0, best)));
  const rest = new Density(space, pointsOf(ranked.slice(best)));
  let found: Point | undefined;
  let most = -Infinity;
  for (let c = 0; c < CANDIDATES; c++) {
    const point = good.draw(random);
    const ratio = Math.log(good.at(point)) - Math.log(rest.at(point));
    if (ratio > most) {
      most = ratio;
      found = point;
    }
  }
  return settingOf(space, found ?? []);
}

/** A mixture of one kernel per point and one uniform kernel, the prior. */
class Density {
  readonly #space: readonly Dimension[];
  readonly #points: readonly Point[];
  readonly #width: number;

  constructor(space: readonly Dimension[], points: readonly Point[]) {
    this.#space = space;
    this.#points = points;
    // Scott's rule for points spread over the unit interval; never so narrow that only known values are drawn.
    this.#width = Math.max(0.03, 0.3 * Math.max(1, points.length) ** (-1 / (space.length + 4)));
  }

  draw(random: RandomSequence): Point {
    const kernel = random.below(this.#points.length + 1);
    const center = kernel < this.#points.length ? this.#points[kernel] : undefined;
    return this.#space.map(({ alternatives }, d) => {
      if (!isRange(alternatives)) {
        const any = center === undefined || random.uniform() < SPREAD;
        const drawn = random.below(alternatives.length);
        return any ? drawn : center[d];
      }
      if (center === undefined) return random.uniform();
      return drawnNormal(random, center[d], this.#width);
    });
  }

  /** The density at a point, up to a common factor. */
  at(point: Point): number {
    let sum = 1;
    for (const center of this.#points) {
      let product = 1;
      this.#space.forEach(({ alternatives }, d) => {
        product *= isRange(alternatives)
          ? truncatedNormal(point[d], center[d], this.#width)
          : (center[d] === point[d] ? 1 - SPREAD : 0) * alternatives.length + SPREAD;
      });
      sum += product;
    }
    return sum / (this.#points.length + 1);
  }
}

/** A normal number within [0, 1]: drawn again when it falls outside, at the end after a few attempts. */
function drawnNormal(random: RandomSequence, mean: number, deviation: number): number {
  let x = mean;
  for (let attempt = 0; attempt < 8; attempt++) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
    x = mean + deviation * radius * Math.cos(2 * Math.PI * random.uniform());
    if (x >= 0 && x <= 1) return x;
  }
  return Math.min(1, Math.max(0, x));
}

/** The density of a normal distribution that is restricted to [0, 1]. */
function truncatedNormal(x: number, mean: number, deviation: number): number {
  const inside = normalCdf((1 - mean) / deviation) - normalCdf(-mean / deviation);
  const z = (x - mean) / deviation;
  return Math.exp(-0.5 * z * z) / (Math.sqrt(2 * Math.PI) * deviation * inside);
}

/** The normal distribution function by a rational approximation (Abramowitz and Stegun 7.1.26), error below 1e-7. */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - poly * Math.exp(-x * x);
  return z >= 0 ? 0.5 * (1 + erf) : 0.5 * (1 - erf);
}

function pointOf(space: readonly Dimension[], setting: Setting): Point {
  return space.map(({ name, alternatives }) => {
    const value = setting[name];
    if (isRange(alternatives)) return shareOf(alternatives, Array.isArray(value) ? value[0] : value);
    const index = alternatives.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    return Math.max(0, index);
  });
}

/** Where a number lies between the ends of its range, from 0 to 1. A value outside counts as the nearer end. */
function shareOf({ low, high, scale }: Range, value: JsonValue | undefined): number {
  if (typeof value !== "number") return 0.5;
  const share =
    scale === "log"
      ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
      : (value - low) / (high - low);
  return Math.min(1, Math.max(0, share));
}

function settingOf(space: readonly Dimension[], point: Point): Setting {
  return Object.fromEntries(
    space.map((dimension, d) => [
      dimension.name,
      isRange(dimension.alternatives)
        ? valueInRange(dimension, dimension.alternatives, point[d])
        : dimension.alternatives[point[d]],
    ]),
  );
}
