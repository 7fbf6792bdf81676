// Metric values per user as CSV: "user,ndcg@100,recall@20", one row per user. Written by foldin evaluate --per-user, and accepted
// by foldin compare instead of a run, so that results of other software can be compared.

import { writeFileWhole } from "../../core/atomic-file.js";
import { csvCell } from "../../core/csv.js";
import { UserError } from "../../core/errors.js";
import { readText } from "../../core/input-file.js";
import { printable } from "../../core/printable.js";

export interface PerUser {
  /** The external ids of the evaluated users; if read from a table, with control characters escaped as in CSV. */
  readonly users: readonly string[];
  /** The values of these users, by metric. */
  readonly values: Readonly<Record<string, Float64Array>>;
}

export async function writePerUser(path: string, { users, values }: PerUser): Promise<void> {
  const names = Object.keys(values);
  const rows = users.map((user, u) => [csvCell(user), ...names.map((name) => values[name][u])].join(","));
  await writeFileWhole(path, (file) =>
    file.writeFile(`${["user", ...names].join(",")}\n${rows.join("\n")}\n`),
  );
}

/** Reads such a table. Throws UserError, naming the file and line, if the file is not one. */
export async function readPerUser(path: string): Promise<PerUser> {
  const text = await readText(path, { expected: "a table written by foldin evaluate --per-user" });
  const [head = [], ...rows] = records(text, path);
  const [user, ...names] = head;
  if (user !== "user" || names.length === 0)
    throw new UserError({
      place: `${path}:1`,
      problem: `starts with "${head.join(",")}"`,
      expected: "a header with user and metrics, such as user,ndcg@100",
    });
  const values = Object.fromEntries(names.map((name) => [name, new Float64Array(rows.length)]));
  const seen = new Set<string>();
  rows.forEach((row, r) => {
    const place = `${path}:${r + 2}`;
    if (row.length !== head.length)
      throw new UserError({ place, problem: `has ${row.length} cells`, expected: `${head.length}` });
    if (seen.has(row[0])) throw new UserError({ place, problem: `user ${row[0]} occurs a second time` });
    seen.add(row[0]);
    names.forEach((name, n) => {
      const value = Number(row[n + 1]);
      if (row[n + 1].trim() === "" || !Number.isFinite(value))
        throw new UserError({ place, problem: `${name} is "${row[n + 1]}"`, expected: "a number" });
      values[name][r] = value;
    });
  });
  return { users: Array.from(seen, printable), values };
}

/** The rows of a CSV text; cells may be quoted (RFC 4180). Throws UserError for an unbalanced quotation mark. */
function records(text: string, path: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quoted = text[at] === '"';
    const cell = quoted ? quotedCell(text, at) : plainCell(text, at);
    const follows = cell && text[cell.end];
    if (!cell || (quoted && follows !== undefined && !/[,\r\n]/.test(follows)))
      throw new UserError({
        place: `${path}:${rows.length + 1}`,
        problem: "unbalanced quotation mark",
        expected: 'cells without quotation marks, or completely "quoted"',
      });
    row.push(cell.text);
    at = cell.end + (text.startsWith("\r\n", cell.end) ? 2 : 1);
    if (follows === "," && at < text.length) continue;
    if (follows === ",") row.push("");
    // Empty lines are skipped.
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return rows;
}

/** The text from `start` to the next comma or line end; undefined if it contains a quotation mark. */
function plainCell(text: string, start: number): { text: string; end: number } | undefined {
  let end = start;
  while (end < text.length && !",\r\n".includes(text[end])) if (text[end++] === '"') return undefined;
  return { text: text.slice(start, end), end };
}

/** The quoted text from `start` to the closing mark; undefined if there is none. */
function quotedCell(text: string, start: number): { text: string; end: number } | undefined {
  for (let mark = text.indexOf('"', start + 1); mark >= 0; mark = text.indexOf('"', mark + 2))
    if (text[mark + 1] !== '"')
      return { text: text.slice(start + 1, mark).replaceAll('""', '"'), end: mark + 1 };
  return undefined;
}
