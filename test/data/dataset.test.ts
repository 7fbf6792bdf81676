import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, UserError } from "../../src/core/errors.js";
import { withDatabase } from "../../src/data/database.js";
import { loadDataset } from "../../src/data/dataset.js";
import { describeDataset } from "../../src/data/describe.js";
import type { Interaction } from "../../src/data/interactions.js";
import { type Manifest, tableFiles } from "../../src/data/manifest.js";
import { buildDataset, prepareDataset } from "../../src/data/prepare.js";

// 40 users; user u has the items u, u + 1, ... u + 5 (modulo 30), with a rating and a time.
const interactions: Interaction[] = Array.from({ length: 240 }, (_, row) => {
  const user = Math.trunc(row / 6);
  return { user: `u${user}`, item: (user + (row % 6)) % 30, rating: 1 + (row % 5), time: 1000 + row };
});
const titles = Array.from({ length: 30 }, (_, item) => ({
  id: item,
  title: item === 3 ? null : `Item "${item}", the ${item}th`,
  genre: item % 2 === 0 ? "even" : "odd",
}));

let home: string;
let whole: string;
let manifest: Manifest;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
  whole = join(home, "whole");
  manifest = await prepareDataset({ input: interactions, items: titles, out: whole });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("a dataset folder", () => {
  it("loads as the dataset that the same interactions give in memory", async () => {
    const loaded = await loadDataset(whole);
    const built = await buildDataset({ input: interactions, items: titles });
    const times = [await loaded.trainTimes?.(), await built.trainTimes?.()];
    const ratings = await Promise.all(
      [loaded, built].map(async ({ trainRatings }) => await trainRatings?.()),
    );
    expect({ ...loaded, name: "", manifest: 0, trainTimes: times[0], trainRatings: ratings[0] }).toEqual({
      ...{ ...built, name: "", manifest: 0, trainTimes: times[1], trainRatings: ratings[1] },
    });
    const trained = new Map<number, number>();
    for (const { user, rating = 0 } of interactions)
      if (loaded.users.indexOf(String(user)) !== undefined)
        trained.set(Number(rating), (trained.get(Number(rating)) ?? 0) + 1);
    expect(ratings[0]).toEqual(trained);
    expect(loaded.manifest?.counts).toEqual(built.manifest?.counts);
    expect(loaded.users.size).toBe(32);
    expect(loaded.train.values).toBeUndefined();
  });

  it("loads with the source's ratings as values", async () => {
    const { train, users, items, test } = await loadDataset(whole, { values: true });
    const ratingOf = new Map(interactions.map(({ user, item, rating }) => [`${user} ${item}`, rating]));
    expect(train.values?.length).toBe(train.indices.length);
    for (const { matrix, ids } of [
      { matrix: train, ids: users.ids },
      { matrix: test.heldOut, ids: test.users.ids },
    ])
      for (let row = 0; row < matrix.rows; row++)
        for (let k = matrix.offsets[row]; k < matrix.offsets[row + 1]; k++)
          expect(matrix.values?.[k]).toBe(ratingOf.get(`${ids[row]} ${items.ids[matrix.indices[k]]}`));
  });

  it("provides the times of the training interactions, entry by entry", async () => {
    const { train, trainTimes, users, items } = await loadDataset(whole);
    const timeOf = new Map(interactions.map(({ user, item, time }) => [`${user} ${item}`, time]));
    const times = await trainTimes?.();
    expect(times).toHaveLength(train.indices.length);
    for (let row = 0; row < train.rows; row++)
      for (let k = train.offsets[row]; k < train.offsets[row + 1]; k++)
        expect(times?.[k]).toBe(timeOf.get(`${users.ids[row]} ${items.ids[train.indices[k]]}`));
    const untimed = await buildDataset({ input: interactions.map(({ user, item }) => ({ user, item })) });
    expect(untimed.trainTimes).toBeUndefined();
  });

  it("has the documented tables, which any program can read", async () => {
    const describeTable = (file: string) =>
      withDatabase(async (database) => {
        const rows = await database.rows(
          `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('${join(whole, file)}'))`,
        );
        return Object.fromEntries(rows);
      });
    expect(await describeTable("items.parquet")).toEqual({
      index: "UINTEGER",
      id: "BIGINT",
      title: "VARCHAR",
      genre: "VARCHAR",
    });
    expect(await describeTable("users.parquet")).toEqual({
      index: "UINTEGER",
      id: "VARCHAR",
      split: "VARCHAR",
    });
    const rows = { user: "UINTEGER", item: "UINTEGER", value: "FLOAT", time: "BIGINT" };
    expect(await describeTable("train.parquet")).toEqual(rows);
    expect(await describeTable("test.parquet")).toEqual({ ...rows, role: "VARCHAR" });
  });

  it("keeps titles, including missing ones and those with quotation marks", async () => {
    const { items } = await loadDataset(whole);
    expect(items.titleOf(items.indexOf("4") as number)).toBe('Item "4", the 4th');
    expect(items.titles?.[items.indexOf("3") as number]).toBeNull();
    expect(items.titleOf(items.indexOf("3") as number)).toBe("3");
  });

  it("is the same byte for byte when prepared again", async () => {
    await prepareDataset({ input: interactions, items: titles, out: join(home, "again"), name: "whole" });
    for (const file of readdirSync(whole))
      expect(readFileSync(join(home, "again", file)).equals(readFileSync(join(whole, file))), file).toBe(
        true,
      );
  });

  it("is described with every count", async () => {
    const description = await describeDataset(whole);
    const { counts } = manifest;
    expect(description).toMatchObject({
      users: 32,
      items: 30,
      interactions: 192,
      density: 192 / (32 * 30),
      filteredDensity: 240 / (40 * 30),
      historyHistogram: [{ from: 5, to: 9, count: 32 }],
      historyLengths: { min: 6, median: 6, mean: 6, max: 6 },
      titledItems: 29,
      sourceRows: 240,
      validation: { users: 4, judgedUsers: 4, heldOut: counts.validation.heldOut },
      test: { users: 4, judgedUsers: 4, heldOut: counts.test.heldOut },
    });
    // 6 items a user: int(.2 * 6) = 1 of them is held out.
    expect(counts.validation).toMatchObject({ foldIn: 20, heldOut: 4 });
    expect(description.popularity.at(-1)).toEqual({ itemShare: 1, items: 30, interactionShare: 1 });
    expect(JSON.parse(JSON.stringify(description))).toMatchObject({ protocol: { protocol: "strong" } });
  });
});

