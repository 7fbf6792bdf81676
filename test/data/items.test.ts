import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import type { ItemFile, ItemRecord } from "../../src/data/items.js";
import { buildDataset } from "../../src/data/prepare.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const ids = Array.from({ length: 24 }, (_, k) => 101 + k);
const interactions = (idOf: (id: number) => string = String) =>
  Array.from({ length: 480 }, (_, k) => ({
    user: Math.floor(k / 8),
    item: idOf(ids[(Math.floor(k / 8) * 5 + (k % 8) * 3) % 24]),
  }));

/** A dataset with an item file: its titles, the items in its manifest, and the warnings. */
async function titled(content: string, options: Omit<ItemFile, "file"> = {}, idOf?: (id: number) => string) {
  const file = join(home, "items.csv");
  writeFileSync(file, content);
  const warnings: string[] = [];
  const { items, manifest } = await buildDataset({
    input: interactions(idOf),
    items: { file, ...options },
    progress: (event) => event.type === "note" && warnings.push(event.text.replace(`${home}/`, "")),
  });
  const titles = items.ids.flatMap((id, index) =>
    items.titles?.[index] ? [`${id} ${items.titles[index]}`] : [],
  );
  return { titles: titles.sort(), items: manifest?.items, warnings };
}
const all = ids.map((id) => `${id} Film ${id}`);
const rows = (line: (id: number) => string) => `${ids.map(line).join("\n")}\n`;

describe("the items' file", () => {
  it("gives titles, and the manifest counts them", async () => {
    expect(await titled(`movieId,title\n${rows((id) => `${id},Film ${id}`)}`)).toEqual({
      titles: all,
      items: { file: "items.csv", id: "movieId", title: "title", rows: 24, matched: 24, titled: 24 },
      warnings: [],
    });
  });

  it("can have blanks around ids and titles, like the interactions", async () => {
    const content = `movieId, title\n${rows((id) => ` ${id} , Film ${id} `)}`;
    expect((await titled(content)).titles).toEqual(all);
    const { titles } = await titled(content, {}, (id) => ` ${id}`);
    expect(titles).toEqual(all.map((line) => ` ${line}`));
  });

  it.each<[string, (id: number) => string]>([
    ["tt101", (id) => `tt${id}`],
    ["0000101", (id) => String(id).padStart(7, "0")],
    ["101.0", (id) => `${id}.0`],
  ])("with ids such as %s matches nothing, and the warning shows an id of each file", async (shown, idOf) => {
    const { titles, items, warnings } = await titled(
      `movieId,title\n${rows((id) => `${idOf(id)},Film ${id}`)}`,
    );
    expect(titles).toEqual([]);
    expect(items).toMatchObject({ rows: 24, matched: 0, titled: 0 });
    expect(warnings).toEqual([
      `warning: none of 24 items has a title in items.csv: its ids (column "movieId") look like ${shown}, the ids of the interactions like 101. Check the file, or choose another column with --item-id`,
    ]);
  });

  it("with a few of the items causes a warning too", async () => {
    const { items, warnings } = await titled(`id,title\n101,Film 101\n102,Film 102\nx3,Film 103\n`);
    expect(items).toMatchObject({ matched: 2, titled: 2 });
    expect(warnings).toEqual([
      'warning: only 2 of 24 items have a title in items.csv: its ids (column "id") look like x3, the ids of the interactions like 103. Check the file, or choose another column with --item-id',
    ]);
  });

  it("without any title causes a warning", async () => {
    const { warnings } = await titled(`id,title\n${rows((id) => `${id},`)}`);
    expect(warnings).toEqual(['warning: no item has a title in items.csv: the column "title" is empty']);
  });

  it.each([
    ["id,book_id,title", (id: number) => `${id},${900_000 + id},Film ${id}`, "id"],
    ["id,book_id,title", (id: number) => `${900_000 + id},${id},Film ${id}`, "book_id"],
    ["index,work_id,title", (id: number) => `${id % 7},${id},Film ${id}`, "work_id"],
    ["movieId,imdbId,title", (id: number) => `${id},${id},Film ${id}`, "movieId"],
  ] as const)("%s: the column of ids is the one that fits", async (header, line, id) => {
    const { titles, items } = await titled(`${header}\n${rows(line)}`);
    expect([titles, items?.id]).toEqual([all, id]);
  });

  it("is read by the named column, whether it matches or not", async () => {
    const content = `id,book_id,title\n${rows((id) => `${id},${900_000 + id},Film ${id}`)}`;
    expect(await titled(content, { id: "book_id" })).toMatchObject({ titles: [], items: { id: "book_id" } });
    await expect(titled(content, { id: "isbn" })).rejects.toThrow(/there is no column "isbn"/);
  });

  it("can repeat its header", async () => {
    const file = join(home, "again.csv");
    writeFileSync(file, `movieId,title\n${rows((id) => `${id},Film ${id}`)}movieId,title\n500,New\n`);
    const dataset = await buildDataset({
      input: interactions(),
      items: file,
      options: { items: "catalogue" },
    });
    expect(dataset.items.size).toBe(25);
    expect(dataset.manifest?.items).toMatchObject({ rows: 25, matched: 25, titled: 25 });
  });
});

