// Content files of all kinds, valid and invalid. The test generates them from known data, so the expected result does not depend
// on any reader. A file is read correctly or rejected with a message; none is misread, hangs or crashes the process.
// docs/datasets.md has the same table for users.

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { WantedItems } from "../../../src/data/content/draft.js";
import { type ContentInput, readContent } from "../../../src/data/content/read-content.js";
import { keepContent } from "../../../src/data/content/store.js";
import type { ImageContent, ItemContent, VectorContent, WordContent } from "../../../src/data/content.js";
import { Vocabulary } from "../../../src/data/vocabulary.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-dirty-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

let files = 0;
/** A new file, so that no other file is read by mistake. */
function write(ending: string, data: string | Uint8Array): string {
  const path = join(home, `${files++}${ending}`);
  writeFileSync(path, data);
  return path;
}

async function read(input: string | ContentInput, items: number): Promise<ItemContent> {
  const wanted = new WantedItems({
    catalogue: new Vocabulary(Array.from({ length: items }, (_, item) => String(item))),
  });
  return keepContent(await readContent(input, wanted), wanted);
}

async function expectRefusal(reading: Promise<unknown>, what: string, message = /./): Promise<void> {
  const outcome = await reading.then(
    () => "it was read",
    (error: unknown) => error,
  );
  expect(outcome, what).toBeInstanceOf(UserError);
  const text = (outcome as Error).message;
  expect(text, what).toMatch(message);
  expect(text, what).not.toContain("\n");
  expect(text.length, what).toBeLessThan(1000);
}

const samples = <T>(arbitrary: fc.Arbitrary<T>, count: number) =>
  fc.sample(arbitrary, { numRuns: count, seed: 20 });

/** The counts of each word in each item's bag. */
function bagsOf(content: ItemContent): Record<string, number>[] {
  const { counts, words, items } = content as WordContent;
  return Array.from({ length: items }, (_, item) =>
    Object.fromEntries(
      Array.from(
        { length: counts.offsets[item + 1] - counts.offsets[item] },
        (_, k) =>
          [
            words.ids[counts.indices[counts.offsets[item] + k]],
            counts.values[counts.offsets[item] + k],
          ] as const,
      ).sort(),
    ),
  );
}

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, "utf16le");

