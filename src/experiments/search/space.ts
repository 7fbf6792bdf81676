// The search space: for each varied option its alternatives, or a range to draw from. A grid has all combinations, the last option
// varying fastest; random points depend only on (seed, number), so that a longer random search begins with the points of a
// shorter one.

import { UserError } from "../../core/errors.js";
import type { JsonValue } from "../../core/json.js";
import { RandomSequence, streamOf } from "../../core/philox.js";
import { describeOptions, optionName, parseOptions, parseSetting } from "../../models/options.js";
import type { Algorithm } from "../../recommender/algorithm.js";

/** Numbers from `low` to `high`; drawn uniformly or log-uniformly. */
export interface Range {
  readonly low: number;
  readonly high: number;
  readonly scale: "linear" | "log";
}

/** One varied option. */
export interface Dimension {
  readonly name: string;
  readonly alternatives: readonly JsonValue[] | Range;
  /** Whether a number drawn from a range is rounded to a whole number. */
  readonly whole?: boolean;
  /** Whether the option is a list, with a drawn number as its only element. */
  readonly list?: boolean;
}

/** The values of the varied options at one point; null = the model's default. */
export type Setting = Readonly<Record<string, JsonValue>>;

/** The value that leaves the option out. */
const UNSET = "unset";

/** A point's options: the fixed options, overridden by the varied ones. */
export function optionsAt(
  fixed: Readonly<Record<string, unknown>>,
  setting: Setting,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...fixed, ...setting }).filter(([, value]) => value !== null));
}

/** Maximum number of points of a grid. */
const MOST_POINTS = 10_000;

export function isRange(alternatives: Dimension["alternatives"]): alternatives is Range {
  return !Array.isArray(alternatives);
}

/**
 * Parses "dropout=0.3,0.5", "hidden=[600],[600,300]", "learningRate=1e-4..1e-2" (log-uniform if the ends differ by a factor of 10
 * or more, unless ":linear" or ":log" follows). Throws UserError for an unknown option and for one that is given twice.
 */
export function parseSpace(algorithm: Algorithm, texts: readonly string[]): Dimension[] {
  const types = new Map(describeOptions(algorithm).map(({ name, type }) => [name, type]));
  const space = texts.map((text): Dimension => {
    const at = text.indexOf("=");
    const values = at < 1 ? [] : atCommas(text.slice(at + 1));
    if (values.length === 0 || values.includes(""))
      throw new UserError({
        place: `--grid ${text}`,
        problem: "is not a list of values",
        expected: "name=value,value,...",
        remedy: `Options of ${algorithm.name}: ${[...types.keys()].join(", ") || "none"}`,
      });
    const name = optionName(algorithm, text.slice(0, at).trim());
    const type = types.get(name);
    if (type === undefined) parseOptions(algorithm, { [name]: null });
    const range = values.length === 1 ? parseRange(values[0], text) : undefined;
    if (range)
      return {
        name,
        alternatives: range,
        whole: type?.includes("whole number"),
        list: type?.endsWith("[]"),
      };
    const parsed = values.map((value) =>
      value === UNSET ? null : (parseSetting(algorithm, name, value) as JsonValue),
    );
    const distinct = new Map(parsed.map((value) => [JSON.stringify(value), value]));
    return { name, alternatives: [...distinct.values()] };
  });
  const twice = space.find(({ name }, d) => space.findIndex((other) => other.name === name) < d);
  if (twice)
    throw new UserError({
      place: `--grid ${twice.name}`,
      problem: "is given twice",
      remedy: "Give all its values at once, separated by commas",
    });
  return space;
}

/** The parts of a text between commas; commas within brackets do not separate. */
function atCommas(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === "[") depth++;
    else if (text[at] === "]") depth--;
    else if (at === text.length || (text[at] === "," && depth <= 0)) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts;
}

const number = /^-?[\d.]+(?:e[+-]?\d+)?$/i;

