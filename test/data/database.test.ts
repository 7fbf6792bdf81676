import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database, withDatabase } from "../../src/data/database.js";
import { loadDataset } from "../../src/data/dataset.js";
import { readItems } from "../../src/data/items.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { readInteractions } from "../../src/data/read.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A name, and the names of other files that it would match if it were a pattern. */
const names: [name: string, neighbours: string[]][] = [
  ["x[12]", ["x1", "x2"]],
  ["y*", ["yes", "y"]],
  ["z?", ["za"]],
  ["**", ["deep/er"]],
  ["w[!a]", ["wb"]],
  ["[[]", ["["]],
  ["{a,b}", ["a", "b"]],
  ["back\\slash", ["back/slash"]],
  ["v[1]\\u?", ["v1/ux", "v[1]/u?", "v1\\ux"]],
  ["role=held-out", []],
  ["user=5", []],
  ["id=9", []],
  ["split=test", []],
  ["index=0", []],
  ["~", []],
  ["~root", []],
  ["-rf", []],
  ["s3:", []],
  ["it's; DROP TABLE part; --", []],
  ["100%20 $HOME", []],
  ["n\u0303 and \u00f1", ["\u00f1 and \u00f1"]],
];

describe.each(names)("%s", (name, neighbours) => {
  it("is the name of one file, not a pattern, to the readers and to COPY", async () => {
    const folder = mkdtempSync(join(home, "files-"));
    await withDatabase(async (database) => {
      for (const [value, path] of [name, ...neighbours].entries()) {
        for (const file of [join(folder, path, "t.parquet"), join(folder, `${path}.parquet`)]) {
          mkdirSync(dirname(file), { recursive: true });
          await database.copy(`SELECT ${value} AS id`, file);
        }
      }
      for (const file of [join(folder, name, "t.parquet"), join(folder, `${name}.parquet`)])
        expect(await database.rows(`SELECT * FROM ${database.files("parquet", [file, file])}`)).toEqual([
          [0],
          [0],
        ]);
    });
    expect(readdirSync(folder)).toContain(`${name}.parquet`);
  });

  it("is the name of a folder with input files and a dataset", async () => {
    const folder = mkdtempSync(join(home, "datasets-"));
    const prepared = async (place: string, offset: number) => {
      const below = join(folder, place);
      mkdirSync(below, { recursive: true });
      const rows = Array.from({ length: 320 }, (_, k) => [Math.floor(k / 8), offset + ((k * 7) % 24)]);
      const csv = join(below, "ratings.csv");
      // Quoted, so that DuckDB reads it.
      writeFileSync(csv, `user,item\n${rows.map(([u, i]) => `"u${u}","${i}"\n`).join("")}`);
      const lines = join(below, "ratings.jsonl");
      writeFileSync(lines, rows.map(([user, item]) => `${JSON.stringify({ user, item })}\n`).join(""));
      const items = join(below, "items.csv");
      const titles = Array.from({ length: 24 }, (_, i) => `${offset + i},"Film ${offset + i}"\n`);
      writeFileSync(items, `item,title\n${titles.join("")}`);
      const out = join(below, "data");
      await prepareDataset({ input: csv, items, content: items, out });
      return { csv, lines, items, out };
    };
    const { csv, lines, items, out } = await prepared(name, 100);
    for (const [place, neighbour] of neighbours.entries()) await prepared(neighbour, 1000 * (place + 1));
    expect((await readInteractions([csv], {})).items.ids[0]).toBe("100");
    const fromJson = await readInteractions([lines], {});
    expect([fromJson.users.size, fromJson.items.ids[0]]).toEqual([40, "100"]);
    expect([...(await readItems({ file: items })).byId.keys()][0]).toBe("100");
    const dataset = await loadDataset(out);
    expect(dataset.items.size).toBe(24);
    expect([...dataset.items.ids].sort()[0]).toBe("100");
    expect(dataset.train.rows).toBe(dataset.manifest?.counts.users);
    expect(dataset.train.indices.length).toBe(dataset.manifest?.counts.interactions);
    expect(dataset.test.heldOut.indices.length).toBe(dataset.manifest?.counts.test.heldOut);
    expect(dataset.content?.items).toBe(24);
  });
});

