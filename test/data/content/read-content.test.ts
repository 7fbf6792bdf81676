// Content from files of every kind, compared with scikit-learn, NumPy and hand-made images.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { WantedItems } from "../../../src/data/content/draft.js";
import type { ContentInput } from "../../../src/data/content/input.js";
import { readContent } from "../../../src/data/content/read-content.js";
import { keepContent } from "../../../src/data/content/store.js";
import { tokeniser } from "../../../src/data/content/text.js";
import type {
  ContentForm,
  ImageContent,
  ItemContent,
  SequenceContent,
  VectorContent,
  WordContent,
} from "../../../src/data/content.js";
import { literal, withDatabase } from "../../../src/data/database.js";
import { loadDataset } from "../../../src/data/dataset.js";
import { prepareDataset } from "../../../src/data/prepare.js";
import { Vocabulary } from "../../../src/data/vocabulary.js";
import { type CsrMatrix, rowIndices } from "../../../src/sparse/csr.js";

interface Fixture {
  texts: string[];
  /** All words, best first. */
  words: string[];
  /** Counts [texts, 12] of the 12 best words. */
  best: number[][];
  numbers: number[][];
  half: number[][];
  arrays: Record<string, string>;
}
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, "../fixtures/content/content.json"), "utf8"),
) as Fixture;

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-content-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function write(name: string, data: string | Uint8Array): string {
  const path = join(home, name);
  writeFileSync(path, data);
  return path;
}

const catalogue = (...ids: string[]) => new Vocabulary(ids);
const five = catalogue("0", "1", "2", "3", "4");

async function read(input: string | ContentInput, items: Vocabulary, form?: ContentForm) {
  const wanted = new WantedItems({ catalogue: items });
  const draft = await readContent(input, wanted, { form });
  return { content: await keepContent(draft, wanted), skipped: draft.skipped };
}

function dense({ rows, columns, offsets, indices, values }: CsrMatrix): number[][] {
  const matrix = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  for (let row = 0; row < rows; row++)
    for (let k = offsets[row]; k < offsets[row + 1]; k++) matrix[row][indices[k]] += values?.[k] ?? 1;
  return matrix;
}

const tokensOf = ({ sequences, tokens }: SequenceContent, item: number) =>
  [...rowIndices(sequences, item)].map((token) => tokens.ids[token]);

