import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { withDatabase } from "../../../src/data/database.js";
import { rowsOf, titlesOf, useFolder } from "./reading.js";

const { file } = useFolder();
const lines = (...records: string[]) => records.map((record) => `${record}\n`).join("");

describe("JSON lines", () => {
  it("have the keys of all lines, not of the first hundred", async () => {
    const early = Array.from({ length: 150 }, (_, k) => `{"movieId": ${k}}`);
    expect(
      (await titlesOf(file("titles.jsonl", lines(...early, '{"movieId": 150, "title": "Late"}'))))[150],
    ).toBe("Late");
    const ratings = Array.from({ length: 150 }, (_, k) => `{"user": ${k}, "item": 1}`);
    await expect(
      rowsOf(file("late.jsonl", lines(...ratings, '{"user": 1, "item": 2, "rating": 4}'))),
    ).rejects.toThrow(/late\.jsonl:1: there is no value in the column "rating"/);
  });

  it("keep every digit of a number, and recognise whole numbers", async () => {
    const ids = ["9007199254740993", "123456789012345678901234567890", "-5", "0"];
    const path = file("digits.jsonl", lines(...ids.map((id) => `{"user": ${id}, "item": 1}`)));
    expect(await rowsOf(path)).toEqual(ids.map((id) => `${id} 1`));
    const whole = file(
      "whole.jsonl",
      lines('{"user": 1e3, "item": 5.0}', '{"user": 1000, "item": "5"}', '{"user": 12.5e1, "item": -0}'),
    );
    expect(await rowsOf(whole)).toEqual(["1000 5", "1000 5", "125 0"]);
  });

  it("unwrap MongoDB's Extended JSON", async () => {
    const path = file(
      "mongo.jsonl",
      lines(
        '{"user": {"$oid": "5f01"}, "item": {"$numberLong": "9007199254740993"}, "rating": {"$numberDouble": "4.5"}, "time": {"$date": "2020-01-01T00:00:00Z"}}',
        '{"user": {"$oid": "5f02"}, "item": {"$numberInt": "7"}, "rating": {"$numberDecimal": "3"}, "time": {"$date": {"$numberLong": "1577836800000"}}}',
      ),
    );
    expect(await rowsOf(path)).toEqual(["5f01 9007199254740993 4.5 1577836800", "5f02 7 3 1577836800"]);
  });

  it("can have keys that differ only in case, with dots and quotation marks, in any order, with a byte order mark", async () => {
    const path = file(
      "keys.jsonl",
      `\ufeff${lines('{"user": 1, "User": "x", "a.b": 1, "c\\"d": 2, "item": 2}', '{"item": "\\u00e9\\ud83d\\ude00", "user": "a\\nb"}')}`,
    );
    expect(await rowsOf(path)).toEqual(["1 2", "a\nb é😀"]);
  });

  it.each([
    [
      "an object",
      '{"user": {"id": 1}, "item": 2}',
      /:2: the column "user" holds an object: \{"id": 1\} \(expected text or a whole number/,
    ],
    [
      "a list",
      '{"user": 1, "item": [2, 3]}',
      /:2: the column "item" holds a list: \[2, 3\].*one line per user and item/,
    ],
    ["a fraction", '{"user": 1.5, "item": 2}', /:2: the column "user" holds the number 1\.5/],
    ["a truth value", '{"user": true, "item": 2}', /:2: the column "user" holds true/],
    ["null", '{"user": null, "item": 2}', /:2: there is no value in the column "user"/],
    ["no key", '{"item": 2}', /:2: there is no value in the column "user"/],
    ["a key twice", '{"user": 1, "item": 2, "user": 3}', /:2: the object has the key "user" twice/],
    [
      "half a surrogate pair",
      '{"user": "\\ud800", "item": 2}',
      /:2: the column "user" holds text with an invalid escape/,
    ],
    ["NaN", '{"user": 1, "item": 2, "rating": NaN}', /:2: NaN and Infinity are not valid JSON/],
    ["a trailing comma", '{"user": 1, "item": 2,}', /:2: the line is not a JSON object/],
    ["a padded number", '{"user": 007, "item": 2}', /:2: the line is not a JSON object/],
    [
      "two objects",
      '{"user": 1, "item": 2}{"user": 1, "item": 3}',
      /:2: there is more text after the object/,
    ],
    ["another value", "[1, 2]", /:2: the line is not a JSON object/],
    ["a cut line", '{"user": 1, "it', /:2: the line is not a JSON object/],
  ])("%s is refused with its place", async (name, line, message) => {
    const path = file(`${name}.jsonl`, lines('{"user": 1, "item": 2}', line));
    await expect(rowsOf(path)).rejects.toThrow(message);
    await expect(rowsOf(path)).rejects.toThrow(UserError);
  });

  it("arrays and pretty-printed files are rejected with a command that converts them", async () => {
    await expect(rowsOf(file("array.json", '[\n{"user": 1, "item": 2}\n]\n'))).rejects.toThrow(
      /this is a JSON array.*jq -c '\.\[\]'/,
    );
    await expect(rowsOf(file("pretty.json", '{\n  "user": 1,\n  "item": 2\n}\n'))).rejects.toThrow(
      /pretty\.json:1: .*pretty-printed.*jq -c \./,
    );
  });
});

describe("Parquet", () => {
  const written = async (name: string, select: string) => {
    const path = file(name, "");
    await withDatabase((database) => database.copy(select, path));
    return path;
  };

  it("takes whole numbers of any type, and bytes that are text, as ids", async () => {
    const path = await written(
      "types.parquet",
      "SELECT 5::DOUBLE AS user, encode('é') AS item UNION ALL SELECT 12, encode('b')",
    );
    expect(await rowsOf(path)).toEqual(["5 é", "12 b"]);
  });

  it.each([
    ["structs", "{'id': 1}", /the column "user" holds objects: STRUCT\(id INTEGER\)/],
    ["lists", "[1, 2]", /the column "user" holds lists.*one row per user and item/],
    ["maps", "map([1], [2])", /the column "user" holds objects/],
    ["booleans", "true", /the column "user" holds booleans/],
    ["fractions", "1.5::DOUBLE", /row 1: the column "user" holds the number 1\.5/],
  ])("refuses %s as ids", async (name, value, message) => {
    const path = await written(`${name}.parquet`, `SELECT ${value} AS user, 1 AS item`);
    await expect(rowsOf(path)).rejects.toThrow(message);
  });
});