describe("mult.dat", () => {
  const vocabulary = ["red", "green", "blue", "pâté", "it's"];
  const bag = fc.uniqueArray(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 9 })), {
    selector: ([word]) => word,
    minLength: 1,
    maxLength: 5,
  });
  const line = (pairs: readonly (readonly [number, number])[]) =>
    [pairs.length, ...pairs.map(([word, count]) => `${word}:${count}`)].join(" ");
  const right: Record<string, (lines: string[]) => string | Uint8Array> = {
    plain: (lines) => `${lines.join("\n")}\n`,
    "without a last line end": (lines) => lines.join("\n"),
    "with CR LF": (lines) => `${lines.join("\r\n")}\r\n`,
    "with mixed line ends": (lines) => lines.map((text, k) => text + (k % 2 ? "\r\n" : "\n")).join(""),
    "with a byte order mark": (lines) => `\ufeff${lines.join("\n")}\n`,
    "with tabs and blanks": (lines) => lines.map((text) => ` ${text.replaceAll(" ", " \t ")}  \n`).join(""),
    "with decimal counts": (lines) => `${lines.join(".0\n").replaceAll(/:(\d) /g, ":$1.0 ")}.0\n`,
    "with leading zeros": (lines) => `${lines.join("\n").replaceAll(/ (\d):/g, " 00$1:")}\n`,
  };
  const wrong: Record<string, (lines: string[]) => string | Uint8Array> = {
    "a count too many": ([, ...lines]) => ["6 0:1", ...lines].join("\n"),
    "a word beyond the vocabulary": ([, ...lines]) => ["1 5:1", ...lines].join("\n"),
    "the word 2^31": ([, ...lines]) => ["1 2147483648:1", ...lines].join("\n"),
    "the word 2^64": ([, ...lines]) => ["1 18446744073709551616:1", ...lines].join("\n"),
    "a negative word": ([, ...lines]) => ["1 -1:1", ...lines].join("\n"),
    "a negative count": ([, ...lines]) => ["1 1:-1", ...lines].join("\n"),
    "a count of 0": ([, ...lines]) => ["1 1:0", ...lines].join("\n"),
    "a count that float32 does not hold": ([, ...lines]) => [`1 1:1${"0".repeat(39)}`, ...lines].join("\n"),
    "a count that float32 takes for 0": ([, ...lines]) => [`1 1:0.${"0".repeat(50)}1`, ...lines].join("\n"),
    "a count in another notation": ([, ...lines]) => ["1 1:1e3", ...lines].join("\n"),
    "a word twice": ([, ...lines]) => ["2 1:1 1:2", ...lines].join("\n"),
    text: ([, ...lines]) => ["red green", ...lines].join("\n"),
    "an empty line": (lines) => [...lines, "", ...lines].join("\n"),
    "a lone carriage return": (lines) => ["1 1:1\r1 2:1", ...lines].join("\n"),
    gzip: (lines) => gzipSync(lines.join("\n")),
    "UTF-16": (lines) => utf16(lines.join("\n")),
    "NUL bytes": (lines) => `${lines.join("\n")}\0\0`,
    "a line of 20 MB": (lines) => `1 1:1${" ".repeat(20 << 20)}\n${lines.join("\n")}`,
    nothing: () => "",
  };
  const bags = samples(fc.array(bag, { minLength: 1, maxLength: 6 }), 4);

  it.each(Object.keys(right))("%s is read", async (kind) => {
    const words = write(".words", vocabulary.join("\n"));
    for (const some of bags) {
      const file = write(".dat", right[kind](some.map(line)));
      const content = await read({ file, vocabulary: words }, some.length);
      expect(bagsOf(content)).toEqual(
        some.map((pairs) =>
          Object.fromEntries(pairs.map(([word, count]) => [vocabulary[word], count]).sort()),
        ),
      );
    }
  });

  it.each(Object.keys(wrong))("with %s is refused", async (kind) => {
    const words = write(".words", vocabulary.join("\n"));
    const file = write(".dat", wrong[kind](bags[0].map(line)));
    await expectRefusal(read({ file, vocabulary: words }, 10), kind);
  });

  const lists: Record<string, (words: string[]) => string | Uint8Array> = {
    plain: (words) => words.join("\n"),
    "with CR LF and empty lines at the end": (words) => `${words.join("\r\n")}\r\n\r\n`,
    "with CR": (words) => `${words.join("\r")}\r`,
    "with a byte order mark": (words) => `\ufeff${words.join("\n")}`,
    "in UTF-16": (words) => utf16(words.join("\n")),
    "in UTF-16, big endian": (words) => utf16(words.join("\n")).swap16(),
  };
  it.each(Object.keys(lists))("has its words from a list %s", async (kind) => {
    const words = write(".words", lists[kind](vocabulary));
    const content = await read({ file: write(".dat", "2 0:1 3:2\n"), vocabulary: words }, 1);
    expect((content as WordContent).words.ids).toEqual(vocabulary);
  });

  it.each<[string, (words: string[]) => string | Uint8Array]>([
    ["an empty line", (words) => [...words, "", "x"].join("\n")],
    ["a word twice", (words) => [...words, "red"].join("\n")],
    ["another encoding", (words) => Buffer.from(words.join("\n"), "latin1")],
    ["gzip", (words) => gzipSync(words.join("\n"))],
    ["NUL bytes", (words) => words.join("\0")],
  ])("is refused where its list of words has %s", async (kind, make) => {
    const words = write(".words", make(vocabulary));
    await expectRefusal(read({ file: write(".dat", "1 0:1\n"), vocabulary: words }, 1), kind);
  });
});

