// Readers and writers switch algorithms at certain sizes (docs/decisions/thresholds.md): the results are the same.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CollectedRows } from "../../src/data/collected-rows.js";
import { npyBlocks, openNpy, readNpyRows, writeNpy } from "../../src/data/content/npy.js";
import { type Setter, withDatabase } from "../../src/data/database.js";
import { codeIntegers, GrowingColumn, type Interactions } from "../../src/data/interactions.js";
import { PlainRows } from "../../src/data/plain-rows.js";
import { buildDataset } from "../../src/data/prepare.js";
import { readInteractions } from "../../src/data/read.js";
import { orderIds, Vocabulary } from "../../src/data/vocabulary.js";

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

const read = (path: string) => readInteractions([path], {});

const around = (n: number) => [n - 1, n, n + 1];

/** Rows as "user item rating time", in their order. */
const rowsOf = ({ users, items, userOf, itemOf, ratingOf, timeOf }: Interactions) =>
  Array.from(userOf, (user, row) =>
    [users.ids[user], items.ids[itemOf[row]], ratingOf?.[row], timeOf?.[row]]
      .filter((x) => x !== undefined)
      .join(" "),
  );

describe("the codes of integer ids", () => {
  it.each(around(2 ** 25))(
    "are the places of the different ones, by a table or by search: up to %i",
    (largest) => {
      const ids = Uint32Array.of(largest, 7, 0, largest - 1, 7, largest);
      expect([...codeIntegers(ids)]).toEqual([0, 7, largest - 1, largest]);
      expect([...ids]).toEqual([3, 1, 0, 2, 1, 3]);
    },
  );

  it.each(["4294967294", "4294967295", "4294967296"])(
    "of 32 bits are read byte by byte, larger ones by DuckDB, with the same result: %s",
    async (large) => {
      const path = file("ids.csv", `user,item,rating\n${large},5,3\n9,${large},4\n10,5,1\n`);
      const found = await read(path);
      expect(rowsOf(found)).toEqual([`${large} 5 3`, `9 ${large} 4`, "10 5 1"]);
      expect(found.users.ids).toEqual(["9", "10", large]);
      expect(found.items.ids).toEqual(["5", large]);
    },
  );

  it("sort as numbers up to 15 digits, as text beyond, as everywhere", () => {
    const [fifteen, sixteen] = ["999999999999999", "9999999999999999"];
    expect(orderIds([fifteen, "30", "4"])).toEqual(["4", "30", fifteen]);
    expect(orderIds([sixteen, "30", "4"])).toEqual(["30", "4", sixteen]);
    expect([fifteen, sixteen].map((id) => new Vocabulary([id]).numeric)).toEqual([true, false]);
  });

  it.each([...around(256), ...around(65_536)])(
    "of %i ids that are text are their places in order",
    async (count) => {
      // DuckDB keeps codes of 8, 16 or 32 bits.
      const ids = Array.from({ length: count }, (_, n) => `id${String(n).padStart(6, "0")}`);
      const path = file(
        "texts.csv",
        `user,item\n${[...ids]
          .reverse()
          .map((id, n) => `${id},x${n % 3}\n`)
          .join("")}`,
      );
      const { users, userOf, items, itemOf } = await read(path);
      expect(users.ids).toEqual(ids);
      expect(items.ids).toEqual(["x0", "x1", "x2"]);
      expect([...userOf.subarray(0, 300)]).toEqual(
        Array.from({ length: Math.min(300, count) }, (_, n) => count - 1 - n),
      );
      expect([...userOf.subarray(-2), ...itemOf.subarray(0, 4)]).toEqual([1, 0, 0, 1, 2, 0]);
    },
  );
});

