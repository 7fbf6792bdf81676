import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CollectedRows } from "../../src/data/collected-rows.js";
import { type PlainColumn, PlainRows } from "../../src/data/plain-rows.js";
import { readInteractions } from "../../src/data/read.js";

const columns: PlainColumn[] = ["user", "skip", "item", "rating", "time"];

async function read(
  pieces: readonly Buffer[],
  {
    delimiter = ",",
    header = false,
    minRating,
  }: { delimiter?: string; header?: boolean; minRating?: number } = {},
) {
  const kept = new CollectedRows();
  const rows = new PlainRows(minRating, kept);
  async function* given() {
    yield* pieces;
  }
  const plain = await rows.read(given(), columns, delimiter, header, () => {});
  return { plain, seen: rows.seen, ...kept.take() };
}

const id = fc.integer({ min: 0, max: 0xffffffff });
const decimal = fc.oneof(
  fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }).map(String),
  fc
    .tuple(fc.integer({ min: -99999, max: 99999 }), fc.stringMatching(/^\d{1,9}$/))
    .map(([a, b]) => `${a}.${b}`),
);
const word = fc.stringMatching(/^[\p{L} \d;]{0,8}$/u);
const row = fc.tuple(id, word, id, decimal, decimal);
const lineBreak = fc.constantFrom("\n", "\r\n");

/** Cuts bytes at the given places (taken modulo the length). */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, piece) => bytes.subarray(at[piece], end));
}

describe("plain rows", () => {
  it("are what JavaScript reads, wherever the pieces are cut", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        lineBreak,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(",", "\t", "::", "|"),
        async (table, places, end, header, lastBreak, delimiter) => {
          const lines = table.map((cells) => cells.join(delimiter));
          if (header) lines.unshift(["u", "x", "i", "r", "t"].join(delimiter));
          const text = lines.join(end) + (lastBreak ? end : "");
          const found = await read(cut(Buffer.from(text), places), { delimiter, header });
          expect(found.plain).toBe(true);
          expect(found.seen).toBe(table.length);
          expect([...found.userOf]).toEqual(table.map(([user]) => user));
          expect([...found.itemOf]).toEqual(table.map(([, , item]) => item));
          expect([...found.ratingOf]).toEqual(table.map(([, , , rating]) => Math.fround(Number(rating))));
          expect([...found.timeOf]).toEqual(table.map(([, , , , time]) => Number(time)));
        },
      ),
      { numRuns: 300 },
    ));

  it("below the minimum rating are counted and left out", async () => {
    const found = await read([Buffer.from("1,,2,3.5,0\n1,,3,4,0\n1,,4,-9,0\n")], { minRating: 4 });
    expect([found.seen, ...found.itemOf]).toEqual([3, 3]);
  });

  it.each([
    "01,,2,3,4",
    "+1,,2,3,4",
    " 1,,2,3,4",
    "1 ,,2,3,4",
    "1.0,,2,3,4",
    "1e2,,2,3,4",
    "-1,,2,3,4",
    "0x1,,2,3,4",
    "4294967296,,2,3,4",
    "99999999999,,2,3,4",
    "a,,2,3,4",
    ",,2,3,4",
    "1,,2,,4",
    "1,,2,good,4",
    "1,,2,1e1,4",
    "1,,2,.5,4",
    "1,,2,5.,4",
    "1,,2,nan,4",
    "1,,2,--1,4",
    "1,,2,1234567890.1234567,4",
    "1,,2,3,2015-01-01",
    '"1",,2,3,4',
    '1,"x, y",2,3,4',
    "1,,2,3",
    "1,,2,3,4,5",
    "1,,2,3,4\r5",
    "",
  ])("are not: %j", async (line) => {
    const before = "1,,2,3,4\n";
    expect((await read([Buffer.from(`${before}${line}\n${before}`)])).plain).toBe(false);
    expect((await read([Buffer.from(`${before}${before}`)])).plain).toBe(true);
  });
});

describe("both readers", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "foldin-test-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it("read the same from the same table, plain or with quotation marks (which DuckDB reads)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 20 }),
        fc.option(fc.integer({ min: -5, max: 5 })),
        async (table, minimum) => {
          const [plain, quoted] = [join(home, "plain.csv"), join(home, "quoted.csv")];
          const write = (path: string, cell: (value: string | number) => string | number) =>
            writeFileSync(
              path,
              ["user,x,item,rating,time", ...table.map((cells) => cells.map(cell).join(","))].join("\n"),
            );
          write(plain, (value) => value);
          write(quoted, (value) => `"${value}"`);
          const minRating = minimum ?? undefined;
          const [first, second] = await Promise.all(
            [plain, quoted].map((path) =>
              readInteractions([path], { minRating }).catch((error: Error) =>
                error.message.replace(/plain|quoted/, ""),
              ),
            ),
          );
          if (typeof first === "string" || typeof second === "string") expect(second).toEqual(first);
          else {
            const byRow = ({ users, items, userOf, itemOf, ...rest }: typeof first) => ({
              ...rest,
              users: Array.from(userOf, (user) => users.ids[user]),
              items: Array.from(itemOf, (item) => items.ids[item]),
            });
            expect(byRow(second)).toEqual(byRow(first));
            // DuckDB's ids are those of all rows, these only of the rows kept: the order must be the same.
            expect(second.users.ids.filter((user) => first.users.ids.includes(user))).toEqual(
              first.users.ids,
            );
          }
        },
      ),
      { numRuns: 25 },
    ));
});
