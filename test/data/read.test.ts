import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, UserError } from "../../src/core/errors.js";
import type { ReadOptions } from "../../src/data/columns.js";
import { withDatabase } from "../../src/data/database.js";
import type { Interactions } from "../../src/data/interactions.js";
import { readItems } from "../../src/data/items.js";
import { readInteractions } from "../../src/data/read.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(home, name);
  writeFileSync(path, content);
  return path;
}

/** Rows as "user item rating time", in their order. */
function rowsOf({ users, items, userOf, itemOf, ratingOf, timeOf }: Interactions): string[] {
  return Array.from(userOf, (user, row) =>
    [users.ids[user], items.ids[itemOf[row]], ratingOf?.[row], timeOf?.[row]]
      .filter((value) => value !== undefined)
      .join(" "),
  );
}
const read = async (path: string | string[], columns?: ReadOptions, minRating?: number) =>
  rowsOf(await readInteractions([path].flat(), { columns, minRating }));

const expected = ["10 3 4.5 100", "9 20 2 90", "10 20 3 80", "9 3 5 70"];

describe("reads", () => {
  const csv = "userId,movieId,rating,timestamp\n10,3,4.5,100\n9,20,2,90\n10,20,3,80\n9,3,5,70\n";
  const plain = csv.slice(csv.indexOf("\n") + 1);
  const json = plain
    .trim()
    .split("\n")
    .map((line) => line.split(","))
    .map(
      ([u, i, r, t]) => `{"reviewerID": "${u}", "asin": "${i}", "overall": ${r}, "unixReviewTime": ${t}}\n`,
    )
    .join("");
  const cases: [string, string | Uint8Array, ReadOptions?][] = [
    ["ratings.csv", csv],
    ["crlf.csv", csv.replaceAll("\n", "\r\n")],
    ["no-last-newline.csv", csv.trimEnd()],
    ["blank-lines.csv", csv.replaceAll("\n", "\n\n")],
    ["byte-order-mark.csv", `\ufeff${csv}`],
    ["ratings.csv.gz", gzipSync(csv)],
    ["gzipped-without-saying.csv", gzipSync(csv)],
    ["ratings.tsv", csv.replaceAll(",", "\t")],
    ["semicolons.csv", csv.replaceAll(",", ";")],
    ["ratings.dat", plain.replaceAll(",", "::")],
    ["ratings.dat.gz", gzipSync(plain.replaceAll(",", "::"))],
    ["u.data", plain.replaceAll(",", "\t")],
    ["headerless.csv", plain],
    ["quoted.csv", csv.replace(/\d+/g, '"$&"').replaceAll('"4"."5"', '"4.5"')],
    ["reviews.jsonl", json],
    ["reviews.json.gz", gzipSync(json)],
    ["pipes.txt", csv.replaceAll(",", "|")],
    [
      "other-names.csv",
      csv.replace("userId", "who").replace("movieId", "what"),
      { user: "who", item: "what" },
    ],
    ["named.txt", plain, { columns: ["user", "item", "rating", "time"] }],
    ["mixed-case.csv", csv.replace("userId", "User ID").replace("movieId", "Movie_Id")],
  ];
  it.each(cases)("%s", async (name, content, columns) => {
    expect(await read(file(name, content), columns)).toEqual(expected);
  });

  it("Parquet, with ids as integers and as text", async () => {
    const numbers = join(home, "numbers.parquet");
    const texts = join(home, "texts.parquet");
    await withDatabase(async (database) => {
      const from = `read_csv('${file("for-parquet.csv", csv)}')`;
      await database.run(`COPY (SELECT * FROM ${from}) TO '${numbers}' (FORMAT parquet)`);
      await database.run(
        `COPY (SELECT userId::VARCHAR AS user, movieId::VARCHAR AS item, rating, to_timestamp("timestamp")::TIMESTAMP AS time FROM ${from})
         TO '${texts}' (FORMAT parquet)`,
      );
    });
    expect(await read(numbers)).toEqual(expected);
    expect(await read(texts)).toEqual(expected);
  });

  it("several files as one, in the order given", async () => {
    const [first, second] = [file("a.csv", "user,item\n1,5\n"), file("b.tsv", "item\tuser\n6\t1\n5\t0\n")];
    expect(await read([first, second])).toEqual(["1 5", "1 6", "0 5"]);
    expect(await read([second, first])).toEqual(["1 6", "0 5", "1 5"]);
  });

  it("files whose names look like patterns or partitions", async () => {
    mkdirSync(join(home, "year=2020"));
    for (const name of ["a[1].csv", "what?.csv", "s*r.csv", "it's.csv", "year=2020/x.csv"]) {
      expect(await read(file(name, csv))).toEqual(expected);
      // Quoted, so that DuckDB reads it.
      expect(await read(file(name, csv.replace("10,3", '"10",3')))).toEqual(expected);
    }
  });

  it("dates as seconds since 1970", async () => {
    const path = file("dates.csv", "user,item,date\n1,1,1970-01-02\n1,2,2005-09-06 00:00:10\n");
    expect(await read(path)).toEqual(["1 1 86400", "1 2 1125964810"]);
  });

  it("rows with a rating of at least the minimum, and counts the others", async () => {
    const path = file("minimum.csv", csv);
    expect(await read(path, {}, 3)).toEqual(expected.filter((row) => !row.startsWith("9 20")));
    expect((await readInteractions([path], { minRating: 4 })).sourceRows).toBe(4);
  });

  it("without a time column or ratings that are ignored", async () => {
    expect(await read(file("ignored.csv", csv), { rating: false, time: false })).toEqual([
      "10 3",
      "9 20",
      "10 20",
      "9 3",
    ]);
  });
});