it("a file called ~t.csv is not looked up in the home folder", async () => {
  const file = join(home, "~t.csv");
  writeFileSync(file, 'user,item\n"a","b"\n');
  const before = process.cwd();
  process.chdir(home);
  try {
    expect((await readInteractions(["~t.csv"], {})).users.ids).toEqual(["a"]);
    await expect(readInteractions(["~/t.csv"], {})).rejects.toThrow(/~\/t\.csv: there is no such file/);
  } finally {
    process.chdir(before);
  }
  expect(homedir()).not.toBe(home);
});

describe("the chunks of a result", () => {
  const collect = async (sql: string) =>
    withDatabase(async (database) => {
      const numbers: (number | null)[] = [];
      for await (const chunk of database.chunks(sql)) {
        const column = chunk.numbers(0);
        for (let row = 0; row < chunk.rows; row++) numbers.push(column.getItem(row));
        const plain = chunk.plainNumbers(0);
        if (plain) expect([...plain]).toEqual(numbers.slice(-chunk.rows));
      }
      return numbers;
    });

  it.each([0, 1, 2047, 2048, 2049, 4096, 300_000])("are all of %d rows, in their order", async (rows) => {
    const wanted = Array.from({ length: rows }, (_, row) => row);
    expect(await collect(`SELECT range::UINTEGER, NULL, NULL FROM range(${rows})`)).toEqual(wanted);
    expect(await collect(`SELECT range::UINTEGER FROM range(${rows}) ORDER BY range DESC`)).toEqual(
      wanted.toReversed(),
    );
  });

  it("contain missing values", async () => {
    const sql = "SELECT CASE WHEN range % 3 > 0 THEN range::DOUBLE END FROM range(5000)";
    const wanted = Array.from({ length: 5000 }, (_, row) => (row % 3 > 0 ? row : null));
    expect(await collect(sql)).toEqual(wanted);
  });

  describe("if DuckDB ends a failed query like a complete one", () => {
    /** Streams that end after two chunks. */
    const cutShort = (connection: DuckDBConnection, streams: number): DuckDBConnection =>
      new Proxy(connection, {
        get(target, name) {
          if (name !== "stream") return Reflect.get(target, name).bind(target);
          return async (sql: string) => {
            const result = await target.stream(sql);
            if (streams-- <= 0) return result;
            let chunks = 2;
            return new Proxy(result, {
              get: (of, member) =>
                member === "fetchChunk"
                  ? async () => (chunks-- > 0 ? of.fetchChunk() : null)
                  : Reflect.get(of, member, of),
            });
          };
        },
      });

    const read = async (sql: string, streams: number) => {
      const instance = await DuckDBInstance.create(":memory:");
      const connection = await instance.connect();
      const database = new Database(instance, cutShort(connection, streams), undefined, "unused");
      let rows = 0;
      try {
        for await (const chunk of database.chunks(sql)) rows += chunk.rows;
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
      return rows;
    };

    const failing =
      "SELECT (CASE WHEN range < 20000 THEN range::VARCHAR ELSE 'text' END)::UINTEGER FROM range(30000)";

    it("throw the error of the query", async () => {
      await expect(read(failing, 1)).rejects.toThrow(/Conversion Error.*'text'/s);
      await expect(read(failing, 3)).rejects.toThrow(/Conversion Error.*'text'/s);
    });

    it("are never a part of the rows only", async () => {
      await expect(read("SELECT range FROM range(30000)", 1)).rejects.toThrow(
        "DuckDB returned only a part of the rows of SELECT range FROM range(30000)",
      );
      expect(await read("SELECT range FROM range(30000)", 0)).toBe(30_000);
    });
  });
});
