// Inputs on which foldin failed in trials. They are outside the project: the script of every existing folder is run, and its
// outcome is checked. A folder without an entry here must at least end without an internal error.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const field = resolve(import.meta.dirname, "../../../shared/field");
const main = resolve(import.meta.dirname, "../../dist/cli/main.js");
const folders = existsSync(field)
  ? readdirSync(field, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(field, entry.name, "run.sh")))
      .map(({ name }) => name)
  : [];
if (folders.length === 0) console.log(`skipped: there are no inputs from the field at ${field}`);

/** The output of the folder's script. */
function run(folder: string): Promise<string> {
  return new Promise((settle, fail) => {
    const child = spawn("bash", [join(field, folder, "run.sh"), main], { stdio: ["ignore", "pipe", "pipe"] });
    const pieces: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => pieces.push(piece));
    child.on("error", fail);
    child.on("close", () => settle(Buffer.concat(pieces).toString("utf8")));
  });
}

const exits = (text: string) => [...text.matchAll(/\[exit (\d+)/g)].map(([, code]) => Number(code));
/** The output from a line with this beginning to the next line with a similar one. */
function section(text: string, heading: string): string {
  const from = text.indexOf(heading);
  expect(from, `"${heading}" in ${text}`).toBeGreaterThanOrEqual(0);
  const next = text.indexOf("\n== ", from + heading.length);
  return text.slice(from, next < 0 ? undefined : next);
}

const outcomes: Record<string, (text: string) => void> = {
  "01-parquet-timezone"(text) {
    for (const zone of ["UTC", "America/Los_Angeles", "Asia/Tokyo"]) {
      const part = section(text, `== TZ=${zone}`);
      expect(part).toMatch(/^train\s+\d+\s+\d+\s+480$/m);
      expect(part).toMatch(/^validation\s+\d+\s+480\s+480$/m);
      expect(part).toMatch(/^test\s+\d+\s+960\s+640$/m);
    }
    expect(text).toContain('["1709251200"]');
  },
  "02-iso-offset-ignored"(text) {
    for (const file of ["clicks.csv", "clicks.jsonl"])
      expect(text).toMatch(new RegExp(`${file}: held out to test, by item\\n\\["900s",40\\]`));
    expect(text).not.toContain("500s");
  },
  "04-items-file-matches-nothing"(text) {
    for (const file of ["other-ids.csv", "zero-padded.csv", "float-ids.csv"]) {
      const part = section(text, `== ${file}`);
      // Either the titles are found, or a line says that they are not, with an id of each file.
      if (!part.includes('"24 of 24 items have a title"')) expect(part).toMatch(/none|no title|0 of 24/i);
    }
    expect(section(text, "== zero-padded.csv")).toMatch(/0000101.*\b101\b|24 of 24/s);
    expect(section(text, "== goodbooks-like.csv")).toContain('"24 of 24 items have a title"');
    expect(section(text, "== spaces.csv")).toContain('"24 of 24 items have a title"');
  },
  "05-tsv-quotation-marks"(text) {
    expect(text).toContain(String.raw`["102","\"Heroes"]`);
    expect(text).toContain('["103","Film 103"]');
    expect(text).toContain(String.raw`["104","Closing\""]`);
    expect(exits(text)).toEqual([0, 0]);
  },
  "06-json-key-after-100-lines"(text) {
    expect(text).not.toContain("the source has no ratings");
    expect(text).not.toContain("there is no column");
    expect(text).toMatch(/late\.jsonl:1: there is no value in the column "rating"|[1-9][\d,]* rows read/);
    expect(text).toContain('"Film 124"');
  },
  "08-rows-dropped-unsaid"(text) {
    expect(text).toMatch(/600 rows.*200 users.*fewer than 5/);
    expect(text).toContain("--min-user");
  },
  "09-times-unread"(text) {
    for (const [file, value] of [
      ["amazon.csv", "\\d\\d \\d\\d, 2009"],
      ["german.csv", "\\d\\d\\.\\d\\d\\."],
      ["american.csv", "\\d\\d/\\d\\d/"],
    ])
      expect(text).toMatch(new RegExp(`${file}:2: "${value}.*--no-time`));
    expect(exits(text).slice(0, 3)).toEqual([2, 2, 2]);
  },
  "10-mixed-line-ends"(text) {
    expect(exits(text)).toEqual([0, 0, 0]);
  },
  "12-compressed-otherwise"(text) {
    for (const [file, kind] of [
      ["ratings.zip", "zip"],
      ["ratings.csv.xz", "xz"],
      ["ratings.csv.zst", "Zstandard|zstd|zst"],
      ["ratings.csv.bz2", "bzip2"],
      ["ratings.xlsx", "Excel|xlsx|spreadsheet"],
    ]) {
      const [, first] = section(text, `== ${file}\n`).split("\n");
      if (!first.includes("rows read")) expect(first).toMatch(new RegExp(kind, "i"));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
      expect(first).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f]|M-/);
    }
  },
  "13-nested-values-as-ids"(text) {
    expect(text).not.toContain('$oid\\"');
    expect(text).toMatch(/sessions\.jsonl:1: .*(list|array)/);
    expect(text).toMatch(/struct\.parquet.*(struct|object|nested)/i);
    expect(text).not.toContain("Lower the minimums");
  },
  "15-empty-history"(text) {
    expect(exits(text)).toEqual([2, 0]);
  },
  "16-http-ambiguous-title"(text) {
    expect(text).toMatch(/107.*110/s);
    const [, ...answers] = text.split("\n");
    expect(answers.join("\n")).toMatch(/"status":400.*Hamlet.*107.*110/);
    expect(answers.join("\n")).not.toMatch(/^"title":"Hamlet/m);
  },
  "17-header-among-rows"(text) {
    const [a, b, c] = ["a", "b", "c"].map((name) => new RegExp(`\\["${name}","([^"]*)"\\]`).exec(text)?.[1]);
    if (b === undefined) expect(text).toMatch(/concatenated\.csv:\d+: .*header/);
    else expect(b).toBe(a);
    if (c === undefined) expect(exits(text)).toEqual([0, 2]);
    else expect(c).toBe(a);
  },
  "18-byte-order-mark"(text) {
    // The table has one of the metrics that are compared by default, and is refused for that alone.
    expect(exits(text)).toEqual([0, 0, 0, 2]);
    expect(text).toMatch(/values\.csv: has no column recall@20 .*ndcg@100/);
  },
  "19-behind-a-proxy"(text) {
    expect(text).toContain("--allow-host");
  },
  "20-typescript-ids"(text) {
    expect(text).not.toContain("BigInt ids:");
    expect(text).toContain("'37' is not a list");
    expect(text).not.toMatch(/\[ '3', '7' \]/);
  },
  "22-mkdir-hang"(text) {
    expect(text).toContain("/proc/nope");
    expect(exits(text)).toEqual([2]);
  },
  "23-columns-guessed-by-place"(text) {
    expect(text).toMatch(/UserBehavior\.csv: .*user = column 1.*item = column 2/);
    expect(text).not.toContain("[2000003,");
    expect(text).not.toContain('["33;108;3"]');
  },
  "24-neural-memory"(text) {
    expect(text).not.toMatch(/foldin failed|Invalid typed array length|Killed/);
    expect(text).toMatch(/\d GiB.*(--min-item|hidden)/);
  },
};

describe.skipIf(folders.length === 0)("an input from the field", () => {
  it.each(folders)("%s has the right outcome", async (folder) => {
    const text = await run(folder);
    expect(text).not.toContain("foldin failed");
    outcomes[folder]?.(text);
  });
});
