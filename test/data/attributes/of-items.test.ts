// Attributes from an items file or records to the dataset folder and back, and to the model folder.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { valuesOf } from "../../../src/data/attributes/attributes.js";
import { withDatabase } from "../../../src/data/database.js";
import { loadDataset } from "../../../src/data/dataset.js";
import type { ItemRecord } from "../../../src/data/items.js";
import { buildDataset, prepareDataset } from "../../../src/data/prepare.js";
import type { Vocabulary } from "../../../src/data/vocabulary.js";
import { addItems } from "../../../src/experiments/add-items.js";
import { train } from "../../../src/experiments/train.js";
import { loadRecommender } from "../../../src/serving/load.js";
import { trainedRuns } from "../../support/parts.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-attributes-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const input = Array.from({ length: 200 }, (_, k) => ({ user: Math.floor(k / 5), item: (k * 3) % 12 }));
const options = { minUser: 1, validationUsers: 4, testUsers: 4 } as const;
const records: ItemRecord[] = Array.from({ length: 13 }, (_, id) => ({
  id,
  title: `Film ${id}`,
  genres: id % 2 === 0 ? ["Comedy", "Drama, dark"] : ["Drama, dark"],
  year: id === 5 ? null : 1990 + id,
  rating: id + 0.25,
  released: new Date(Date.UTC(2009, id, 13, 1, 2, 3, 4)),
  new: id % 3 === 0,
  zip: String(id).padStart(5, "0"),
  text: `A film about ${id}`,
}));

const types = {
  genres: "list",
  year: "number",
  rating: "number",
  released: "date",
  new: "boolean",
  zip: "text",
  text: "text",
};

/** The values of all items by id, as they are seen by a reader of the columns. */
async function valuesIn({ ids, attributes }: Vocabulary) {
  const columns = (await attributes?.columns()) ?? [];
  const typed = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  const rows = ids.map((id, item) => [
    id,
    Object.fromEntries(columns.map((column) => [column.name, valuesOf(column, item)])),
  ]);
  return { typed, values: Object.fromEntries(rows) as Record<string, Record<string, (string | number)[]>> };
}
const expected = (id: number) => ({
  genres: records[id].genres,
  year: id === 5 ? [] : [1990 + id],
  rating: [id + 0.25],
  released: [Date.UTC(2009, id, 13, 1, 2, 3, 4)],
  new: [String(id % 3 === 0)],
  zip: [String(id).padStart(5, "0")],
  text: [`A film about ${id}`],
});
const requireAll = async (items: Vocabulary) => {
  const { typed, values } = await valuesIn(items);
  expect(typed).toEqual(types);
  for (const id of items.ids.filter((id) => /^\d+$/.test(id)))
    expect(values[id]).toEqual(expected(Number(id)));
};

