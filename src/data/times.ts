// Times: converts a column to seconds since 1970 (or leaves numbers in the source's own unit), and detects the unit of numbers.
// Nothing depends on the machine's time zone: the database uses UTC (database.ts).

import type { Interactions } from "./interactions.js";
import { numberInText, type TableSource } from "./tables/table.js";

/** The accepted times, for messages. */
export const acceptedTimes =
  "a number, an ISO 8601 date such as 2009-09-13 or 2009-09-13T21:30:00+02:00, or an empty field";

/** A time as an SQL expression of type DOUBLE: NaN = missing, null = not a time. */
export function timeExpression(source: TableSource, column: string): string {
  const value = source.expression(column);
  const type = source.typeOf(column);
  if (/^(DATE|TIMESTAMP)/.test(type))
    return `CASE WHEN ${value} IS NULL THEN ${none} ELSE epoch(${value}) END`;
  const text = `CAST(${value} AS VARCHAR)`;
  const number = numberInText(text);
  const missing = type === "FLOAT" || type === "DOUBLE" ? `isnan(${value})` : `trim(${text}, ' \t') = ''`;
  return (
    `CASE WHEN ${value} IS NULL THEN ${none} ` +
    `WHEN regexp_full_match(${text}, '${usualDate}') THEN epoch(TRY_CAST(${text} AS TIMESTAMPTZ)) ` +
    `WHEN isfinite(${number}) THEN ${number} WHEN ${missing} THEN ${none} ` +
    `WHEN regexp_full_match(${text}, '${otherDate}') THEN ${normalised(text)} END`
  );
}

const none = "'nan'::DOUBLE";

/** ISO 8601 as most programs write it, which DuckDB can read. */
const usualDate =
  "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?)?";
const leapSecond = ":[0-9]{2}:60([^0-9]|$)";
const offset = "(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?|[A-Z][A-Za-z]+/[A-Za-z_]+(/[A-Za-z_]+)?)";
/** Other unambiguous notations: slashes, single digits, "t" and "z", blanks, commas, an offset without seconds, leap seconds, zone names, no separators. */
const otherDate =
  "\\s*([0-9]{4}([-/])[0-9]{1,2}[-/][0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?" +
  ` ?${offset}?)?|[0-9]{8}[Tt][0-9]{6}([.,][0-9]+)? ?${offset}?)\\s*`;

function normalised(text: string): string {
  const replace = (subject: string, pattern: string, by: string) =>
    `regexp_replace(${subject}, '${pattern}', '${by}')`;
  const whole = replace(
    `trim(${text}, ' \t')`,
    "^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})",
    "\\1-\\2-\\3T\\4:\\5:",
  );
  let iso = replace(whole, "^([-/0-9]+)t", "\\1T");
  iso = replace(iso, ",", ".");
  iso = replace(iso, "([T ][0-9]{1,2}:[0-9]{2})([^:0-9]|$)", "\\1:00\\2");
  iso = replace(iso, " ?(z|UTC|GMT)$", "Z");
  iso = replace(iso, "([0-9]) ([+-])", "\\1\\2");
  iso = replace(iso, leapSecond.replace("[0-9]{2}", "([0-9]{2})"), ":\\1:59\\2");
  const leap = `CASE WHEN regexp_matches(${whole}, '${leapSecond}') THEN 1 ELSE 0 END`;
  return `epoch(TRY_CAST(${iso} AS TIMESTAMPTZ)) + ${leap}`;
}

const isoText = /^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([Tt ]\d|\s*$)|^\s*\d{8}[Tt]\d{6}/;
const otherText =
  /^\s*(\d{1,4}[./-]\d{1,2}[./-]\d{2,4}\b|\d{1,2} \d{1,2}, \d{4}|\p{L}{3,9}\.? \d{1,2},? \d{4}|\d{1,2}\.? \p{L}{3,9}\.? \d{4})/u;

/** Whether text is a date in any of these notations. */
export const looksLikeDate = (text: string): boolean => isoText.test(text) || otherText.test(text);

/** Whether a column holds dates: then its times are seconds since 1970, whatever their magnitude. */
export function holdsDates(source: TableSource, column: string): boolean {
  if (/^(DATE|TIMESTAMP)/.test(source.typeOf(column))) return true;
  const sample = source.sample(column).filter((value) => value.trim() !== "");
  return sample.length > 0 && sample.every((value) => isoText.test(value));
}

export const timeUnits = ["seconds", "milliseconds", "microseconds", "nanoseconds"] as const;
export type TimeUnit = (typeof timeUnits)[number];

/** The smallest number that is read as a time since 1970: the year 1973 in seconds. */
const smallestEpoch = 1e8;
export const isEpoch = (value: number): boolean => value >= smallestEpoch;

/** A summary of the times of interactions. */
export interface TimeSummary {
  /** The unit of times since 1970; "own" if the numbers are too small for that. */
  readonly unit: TimeUnit | "own";
  readonly from: number;
  readonly to: number;
  /** Interactions without a time. */
  readonly missing: number;
  /** For each of `timeUnits`, how many times look like it. */
  readonly looksLike: readonly number[];
}

/** Summarises all times; undefined if there are none. */
export function summariseTimes({ timeOf, dated }: Interactions): TimeSummary | undefined {
  if (timeOf === undefined) return undefined;
  let [from, to, missing] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  const looksLike = [0, 0, 0, 0];
  for (let row = 0; row < timeOf.length; row++) {
    const time = timeOf[row];
    if (Number.isNaN(time)) {
      missing++;
      continue;
    }
    if (time < from) from = time;
    if (time > to) to = time;
    if (time >= smallestEpoch) looksLike[time < 1e11 ? 0 : time < 1e14 ? 1 : time < 1e17 ? 2 : 3]++;
  }
  if (missing === timeOf.length) return undefined;
  const most = Math.max(...looksLike);
  const unit = dated ? "seconds" : most === 0 ? "own" : timeUnits[looksLike.indexOf(most)];
  return { unit, from, to, missing, looksLike: dated ? [timeOf.length - missing, 0, 0, 0] : looksLike };
}

/** A warning if times since 1970 appear to be in different units. */
export function mixedUnits({ looksLike }: TimeSummary): string | undefined {
  const found = timeUnits.flatMap((unit, place) =>
    looksLike[place] > 0 ? [`${looksLike[place]} look like ${unit}`] : [],
  );
  if (found.length < 2) return undefined;
  return `the times appear to be in different units: ${found.join(", ")} since 1970; they are ordered as plain numbers`;
}

/** A date as a number in a unit. */
export function dateInUnit(date: string, unit: TimeUnit): number {
  const seconds = Date.parse(/T/.test(date) && !/(Z|[+-]\d\d:?\d\d)$/.test(date) ? `${date}Z` : date) / 1000;
  return seconds * 1000 ** timeUnits.indexOf(unit);
}

/** A time as a calendar date, or as a number in the source's own unit. */
export function showTime(time: number, unit: TimeUnit | "own"): string {
  if (unit === "own") return String(time);
  const date = new Date((time / 1000 ** timeUnits.indexOf(unit)) * 1000);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 10);
}
