import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withDatabase } from "../../../src/data/database.js";
import { prepareDataset } from "../../../src/data/prepare.js";
import { readInteractions } from "../../../src/data/read.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-parts-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes a part with the rows of a query below the folder "clicks". */
async function part(name: string, select: string): Promise<string> {
  const path = join(root, "clicks", name);
  mkdirSync(dirname(path), { recursive: true });
  await withDatabase((database) => database.copy(select, path));
  return path;
}
const read = (columns = {}, folder = "clicks") => readInteractions([join(root, folder)], { columns });
const pairs = ({ users, items, userOf, itemOf }: Awaited<ReturnType<typeof read>>) =>
  Array.from(userOf, (user, row) => `${users.ids[user]}-${items.ids[itemOf[row]]}`);

describe("a folder of Parquet parts", () => {
  it("is read in the order of its paths, without _SUCCESS and hidden files", async () => {
    await part("part-00001.snappy.parquet", "SELECT 3 AS user_id, 5 AS item_id");
    await part("part-00000.snappy.parquet", "SELECT 2 AS user_id, 6 AS item_id UNION ALL SELECT 9, 7");
    writeFileSync(join(root, "clicks", "_SUCCESS"), "");
    writeFileSync(join(root, "clicks", ".part-00000.snappy.parquet.crc"), "crc");
    mkdirSync(join(root, "clicks", "_temporary"));
    writeFileSync(join(root, "clicks", "_temporary", "half.parquet"), "PAR1");
    expect(pairs(await read())).toEqual(["2-6", "9-7", "3-5"]);
  });

  it("has text ids, or ids that are too large for 32 bits", async () => {
    await part("a.parquet", "SELECT 'u' || n AS user, 5000000000 + n AS item FROM range(3) AS r(n)");
    await part("b.parquet", "SELECT 'u' || n AS user, 5000000000 + n AS item FROM range(3, 5) AS r(n)");
    expect(pairs(await read())).toEqual([0, 1, 2, 3, 4].map((n) => `u${n}-500000000${n}`));
  });

  it("has the keys of hive partitions as columns: a date as the time, a number as the user", async () => {
    await part("day=2024-01-02/user=7/p.parquet", "SELECT 2 AS item");
    await part("day=2024-01-01/user=8/p.parquet", "SELECT 3 AS item");
    const made = await read({ time: "day" });
    expect(pairs(made)).toEqual(["8-3", "7-2"]);
    expect([...(made.timeOf ?? [])]).toEqual(
      ["2024-01-01", "2024-01-02"].map((day) => Date.parse(day) / 1000),
    );
    expect(made.dated).toBe(true);
  });

  it("does not take keys from the folders above it", async () => {
    await part("user=1/parts/day=2024-01-01/p.parquet", "SELECT 5 AS user, 2 AS item");
    await part("user=1/flat/p.parquet", "SELECT 6 AS user, 2 AS item");
    expect(pairs(await read({}, "clicks/user=1/parts"))).toEqual(["5-2"]);
    expect(pairs(await read({}, "clicks/user=1/flat"))).toEqual(["6-2"]);
  });

  it("is the same dataset as its parts given as files", async () => {
    const select = (from: number) =>
      `SELECT n % 40 AS user, (n * 7) % 90 AS item FROM range(${from}, ${from + 600}) AS r(n)`;
    const files = [await part("x/a.parquet", select(0)), await part("x/b.parquet", select(600))];
    const made = async (input: string | string[], out: string) =>
      (await prepareDataset({ input, out: join(root, out), name: "same" })).tables;
    expect(await made(join(root, "clicks"), "one")).toEqual(await made(files, "other"));
  });

  it("can hold the titles of the items", async () => {
    const file = join(root, "rows.csv");
    writeFileSync(file, Array.from({ length: 300 }, (_, n) => `${n % 20},${Math.floor(n / 20)}`).join("\n"));
    await part("a.parquet", "SELECT n AS id, 'title ' || n AS title FROM range(7) AS r(n)");
    await part("b.parquet", "SELECT n AS id, 'title ' || n AS title FROM range(7, 15) AS r(n)");
    const { items } = await prepareDataset({
      input: file,
      items: join(root, "clicks"),
      out: join(root, "out"),
    });
    expect(items).toMatchObject({ rows: 15, titled: 15 });
  });

  const failure = async (columns = {}) => {
    const error = await read(columns).then(
      () => undefined,
      (caught: Error) => caught.message.replaceAll(join(root, "clicks"), "clicks"),
    );
    return error ?? "no error";
  };

  it("without parts is refused", async () => {
    mkdirSync(join(root, "clicks"));
    writeFileSync(join(root, "clicks", "_SUCCESS"), "");
    expect(await failure()).toMatch(/^clicks: the folder has no Parquet files \(expected parts such as/);
  });

  it("with another file is refused, and the file named", async () => {
    await part("a.parquet", "SELECT 1 AS user, 2 AS item");
    writeFileSync(join(root, "clicks", "rows.csv"), "user,item\n");
    expect(await failure()).toMatch(/^clicks\/rows\.csv: a file in a folder of Parquet parts/);
    expect(await failure({ format: "text" })).toMatch(/^clicks: a folder is read as Parquet, not as text/);
  });

  it.each([
    [
      "SELECT 1 AS user, 2 AS item, 3 AS more",
      /b\.parquet: the part has a column "more", which clicks\/a\.parquet does not/,
    ],
    ["SELECT 1 AS user", /b\.parquet: the part has no column "item"/],
    [
      "SELECT 1 AS user, '2' AS item",
      /b\.parquet: the column "item" has the type VARCHAR, but INTEGER in clicks\/a\.parquet/,
    ],
  ])("whose parts differ is refused: %s", async (select, message) => {
    await part("a.parquet", "SELECT 1 AS user, 2 AS item");
    await part("b.parquet", select);
    expect(await failure()).toMatch(message);
  });

  it("with different partition keys is refused", async () => {
    await part("day=1/a.parquet", "SELECT 1 AS user, 2 AS item");
    await part("b.parquet", "SELECT 1 AS user, 2 AS item");
    expect(await failure()).toMatch(
      /day=1\/a\.parquet: the part belongs to the partition day=\.\.\., but clicks\/b\.parquet to no/,
    );
  });

  it("without a needed column is refused, with the columns that there are", async () => {
    await part("day=1/a.parquet", "SELECT 1 AS user, 2 AS thing");
    expect(await failure()).toMatch(
      /^clicks: no item column found \(expected one of the file's columns: user, thing, day\)/,
    );
  });

  it("names the damaged part: without a footer, truncated, or with damaged pages", async () => {
    const rows = (n: number) =>
      `SELECT hash(n) % 100000 AS user, hash(n + 1) % 100000 AS item, md5(n::VARCHAR) AS x FROM range(${n}) AS r(n)`;
    await part("a.parquet", rows(30_000));
    const damaged = await part("b.parquet", rows(40_000));
    copyFileSync(damaged, join(root, "copy"));
    const bytes = readFileSync(join(root, "copy"));
    writeFileSync(damaged, "PAR1 no more");
    expect(await failure()).toMatch(
      /^clicks\/b\.parquet: the file cannot be read.*create or download it again/,
    );
    writeFileSync(damaged, bytes.subarray(0, bytes.length / 2));
    expect(await failure()).toMatch(/^clicks\/b\.parquet: the file cannot be read/);
    const pages = Buffer.from(bytes);
    pages.fill(0xff, 100, bytes.length / 2);
    writeFileSync(damaged, pages);
    expect(await failure()).toMatch(/^clicks\/b\.parquet: the file cannot be read/);
  });

  it("names part and row of an invalid value", async () => {
    await part("a.parquet", "SELECT 1 AS user, 2 AS item, 3.5::DOUBLE AS rating");
    await part(
      "b.parquet",
      "SELECT n::INTEGER AS user, 2 AS item, CASE WHEN n < 4 THEN n::DOUBLE END AS rating FROM range(6) AS r(n)",
    );
    expect(await failure()).toMatch(/^clicks\/b\.parquet, row 5: there is no value in the column "rating"/);
  });
});