describe("a growing column", () => {
  it.each([...around(2 ** 18), 2 ** 19 + 1])("holds %i numbers in their order", (length) => {
    const column = new GrowingColumn((size) => new Uint32Array(size));
    for (let n = 0; n < length; n++) column.push(n ^ 5);
    const numbers = column.take();
    expect(numbers).toHaveLength(length);
    expect(numbers.every((number, n) => number === (n ^ 5))).toBe(true);
    expect(column.take()).toHaveLength(0);
  });

  it("takes arrays of any length after single numbers", () => {
    const column = new GrowingColumn((size) => new Uint32Array(size));
    const pieces = [3, 2 ** 18 - 4, 1, 0, 2 ** 19 + 1, 5].map((length, p) =>
      Uint32Array.from({ length }, (_, n) => 7 * p + n),
    );
    column.push(99);
    for (const piece of pieces) column.append(piece);
    expect([...column.take()]).toEqual([99, ...pieces.flatMap((piece) => [...piece])]);
  });

  it.each([0, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1, 2 ** 20])(
    "holds all numbers, more or fewer than the expected %i, and returns the last ones",
    (capacity) => {
      for (const length of [0, 5, ...around(2 ** 18), 3 * 2 ** 18 + 7]) {
        const column = new GrowingColumn((size) => new Uint32Array(size), capacity);
        column.append(Uint32Array.from({ length }, (_, n) => n ^ 5));
        for (const count of [0, 3, 2 ** 18 + 9]) {
          const last = column.last(count);
          expect(last).toHaveLength(Math.min(count, length));
          expect(last.every((number, n) => number === ((length - last.length + n) ^ 5))).toBe(true);
        }
        const numbers = column.take();
        expect(numbers).toHaveLength(length);
        expect(numbers.every((number, n) => number === (n ^ 5))).toBe(true);
        column.push(8);
        expect([...column.take()]).toEqual([8]);
      }
    },
  );
});

describe("plain rows", () => {
  it.each(around(2 ** 20))(
    "wait for the end of a line of %i bytes, and leave longer ones to DuckDB",
    async (length) => {
      const kept = new CollectedRows();
      const rows = new PlainRows(undefined, kept);
      async function* pieces() {
        // The rest of the line comes with the next piece.
        yield Buffer.from(`1,a,2\n3,${"x".repeat(length - 2)}`);
        yield Buffer.from(",4\n5,b,6\n");
      }
      const plain = await rows.read(pieces(), ["user", "skip", "item"], ",", false, () => {});
      expect(plain).toBe(length <= 2 ** 20);
      if (plain) expect([...kept.take().itemOf]).toEqual([2, 4, 6]);
    },
  );

  it.each([2 ** 20 - 10, 2 ** 20 + 10, 2 ** 20 + 500_000])(
    "and DuckDB read the same around a field of %i letters",
    async (length) => {
      const path = file("long.csv", `user,note,item\n1,a,2\n3,${"x".repeat(length)},4\n5,b,6\n`);
      expect(rowsOf(await read(path))).toEqual(["1 2", "3 4", "5 6"]);
    },
  );

  it.each([
    "1234567890.1234",
    "1234567890.12345",
    "1234567890.123456",
    "123456789012345",
    "1234567890123456",
  ])("and DuckDB read the same number of 14, 15 and 16 digits: %s", async (time) => {
    const path = file(
      "digits.csv",
      `user,item,rating,timestamp\n1,2,3,${time}\n1,3,0.${time.slice(0, 9)},5\n`,
    );
    const { timeOf, ratingOf } = await read(path);
    expect([...(timeOf ?? [])]).toEqual([Number(time), 5]);
    expect(ratingOf?.[1]).toBe(Math.fround(Number(`0.${time.slice(0, 9)}`)));
  });
});

/** Rows "n,n mod 97,padding" in so many bytes exactly, lines of all lengths, and the users and items in them. */
function tableOf(bytes: number) {
  const lines = ["user,item,note\n"];
  let length = lines[0].length;
  const expected: string[] = [];
  for (let n = 1; length < bytes - 1000; n++) {
    const line = `${n},${n % 97},${String((n * 7919) % 1_000_003).repeat(n % 150)}\n`;
    lines.push(line);
    expected.push(`${n} ${n % 97}`);
    length += line.length;
  }
  lines.push(`1,2,${"9".repeat(bytes - length - 5)}\n`);
  return { text: lines.join(""), expected: [...expected, "1 2"] };
}

/** Gzip data of so many bytes exactly: a comment fills it up. */
function gzipOf(text: string, bytes: number): Buffer {
  const plain = gzipSync(text);
  const comment = Buffer.alloc(bytes - plain.length, "c");
  comment[comment.length - 1] = 0;
  const header = Buffer.from(plain.subarray(0, 10));
  header[3] |= 16;
  return Buffer.concat([header, comment, plain.subarray(10)]);
}

