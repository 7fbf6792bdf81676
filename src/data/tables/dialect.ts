// How the rows of a text file are written, guessed from its first lines: what separates the fields, whether blanks belong to the
// separator, whether the first line is a header.

import { plainName } from "./table.js";

/** What a file can be separated by, where nobody says it. */
const candidates = ["\t", "::", ",", ";", "|"] as const;

/** The first lines of a text that are not blank. */
export function firstLines(text: string, whole: boolean, most = 100): string[] {
  const lines: string[] = [];
  // Not with split: a file may be one line of any length.
  const ends = /\r\n|\n|\r/g;
  let start = 0;
  while (lines.length < most) {
    const end = ends.exec(text);
    // The last line of what is only a beginning may be cut off.
    if (end === null && !whole && lines.length > 0) break;
    const line = text.slice(start, end?.index);
    if (line.trim() !== "") lines.push(line);
    if (end === null) break;
    start = ends.lastIndex;
  }
  return lines;
}

/** What stands between the fields of these lines. */
export function delimiterOf(
  file: string,
  lines: readonly string[],
  quote: string | undefined,
  knownNames: ReadonlySet<string>,
): string {
  const bare = lines.map((line) => withoutQuoted(line, quote));
  const preferred = preferredDelimiters(file);
  const ranked = candidates.map((delimiter) => {
    const counts = bare.map((line) => line.split(delimiter).length);
    const columns = mostFrequent(counts);
    const share = columns < 2 ? 0 : counts.filter((count) => count === columns).length / counts.length;
    const names = (bare[0] ?? "").split(delimiter).filter((name) => knownNames.has(plainName(name)));
    // A first field that holds another separator is no field: "1;101;5" in the line "1;101;5,0".
    const clean = bare.every((line) => {
      const field = line.split(delimiter, 1)[0];
      return candidates.every((other) => !field.includes(other));
    });
    const rank = [
      Number(names.length >= 2),
      Number(share === 1),
      Number(share > 0 && clean),
      Number(share >= 0.5),
      share === 0 ? 0 : columns,
      -preferred.indexOf(delimiter),
    ];
    return { delimiter, rank };
  });
  return ranked.reduce((best, next) => (isGreater(next.rank, best.rank) ? next : best)).delimiter;
}

function isGreater(one: readonly number[], other: readonly number[]): boolean {
  const place = one.findIndex((value, k) => value !== other[k]);
  return place >= 0 && one[place] > other[place];
}

function mostFrequent(counts: readonly number[]): number {
  const times = new Map<number, number>();
  for (const count of counts) times.set(count, (times.get(count) ?? 0) + 1);
  return [...times].reduce((best, next) => (next[1] > best[1] ? next : best), [1, 0])[0];
}

function preferredDelimiters(file: string): readonly (typeof candidates)[number][] {
  const name = file.toLowerCase().replace(/\.gz$/, "");
  const first = name.endsWith(".csv") ? "," : name.endsWith(".dat") ? "::" : "\t";
  return [first, ...candidates.filter((delimiter) => delimiter !== first)];
}

/** A line with nothing between its quotation marks, where they come in pairs. */
function withoutQuoted(line: string, quote: string | undefined): string {
  if (quote === undefined || !line.includes(quote)) return line;
  const parts = line.split(quote);
  return parts.length % 2 === 0 ? line : parts.filter((_, k) => k % 2 === 0).join("");
}

/** Whether every field of some column, in several lines, has a blank beside it: then blanks belong to the separator. */
export function hasBlanksAround(lines: readonly string[], delimiter: string): boolean {
  if (lines.length < 2 || delimiter === " ") return false;
  const rows = lines.map((line) => line.split(delimiter));
  const columns = Math.min(...rows.map((row) => row.length));
  if (columns < 2) return false;
  const everywhere = (looks: RegExp) =>
    Array.from({ length: columns }, (_, column) => column).some((column) =>
      rows.every((row) => looks.test(row[column])),
    );
  return everywhere(/^[ \t]+[^ \t]/) || everywhere(/[^ \t][ \t]+$/);
}

/** A header holds no number, or names columns that are known. */
export function looksLikeHeader(fields: readonly string[], knownNames: ReadonlySet<string>): boolean {
  const known = fields.filter((field) => knownNames.has(plainName(field))).length;
  const hasNumbers = fields.some((field) => /^\s*[-+]?\d+([.,]\d+)?\s*$/.test(field));
  // Numbers name the dimensions of vectors (id, 0, 1, ...); in a row such as "7, song, 5" the known name is an item's.
  return !hasNumbers || known > 1 || knownNames.has(plainName(fields[0]));
}
