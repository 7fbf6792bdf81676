// Times: how a column becomes seconds since 1970 (or stays a number in the source's own unit), and which unit numbers are in.
// Nothing here depends on the time zone of the machine: the database's is UTC (database.ts).

import type { Interactions } from "./interactions.js";
import { numberInText, type TableSource } from "./tables/table.js";

/** What is accepted as a time, for messages. */
export const acceptedTimes =
  "a number, a date such as 2009-09-13 or 2009-09-13T21:30:00+02:00 (UTC where there is no offset), or nothing";

/** A time as an SQL expression of type DOUBLE: NaN = there is none, null = it cannot be read. */
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

/** ISO 8601 as most programs write it; DuckDB reads it as it is. */
const usualDate =
  "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?)?";
const leapSecond = ":[0-9]{2}:60([^0-9]|$)";
const offset = "(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?|[A-Z][A-Za-z]+/[A-Za-z_]+(/[A-Za-z_]+)?)";
/** The rest of what is unambiguous: slashes, one digit, "t" and "z", blanks, commas, an offset without seconds, leap seconds, names of zones, no separators. */
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

/** Whether text is a date, in whatever notation. */
export const looksLikeDate = (text: string): boolean => isoText.test(text) || otherText.test(text);

/** Whether a column holds dates: then its times are seconds since 1970, whatever their size. */
export function holdsDates(source: TableSource, column: string): boolean {
  if (/^(DATE|TIMESTAMP)/.test(source.typeOf(column))) return true;
  const sample = source.sample(column).filter((value) => value.trim() !== "");
  return sample.length > 0 && sample.every((value) => isoText.test(value));
}

export const timeUnits = ["seconds", "milliseconds", "microseconds", "nanoseconds"] as const;
export type TimeUnit = (typeof timeUnits)[number];

/** The smallest number that is taken for a time since 1970: 1973 in seconds. */
const smallestEpoch = 1e8;
export const isEpoch = (value: number): boolean => value >= smallestEpoch;

/** How the times of interactions look. */
export interface TimeSummary {
  /** What the numbers count since 1970; "own" where they are too small for that. */
  readonly unit: TimeUnit | "own";
  readonly from: number;
  readonly to: number;
  /** Interactions without a time. */
  readonly missing: number;
  /** How many of the times look like each of `timeUnits`. */
  readonly looksLike: readonly number[];
}

/** Looks at all times; undefined where there are none. */
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

/** A warning where times look like counts of different units since 1970. */
export function mixedUnits({ looksLike }: TimeSummary): string | undefined {
  const found = timeUnits.flatMap((unit, place) =>
    looksLike[place] > 0 ? [`${looksLike[place]} look like ${unit}`] : [],
  );
  if (found.length < 2) return undefined;
  return `the times are in different units: ${found.join(", ")} since 1970; their order is that of the numbers`;
}

/** A date as a number in a unit. */
export function dateInUnit(date: string, unit: TimeUnit): number {
  const seconds = Date.parse(/T/.test(date) && !/(Z|[+-]\d\d:?\d\d)$/.test(date) ? `${date}Z` : date) / 1000;
  return seconds * 1000 ** timeUnits.indexOf(unit);
}

/** A time as a date of the calendar, or as the number that it is. */
export function showTime(time: number, unit: TimeUnit | "own"): string {
  if (unit === "own") return String(time);
  const date = new Date((time / 1000 ** timeUnits.indexOf(unit)) * 1000);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 10);
}