describe("texts", () => {
  const items = catalogue(...fixture.texts.map((_, id) => String(id)));

  it("become the words, counts and tf-idf vocabulary that scikit-learn makes of them", async () => {
    const records = fixture.texts.map((text, id) => ({ id, text }));
    const all = (await read({ records }, items)).content as WordContent;
    expect(all.words.ids).toEqual(fixture.words);
    const { content, skipped } = await read({ records, words: 12 }, items);
    const words = content as WordContent;
    expect(words.words.ids).toEqual(fixture.words.slice(0, 12));
    expect(dense(words.counts)).toEqual(fixture.best);
    expect(skipped.counts).toMatchObject({ empty: 2, unknown: 0 });
    expect(skipped.examples.map(({ id }) => id)).toEqual(["4", "6"]);
    expect([...words.known]).toEqual(fixture.best.map((row) => (row.some((count) => count > 0) ? 1 : 0)));
  });

  it("are the same from CSV, JSON lines, Parquet, and a list of lines", async () => {
    const records = fixture.texts.map((text, id) => ({ id, text }));
    const expected = (await read({ records }, items)).content;
    const quoted = fixture.texts.map((text, id) => `${id},"${text}"\n`).join("");
    const csv = write("texts.csv", `movieId,plot\n${quoted}`);
    const jsonl = write(
      "texts.jsonl",
      fixture.texts.map((text, id) => `${JSON.stringify({ id, text })}\n`).join(""),
    );
    const lines = write("texts.txt", fixture.texts.map((text) => `${text}\n`).join(""));
    const parquet = join(home, "texts.parquet");
    await withDatabase((database) =>
      database.run(`COPY (SELECT movieId, plot FROM read_csv(${literal(csv)})) TO ${literal(parquet)}`),
    );
    for (const file of [csv, jsonl, lines, parquet])
      expect((await read(file, items)).content).toEqual(expected);
  });

  it("of several columns are joined, those of title and text columns by default", async () => {
    const file = write("films.csv", "id,year,title,abstract\n0,1999,Red Planet,a long way\n1,2001,Blue,\n");
    const { content } = await read({ file, kind: "sequences" }, five);
    expect(tokensOf(content as SequenceContent, 0)).toEqual(["red", "planet", "long", "way"]);
    const chosen = await read({ file, kind: "sequences", fields: ["abstract", "year"] }, five);
    expect(tokensOf(chosen.content as SequenceContent, 0)).toEqual(["long", "way", "1999"]);
  });

  it("become sequences of the most frequent tokens, in their order", async () => {
    const records = [
      { id: 0, text: "G E G D" },
      { id: 1, text: "C  G E" },
      { id: 3, text: "F" },
    ];
    const asked = { records, kind: "sequences", split: "spaces", words: 3 } as const;
    const content = (await read(asked, five)).content as SequenceContent;
    // G 3, E 2, then C, D and F once each: the first by its spelling.
    expect(content.tokens.ids).toEqual(["G", "E", "C"]);
    expect([0, 1, 2, 3].map((item) => tokensOf(content, item))).toEqual([
      ["G", "E", "G"],
      ["C", "G", "E"],
      [],
      [],
    ]);
    expect([...content.known]).toEqual([1, 1, 0, 0, 0]);
    const tokens = records.map(({ id, text }) => ({ id, tokens: text.split(/ +/) }));
    expect((await read({ records: tokens, words: 3 }, five)).content).toEqual(content);
  });

  it("lose the stop words of a language, or none", async () => {
    const cut = async (stopWords: string | null) =>
      (await tokeniser({ split: "words", stopWords }))("The end of the state-of-the-art, l’été und die Welt");
    expect(await cut("eng")).toEqual(["end", "state-of-the-art", "l’été", "und", "die", "welt"]);
    expect(await cut("deu")).toEqual(["the", "end", "of", "the", "state-of-the-art", "l’été", "welt"]);
    expect(await cut(null)).toHaveLength(9);
    await expect(cut("english")).rejects.toThrow(/there is no list for the language "english"/);
  });

  it("of new items have the words, maxima and stop words of the training items", async () => {
    const form: ContentForm = {
      kind: "words",
      words: ["red", "planet"],
      maxima: [2, 1],
      text: { split: "words", stopWords: null },
    };
    const wanted = new WantedItems({ present: catalogue("old") });
    const records = [
      { id: "old", text: "red" },
      { id: "new", text: "red red red dwarf" },
      { id: "odd", text: "nothing of the kind" },
      { id: "newer", text: "Planet" },
    ];
    const draft = await readContent({ records }, wanted, { form });
    const content = draft.content as WordContent;
    expect(wanted.ids).toEqual(["new", "newer"]);
    expect(dense(content.counts)).toEqual([
      [3, 0],
      [0, 1],
    ]);
    expect([...content.maxima]).toEqual([2, 1]);
    expect(draft.skipped.counts).toMatchObject({ present: 1, empty: 1 });
    // Bags with another vocabulary are converted to the model's words.
    write("vocabulary.dat", "planet\nmoon\nred\n");
    const bags = await readContent(write("new.dat", "2 0:1 2:4\n1 1:1\n"), new WantedItems({}), { form });
    expect(dense((bags.content as WordContent).counts)).toEqual([[4, 1]]);
    expect(bags.skipped.counts.empty).toBe(1);
  });
});

