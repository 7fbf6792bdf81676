// Content in a dataset: read from mult.dat, written to a folder, and loaded unchanged.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formOf, scaledByMaximum, type WordContent } from "../../../src/data/content.js";
import { loadDataset } from "../../../src/data/dataset.js";
import type { Interaction } from "../../../src/data/interactions.js";
import { buildDataset, prepareDataset } from "../../../src/data/prepare.js";
import { rowIndices } from "../../../src/sparse/csr.js";

// 20 users of 8 items; user u has the items u, u + 1, u + 2 (modulo 8). Items are numbered by id.
const interactions: Interaction[] = Array.from({ length: 60 }, (_, row) => {
  const user = Math.trunc(row / 3);
  return { user, item: (user + (row % 3)) % 8 };
});
const options = { minUser: 1, items: "all" } as const;

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-content-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(home, name);
  writeFileSync(path, text);
  return path;
};

describe("bags of words", () => {
  // Lines of the items 0 ... 9: item 4 has no words, 8 and 9 are in no interaction.
  const bags = "2 0:1 3:2\n1 1:4\n2 2:1 0:3\n1 3:1\n0\n1 0:1\n3 0:1 1:1 2:5\n1 3:4\n1 0:9\n1 1:1\n";
  let file: string;
  beforeAll(() => {
    write("vocabulary.dat", "alpha\nbeta\ngamma\ndelta\n");
    file = write("mult.dat", bags);
  });

  it("are the same after loading a folder as in memory", async () => {
    const out = join(home, "words");
    const manifest = await prepareDataset({ input: interactions, options, content: file, out });
    expect(manifest.formatVersion).toBe(2);
    expect(manifest.content).toMatchObject({
      kind: "words",
      shape: [4],
      files: ["mult.dat", "vocabulary.dat"],
      items: 7,
      missing: 1,
      skipped: { unknown: 2, empty: 1, duplicate: 0, damaged: 0 },
      examples: [
        { id: "4", why: "empty" },
        { id: "8", why: "unknown" },
        { id: "9", why: "unknown" },
      ],
    });
    const loaded = (await loadDataset(out)).content as WordContent;
    const built = (await buildDataset({ input: interactions, options, content: file })).content;
    expect(loaded).toEqual(built);
    expect([...loaded.known]).toEqual([1, 1, 1, 1, 0, 1, 1, 1]);
    expect(loaded.words.ids).toEqual(["alpha", "beta", "gamma", "delta"]);
    expect([...rowIndices(loaded.counts, 2)]).toEqual([2, 0]);
    expect((await loadDataset(out, { content: false })).content).toBeUndefined();
  });

  it("are scaled by each word's maximum over the catalogue's items", async () => {
    const { content } = await buildDataset({ input: interactions, options, content: file });
    const words = content as WordContent;
    // The 9 of item 8, which is not in the catalogue, does not count.
    expect([...words.maxima]).toEqual([3, 4, 5, 4]);
    const expected = [1 / 3, 2 / 4, 4 / 4, 1 / 5, 3 / 3, 1 / 4, 1 / 3, 1 / 3, 1 / 4, 5 / 5, 4 / 4];
    expect([...scaledByMaximum(words).values]).toEqual(expected.map(Math.fround));
    expect(formOf(words)).toEqual({ kind: "words", words: [...words.words.ids], maxima: [3, 4, 5, 4] });
  });

  it.each([
    ["2 0:1\n", "the line has 1 pairs (expected 2)"],
    ["1 4:1\n", "there is no word 4 (expected numbers from 0 to 3: the vocabulary has 4 words)"],
    ["1 0=1\n", 'cannot read "0=1" (expected word:count, such as 17:2)'],
    ["2 1:1 1:2\n", "the word 1 appears twice in the line"],
    ["one\n", 'cannot read the line "one" (expected a count followed by that many pairs word:count)'],
  ])("are rejected with the line that is not valid: %j", async (line, message) => {
    const wrong = write("wrong.dat", `1 0:1\n${line}`);
    await expect(buildDataset({ input: interactions, options, content: wrong })).rejects.toThrow(
      `${wrong}:2: ${message}`,
    );
  });

  it("a folder without content keeps the format version that every foldin reads", async () => {
    const out = join(home, "plain");
    await prepareDataset({ input: interactions, options, out });
    expect(JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")).formatVersion).toBe(1);
    expect("content" in (await loadDataset(out))).toBe(false);
  });

  it("a changed file is detected", async () => {
    const out = join(home, "changed");
    await prepareDataset({ input: interactions, options, content: file, out });
    writeFileSync(join(out, "content.parquet"), "PAR1");
    await expect(loadDataset(out)).rejects.toThrow(`${join(out, "content.parquet")}: the file is damaged`);
  });
});
