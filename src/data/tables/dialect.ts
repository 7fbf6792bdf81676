// Detects the dialect of a text file from its first lines: the delimiter, whether blanks around it are part of it, and whether
// the first line is a header.

import { plainName } from "./table.js";

/** The delimiters that are detected. */
const candidates = ["\t", "::", ",", ";", "|"] as const;

/** The first non-blank lines of a text. */
export function firstLines(text: string, whole: boolean, most = 100): string[] {
  const lines: string[] = [];
  // split is not used because a file may be a single line of any length.
  const ends = /\r\n|\n|\r/g;
  let start = 0;
  while (lines.length < most) {
    const end = ends.exec(text);
    // If the text is only the beginning of the file, its last line may be incomplete.
    if (end === null && !whole && lines.length > 0) break;
    const line = text.slice(start, end?.index);
    if (line.trim() !== "") lines.push(line);
    if (end === null) break;
    start = ends.lastIndex;
  }
  return lines;
}

/** Detects the delimiter of these lines. */
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
    // A first field that contains another delimiter is not plausible: "1;101;5" in the line "1;101;5,0".
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

/** The line without the text between its quotation marks, if they are paired. */
function withoutQuoted(line: string, quote: string | undefined): string {
  if (quote === undefined || !line.includes(quote)) return line;
  const parts = line.split(quote);
  return parts.length % 2 === 0 ? line : parts.filter((_, k) => k % 2 === 0).join("");
}

/** Whether, in several lines, every field of some column begins or ends with a blank: then blanks are part of the delimiter. */
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

/** Whether the fields are a header: they contain no numbers, or known column names. */
export function looksLikeHeader(fields: readonly string[], knownNames: ReadonlySet<string>): boolean {
  const known = fields.filter((field) => knownNames.has(plainName(field))).length;
  const hasNumbers = fields.some((field) => /^\s*[-+]?\d+([.,]\d+)?\s*$/.test(field));
  // A header may have numbers for the dimensions of vectors (id, 0, 1, ...). In a row such as "7, song, 5" the known name is an item.
  return !hasNumbers || known > 1 || knownNames.has(plainName(fields[0]));
}
