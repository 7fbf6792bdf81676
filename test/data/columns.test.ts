import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReadOptions, usualNames } from "../../src/data/columns.js";
import { withDatabase } from "../../src/data/database.js";
import type { Interactions } from "../../src/data/interactions.js";
import { readInteractions } from "../../src/data/read.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

let folders = 0;
function file(name: string, content: string): string {
  const path = join(home, String(folders++), name);
  mkdirSync(dirname(path));
  writeFileSync(path, content);
  return path;
}

/** Reads files; returns the notes about their columns, without folders, and the rows as "user item rating time". */
async function read(paths: string | string[], columns: ReadOptions = {}, minRating?: number) {
  const notes: string[] = [];
  const interactions: Interactions = await readInteractions([paths].flat(), {
    columns,
    minRating,
    progress: (event) => event.type === "note" && notes.push(event.text.replace(/\S*\//g, "")),
  });
  const { users, items, userOf, itemOf, ratingOf, timeOf } = interactions;
  const rows = Array.from(userOf, (user, row) =>
    [users.ids[user], items.ids[itemOf[row]], ratingOf?.[row] ?? "-", timeOf?.[row] ?? "-"].join(" "),
  );
  return { notes, rows, interactions };
}

describe("a file without a header", () => {
  const said = (roles: string) => [`x.csv: no header; ${roles}`];
  const name = "(name columns with --columns)";
  it.each<[string, string[], string, string]>([
    ["user, item", ["1,2", "3,4"], "user = column 1, item = column 2; no rating, no time", "1 2 - -"],
    [
      "a rating",
      ["1,2,4.5", "3,4,5"],
      "user = column 1, item = column 2, rating = column 3; no time",
      "1 2 4.5 -",
    ],
    [
      "a rating with a decimal comma",
      ["1;2;4,5", "3;4;5,0"],
      "user = column 1, item = column 2, rating = column 3; no time",
      "1 2 4.5 -",
    ],
    [
      "rating and time",
      ["1,2,4.5,1700000000", "3,4,5,1700000001"],
      "user = column 1, item = column 2, rating = column 3, time = column 4",
      "1 2 4.5 1700000000",
    ],
    [
      "rating and a time in its own unit",
      ["1,2,4,10", "3,4,5,11"],
      "user = column 1, item = column 2, rating = column 3, time = column 4",
      "1 2 4 10",
    ],
    [
      "time, then rating",
      ["1,2,1700000000,4", "3,4,1700000001,5"],
      "user = column 1, item = column 2, rating = column 4, time = column 3",
      "1 2 4 1700000000",
    ],
    [
      "a time alone",
      ["1,2,1700000000", "3,4,1700000001"],
      "user = column 1, item = column 2, time = column 3; no rating",
      "1 2 - 1700000000",
    ],
    [
      "a date alone",
      ["1,2,2024-03-10", "3,4,2024-03-11"],
      "user = column 1, item = column 2, time = column 3; no rating",
      "1 2 - 1710028800",
    ],
    [
      "Taobao's category and behaviour",
      ["1,2268318,2520377,pv,1511544070", "1,2333346,2520771,buy,1511561733"],
      `user = column 1, item = column 2, time = column 5; no rating; not used: column 3, column 4 ${name}`,
      "1 2268318 - 1511544070",
    ],
    [
      "a category among the first columns",
      ["1,7,3,1511544070,pv,x", "1,8,4,1511561733,buy,y"],
      `user = column 1, item = column 2, rating = column 3, time = column 4; not used: column 5, column 6 ${name}`,
      "1 7 3 1511544070",
    ],
    [
      "YooChoose's session, time, item and category",
      ["1,2014-04-07T10:51:09.277Z,214536502,0", "1,2014-04-07T10:54:09.868Z,214536500,0"],
      "user = column 1, item = column 3, rating = column 4, time = column 2",
      "1 214536502 0 1396867869.277",
    ],
    [
      "Steam's game, behaviour and hours",
      ["5250,Team Fortress,purchase,1.0,0", "5250,Portal,play,13.6,0"],
      `user = column 1, item = column 2; no rating, no time; not used: column 3, column 4, column 5 ${name}`,
      "5250 Team Fortress - -",
    ],
    [
      "an event in words",
      ["1,2,view", "3,4,buy"],
      `user = column 1, item = column 2; no rating, no time; not used: column 3 ${name}`,
      "1 2 - -",
    ],
  ])("%s", async (_, lines, roles, first) => {
    const { notes, rows } = await read(file("x.csv", `${lines.join("\n")}\n`));
    expect(notes).toEqual(said(roles));
    expect(rows[0]).toBe(first);
  });

  it("can begin with an item that has the name of a column", async () => {
    const { rows, notes } = await read(file("x.csv", "7,song,5\n8,artist,4\n"));
    expect(rows).toEqual(["7 song 5 -", "8 artist 4 -"]);
    expect(notes[0]).toContain("no header");
    await expect(read(file("x.csv", "ann,bread\nbob,milk\n"))).rejects.toThrow(
      /no user column found .*ann, bread.*--no-header if the first line is a row/,
    );
    expect((await read(file("x.csv", "ann,bread\nbob,milk\n"), { header: false })).rows).toHaveLength(2);
  });

  it("is rejected if its fourth column is an unreadable date, instead of being read without times", async () => {
    const path = file("x.csv", "1,2,5,18.07.2018\n3,4,5,19.07.2018\n");
    await expect(read(path)).rejects.toThrow(/x\.csv:1: "18\.07\.2018" in the column "time" is not a time/);
  });

  it("can have its columns named by their numbers, and all of them with --columns", async () => {
    const path = file("x.csv", "a,1,9,b,1700000000\nc,2,8,d,1700000001\n");
    const numbered = await read(path, { user: "column4", rating: "column3" });
    expect(numbered.notes).toEqual([
      "x.csv: no header; user = column 4, item = column 1, rating = column 3, time = column 5; " +
        `not used: column 2 ${name}`,
    ]);
    expect(numbered.rows[0]).toBe("b a 9 1700000000");
    const named = await read(path, { columns: ["item", "x", "rating", "user", "time"] });
    expect(named.rows[0]).toBe("b a 9 1700000000");
  });
});

it("reports the columns found in a header, once for all files with the same columns", async () => {
  const header = "userId,movieId,rating,when\n1,2,3,4\n";
  const [one, two, three, four] = [1, 2, 3, 4].map((n) => file(`${n}.csv`, header));
  const text = 'user = "userId", item = "movieId", rating = "rating"; no time';
  expect((await read(one)).notes).toEqual([`1.csv: ${text}`]);
  expect((await read([one, two, three])).notes).toEqual([`1.csv, 2.csv, 3.csv: ${text}`]);
  expect((await read([one, two, three, four])).notes).toEqual([`1.csv, 2.csv and 2 more: ${text}`]);
  expect((await read(one, { rating: false, time: "when" })).notes).toEqual([
    '1.csv: user = "userId", item = "movieId", time = "when"',
  ]);
});

describe("the usual names", () => {
  it.each<[string, string, string]>([
    ["Book-Crossing", "User-ID;ISBN;Book-Rating", "1;0155061224;5"],
    ["Goodreads", "user_id,book_id,rating", "1,2,5"],
    ["Amazon reviews", "reviewerID,asin,overall,unixReviewTime", "1,2,5,1700000000"],
    ["Amazon reviews 2023", "rating,parent_asin,user_id,timestamp", "5,2,1,1700000000"],
    ["Yelp", "review_id,user_id,business_id,stars,date", "x,1,2,5,2018-07-07 22:09:11"],
    ["Last.fm", "userID\tartistID\tweight", "1\t2\t5"],
    ["MyAnimeList", "user_id,anime_id,rating", "1,2,5"],
    ["Food.com", "user_id,recipe_id,date,rating,review", "1,2,2003-02-17,5,good"],
    ["BeerAdvocate", "review_overall,review_time,review_profilename,beer_beerid", "5,1234817823,1,2"],
    ["RetailRocket", "timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,view,2,"],
    ["Google Local", "user_id,time,rating,gmap_id", "1,1609909927056,5,2"],
    ["Jester", "user_id,joke_id,Rating", "1,2,5"],
  ])("of %s", async (_, header, row) => {
    const { rows } = await read(file("x.csv", `${header}\n${row}\n`));
    expect(rows[0]).toMatch(/^1 (2|0155061224) (5|-) /);
    expect(rows[0].includes(" 5 ")).toBe(/rating|stars|overall|weight/i.test(header));
    expect(rows[0].endsWith(" -")).toBe(!/time|date/i.test(header));
  });
});

it("docs/datasets.md lists the usual names, in their order", () => {
  const document = readFileSync(join(import.meta.dirname, "../../docs/datasets.md"), "utf8");
  for (const [role, names] of Object.entries(usualNames)) {
    const [, listed] = new RegExp(`^\\| ${role} +\\| (.*?) *\\|$`, "m").exec(document) ?? [];
    expect(listed?.split(", ")).toEqual([...names]);
  }
});

describe("several files", () => {
  const headed = "item,user,rating\n10,1,5\n11,2,4\n";
  it("a later one without a header has the columns of the first", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const paths = [file("a.csv", headed), file("b.csv", "12,3,3\n13,4,2\n")];
      const { rows, notes } = await read(order.map((place) => paths[place]));
      expect(rows.sort()).toEqual(["1 10 5 -", "2 11 4 -", "3 12 3 -", "4 13 2 -"]);
      expect(notes).toContain(
        "b.csv: no header, columns as in a.csv; user = column 2, item = column 1, rating = column 3; no time",
      );
    }
  });

  it("one without a header and with another number of columns is rejected", async () => {
    const paths = [file("a.csv", headed), file("b.csv", "12,3\n13,4\n")];
    await expect(read(paths)).rejects.toThrow(
      /b\.csv:1: the file has no header and 2 columns \(expected a header, or the 3 columns of .*a\.csv: item, user, rating\)/,
    );
  });

  it("with the same columns in another order are matched by name", async () => {
    const paths = [file("a.csv", headed), file("b.csv", "rating,user,item\n3,3,12\n")];
    expect((await read(paths)).rows).toEqual(["1 10 5 -", "2 11 4 -", "3 12 3 -"]);
  });

  it.each([
    ["rating", "user,item\n3,12\n", /no rating column found, but \S+a\.csv has "rating".*--no-rating/],
    ["time", "user,item,rating\n3,12,1\n", /no time column found, but \S+a\.csv has "date".*--no-time/],
  ] as const)("of which one has no %s are refused, not read without", async (role, second, message) => {
    const first = role === "rating" ? headed : "user,item,rating,date\n1,10,5,2024-01-01\n";
    const paths = [file("a.csv", first), file("b.csv", second)];
    await expect(read(paths)).rejects.toThrow(message);
    expect((await read(paths, { [role]: false })).rows).toHaveLength(role === "rating" ? 3 : 2);
  });
});

