// The values of every judged user as CSV: "user,ndcg@100,recall@20", one row each. What foldin evaluate writes with --per-user,
// and what foldin compare takes in place of a run: results of another program can stand beside ours.

import { writeFileWhole } from "../../core/atomic-file.js";
import { csvCell } from "../../core/csv.js";
import { UserError } from "../../core/errors.js";
import { readText } from "../../core/input-file.js";
import { printable } from "../../core/printable.js";

export interface PerUser {
  /** The judged users' external ids; where they were read from a table, with control characters escaped as in CSV. */
  readonly users: readonly string[];
  /** By metric, the value of each of them. */
  readonly values: Readonly<Record<string, Float64Array>>;
}

export async function writePerUser(path: string, { users, values }: PerUser): Promise<void> {
  const names = Object.keys(values);
  const rows = users.map((user, u) => [csvCell(user), ...names.map((name) => values[name][u])].join(","));
  await writeFileWhole(path, (file) =>
    file.writeFile(`${["user", ...names].join(",")}\n${rows.join("\n")}\n`),
  );
}

/** Throws UserError, naming the file and line, for what is no such table. */
export async function readPerUser(path: string): Promise<PerUser> {
  const text = await readText(path, { expected: "a table as foldin evaluate --per-user writes it" });
  const [head = [], ...rows] = records(text);
  const [user, ...names] = head;
  if (user !== "user" || names.length === 0)
    throw new UserError({
      place: `${path}:1`,
      problem: `starts with "${head.join(",")}"`,
      expected: "a heading: user, then metrics, such as user,ndcg@100",
    });
  const values = Object.fromEntries(names.map((name) => [name, new Float64Array(rows.length)]));
  const seen = new Set<string>();
  rows.forEach((row, r) => {
    const place = `${path}:${r + 2}`;
    if (row.length !== head.length)
      throw new UserError({ place, problem: `has ${row.length} cells`, expected: `${head.length}` });
    if (seen.has(row[0])) throw new UserError({ place, problem: `user ${row[0]} stands here a second time` });
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

/** The rows of a CSV text; cells may be quoted (RFC 4180). */
function records(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  // A cell, and what ends it.
  for (const [, quotedCell, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (quotedCell === undefined && plain === "" && end !== "," && row.length === 0) continue;
    row.push(quotedCell?.replaceAll('""', '"') ?? plain);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