describe("ids", () => {
  it("that are integers sort as numbers", async () => {
    const { users, items } = await readInteractions([file("i.csv", "user,item\n10,7\n9,100\n2,9\n")], {});
    expect(users.ids).toEqual(["2", "9", "10"]);
    expect(items.ids).toEqual(["7", "9", "100"]);
  });

  it("that are integers beyond 32 bits, or negative, sort as numbers too", async () => {
    const path = file("large.csv", "user,item\n5000000000,-7\n9,100\n10,-70\n");
    const { users, items } = await readInteractions([path], {});
    expect(users.ids).toEqual(["9", "10", "5000000000"]);
    expect(items.ids).toEqual(["-70", "-7", "100"]);
  });

  it("that are sparse integers", async () => {
    const path = file("sparse.csv", "user,item\n4000000000,1\n3,4000000001\n4000000000,4000000001\n");
    expect(await read(path)).toEqual(["4000000000 1", "3 4000000001", "4000000000 4000000001"]);
  });

  it("stay unchanged: leading zeros, letters, spaces, other alphabets, sorted by code point", async () => {
    const path = file("text.csv", "user,item\n007,b\n7,B\n7.0,é\n 7,😀\n7,\uff5e\n");
    const { users, items } = await readInteractions([path], {});
    expect(users.ids).toEqual([" 7", "007", "7", "7.0"]);
    expect(items.ids).toEqual(["B", "b", "é", "\uff5e", "😀"]);
    expect(await read(path)).toEqual(["007 b", "7 B", "7.0 é", " 7 😀", "7 \uff5e"]);
  });

  it("that turn out not to be integers after a million rows", async () => {
    const rows = Array.from({ length: 200_000 }, (_, row) => `${row % 1000},${row % 77}\n`).join("");
    const path = file("late.csv", `user,item\n${rows}x,5\n`);
    const { users, userOf } = await readInteractions([path], {});
    expect(users.size).toBe(1001);
    expect(users.ids[userOf[200_000]]).toBe("x");
    expect(users.ids[userOf[1234]]).toBe("234");
  });
});

const randomRows = (count: number) =>
  Array.from(
    { length: count },
    () => `${Math.trunc(1e9 * Math.random())},${Math.trunc(1e9 * Math.random())}\n`,
  ).join("");
const randomJson = (count: number) => randomRows(count).replace(/^(\d+),(\d+)$/gm, '{"user":$1,"item":$2}');

