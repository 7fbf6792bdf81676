// Files of unavailable items: one id per line, or CSV.

import { describe, expect, it } from "vitest";
import { parseUnavailable } from "../../../src/serving/availability/file.js";

describe("a file of unavailable items", () => {
  it.each<[string, string, string[]]>([
    ["one id per line", "7\n8\n\n7\n", ["7", "8"]],
    ["no end of the last line", "7\r\n8", ["7", "8"]],
    ["ids with commas", "a\nb,c\n", ["a", "b,c"]],
    ["a header", "Item ID\n7\n", ["7"]],
    ["a header alone", "item\n", []],
    ["CSV with a column of ids", 'why,product_id\nsold,7\n"sold, again",8\n', ["7", "8"]],
    ["CSV without a header", "7,sold\n8,sold\n", ["7", "8"]],
    ["tabs and quoted ids", 'sku\twhy\n"a ""b"""\tsold\n', ['a "b"']],
    ["semicolons", "id;why\n7;sold\n", ["7"]],
    ["a quoted id alone", '"7"\n', ["7"]],
  ])("can have %s", (_, text, ids) => {
    expect(parseUnavailable(text, "out")).toEqual(ids);
  });

  it.each<[string, string, RegExp]>([
    ["is empty", " \n", /^out: the file is empty .*write one line with the word "item"/],
    ["has an incomplete row", "id,why\n7,sold\n8", /^out:3: has 1 fields \(expected 2, as in line 1\)/],
    ["has a row without an id", "id,why\n,sold\n", /^out:2: the id is missing/],
    ["has a control character", "7\n8\u0007\n", /^out:2: the id has control characters/],
  ])("that %s is refused", (_, text, message) => {
    expect(() => parseUnavailable(text, "out")).toThrow(message);
  });
});