describe("vectors", () => {
  const rows = async (content: ItemContent, items: readonly number[]) => {
    const vectors = content as VectorContent;
    const block = await vectors.read(items);
    return items.map((_, k) => [...block.subarray(k * vectors.dimensions, (k + 1) * vectors.dimensions)]);
  };
  const single = (numbers: number[][]) => numbers.map((row) => row.map(Math.fround));

  it.each([
    ["float16", fixture.half],
    ["float32", fixture.numbers],
    ["float64", fixture.numbers],
    ["int8", [0, 3, 6, 9, 12].map((k) => [k - 7, k - 6, k - 5])],
    ["int64", [0, 3, 6, 9, 12].map((k) => [k - 7, k - 6, k - 5])],
  ])("of numpy.save's %s are what NumPy wrote", async (type, expected) => {
    const file = write(`${type}.npy`, Buffer.from(fixture.arrays[type], "base64"));
    const { content } = await read(file, five);
    expect(await rows(content, [0, 1, 2, 3, 4])).toEqual(single(expected));
  });

  it("are the same after writing and loading a dataset folder, in any order, zeros for missing ones", async () => {
    const file = write("four.npy", Buffer.from(fixture.arrays.float32, "base64"));
    const ids = write("ids.txt", "c\na\nnobody\nd\nb\n");
    const interactions = ["a", "b", "c", "d", "e"].map((item) => ({ user: "u", item }));
    const out = join(home, "vectors");
    const options = { minUser: 0, items: "all", validationUsers: 0, testUsers: 0 } as const;
    const manifest = await prepareDataset({ input: interactions, options, content: { file, ids }, out });
    expect(manifest.content).toMatchObject({ kind: "vectors", shape: [3], items: 4, missing: 1 });
    expect(manifest.content?.skipped.unknown).toBe(1);
    const { content, items } = await loadDataset(out);
    const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((id) => items.indexOf(id) as number);
    const [ofC, ofA, , ofD, ofB] = single(fixture.numbers);
    const found = await rows(content as ItemContent, [b, a, e, d, c, a]);
    expect(found).toEqual([ofB, ofA, [0, 0, 0], ofD, ofC, ofA]);
    expect([...(content as ItemContent).known]).toEqual([a, b, c, d, e].map((item) => (item === e ? 0 : 1)));
  });

  it("come from columns, from lists in a column, and from Parquet's lists", async () => {
    const expected = [
      [1.5, -2],
      [0.25, 1e-3],
      [0, 0],
    ];
    const files = [
      write("columns.csv", "asin,d1,d2\n0,1.5,-2\n1,.25,1e-3\n"),
      write("lists.csv", 'id,embedding\n0,"[1.5, -2]"\n1,"0.25,0.001"\n2,\n'),
      write(
        "lists.jsonl",
        '{"id":0,"vector":[1.5,-2]}\n{"id":"1","vector":[0.25,0.001]}\n{"id":7,"vector":[1,2]}\n',
      ),
    ];
    const parquet = join(home, "lists.parquet");
    await withDatabase((database) =>
      database.run(
        `COPY (SELECT * FROM (VALUES ('1', [0.25, 0.001]::FLOAT[]), ('0', [1.5, -2]), ('2', NULL)) t(item, v)) TO ${literal(parquet)}`,
      ),
    );
    for (const file of [...files, parquet])
      expect(await rows((await read(file, five)).content, [0, 1, 2]), file).toEqual(single(expected));
  });
});