describe("refuses with file and line", () => {
  const cases: [string, string | Uint8Array, RegExp, number?, ReadOptions?][] = [
    ["empty.csv", "", /empty\.csv: the file is empty/],
    ["empty.csv.gz", gzipSync(""), /empty\.csv\.gz: the file is empty/],
    ["header-only.csv", "user,item,rating\n", /header-only\.csv: the file has no rows/],
    ["no-user.csv", "a,item,rating\n1,2,3\n", /no-user\.csv: no user column found.*a, item, rating.*--user/],
    ["no-item.csv", "user,x\n1,2\n", /no-item\.csv: no item column found.*user, x.*--item/],
    ["no-rating.csv", "user,item\n1,2\n", /no-rating\.csv: no rating column found/, 4],
    [
      "no-such.csv",
      "user,item\n1,2\n",
      /there is no column "watched".*user, item/,
      undefined,
      { item: "watched" },
    ],
    [
      "text.csv",
      "user,item,rating\n1,2,3\n1,3,good\n",
      /text\.csv:3: "good" in the column "rating" is not a number/,
    ],
    ["text.dat", "1::2::3::1\n1::3::4::2\n1::4::bad::3\n", /text\.dat:3: "bad" in the column "rating"/],
    ["text-ids.csv", "user,item,rating\na,b,3\na,c,good\n", /text-ids\.csv:3: "good" in the column "rating"/],
    ["gap.csv", "user,item,rating\n1,2,3\n1,3,\n", /gap\.csv:3: there is no value in the column "rating"/],
    ["nan.csv", "user,item,rating\n1,2,nan\n", /nan\.csv:2: "nan" in the column "rating" is not a number/],
    [
      "short.csv",
      "user,item,rating\n1,2,3\n1,3\n1,4,5\n",
      /short\.csv:3: the row has 2 columns \(expected 3/,
    ],
    [
      "long.csv",
      "user,item,rating\n1,2,3\n1,3,4,5\n1,4,5\n",
      /long\.csv:3: the row has 4 columns \(expected 3/,
    ],
    ["short.dat", "1::2::3\n1::2\n", /short\.dat:2: the row has 2 columns/],
    ["no-id.csv", "user,item,rating\n1,2,3\n,3,4\n", /no-id\.csv:3: there is no value in the column "user"/],
    [
      "no-text-id.csv",
      "user,item,rating\nx,2,3\nx,,4\n",
      /no-text-id\.csv:3: there is no value in the column "item"/,
    ],
    ["quote.csv", 'user,item\n1,"2\n3,4\n', /quote\.csv:2: a quotation mark/],
    ["low.csv", "user,item,rating\n1,2,3\n", /low\.csv: none of the 1 rows has a rating of at least 4/, 4],
    ["bad.jsonl", '{"user":1,"item":2}\nnonsense\n', /bad\.jsonl:2: the line is not a JSON object/],
    ["array.json", '[{"user":1,"item":2}]', /array\.json: this is a JSON array/],
    ["bad.parquet", "PAR1 and then nothing", /bad\.parquet: the file cannot be read/],
    [
      "cut.csv.gz",
      gzipSync(`user,item\n${"1,2\n".repeat(5_000)}`).subarray(0, -9),
      /cut\.csv\.gz: the gzip data is damaged/,
    ],
    [
      "cut.jsonl.gz",
      gzipSync(randomJson(40_000)).subarray(0, -9),
      /cut\.jsonl\.gz: the gzip data is damaged/,
    ],
    [
      "long-cut.csv.gz",
      gzipSync(`user,item\n${randomRows(200_000)}`).subarray(0, -9),
      /the gzip data is damaged/,
    ],
    ["twice.csv", "user,user,item\n1,2,3\n", /twice\.csv:1: two columns have the name "user"/],
  ];
  it.each(cases)("%s", async (name, content, message, minRating, columns) => {
    const path = file(name, content);
    const failing = readInteractions([path], { columns, minRating });
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
    await failing.catch((error: Error) => expect(error.message).not.toContain("\n"));
  });

  it("a missing file, and a folder", async () => {
    await expect(read(join(home, "nowhere.csv"))).rejects.toThrow(/nowhere\.csv: there is no such file/);
    await expect(read(home)).rejects.toThrow(/a file in a folder of Parquet parts is not named \.parquet/);
  });

  it("the second of two files, by its own lines", async () => {
    const paths = [
      file("one.csv", "user,item,rating\n1,1,1\n1,2,1\n"),
      file("two.csv", "user,item,rating\n1,x,1\n1,2,y\n"),
    ];
    await expect(read(paths)).rejects.toThrow(/two\.csv:3: "y"/);
  });
});

it("stops when the signal is aborted", async () => {
  const rows = Array.from({ length: 300_000 }, (_, row) => `${row % 1000},${row % 77}\n`).join("");
  const stop = new AbortController();
  const reading = readInteractions([file("long-work.csv", `user,item\n${rows}`)], {
    signal: stop.signal,
    progress: () => stop.abort(),
  });
  await expect(reading).rejects.toThrow(AbortedError);
});

describe("items", () => {
  const of = async (path: string) => Object.fromEntries((await readItems({ file: path })).byId);

  it("from latin-1 :: files, with quotation marks and commas in titles", async () => {
    const text =
      '1::Toy Story (1995)::Animation|Comedy\n73::Misérables, Les (1995)::Drama\n9::"Q" & A::Drama\n';
    expect(await of(file("movies.dat", Buffer.from(text, "latin1")))).toEqual({
      1: ["Toy Story (1995)", "Animation|Comedy"],
      73: ["Misérables, Les (1995)", "Drama"],
      9: ['"Q" & A', "Drama"],
    });
  });

  it("from CSV with quoted titles, found by name", async () => {
    const path = file("movies.csv", 'genres,movieId,title\nDrama,5,"American President, The ""X"" (1995)"\n');
    const table = await readItems({ file: path });
    expect(table.columns).toEqual(["title", "genres"]);
    expect(table.byId.get("5")).toEqual(['American President, The "X" (1995)', "Drama"]);
  });

  it("from ml-100k's pipes", async () => {
    const path = file("u.item", Buffer.from("1|Toy Story (1995)|01-Jan-1995||0|1\n2|Été|||1|0\n", "latin1"));
    expect((await of(path))["2"][0]).toBe("Été");
    expect((await of(path))["1"][0]).toBe("Toy Story (1995)");
  });

  it("from latin-1 bytes late in a large file", async () => {
    const rows = Array.from(
      { length: 20_000 },
      (_, row) => `${row}::Film ${row} with some more words::Drama\n`,
    );
    const path = file("many.dat", Buffer.from(`${rows.join("")}99999::Amélie::Drama\n`, "latin1"));
    expect((await readItems({ file: path })).byId.get("99999")?.[0]).toBe("Amélie");
  });
});