describe("a file", () => {
  it.each([...around(2 ** 18), ...around(2 ** 20), 2 ** 20 + 2 ** 18])(
    "of %i bytes is read whole, from its head or in pieces, by both readers",
    async (bytes) => {
      const { text, expected } = tableOf(bytes);
      expect(text).toHaveLength(bytes);
      expect(rowsOf(await read(file("sized.csv", text)))).toEqual(expected);
      const quoted = text.replace("\n1,1,", '\n"1",1,').slice(0, -3);
      expect(rowsOf(await read(file("quoted.csv", `${quoted}\n`)))).toEqual(expected);
    },
  );

  it.each(around(2 ** 18))("of %i bytes of gzip is read whole, from its head or in pieces", async (bytes) => {
    const { text, expected } = tableOf(400_000);
    const zipped = gzipOf(text, bytes);
    expect(zipped).toHaveLength(bytes);
    expect(rowsOf(await read(file("sized.csv.gz", zipped)))).toEqual(expected);
  });

  it.each([
    ["the head", 2 ** 18],
    ["a piece", 2 ** 20],
  ])("keeps a letter of several bytes that is cut by the end of %s", async (_, end) => {
    for (const letter of ["é", "電", "𝄞"])
      for (let before = 0; before <= Buffer.byteLength(letter); before++) {
        const { text } = tableOf(end - 2000);
        const start = `${text}x${"y".repeat(end - before - text.length - 1)}`;
        const path = file("letters.csv", `${start}${letter},5,z\n2,${letter},z\n`);
        const { items, itemOf, users, userOf } = await read(path);
        expect(items.ids[itemOf[itemOf.length - 1]]).toBe(letter);
        expect(users.ids[userOf[userOf.length - 2]]).toMatch(new RegExp(`^xy+${letter}$`, "u"));
      }
  });
});

describe("a table that is written", () => {
  it.each([...around(2048), ...around(64 * 2048)])("holds %i rows in their order", async (rows) => {
    await withDatabase(async (database) => {
      await database.createTable("t", { n: "UINTEGER", x: "DOUBLE" }, rows, (from, count, [n, x]) => {
        for (let row = 0; row < count; row++) {
          n(row, from + row);
          x(row, (from + row) / 2);
        }
      });
      let next = 0;
      for await (const chunk of database.chunks("SELECT n, x FROM t")) {
        const [n, x] = [chunk.numbers(0), chunk.numbers(1)];
        for (let row = 0; row < chunk.rows; row++, next++)
          if (n.getItem(row) !== next || x.getItem(row) !== next / 2) throw new Error(`row ${next}`);
      }
      expect(next).toBe(rows);
    });
  });
});

describe("rows that are written without a table", () => {
  it.each([0, 1, ...around(2048), ...around(64 * 2048)])(
    "are the same bytes as with one: %i rows",
    async (rows) => {
      const columns = { n: "UINTEGER", x: "DOUBLE", id: "VARCHAR" } as const;
      const fill = (from: number, count: number, [n, x, id]: Setter[]) => {
        n.all(Uint32Array.from({ length: count }, (_, row) => from + row));
        for (let row = 0; row < count; row++) {
          x(row, (from + row) % 7 === 3 ? null : (from + row) / 2);
          id(row, (from + row) % 5 === 0 ? null : `id ${from + row}`);
        }
      };
      const select = "n, x + 1 AS x, id";
      await withDatabase(async (database) => {
        const [one, other] = ["one", "other"].map((name) => join(home, `${name}-${rows}.parquet`));
        await database.writeRows(one, { columns, rows, fill, select });
        await database.createTable("t", columns, rows, fill);
        await database.copy(`SELECT ${select} FROM t`, other);
        expect(readFileSync(one).equals(readFileSync(other))).toBe(true);
        const [[count, sum]] = await database.rows(`SELECT count(*), sum(n) FROM read_parquet('${one}')`);
        expect([Number(count), Number(sum ?? 0)]).toEqual([rows, (rows * Math.max(0, rows - 1)) / 2]);
      });
    },
  );

  it("fail with the error of what makes them", async () => {
    const failure = new Error("no row 3000");
    const fill = (from: number) => {
      if (from > 3000) throw failure;
    };
    await withDatabase(async (database) => {
      const written = database.writeRows(join(home, "failed.parquet"), {
        columns: { n: "UINTEGER" },
        rows: 9999,
        fill,
      });
      await expect(written).rejects.toBe(failure);
    });
  });
});