describe("images", () => {
  const solid = (r: number, g: number, b: number, width = 40, height = 20) =>
    sharp({ create: { width, height, channels: 3, background: { r, g, b } } });
  let folder: string;
  beforeAll(async () => {
    folder = join(home, "pictures");
    mkdirSync(folder);
    await solid(255, 0, 51).png().toFile(join(folder, "0.png"));
    await solid(10, 200, 30).jpeg({ quality: 100 }).toFile(join(folder, "1.jpg"));
    await solid(0, 0, 0).png().toFile(join(folder, "1.png"));
    // The left half black, the right half white.
    const halves = Buffer.alloc(8 * 4).map((_, k) => (k % 8 < 4 ? 0 : 255));
    await sharp(halves, { raw: { width: 8, height: 4, channels: 1 } })
      .png()
      .toFile(join(folder, "3.PNG"));
    writeFileSync(join(folder, "2.png"), "no picture");
    await solid(1, 1, 1).png().toFile(join(folder, "cat.png"));
    writeFileSync(join(folder, "notes.md"), "not looked at");
  });

  it("are decoded and resized, channels first; damaged and unknown ones are counted", async () => {
    const { content, skipped } = await read({ file: folder, size: [2, 4] }, five);
    const images = content as ImageContent;
    expect([images.channels, images.height, images.width]).toEqual([3, 2, 4]);
    expect([...images.known]).toEqual([1, 1, 0, 1, 0]);
    const block = await images.read([0, 1, 3, 4]);
    const channel = (k: number) => [...block.subarray(8 * k, 8 * k + 8)];
    for (const [k, value] of [1, 0, 0.2, 10 / 255, 200 / 255, 30 / 255].entries())
      for (const pixel of channel(k)) expect(pixel).toBeCloseTo(value, 2);
    const dark = channel(6).filter((_, p) => p % 4 < 2);
    const light = channel(6).filter((_, p) => p % 4 >= 2);
    expect(Math.max(...dark)).toBeLessThan(0.1);
    expect(Math.min(...light)).toBeGreaterThan(0.9);
    expect(channel(9)).toEqual(new Array(8).fill(0));
    expect(skipped.counts).toMatchObject({ damaged: 1, unknown: 1, duplicate: 1 });
  });

  it("are greyscale with one channel, and the same after writing and loading a folder", async () => {
    const interactions = ["0", "1", "2", "3", "4"].map((item) => ({ user: "u", item }));
    const options = { minUser: 0, items: "all", validationUsers: 0, testUsers: 0 } as const;
    const out = join(home, "grey");
    const asked = { file: folder, size: [4, 8], channels: 1 } as const;
    const manifest = await prepareDataset({ input: interactions, options, content: asked, out });
    expect(manifest.content).toMatchObject({ shape: [1, 4, 8], items: 3, missing: 2 });
    const loaded = (await loadDataset(out)).content as ImageContent;
    const { content } = await read(asked, five);
    const all = [3, 0, 2, 1];
    expect(await loaded.read(all)).toEqual(await (content as ImageContent).read(all));
    const [block] = [await loaded.read([3])];
    expect([...block.subarray(0, 8)]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });
});

describe("images that are decoded in parallel", () => {
  const atOnce = 2 * availableParallelism();
  it.each([atOnce - 1, atOnce, atOnce + 1])("are those of their items: %i of them", async (count) => {
    const folder = join(home, `side-by-side-${count}`);
    mkdirSync(folder);
    for (let item = 0; item < count; item++)
      await sharp({ create: { width: 2, height: 2, channels: 3, background: { r: 4 * item, g: 0, b: 0 } } })
        .png()
        .toFile(join(folder, `${item}.png`));
    const known = catalogue(...Array.from({ length: count }, (_, item) => `${item}`));
    const images = (await read({ file: folder, size: [1, 1] }, known)).content as ImageContent;
    const block = await images.read(Array.from({ length: count }, (_, item) => item));
    for (let item = 0; item < count; item++) expect(block[3 * item] * 255).toBeCloseTo(4 * item, 3);
  });
});

describe("content that cannot be used is refused in one line", () => {
  const npy = (type: string) => write(`${type}.npy`, Buffer.from(fixture.arrays[type], "base64"));
  const vectors: ContentForm = { kind: "vectors", dimensions: 4 };

  it.each<[string, () => string | ContentInput, RegExp, ContentForm?]>([
    ["a missing file", () => join(home, "nowhere.csv"), /nowhere\.csv: there is no such file/],
    [
      "an empty folder",
      () => {
        mkdirSync(join(home, "none"), { recursive: true });
        return join(home, "none");
      },
      /no images in this folder .*17\.png/,
    ],
    [
      "a vector of another length",
      () => write("short.jsonl", '{"id":0,"v":[1,2]}\n{"id":1,"v":[1,2,3]}\n'),
      /short\.jsonl:2: the vector of item 1 has 3 numbers \(expected 2, as for item 0\)/,
    ],
    [
      "a vector that does not fit the model",
      () => write("fit.csv", "id,a,b\n0,1,2\n"),
      /fit\.csv:2: the vector of item 0 has 2 numbers \(expected 4, as in the model's training data\)/,
      vectors,
    ],
    [
      "a word among numbers",
      () => ({ file: write("word.csv", "id,a,b\n0,1,2\n1,3,four\n"), kind: "vectors", fields: ["a", "b"] }),
      /word\.csv:3: the value in the column "b" is not a number/,
    ],
    [
      "a number that is not finite",
      () => write("nan.csv", "id,a,b\n0,1,2\n1,1e300,4\n"),
      /nan\.csv:3: 1e\+300 in the column "a" is not a finite float32 number/,
    ],
    [
      "a list that is none",
      () => ({ file: write("list.csv", 'id,v\n0,"1,2"\n1,abc\n'), kind: "vectors", fields: ["v"] }),
      /list\.csv:3: /,
    ],
    [
      "an array stored by columns",
      () => npy("fortran"),
      /fortran\.npy: the array is stored in column-major order/,
    ],
    [
      "an array of complex numbers",
      () => npy("complex"),
      /complex\.npy: the numbers have type <c16 \(expected floats/,
    ],
    [
      "an array of one dimension",
      () => npy("flat"),
      /flat\.npy: the array has the shape \(15\) \(expected \(items, dimensions\)\)/,
    ],
    [
      "a truncated array",
      () => write("cut.npy", Buffer.from(fixture.arrays.float64, "base64").subarray(0, 180)),
      /cut\.npy: the file is truncated: it has 180 bytes \(expected 248 bytes for shape \(5, 3\)\)/,
    ],
    [
      "too few ids",
      () => ({ file: npy("float32"), ids: write("few.txt", "a\nb\n") }),
      /float32\.npy: there are 5 rows \(expected 2, one for each id in .*few\.txt\)/,
    ],
    [
      "an id that comes twice",
      () => ({ file: npy("float32"), ids: write("twice.txt", "a\nb\na\n") }),
      /twice\.txt:3: "a" is already in line 1 \(expected one id per line, without duplicates\)/,
    ],
    [
      "content of other items",
      () => write("strangers.csv", "id,text\n70,some words\n71,more\n"),
      /strangers\.csv: none of its items is in the catalogue \(70, \.\.\.\) \(expected ids such as 0, 1, 2\)/,
    ],
    [
      "no text at all",
      () => write("blank.csv", "id,text\n0,\n1,the\n"),
      /blank\.csv: it has no usable content: its entries are empty or contain only unknown words \(item 0, \.\.\.\)/,
    ],
    [
      "no column of ids",
      () => write("ids.csv", "key,text\n0,word\n"),
      /ids\.csv: no item id column found \(expected one of the file's columns: key, text\)\. Name it with --content-id/,
    ],
    [
      "a column that is not there",
      () => ({ file: write("there.csv", "id,text\n0,word\n"), fields: ["plot"] }),
      /there\.csv: there is no column "plot"/,
    ],
    [
      "columns that are neither",
      () => write("neither.csv", "id,genre,year\n0,drama,1999\n"),
      /neither\.csv: found neither a text column nor only columns of numbers/,
    ],
    [
      "an empty id",
      () => write("id.csv", "id,text\n,word\n"),
      /id\.csv:2: there is no value in the column "id"/,
    ],
    [
      "texts for a model trained on vectors",
      () => write("texts.csv", "id,text\n0,word\n"),
      /texts\.csv: /,
      vectors,
    ],
    [
      "vectors for a model trained on words",
      () => npy("float32"),
      /float32\.npy: arrays are content of kind vectors \(expected words, on which the model was trained\)/,
      { kind: "words", words: ["a"], maxima: [1] },
    ],
    [
      "bags without their words",
      () => {
        mkdirSync(join(home, "bags"), { recursive: true });
        return write("bags/mult.dat", "1 0:1\n");
      },
      /mult\.dat: its words are numbers, and there is no vocabulary\.dat in the same folder\. Pass a file/,
    ],
  ])("%s", async (_, input, message, form) => {
    const failing = read(input(), five, form);
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
    await failing.catch((error: Error) => expect(error.message).not.toContain("\n"));
  });
});