describe("a header among the rows", () => {
  const rows = ["1 10 5 -", "2 11 4 -", "3 12 3 -"];
  it.each([
    ["the same", "user_id,item_id,rating\n1,10,5\nuser_id,item_id,rating\n2,11,4\n3,12,3\n"],
    [
      "in capitals, twice, at the end",
      "user_id,item_id,rating\n1,10,5\n2,11,4\n3,12,3\nUSER_ID,ITEM_ID,RATING\nuser_id,item_id,rating\n",
    ],
    [
      "after a byte order mark",
      "\ufeffuser_id,item_id,rating\n1,10,5\n2,11,4\n\ufeffuser_id,item_id,rating\n3,12,3\n",
    ],
    ["quoted", '"user_id","item_id","rating"\n1,10,5\n"user_id","item_id","rating"\n2,11,4\n3,12,3\n'],
    ["in a file that begins without", "1,10,5\n2,11,4\nuserId,movieId,rating\n3,12,3\n"],
  ])("%s, is left out and counted, and ids stay numbers", async (_, content) => {
    const { rows: found, interactions } = await read(file("x.csv", content));
    expect(found).toEqual(rows);
    expect(interactions.users.numeric && interactions.items.numeric).toBe(true);
    const headers = content.split("\n").filter((line) => /item|movie/i.test(line)).length;
    const first = /^\W*u/.test(content) ? 1 : 0;
    expect(interactions.repeatedHeaders).toBe(headers - first);
    expect(interactions.sourceRows).toBe(3 + headers - first);
  });

  it("with the columns in another order is refused with its line", async () => {
    const path = file("x.csv", "user_id,item_id\n1,10\n2,11\nitem_id,user_id\n12,3\n");
    await expect(read(path)).rejects.toThrow(
      /x\.csv:4: the line looks like a different header \(item_id, user_id\)/,
    );
  });

  it("does not shift the lines of later errors", async () => {
    const path = file("x.csv", "user,item,rating\n1,10,5\nuser,item,rating\n2,11,bad\n");
    await expect(read(path)).rejects.toThrow(/x\.csv:4: "bad"/);
  });

  it("a file of headers alone has no rows", async () => {
    await expect(read(file("x.csv", "user,item\nuser,item\n"))).rejects.toThrow(/the file has no rows/);
  });
});