describe("attributes of records", () => {
  it("are typed in the dataset, in memory and in its folder", async () => {
    const out = join(home, "dataset");
    const manifest = await prepareDataset({ input, items: records, options, out });
    expect(
      Object.fromEntries(manifest.items?.attributes?.map(({ name, type }) => [name, type]) ?? []),
    ).toEqual(types);
    await requireAll((await buildDataset({ input, items: records, options })).items);
    await requireAll((await loadDataset(out)).items);
    expect((await loadDataset(out, { attributes: false })).items.attributes).toBeUndefined();
    const described = await withDatabase((database) =>
      database.rows(
        `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('${join(out, "items.parquet")}'))`,
      ),
    );
    expect(Object.fromEntries(described)).toEqual({
      ...{ index: "UINTEGER", id: "BIGINT", title: "VARCHAR", genres: "VARCHAR[]", year: "BIGINT" },
      ...{ rating: "DOUBLE", released: "TIMESTAMP", new: "BOOLEAN", zip: "VARCHAR", text: "VARCHAR" },
    });
  });

  it("are kept by training, by a blend, and by adding items", async () => {
    const content = { records: records.map(({ id, text }) => ({ id: String(id), text: String(text) })) };
    const dataset = await buildDataset({ input, items: records, content, options });
    const [popular, similar, neighbours] = await trainedRuns(dataset, {
      ...{ popularity: {}, "content-knn": {}, "item-knn": {} },
    });
    const blended = join(home, "blend");
    const runs = [popular, neighbours];
    (
      await train(dataset, {
        model: "blend",
        options: { runs, weights: [1, 1] },
        out: blended,
        engine: "reference",
      })
    ).dispose();
    for (const run of [popular, similar, blended]) {
      const model = await loadRecommender(run, { engine: "reference" });
      await requireAll(model.items);
      model.dispose();
    }
    const out = join(home, "added");
    const news = [{ id: "n1", text: "A film about 3", genres: "Comedy", year: "2020", colour: "red" }];
    await addItems({ run: similar, content: { records: news }, items: news, out, engine: "reference" });
    const model = await loadRecommender(out, { engine: "reference" });
    const { typed, values } = await valuesIn(model.items);
    expect(typed).toEqual({ ...types, colour: "text" });
    expect(values["3"]).toEqual({ ...expected(3), colour: [] });
    expect(values.n1).toMatchObject({
      genres: ["Comedy"],
      year: [2020],
      colour: ["red"],
      zip: [],
      rating: [],
    });
    model.dispose();
    const wrong = [{ id: "n1", text: "A film about 3", year: "soon" }];
    await expect(
      addItems({
        run: similar,
        content: { records: wrong },
        items: wrong,
        out: `${out}2`,
        engine: "reference",
      }),
    ).rejects.toThrow(/column "year" is "soon" for the item n1/);
  });
});

describe("attributes of a file", () => {
  const write = (name: string, text: string) => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };

  it("are inferred from all values of a CSV, a JSON-lines or a Parquet file", async () => {
    const csv = write(
      "items.csv",
      `id,title,genre,year,code,index\n${records.map((_, id) => `${id},Film ${id},${id % 2 ? "Comedy|Drama" : "Drama"},${1990 + id},0${id},${id}`).join("\n")}\n`,
    );
    const jsonl = write(
      "items.jsonl",
      records
        .map((_, id) =>
          JSON.stringify({
            id,
            title: `Film ${id}`,
            genre: ["Comedy"],
            year: 1990 + id,
            code: `0${id}`,
            index: id,
          }),
        )
        .join("\n"),
    );
    const parquet = join(home, "items.parquet");
    await withDatabase((database) =>
      database.copy(
        `SELECT id, 'Film ' || id AS title, ['Comedy', 'a "b", c'] AS genre, 1990 + id AS year, '0' || id AS code, id AS "index" FROM range(13) t(id)`,
        parquet,
      ),
    );
    for (const file of [csv, jsonl, parquet]) {
      const { typed, values } = await valuesIn((await buildDataset({ input, items: file, options })).items);
      expect(typed, file).toEqual({ genre: "list", year: "number", code: "text", index_: "number" });
      expect(values["3"], file).toMatchObject({ year: [1993], code: ["03"], index_: [3] });
      expect(values["3"].genre[0], file).toBe("Comedy");
    }
  });

  it("can have stated types; a wrong one names the file, the column and the item", async () => {
    const file = write(
      "stated.csv",
      `id,title,year,tags\n${records.map((_, id) => `${id},F,${id},a;b`).join("\n")}\n`,
    );
    const build = (itemTypes: Record<string, string>) =>
      buildDataset({ input, items: file, itemTypes, options });
    const { typed, values } = await valuesIn((await build({ year: "text", tags: "list;" })).items);
    expect(typed).toEqual({ year: "text", tags: "list" });
    expect(values["3"]).toEqual({ year: ["3"], tags: ["a", "b"] });
    await expect(build({ tags: "number" })).rejects.toThrow(
      /stated\.csv: column "tags" is "a;b" for the item \d+/,
    );
    await expect(build({ yaer: "number" })).rejects.toThrow(
      /--item-type yaer: .*no column "yaer".*Did you mean "year"/,
    );
    await expect(build({ year: "integer" })).rejects.toThrow(/--item-type year: unknown type "integer"/);
    await expect(buildDataset({ input, itemTypes: { year: "text" }, options })).rejects.toThrow(
      /types of attributes need an item file/,
    );
  });
});