describe("popularity curve and lengths, worked by hand", () => {
  it("of ten items with 10, 5, 2, 1, 1, 1 interactions and four with none", async () => {
    const perItem = [10, 5, 2, 1, 1, 1];
    const input = perItem.flatMap((times, item) =>
      Array.from({ length: times }, (_, user) => ({ user, item })),
    );
    const records = Array.from({ length: 10 }, (_, id) => ({ id }));
    const dataset = await buildDataset({
      input,
      items: records,
      options: { validationUsers: 0, testUsers: 0, minUser: 0, items: "catalogue" },
    });
    const { popularity, historyLengths, itemCounts } = await describeDataset(dataset);
    const at = (share: number) => popularity.find(({ itemShare }) => itemShare === share)?.interactionShare;
    expect([at(0.01), at(0.1), at(0.2), at(0.5), at(1)]).toEqual([0.5, 0.5, 0.75, 0.95, 1]);
    // User 0 has all six items, user 1 three, users 2 to 4 two, users 5 to 9 one.
    expect(historyLengths).toEqual({ min: 1, median: 1.5, mean: 2, max: 6 });
    expect(itemCounts).toEqual({ min: 0, median: 1, mean: 2, max: 10 });
  });
});

describe("a folder that is damaged is refused in one line that names the file", () => {
  let copy: string;
  beforeEach(() => {
    copy = join(mkdtempSync(join(home, "copy-")), "dataset");
    cpSync(whole, copy, { recursive: true });
  });
  const expectRefusal = async (message: RegExp) => {
    const failing = loadDataset(copy);
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
    await failing.catch((error: Error) => expect(error.message).not.toContain("\n"));
  };

  it.each(tableFiles)("%s with a changed byte, cut short, or missing", async (file) => {
    const path = join(copy, file);
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed[bytes.length >> 1] ^= 1;
    writeFileSync(path, changed);
    await expectRefusal(new RegExp(`${file}: the file is damaged`));
    writeFileSync(path, bytes.subarray(0, -1));
    await expectRefusal(new RegExp(`${file}: the file is damaged`));
    rmSync(path);
    await expectRefusal(new RegExp(`${file}: there is no such file`));
  });

  const edit = (change: (manifest: Record<string, unknown>) => void) => {
    const path = join(copy, "manifest.json");
    const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    change(json);
    writeFileSync(path, JSON.stringify(json));
  };

  it("a newer format", async () => {
    edit((json) => {
      json.formatVersion = 3;
      json.tables = "elsewhere";
    });
    await expectRefusal(/manifest\.json: the folder has format version 3 \(expected at most 2\)/);
  });

  it("a manifest without counts, one that is not JSON, and a missing one", async () => {
    edit((json) => delete json.counts);
    await expectRefusal(/manifest\.json: this is not a dataset manifest: counts/);
    writeFileSync(join(copy, "manifest.json"), "{ half");
    await expectRefusal(/manifest\.json: is not JSON/);
    rmSync(join(copy, "manifest.json"));
    await expectRefusal(/manifest\.json: there is no such file.*foldin prepare/);
  });
});

