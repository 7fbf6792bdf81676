import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { netflixRows } from "../../../src/data/sources/netflix-rows.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foldin-netflix-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function rewrite(...texts: string[]): Promise<string> {
  const files = texts.map((text, k) => {
    const file = join(folder, `combined_data_${k + 1}.txt`);
    writeFileSync(file, text);
    return file;
  });
  const pieces: Buffer[] = [];
  for await (const piece of netflixRows(files)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString("latin1");
}

describe("the Netflix files as rows", () => {
  it("carry the film of their block, across files, line ends and missing last newlines", async () => {
    expect(
      await rewrite(
        "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\r\n7,4,2000-01-01",
        "17770:\n9,1,2005-01-02\n",
      ),
    ).toBe(
      "user,item,rating,date\n1488844,1,3,2005-09-06\n822109,1,5,2005-05-13\n7,2,4,2000-01-01\n9,17770,1,2005-01-02\n",
    );
  });

  it("agree with a rewriting of whole strings on files larger than a chunk", async () => {
    const sizes = fc.sample(fc.integer({ min: 0, max: 900 }), { numRuns: 300, seed: 5 });
    const blocks = sizes.map((size, film) => ({
      film: film * 59 + 1,
      rows: Array.from(
        { length: size },
        (_, k) => `${(film * 7919 + k * 104729) % 2649430},${1 + (k % 5)},2005-09-${10 + (k % 20)}`,
      ),
    }));
    const text = blocks
      .map(({ film, rows }) => `${film}:\n${rows.map((row) => `${row}\n`).join("")}`)
      .join("");
    expect(text.length).toBeGreaterThan(2 ** 21);
    const expected = blocks.flatMap(({ film, rows }) => rows.map((row) => row.replace(",", `,${film},`)));
    expect((await rewrite(text)).split("\n").slice(1, -1)).toEqual(expected);
  });

  it.each([
    ["1:\n5,3\n", /combined_data_1\.txt:2: cannot read the line "5,3"/],
    ["1:\n5,3,2005-01-01,x\n", /:2: cannot read the line/],
    ["5,3,2005-01-01\n", /:1: cannot read the line .* before its ratings/],
    ["one:\n5,3,2005-01-01\n", /:1: cannot read the line "one:"/],
  ])("are refused with file and line: %j", async (text, message) => {
    await expect(rewrite(text)).rejects.toThrow(message);
  });
});
