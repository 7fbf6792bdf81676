// What is written in parts is the same on both sides of a part's end (docs/decisions/thresholds.md).

import { mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openNpy, readNpyRows } from "../../src/data/content/npy.js";
import { literal, withDatabase } from "../../src/data/database.js";
import { recommend } from "../../src/recommender/recommend.js";
import { type Vectors, vectorsFrom } from "../../src/recommender/vectors.js";
import { embed } from "../../src/serving/embed.js";
import { scoreAll } from "../../src/serving/score.js";
import { fromRows } from "../../src/sparse/csr.js";
import { vocabulary } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";
import { served } from "../support/served.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-parts-"));
afterAll(() => rm(folder, { recursive: true }));

describe("vectors", () => {
  it.each([2047, 2048, 2049])(
    "of %i items are written to arrays and tables, every one in its row",
    async (count) => {
      const items = vocabulary("i", count);
      const vector = (item: number) => [item, item / 4, 7];
      const model: Vectors = {
        ...scoring(count, () => []),
        ...vectorsFrom({ algorithm: "made up", items }, [
          {
            ...{ name: "scores", dimensions: 3, users: "", items: "" },
            ofHistories: async () => new Float32Array(0),
            ofItems: async (from, to) =>
              Float32Array.from(Array.from({ length: to - from }, (_, n) => vector(from + n)).flat()),
          },
        ]),
        items,
      };
      const expected = items.ids.map((id, item) => [id, ...vector(item)]);
      const array = join(folder, `array-${count}`);
      await embed(model, { out: array, format: "npy" });
      const npy = await openNpy(join(array, "items.npy"));
      expect(npy.shape).toEqual([count, 3]);
      expect([
        ...(await readNpyRows(
          npy,
          Array.from({ length: count }, (_, n) => n),
        )),
      ]).toEqual(expected.flatMap(([, ...numbers]) => numbers));
      expect(JSON.parse(readFileSync(join(array, "items.ids.json"), "utf8"))).toEqual(items.ids);
      const table = join(folder, `table-${count}`);
      await embed(model, { out: table });
      await withDatabase(async (database) => {
        const path = literal(join(table, "items.parquet"));
        const rows = await database.rows(`SELECT id, vector[1], vector[2], vector[3] FROM ${path}`);
        expect(rows).toEqual(expected);
      });
    },
  );
});

describe("a server", () => {
  it("answers 63, 64 and 65 concurrent requests like single ones", async () => {
    const fixture = await served();
    const ids = fixture.recommender.items.ids;
    const histories = Array.from({ length: 65 }, (_, n) => [ids[n % 60], ids[(7 * n + 1) % 60]]);
    const expected = await Promise.all(
      histories.map(async (history) => (await recommend(fixture.recommender, history, { k: 3 })).items),
    );
    for (const count of [63, 64, 65]) {
      const answers = await Promise.all(
        histories
          .slice(0, count)
          .map((history) => fixture.ask("POST", "/v1/recommendations", { history, k: 3 })),
      );
      for (const [n, { status, body }] of answers.entries()) {
        expect(status).toBe(200);
        const found = body.results[0].items.map(({ id }: { id: string }) => id);
        expect(found).toEqual(expected[n].map(({ id }) => id));
      }
    }
    await fixture.close();
  });
});

describe("scoring all users", () => {
  it("in one part, in two, or one user at a time gives the same table", async () => {
    const recommender = scoring(9, ([item = 0]) =>
      Array.from({ length: 9 }, (_, i) => (i * (item + 2)) % 11),
    );
    const matrix = fromRows(
      9,
      Array.from({ length: 12 }, (_, user) => [user % 9]),
    );
    const users = vocabulary("u", 12).ids;
    const tables = [];
    for (const partUsers of [1, 11, 12, 13]) {
      const out = join(folder, `scores-${partUsers}.parquet`);
      await scoreAll(
        recommender,
        { users, matrix, strangers: 0, unknownItems: 0 },
        { out, model: "m", k: 4, partUsers },
      );
      tables.push(await withDatabase((database) => database.rows(`SELECT * FROM ${literal(out)}`)));
    }
    expect(tables[0]).toHaveLength(48);
    for (const table of tables.slice(1)) expect(table).toEqual(tables[0]);
  });
});