describe("--columns for a file that has a header", () => {
  it.each([
    ["user_id,item_id\n1,2\n", ["user", "item"]],
    ["who,what\n1,2\n3,4\n", ["user", "item"]],
    ["user,item\nu1,i1\n", ["item", "user"]],
  ])("%j is refused", async (content, columns) => {
    await expect(read(file("x.csv", content), { columns })).rejects.toThrow(
      /x\.csv:1: the first line looks like a header .*Omit --columns/,
    );
  });

  it("is accepted for ids that are words, and with --no-header", async () => {
    expect((await read(file("x.csv", "ann,bread\nbob,milk\n"), { columns: ["user", "item"] })).rows).toEqual([
      "ann bread - -",
      "bob milk - -",
    ]);
    const columns = { columns: ["user", "item"], header: false };
    expect((await read(file("x.csv", "who,what\n1,2\n3,4\n"), columns)).rows).toHaveLength(3);
  });
});

describe("a rating is compared with the minimum in its own precision", () => {
  const ratings = [3, 3.1, 3.2, 3.3, 0.1, 4.7];
  it.each(["FLOAT", "DOUBLE", "DECIMAL(3,1)", "DECIMAL(9,4)", "VARCHAR"])("%s", async (type) => {
    const path = join(home, `${type}.parquet`);
    const values = ratings.map((rating, row) => `(${row}, ${row}, ${rating}::${type})`).join(", ");
    await withDatabase((database) =>
      database.copy(`SELECT * FROM (VALUES ${values}) AS t("user", item, rating)`, path),
    );
    for (const least of [...ratings, 3.15, 5]) {
      const expected = ratings.flatMap((rating, row) => (rating >= least ? [row] : []));
      const kept = await read(path, {}, least).then(
        ({ rows }) => rows.map((row) => Number(row.split(" ")[0])),
        () => [],
      );
      expect([least, kept]).toEqual([least, expected]);
    }
  });
});