describe("records of items", () => {
  it.each<[string, unknown, RegExp]>([
    [
      "without an id",
      [{ itemId: 1, title: "x" }],
      /item record 1: the id is missing \(expected non-empty text/,
    ],
    ["with an empty id", [{ id: 1 }, { id: "" }], /item record 2: the id is ""/],
    ["with half an id", [{ id: 1.5 }], /item record 1: the id is 1\.5/],
    ["that are null", [null], /item record 1: it is null/],
    [
      "with an object for a title",
      [{ id: 1, title: { en: "x" } }],
      /item record 1: its title is \{ en: 'x' \}/,
    ],
    ["that are a number", 5, /the items are 5/],
  ])("%s are refused", async (_, items, message) => {
    const failing = buildDataset({ input: interactions(), items: items as ItemRecord[] });
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
  });

  it("that match nothing cause a warning", async () => {
    const warnings: string[] = [];
    const dataset = await buildDataset({
      input: interactions(),
      items: [{ id: 1, title: "x" }],
      progress: (event) => event.type === "note" && warnings.push(event.text),
    });
    expect(warnings).toEqual([
      "warning: none of 24 items has a title in the item records: its ids look like 1, the ids of the interactions like 101",
    ]);
    expect(dataset.manifest?.items).toEqual({ id: "id", title: "title", rows: 1, matched: 0, titled: 0 });
  });

  it("can have a BigInt as id", async () => {
    const dataset = await buildDataset({
      input: interactions(),
      items: ids.map((id) => ({ id: BigInt(id), title: `Film ${id}` })),
    });
    expect(dataset.manifest?.items?.titled).toBe(24);
  });
});

describe("ids of interactions in TypeScript", () => {
  const build = (id: unknown) =>
    buildDataset({ input: [...interactions(), { user: id, item: "1" } as never] });

  it("can be BigInts, which are the same as their digits", async () => {
    const rows = (id: (value: number) => number | bigint | string) =>
      interactions().map(({ user, item }) => ({ user: id(user), item: id(Number(item)) }));
    const [one, other] = await Promise.all([BigInt, String].map((id) => buildDataset({ input: rows(id) })));
    expect([other.items.ids, other.users.ids, other.train]).toEqual([
      one.items.ids,
      one.users.ids,
      one.train,
    ]);
    const large = 2n ** 63n + 1n;
    const { items } = await buildDataset({
      input: rows((value) => (value === 101 ? large : BigInt(value))),
    });
    expect(items.ids).toContain("9223372036854775809");
  });

  it.each<[unknown, string]>([
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [-0, "-0"],
    [1.5, "1.5"],
    [2 ** 53, "9007199254740992"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [Symbol("x"), "Symbol(x)"],
    [Object.create(null), "[Object: null prototype] {}"],
    [{ $oid: "5" }, "{ '$oid': '5' }"],
    [["1"], "[ '1' ]"],
    [undefined, "undefined"],
    [null, "null"],
    ["", '""'],
    [true, "true"],
  ])("are refused clearly: %s", async (id, shown) => {
    await expect(build(id)).rejects.toThrow(
      `interaction 481: the user is ${shown} (expected non-empty text, or a whole number below 2^53; larger numbers as text or BigInt)`,
    );
  });

  it("values that are not interactions, or not an input at all, are rejected", async () => {
    const refused = (input: unknown, message: RegExp) =>
      expect(buildDataset({ input: input as never })).rejects.toThrow(message);
    await refused([null], /interaction 1: it is null \(expected an object with user and item\)/);
    await refused([7], /interaction 1: it is 7/);
    await refused(null, /the input is null/);
    await refused(7, /the input is 7/);
  });

  it("times and ratings can be BigInts or null", async () => {
    const { manifest } = await buildDataset({
      input: interactions().map((row, k) => ({ ...row, rating: 3n, time: k === 0 ? null : 1_700_000_000n })),
    });
    expect(manifest).toMatchObject({ columns: { value: true, time: true }, times: { missing: 1 } });
    const unrated = await buildDataset({ input: interactions().map((row) => ({ ...row, rating: null })) });
    expect(unrated.manifest?.columns.value).toBe(false);
  });
});