describe("prepareDataset leaves nothing behind", () => {
  const folder = () => mkdtempSync(join(home, "empty-"));

  it("if the input is not valid", async () => {
    const place = folder();
    const bad = [...interactions, { user: "", item: 1 }];
    await expect(prepareDataset({ input: bad, out: join(place, "x") })).rejects.toThrow(
      /interaction 241: the user/,
    );
    expect(readdirSync(place)).toEqual([]);
  });

  it("if it is stopped while writing", async () => {
    const place = folder();
    const stop = new AbortController();
    const preparing = prepareDataset({
      input: interactions,
      out: join(place, "x"),
      signal: stop.signal,
      progress: (event) => {
        if (event.type === "advance" && event.task.startsWith("writing")) stop.abort();
      },
    });
    await expect(preparing).rejects.toThrow(AbortedError);
    expect(readdirSync(place)).toEqual([]);
  });

  it("and rejects an existing folder before it reads anything", async () => {
    const failing = prepareDataset({ input: "no-such-file.csv", out: whole });
    await expect(failing).rejects.toThrow(/whole: the folder already exists.*--force/);
  });
});

describe("rejects what cannot be prepared", () => {
  const cases: [string, Parameters<typeof buildDataset>[0], RegExp][] = [
    ["no interactions", { input: [] }, /there are no interactions/],
    [
      "a filter that drops everything",
      { input: interactions, options: { minUser: 7 } },
      /none of 240 interactions remains after filtering with minUser 7.*Lower/,
    ],
    [
      "more held-out users than users",
      { input: interactions, options: { testUsers: 100 } },
      /cannot hold out 4 \+ 100 users: only 40 remain/,
    ],
    [
      "a rating that is not a number",
      { input: [{ user: 1, item: 2, rating: Number.NaN }] },
      /interaction 1: the rating is NaN/,
    ],
    [
      "ratings in some interactions only",
      { input: [...interactions, { user: 1, item: 2 }] },
      /1 of 241 interactions have no rating/,
    ],
    [
      "no rating, although a minimum is set",
      { input: [{ user: 1, item: 2 }], options: { minRating: 3 } },
      /interaction 1: the rating is missing/,
    ],
    [
      "no times, where the protocol needs them",
      { input: interactions.map(({ user, item }) => ({ user, item })), options: { protocol: "temporal" } },
      /protocol temporal: the source has no time.*--time/,
    ],
    [
      "an option out of range",
      { input: interactions, options: { heldOutShare: 1.5 } },
      /option heldOutShare: 1\.5 is not valid \(expected <1\)/,
    ],
  ];
  it.each(cases)("%s", async (_, options, message) => {
    const failing = buildDataset(options);
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
  });
});