describe("an array on disk", () => {
  it.each([1, 11, 12, 13, 24, 1000])("is the same where %i bytes are read at a time", async (most) => {
    const path = join(home, `pieces-${most}.npy`);
    async function* rows() {
      for (let row = 0; row < 9; row++) yield Float32Array.of(row, -row, row / 3);
    }
    await writeNpy(path, "<f4", [3], rows());
    const npy = await openNpy(path);
    const chosen = [0, 1, 2, 3, 7, 8, 5, 4];
    expect([...(await readNpyRows(npy, chosen, most))]).toEqual(
      chosen.flatMap((row) => [row, -row, Math.fround(row / 3)]),
    );
  });

  it.each(around(2 ** 22))(
    "of rows of %i bytes is written as they are, at once or row by row",
    async (bytes) => {
      const path = join(home, `rows-${bytes}.npy`);
      async function* rows() {
        for (let row = 1; row <= 2; row++) yield new Uint8Array(bytes).fill(row);
      }
      expect(await writeNpy(path, "|u1", [bytes], rows())).toBe(2);
      const written = readFileSync(path);
      expect(written).toHaveLength(128 + 2 * bytes);
      for (const [place, value] of [
        [0, 1],
        [bytes - 1, 1],
        [bytes, 2],
        [2 * bytes - 1, 2],
      ])
        expect(written[128 + place]).toBe(value);
      expect((await openNpy(path)).shape).toEqual([2, bytes]);
      rmSync(path);
    },
  );

  it.each(around(2 ** 16))("whose numbers begin after %i bytes is read all the same", async (offset) => {
    const header = Buffer.alloc(offset, " ");
    header.write("\x93NUMPY\x02\x00", 0, "latin1");
    header.writeUInt32LE(offset - 12, 8);
    header.write("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 12, "latin1");
    const numbers = Float32Array.of(1, 2, 3, 4.5);
    const path = file("header.npy", Buffer.concat([header, Buffer.from(numbers.buffer)]));
    const npy = await openNpy(path);
    expect([...(await readNpyRows(npy, [1, 0]))]).toEqual([3, 4.5, 1, 2]);
  });

  it.each(around(1024))("of %i rows comes in blocks of 1,024, none missing", async (count) => {
    const path = join(home, `blocks-${count}.npy`);
    async function* rows() {
      for (let row = 0; row < count; row++) yield Float32Array.of(row);
    }
    await writeNpy(path, "<f4", [1], rows());
    const blocks: number[] = [];
    const all: number[] = [];
    for await (const { from, rows, numbers } of npyBlocks(await openNpy(path))) {
      expect(from).toBe(all.length);
      blocks.push(rows);
      all.push(...numbers);
    }
    expect(blocks).toEqual(count === 1025 ? [1024, 1] : [count]);
    expect(all).toEqual(Array.from({ length: count }, (_, row) => row));
  });
});

describe("times", () => {
  // A calendar date is compared in the unit that most times have by their size: 10^11 seconds are in the year 5138.
  it.each([
    ["seconds", 1e11 - 5, 2, "5138-11-16T09:46:39Z"],
    ["milliseconds", 1e11, 2000, "1973-03-03T09:46:44Z"],
    ["milliseconds", 1e14 - 5000, 2000, "5138-11-16T09:46:39Z"],
    ["microseconds", 1e14, 2e6, "1973-03-03T09:46:44Z"],
    ["microseconds", 1e17 - 5e6, 2e6, "5138-11-16T09:46:39Z"],
    ["nanoseconds", 1e17, 2e9, "1973-03-03T09:46:44Z"],
  ])("are in %s from %d on, in steps of %d", async (_, first, step, testFrom) => {
    const input = [first, first + step, first + 2 * step].map((time, item) => ({ user: 1, item, time }));
    const options = {
      protocol: "temporal",
      minUser: 1,
      items: "all",
      validationFrom: "1950-01-01",
      testFrom,
    } as const;
    const dataset = await buildDataset({ input, options: { ...options, validationFrom: testFrom } });
    expect([...dataset.train.indices]).toHaveLength(2);
    expect([...dataset.test.heldOut.indices].map((item) => dataset.items.ids[item])).toEqual(["2"]);
  });
});