function parseRange(text: string, whole: string): Range | undefined {
  const dots = text.indexOf("..");
  if (dots < 0) return undefined;
  const [upper, named, ...rest] = text.slice(dots + 2).split(":");
  const [low, high] = [text.slice(0, dots), upper].map((end) =>
    number.test(end) ? Number(end) : Number.NaN,
  );
  const isScale = named === undefined || (/^(log|linear)$/i.test(named) && rest.length === 0);
  if (Number.isNaN(low) || Number.isNaN(high) || !isScale) return undefined;
  const scale = (named as Range["scale"]) ?? (low > 0 && high / low >= 10 ? "log" : "linear");
  if (!(low < high) || (scale === "log" && low <= 0))
    throw new UserError({
      place: `--grid ${whole}`,
      problem: "is not a range",
      expected:
        scale === "log" ? "two numbers above 0, the lower one first" : "two numbers, the lower one first",
      remedy: "For example learningRate=1e-4..1e-2",
    });
  return { low, high, scale };
}

/** As it is written on the command line. */
export function spaceText({ name, alternatives }: Dimension): string {
  if (isRange(alternatives)) return `${name}=${alternatives.low}..${alternatives.high}:${alternatives.scale}`;
  const texts = alternatives.map((value) =>
    value === null ? UNSET : typeof value === "string" ? value : JSON.stringify(value),
  );
  return `${name}=${texts.join(",")}`;
}

/** All combinations. Throws UserError for a range, and for too many points. */
export function gridOf(space: readonly Dimension[]): Setting[] {
  let settings: Setting[] = [{}];
  for (const { name, alternatives } of space) {
    if (isRange(alternatives))
      throw new UserError({
        place: `--grid ${name}`,
        problem: "is a range, which cannot be part of a grid",
        remedy: "Draw points from it with --random <n>, or list values: name=a,b,c",
      });
    if (settings.length * alternatives.length > MOST_POINTS)
      throw new UserError({
        place: "--grid",
        problem: `has more than ${MOST_POINTS} points`,
        remedy: "Draw some of them with --random <n>",
      });
    settings = settings.flatMap((setting) => alternatives.map((value) => ({ ...setting, [name]: value })));
  }
  return settings;
}

/** `count` distinct random points, or all points if there are fewer. */
export function drawSettings(space: readonly Dimension[], count: number, seed: number): Setting[] {
  const size = space.reduce(
    (product, { alternatives }) => product * (isRange(alternatives) ? Infinity : alternatives.length),
    1,
  );
  if (size <= count) return gridOf(space);
  const drawn = new Map<string, Setting>();
  // A range of few whole numbers may have fewer points than requested.
  for (let number = 0; drawn.size < count && number < 1000 * count; number++) {
    const setting = Object.fromEntries(
      space.map((dimension) => [dimension.name, draw(dimension, seed, number)]),
    );
    const key = JSON.stringify(setting);
    if (!drawn.has(key)) drawn.set(key, setting);
  }
  return [...drawn.values()];
}

function draw({ name, alternatives, whole, list }: Dimension, seed: number, number: number): JsonValue {
  // Contains the former name of the command, so that a seed still draws the same points.
  const random = new RandomSequence({ seed, step: number, stream: streamOf(`sweep ${name}`) });
  if (!isRange(alternatives)) return alternatives[random.below(alternatives.length)];
  return valueInRange({ whole, list }, alternatives, random.uniform());
}

/** The value at a share (from 0 to 1) of a range: whole if the option is, and a list of one element for a list. */
export function valueInRange(
  { whole, list }: Pick<Dimension, "whole" | "list">,
  { low, high, scale }: Range,
  share: number,
): JsonValue {
  const exact = scale === "log" ? low * (high / low) ** share : low + (high - low) * share;
  // Three significant digits are precise enough for a search and short to write.
  const rounded = whole ? Math.round(exact) : Number(exact.toPrecision(3));
  const value = Math.min(high, Math.max(low, rounded));
  return list ? [value] : value;
}
