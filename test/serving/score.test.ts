import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../src/data/attributes/encode.js";
import { literal, withDatabase } from "../../src/data/database.js";
import { historiesOfDataset, historiesOfFile } from "../../src/data/histories.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { train } from "../../src/experiments/train.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { loadRecommender } from "../../src/serving/load.js";
import { scoreAll } from "../../src/serving/score.js";
import { fromRows, rowIndices } from "../../src/sparse/csr.js";
import { controlCharacters } from "../support/control-characters.js";
import { tastes } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";
import { foldin } from "../support/foldin.js";

const dataset = tastes();
const folder = mkdtempSync(join(tmpdir(), "foldin-score-"));
const run = join(folder, "run");
let model: Recommender;

beforeAll(async () => {
  (await train(dataset, { model: "item-knn", engine: "reference", out: run })).dispose();
  model = await loadRecommender(run, { engine: "reference" });
});
afterAll(async () => {
  model.dispose();
  await rm(folder, { recursive: true });
});

const table = (path: string) =>
  withDatabase((database) => database.rows(`SELECT * FROM ${literal(path)}`)) as Promise<unknown[][]>;

describe("scoring all users", () => {
  it("writes the same as recommend, for every user of the dataset", async () => {
    const out = join(folder, "all.parquet");
    const histories = historiesOfDataset(dataset, model.items);
    const { users, rows } = await scoreAll(model, histories, { out, model: "m", k: 5, partUsers: 64 });
    const written = await table(out);
    expect({ users, rows }).toEqual({ users: 280, rows: written.length });
    for (const row of [0, 63, 64, 279]) {
      const ids = [...rowIndices(histories.matrix, row)].map((item) => model.items.ids[item]);
      const { items } = await recommend(model, ids, { k: 5 });
      expect(written.filter(([user]) => user === histories.users[row])).toEqual(
        items.map(({ rank, id, score }) => {
          const title = model.items.titles?.[model.items.indexOf(id) ?? -1];
          return [histories.users[row], rank, id, title, score];
        }),
      );
    }
  });

  it("leaves out unavailable items, and those that the filter does not admit", async () => {
    const out = join(folder, "filtered.parquet");
    const { ids, titles } = dataset.items;
    const values = ids.map((_, item) => String(item));
    const number = encodeColumn({ name: "number", values }, { type: "number" }, String);
    const items = new Vocabulary(ids, titles, ItemAttributes.of(ids.length, [number]));
    const filtered: Recommender = {
      ...{ algorithm: model.algorithm, items, save: () => model.save(), dispose: () => {} },
      score: (histories, options) => model.score(histories, options),
    };
    const histories = historiesOfDataset(dataset, items);
    const filter = { attribute: "number", below: 40 };
    const rules = { filter, unavailable: ["item3", "item17", "nothing"] };
    await scoreAll(filtered, histories, { out, model: "m", k: 5, ...rules });
    const written = await table(out);
    for (const row of [0, 100, 279]) {
      const history = rowIndices(histories.matrix, row);
      const { items } = await recommend(filtered, history, { k: 5, filter, exclude: rules.unavailable });
      expect(written.filter(([user]) => user === histories.users[row]).map(([, , id]) => id)).toEqual(
        items.map(({ id }) => id),
      );
    }
  });

  it("writes the same file in a folder whose name looks like a partition or a pattern", async () => {
    const histories = historiesOfDataset(dataset, model.items);
    const texts: string[] = [];
    for (const name of ["plain", "split=test", "user=5", "x[12]"]) {
      const out = join(folder, name, "scores.csv");
      await scoreAll(model, histories, { out, model: "m", k: 2, partUsers: 64 });
      texts.push(readFileSync(out, "utf8"));
    }
    expect(texts[0].split("\n")[0]).toBe("user,rank,item,title,score");
    expect(new Set(texts).size).toBe(1);
  });

  it("resumes to the same file, byte for byte, without repeating parts", async () => {
    const histories = historiesOfDataset(dataset, model.items);
    const [whole, out] = [join(folder, "whole.parquet"), join(folder, "stopped.parquet")];
    const same = { model: "m", k: 5, partUsers: 64 };
    await scoreAll(model, histories, { ...same, out: whole });
    const stop = new AbortController();
    const stopped = scoreAll(model, histories, {
      ...{ ...same, out, signal: stop.signal },
      progress: (event) => event.type === "advance" && event.done >= 128 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow("stopped on request");
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(`${out}.partial`).filter((name) => name.startsWith("part-"))).toHaveLength(2);

    await expect(scoreAll(model, histories, { ...same, out })).rejects.toThrow(/interrupted.*--resume/s);
    await expect(scoreAll(model, histories, { ...same, k: 6, out, resume: true })).rejects.toThrow(
      "had a different k: 5, now 6",
    );
    await expect(scoreAll(model, histories, { ...same, model: "other", out, resume: true })).rejects.toThrow(
      "the interrupted scoring had a different model",
    );
    for (const rule of [{ unavailable: ["item3"] }, { filter: { or: [] } }])
      await expect(scoreAll(model, histories, { ...same, ...rule, out, resume: true })).rejects.toThrow(
        "filter" in rule
          ? /the model has no item attributes/
          : /the interrupted scoring had a different filter/,
      );
    expect(await scoreAll(model, histories, { ...same, out, resume: true })).toMatchObject({
      ...{ users: 280, resumed: 128 },
    });
    expect(readFileSync(out)).toEqual(readFileSync(whole));
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  it("reads a file of histories, and skips and reports what the model does not know", async () => {
    const path = join(folder, "histories.csv");
    writeFileSync(
      path,
      "user,item,rating\n9,item1,5\n9,item5,5\n9,item1,4\n10,item2,5\n10,new,5\n11,new,5\n12,item3,1\n",
    );
    const read = await historiesOfFile({ path, minRating: 2 }, model.items);
    expect(read.users).toEqual(["9", "10"]);
    expect([...read.matrix.offsets]).toEqual([0, 2, 3]);
    expect(read).toMatchObject({ strangers: 1, unknownItems: 1 });

    const out = join(folder, "file.csv");
    const { code, stdout, stderr } = await foldin([
      ...["score", run, "--histories", path, "--min-rating", "2", "--out", out, "-k", "3", "--json"],
      ...["--engine", "reference"],
    ]);
    expect(stderr).toContain("1 item of");
    expect(stderr).toContain("1 user of");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ users: 2, rows: 6, resumed: 0, leftOut: 1 });
    const said = await foldin([
      ...["score", run, "--histories", path, "--min-rating", "2", "--out", join(folder, "said.csv")],
      ...["--engine", "reference"],
    ]);
    expect(said.stdout).toMatch(/^2 users scored.*\n1 user skipped: the model knows none/);
    const lines = readFileSync(out, "utf8").trim().split("\n");
    expect(lines[0]).toBe("user,rank,item,title,score");
    // Ids that are integers come out as such.
    expect(lines[1]).toMatch(/^9,1,item\d+,/);
  });

  it("recommends fewer if the catalogue is smaller", async () => {
    const out = join(folder, "long.parquet");
    const histories = historiesOfDataset(dataset, model.items);
    await scoreAll(model, histories, { out, model: "m", k: 1000 });
    const written = await table(out);
    const ofFirst = written.filter(([user]) => user === histories.users[0]);
    expect(ofFirst).toHaveLength(60 - rowIndices(histories.matrix, 0).length);
    expect(ofFirst.map(([, rank]) => rank)).toEqual(ofFirst.map((_, place) => place + 1));
  });

  it.each([
    [
      ["--out", join(folder, "x.xlsx")],
      /^--out: the extension of .*x\.xlsx is not supported \(expected \.parquet/,
    ],
    [["--out", folder], /^--out: the extension of .* is not supported/],
    [["--out", join(folder, "x.csv"), "--user", "u"], /^--user: requires --histories/],
    [
      ["--out", join(folder, "x.csv"), "--histories", "a.csv", "--dataset", "b"],
      /^--dataset: cannot be combined with/,
    ],
    [["--out", join(folder, "x.csv"), "--histories", "nowhere.csv"], /nowhere\.csv/],
    [[], /^option '--out' is required/],
  ])("refuses %j with one clear line and exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await foldin(["score", run, ...args, "--engine", "reference"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(message)]);
    expect(existsSync(join(folder, "x.csv"))).toBe(false);
  });
});

describe("a CSV of scores", () => {
  const titles = [
    "plain",
    '=HYPERLINK("http://evil.example")',
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1",
    "two\nlines\r\nand a\ttab",
    "\u001b[2J\u009b31m red \u202e reversed \u200b\u2028\u007f",
    'quoted "comma, separated"',
    "\u{1f468}\u200d\u{1f469} می\u200cخواهم",
    "a\u0000b",
    null,
  ];
  const ids = titles.map((_, i) => (i === 6 ? "i\n6" : i === 1 ? "=i1" : `i${i}`));
  let out: string;
  const notes: string[] = [];
  const scored = async (name: string, spreadsheet?: boolean) => {
    const items = new Vocabulary(ids, titles);
    const recommender = { ...scoring(ids.length, () => ids.map((_, i) => -i)), items };
    out = join(folder, name);
    const histories = {
      users: ["a\tb", "u2"],
      matrix: fromRows(ids.length, [[], []]),
      strangers: 0,
      unknownItems: 0,
    };
    notes.length = 0;
    await scoreAll(recommender, histories, {
      ...{ out, model: "m", k: 20, spreadsheet, force: true },
      progress: (event) => void (event.type === "note" && notes.push(event.text)),
    });
    return readFileSync(out, "utf8");
  };
  const columns = async (path: string) =>
    withDatabase((database) =>
      database.rows(`SELECT user, item, title FROM ${literal(path)} ORDER BY user, rank`),
    ) as Promise<(string | null)[][]>;

  it("has one line per row, with control characters escaped and reported, and is exact otherwise", async () => {
    const text = await scored("controls.csv");
    expect(text.trimEnd().split("\n")).toHaveLength(1 + 2 * titles.length);
    expect(text).not.toMatch(controlCharacters);
    expect(notes).toEqual([
      expect.stringMatching(
        /control characters .* \\t \\n .*\\u001b.*\.parquet and \.jsonl keep them unchanged$/,
      ),
    ]);
    const written = (await columns(out)).slice(0, titles.length);
    expect(written.map(([user]) => user)).toEqual(titles.map(() => "a\\tb"));
    expect(new Map(written.map(([, item, title]) => [item, title]))).toEqual(
      new Map([
        ["i0", "plain"],
        ["=i1", '=HYPERLINK("http://evil.example")'],
        ["i2", "+1"],
        ["i3", "-1"],
        ["i4", "@SUM(A1)"],
        ["i5", "＝1"],
        ["i\\n6", "two\\nlines\\r\\nand a\\ttab"],
        ["i7", "\\u001b[2J\\u009b31m red \\u202e reversed \\u200b\\u2028\\u007f"],
        ["i8", 'quoted "comma, separated"'],
        ["i9", titles[9]],
        ["i10", "a\\u0000b"],
        ["i11", null],
      ]),
    );
  });

  it("has no formulas if it is for a spreadsheet", async () => {
    await scored("sheet.csv", true);
    const written = (await columns(out)).slice(0, titles.length);
    const text = new Map(written.map(([, item, title]) => [item, title]));
    expect([...text.keys()]).toContain("'=i1");
    expect(["'=i1", "i2", "i3", "i4", "i5", "i0"].map((item) => text.get(item))).toEqual([
      '\'=HYPERLINK("http://evil.example")',
      ...["'+1", "'-1", "'@SUM(A1)", "'＝1", "plain"],
    ]);
    await expect(scored("sheet.parquet", true)).rejects.toThrow(
      /^--spreadsheet: requires a \.csv file; got .*sheet\.parquet/,
    );
  });

  it.each(["exact.parquet", "exact.jsonl"])("unlike CSV, %s is exact", async (name) => {
    await scored(name);
    expect(notes).toEqual([]);
    const written = (await columns(out)).slice(0, titles.length);
    expect(new Map(written.map(([, item, title]) => [item, title]))).toEqual(
      new Map(ids.map((id, i) => [id, titles[i]])),
    );
  });
});