describe("texts", () => {
  const word = fc.stringMatching(/^[a-zäéßя漢]{3,8}$/);
  const text = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(" "));
  const all = samples(fc.array(text, { minLength: 2, maxLength: 5 }), 4);
  const csv = (rows: readonly string[][], delimiter: string, end: string) =>
    rows.map((row) => row.join(delimiter) + end).join("");
  const right: Record<string, (texts: string[]) => [string, string | Uint8Array]> = {
    lines: (texts) => [".txt", texts.join("\n")],
    "lines with CR LF and a byte order mark": (texts) => [".txt", `\ufeff${texts.join("\r\n")}\r\n`],
    "lines in UTF-16": (texts) => [".txt", utf16(texts.join("\n"))],
    CSV: (texts) => [".csv", csv([["id", "text"], ...texts.map((t, k) => [String(k), t])], ",", "\n")],
    "CSV, everything quoted, CR LF": (texts) => [
      ".csv",
      csv([['"id"', '"text"'], ...texts.map((t, k) => [`"${k}"`, `"${t}"`])], ",", "\r\n"),
    ],
    "CSV with a byte order mark": (texts) => [
      ".csv",
      `\ufeff${csv([["id", "text"], ...texts.map((t, k) => [String(k), t])], ",", "\n")}`,
    ],
    "CSV with commas, marks and line ends in the texts": (texts) => [
      ".csv",
      csv(
        [["id", "text"], ...texts.map((t, k) => [String(k), `"${t.replaceAll(" ", ', ""\n')}"`])],
        ",",
        "\n",
      ),
    ],
    "CSV, compressed": (texts) => [
      ".csv.gz",
      gzipSync(csv([["id", "text"], ...texts.map((t, k) => [String(k), t])], ",", "\n")),
    ],
    "CSV with other columns around": (texts) => [
      ".csv",
      csv([["x", "text", "id", "y"], ...texts.map((t, k) => ["?", t, String(k), "!"])], ",", "\n"),
    ],
    TSV: (texts) => [".tsv", csv([["id", "text"], ...texts.map((t, k) => [String(k), t])], "\t", "\n")],
    "JSON lines": (texts) => [
      ".jsonl",
      texts.map((t, k) => `${JSON.stringify({ id: k, text: t })}\n`).join(""),
    ],
    "JSON lines, escaped": (texts) => [
      ".jsonl",
      texts
        .map(
          (t, k) =>
            `{"text": "${[...t].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}", "id": "${k}"}\n`,
        )
        .join(""),
    ],
  };

  it.each(Object.keys(right))("in %s have the words that were put in", async (kind) => {
    for (const texts of all) {
      const [ending, data] = right[kind](texts);
      const content = await read({ file: write(ending, data), stopWords: null }, texts.length);
      const expected = texts.map((t) => {
        const counts = new Map<string, number>();
        for (const w of t.split(" ")) counts.set(w.toLowerCase(), (counts.get(w.toLowerCase()) ?? 0) + 1);
        return Object.fromEntries([...counts].sort());
      });
      expect(bagsOf(content), kind).toEqual(expected);
    }
  });

  it.each<[string, string, string | Uint8Array]>([
    ["lines in another encoding", ".txt", Buffer.from("pâté\n", "latin1")],
    ["compressed lines", ".txt.gz", gzipSync("some words\n")],
    ["compressed bags of words", ".dat.gz", gzipSync("1 0:1\n")],
    ["NUL bytes", ".txt", "some\0words"],
    ["a table without ids", ".csv", "text,other\nword,1\n"],
    ["a table that is cut in a quotation", ".csv", 'id,text\n0,"some words\n1,more\n'],
    ["a compressed table that is cut", ".csv.gz", gzipSync("id,text\n0,some words\n").subarray(0, 30)],
    ["JSON lines that are cut", ".jsonl", '{"id":0,"text":"some'],
    ["a JSON array", ".json", '[{"id":0,"text":"some words"}]'],
    ["rows of another length", ".csv", "id,text\n0,some,words\n"],
    ["an empty id", ".csv", "id,text\n,some words\n"],
    ["Parquet that is none", ".parquet", "PAR1 and nothing more"],
  ])("are refused as %s", async (kind, ending, data) => {
    await expectRefusal(read(write(ending, data), 2), kind);
  });

  it("of 20 million characters without a blank contain no word, and do not crash", async () => {
    for (const unit of ["漢", "a-"]) {
      const records = [
        { id: 0, text: unit.repeat(1e7) },
        { id: 1, text: `${" x".repeat(5e6)} planet` },
      ];
      const content = await read({ records, stopWords: null }, 2);
      expect(bagsOf(content)).toEqual([{}, { planet: 1 }]);
      const spaces = await read({ records, kind: "sequences", split: "spaces", words: 1 }, 2);
      expect([...spaces.known]).toEqual([0, 1]);
    }
  });

  it("that are long are tokenised like short ones, although in several pieces", async () => {
    const words = samples(fc.stringMatching(/^[a-zé]{2,6}([-'][a-z]{1,3})?$/), 300);
    const between = samples(fc.stringMatching(/^[ ,.!?\n]{1,3}$/), 300);
    const text = words.map((w, k) => `${w}${between[k]}`).join("");
    const repeated = text.repeat(200);
    expect(repeated.length).toBeGreaterThan(1 << 17);
    const [short, long] = [text, repeated].map((t) => ({
      records: [{ id: 0, text: t }],
      stopWords: null,
      words: 999,
    }));
    const [counts] = bagsOf(await read(short, 1));
    expect(bagsOf(await read(long, 1))[0]).toEqual(
      Object.fromEntries(Object.entries(counts).map(([w, count]) => [w, 200 * count])),
    );
  });
});

type Put = (view: DataView, at: number, value: number, little: boolean) => void;

describe("arrays", () => {
  const types: Record<string, [bytes: number, Put, round: (value: number) => number]> = {
    f4: [4, (v, at, x, le) => v.setFloat32(at, x, le), Math.fround],
    f8: [8, (v, at, x, le) => v.setFloat64(at, x, le), Math.fround],
    i1: [1, (v, at, x) => v.setInt8(at, x), Math.trunc],
    i2: [2, (v, at, x, le) => v.setInt16(at, x, le), Math.trunc],
    i4: [4, (v, at, x, le) => v.setInt32(at, x, le), Math.trunc],
    i8: [8, (v, at, x, le) => v.setBigInt64(at, BigInt(Math.trunc(x)), le), Math.trunc],
    u1: [1, (v, at, x) => v.setUint8(at, Math.abs(Math.trunc(x))), (x) => Math.abs(Math.trunc(x))],
    u2: [2, (v, at, x, le) => v.setUint16(at, Math.abs(x), le), (x) => Math.abs(Math.trunc(x))],
    u4: [4, (v, at, x, le) => v.setUint32(at, Math.abs(x), le), (x) => Math.abs(Math.trunc(x))],
    u8: [
      8,
      (v, at, x, le) => v.setBigUint64(at, BigInt(Math.abs(Math.trunc(x))), le),
      (x) => Math.abs(Math.trunc(x)),
    ],
    b1: [1, (v, at, x) => v.setUint8(at, x > 0 ? 1 : 0), (x) => (x > 0 ? 1 : 0)],
  };

  /** The format described in numpy.lib.format. */
  function npy(header: string, data: Uint8Array, version = 1, length?: number): Buffer {
    const text = Buffer.from(`${header}\n`, version === 3 ? "utf8" : "latin1");
    const head = Buffer.alloc(version === 1 ? 10 : 12);
    head.write("\x93NUMPY", 0, "latin1");
    head[6] = version;
    if (version === 1) head.writeUInt16LE(length ?? text.length, 8);
    else head.writeUInt32LE(length ?? text.length, 8);
    return Buffer.concat([head, text, data]);
  }
  const dict = (descr: string, shape: string, fortran = "False") =>
    `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

  const cases = Object.keys(types).flatMap((type) =>
    ["<", ">"].flatMap((order) =>
      [1, 2, 3].map((version) => [type.endsWith("1") ? "|" : order, type, version] as const),
    ),
  );

  it.each(cases)(
    "of type %s%s in version %i hold the numbers that were put in",
    async (order, type, version) => {
      const [bytes, put, round] = types[type];
      const number = fc.double({ min: -100, max: 100, noNaN: true });
      const [rows] = samples(fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 7 }), 1);
      const data = new Uint8Array(rows.length * 3 * bytes);
      const view = new DataView(data.buffer);
      for (const [k, x] of rows.flat().entries()) put(view, k * bytes, x, order !== ">");
      const header = dict(order + type, `(${rows.length}, 3)`);
      for (const text of [header, header.replaceAll(" ", ""), header.padEnd(200)]) {
        const content = (await read(write(".npy", npy(text, data, version)), rows.length)) as VectorContent;
        const found = await content.read(rows.map((_, k) => k));
        expect([...found].map((x) => x + 0)).toEqual(rows.flat().map((x) => round(x) + 0));
      }
    },
  );

  const two = new Uint8Array(8);
  it.each<[string, () => Buffer, RegExp]>([
    ["cut in the numbers", () => npy(dict("<f4", "(2, 2)"), two), /truncated/],
    ["cut in the header", () => npy(dict("<f4", "(1, 2)"), two).subarray(0, 40), /header is damaged/],
    ["with a header of 4 GB", () => npy(dict("<f4", "(1, 2)"), two, 2, 0xffffffff), /header is damaged/],
    ["of version 9", () => npy(dict("<f4", "(1, 2)"), two, 9), /version 9/],
    ["of Python objects", () => npy(dict("|O", "(1, 2)"), two), /Python objects, .* could run code/],
    [
      "of several columns",
      () => npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", two),
      /the array is structured/,
    ],
    ["of text", () => npy(dict("<U4", "(1, 2)"), two), /type <U4/],
    ["of complex numbers", () => npy(dict("<c8", "(1, 1)"), two), /type <c8/],
    ["of long doubles", () => npy(dict("<f16", "(1, 1)"), two), /type <f16/],
    ["stored by columns", () => npy(dict("<f4", "(1, 2)", "True"), two), /column-major order/],
    ["with a negative length", () => npy(dict("<f4", "(-1, 2)"), two), /header is damaged/],
    [
      "with lengths that multiply beyond 2^53",
      () => npy(dict("<f4", "(9999999999, 9999999999)"), two),
      /truncated/,
    ],
    ["with lengths that are not numbers", () => npy(dict("<f4", "(1e3, 2)"), two), /header is damaged/],
    [
      "with lengths beyond every number",
      () => npy(dict("<f4", "(99999999999999999999, 1)"), two),
      /header is damaged/,
    ],
    ["without rows", () => npy(dict("<f4", "(0, 2)"), two), /contains no content/],
    ["without columns", () => npy(dict("<f4", "(2, 0)"), two), /shape \(2, 0\)/],
    ["of one dimension", () => npy(dict("<f4", "(2,)"), two), /shape \(2\)/],
    ["of no dimension", () => npy(dict("<f4", "()"), two), /shape \(\)/],
    ["of three dimensions", () => npy(dict("<f4", "(1, 1, 2)"), two), /shape \(1, 1, 2\)/],
    [
      "of more rows than items can be",
      () => npy(dict("|u1", "(100000000, 1)"), new Uint8Array(1e8)),
      /more than 67108864 rows/,
    ],
    [
      "of 3 million dimensions",
      () => npy(dict("|u1", "(1, 3000000)"), new Uint8Array(3e6)),
      /3000000 dimensions/,
    ],
    [
      "with a number that is not finite",
      () => npy(dict("<f4", "(1, 2)"), new Uint8Array(new Float32Array([1, Number.NaN]).buffer)),
      /number 1 of item 0 is NaN/,
    ],
    [
      "with a number that float32 does not hold",
      () => npy(dict("<f8", "(1, 1)"), new Uint8Array(new Float64Array([1e300]).buffer)),
      /number 0 of item 0 is Infinity/,
    ],
    ["of JSON", () => Buffer.from('{"descr": "<f4"}'), /not an \.npy file/],
    ["of nothing", () => Buffer.alloc(0), /empty/],
  ])("%s are refused", async (kind, make, message) => {
    await expectRefusal(read(write(".npy", make()), 10), kind, message);
  });

  it("of 40 GB of holes are refused before anything is allocated", async () => {
    const file = write(".npy", npy(dict("<f4", "(10000000000, 1)"), two));
    truncateSync(file, 40e9 + 200);
    await expectRefusal(read(file, 10), "holes", /is 37\.3 GiB long, but almost all of it is sparse/);
  });
});

describe("vectors in tables", () => {
  const cell = fc.constantFrom("1", "-2.5", "1e-3", "+4", ".5", "2.", " 7 ", "0", "-0", "1E2");
  const rows = samples(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), 6);
  const right: Record<string, (rows: [string, string][]) => [string, string]> = {
    "columns of CSV": (some) => [".csv", `id,a,b\n${some.map(([a, b], k) => `${k},${a},${b}\n`).join("")}`],
    "columns of TSV": (some) => [
      ".tsv",
      `id\ta\tb\r\n${some.map(([a, b], k) => `${k}\t${a}\t${b}\r\n`).join("")}`,
    ],
    "lists in a column": (some) => [
      ".csv",
      `id,vector\n${some.map(([a, b], k) => `${k},"[${a}, ${b}]"\n`).join("")}`,
    ],
    "lists without brackets": (some) => [
      ".csv",
      `id,vector\n${some.map(([a, b], k) => `${k},"${a},${b}"\n`).join("")}`,
    ],
    "lists in JSON lines": (some) => [
      ".jsonl",
      some.map((pair, k) => `${JSON.stringify({ id: k, vector: pair.map(Number) })}\n`).join(""),
    ],
  };

  it.each(Object.keys(right))("as %s hold the numbers that were put in", async (kind) => {
    for (const some of rows) {
      const [ending, text] = right[kind](some);
      const content = (await read(
        { file: write(ending, text), kind: "vectors" },
        some.length,
      )) as VectorContent;
      const found = await content.read(some.map((_, k) => k));
      expect(
        [...found].map((x) => x + 0),
        `${kind}: ${text}`,
      ).toEqual(some.flat().map((x) => Math.fround(Number(x)) + 0));
    }
  });

  it.each(["", "x", "NaN", "inf", "1e39", "1;5", "0x10", "1 2", "--1", "1e", "None", "null"])(
    'with "%s" among the numbers are refused',
    async (odd) => {
      await expectRefusal(
        read({ file: write(".csv", `id,a,b\n0,1,2\n1,${odd},2\n`), kind: "vectors", fields: ["a", "b"] }, 2),
        odd,
        /:3: /,
      );
    },
  );
});

describe("images", () => {
  const make = (width = 9, height = 7) =>
    sharp({ create: { width, height, channels: 3, background: { r: 200, g: 100, b: 50 } } });
  const forms: Record<string, [string, () => Promise<Buffer>]> = {
    PNG: ["png", () => make().png().toBuffer()],
    "interlaced PNG": ["png", () => make().png({ progressive: true }).toBuffer()],
    "PNG with a palette": ["png", () => make().png({ palette: true }).toBuffer()],
    "PNG with transparency": ["png", () => make().ensureAlpha(1).png().toBuffer()],
    "PNG with 16 bits": ["png", () => make().toColourspace("rgb16").png().toBuffer()],
    "PNG called JPEG": ["jpg", () => make().png().toBuffer()],
    JPEG: ["jpg", () => make().jpeg({ quality: 100 }).toBuffer()],
    "progressive JPEG": ["jpeg", () => make().jpeg({ quality: 100, progressive: true }).toBuffer()],
    WebP: ["webp", () => make().webp({ lossless: true }).toBuffer()],
    GIF: ["gif", () => make().gif().toBuffer()],
    TIFF: ["tif", () => make().tiff().toBuffer()],
  };

  /** A folder with one image. */
  function folderOf(name: string, data: Uint8Array): string {
    const folder = join(home, `pictures-${files++}`);
    mkdirSync(folder);
    writeFileSync(join(folder, name), data);
    return folder;
  }

  it.each(Object.keys(forms))("in %s have the colours that were put in", async (kind) => {
    const [ending, data] = forms[kind];
    const content = (await read(
      { file: folderOf(`0.${ending}`, await data()), size: [2, 2] },
      1,
    )) as ImageContent;
    const pixels = await content.read([0]);
    for (const [k, expected] of [200, 100, 50].entries())
      for (const pixel of pixels.subarray(4 * k, 4 * k + 4)) expect(255 * pixel).toBeCloseTo(expected, -1);
  });

  it("of an animation are its first frame", async () => {
    const frames = Buffer.concat([Buffer.alloc(4 * 4 * 3, 255), Buffer.alloc(4 * 4 * 3 * 9, 0)]);
    const gif = await sharp(frames, { raw: { width: 4, height: 40, channels: 3, pageHeight: 4 } as never })
      .gif()
      .toBuffer();
    expect((await sharp(gif, { pages: -1 }).metadata()).pages).toBeGreaterThan(1);
    const content = (await read({ file: folderOf("0.gif", gif), size: [1, 1] }, 1)) as ImageContent;
    expect([...(await content.read([0]))]).toEqual([1, 1, 1]);
  });

  const svg = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>`;
  it.each<[string, () => Promise<Uint8Array>]>([
    ["text", async () => Buffer.from("not a picture")],
    ["SVG, whatever it is called", async () => Buffer.from(svg)],
    [
      "PNG that is cut",
      async () =>
        (
          await sharp(
            Buffer.from(Array.from({ length: 3e4 }, (_, k) => (Math.imul(k, 0x9e3779b1) >>> 7) % 251)),
            {
              raw: { width: 100, height: 100, channels: 3 },
            },
          )
            .png()
            .toBuffer()
        ).subarray(0, 3000),
    ],
    [
      "JPEG that is cut",
      async () =>
        (
          await sharp(
            Buffer.from(Array.from({ length: 3e4 }, (_, k) => (Math.imul(k, 0x9e3779b1) >>> 7) % 251)),
            {
              raw: { width: 100, height: 100, channels: 3 },
            },
          )
            .jpeg()
            .toBuffer()
        ).subarray(0, 2000),
    ],
    ["nothing", async () => Buffer.alloc(0)],
  ])("that are %s are left out and counted", async (_, data) => {
    const folder = folderOf("0.png", await data());
    writeFileSync(join(folder, "1.png"), await make().png().toBuffer());
    const wanted = new WantedItems({ catalogue: new Vocabulary(["0", "1"]) });
    const draft = await readContent({ file: folder, size: [1, 1] }, wanted);
    expect([...(await keepContent(draft, wanted)).known]).toEqual([0, 1]);
    expect(draft.skipped.counts.damaged).toBe(1);
  });

  it.each([
    [
      "interlaced",
      16_384,
      8192,
      true,
      /has 16384 x 8192 pixels \(expected at most 67 million for this kind of file/,
    ],
    [
      "plain",
      20_000,
      20_000,
      false,
      /has 20000 x 20000 pixels \(expected at most 268 million\)\. Scale it down/,
    ],
  ])(
    "with too many pixels are refused with their number: %s PNG",
    async (_, width, height, interlaced, message) => {
      // Only the head of a PNG: its size is known before anything is decoded.
      const small = await make(1, 1).png({ progressive: interlaced }).toBuffer();
      small.writeUInt32BE(width, 16);
      small.writeUInt32BE(height, 20);
      small.writeUInt32BE(crc32(small.subarray(12, 29)), 29);
      await expectRefusal(read(folderOf("0.png", small), 1), "pixels", message);
    },
  );
});

/** PNG's checksum (ISO 3309). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe("the table", () => {
  it("has more than a hundred files", () => {
    expect(files).toBeGreaterThan(100);
  });
});
