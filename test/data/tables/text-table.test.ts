import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { notebook, rowsOf, titlesOf, useFolder } from "./reading.js";

const { file } = useFolder();
const titled = (rows: readonly string[], delimiter = "\t") =>
  ["id\ttitle", ...rows].map((row) => `${row.replaceAll("\t", delimiter)}\n`).join("");

describe("the delimiter", () => {
  it.each([
    ["a headerless semicolon file with decimal commas", "1;101;5,0\n2;102;3,5\n", ["1 101 5", "2 102 3.5"]],
    [
      "commas, whatever stands in a column behind them",
      "1,101,4,a;b;c\n2,102,3,d;e;f\n",
      ["1 101 4", "2 102 3"],
    ],
    [
      "semicolons, whatever stands between quotation marks",
      'user;item;note\n1;2;"a,b,c"\n3;4;"d,e,f"\n',
      ["1 2", "3 4"],
    ],
    ["what Excel says in its own first line", "sep=|\nuser|item\n1|2\n", ["1 2"]],
    ["commas with blanks behind them", "user, item, rating\n1, 101, 5\n2, 102, 4\n", ["1 101 5", "2 102 4"]],
    ["tabs, with commas in a column", "user\titem\tnote\n1\t2\ta,b\n3\t4\tc,d\n", ["1 2", "3 4"]],
  ])("%s", async (name, text, expected) => {
    expect(await rowsOf(file(`${name}.csv`, text))).toEqual(expected);
  });

  it("can be set to any text that can separate columns", async () => {
    expect(
      await rowsOf(file("hive.txt", "1\x01101\n2\x01102\n"), {
        delimiter: "\x01",
        columns: ["user", "item"],
      }),
    ).toEqual(["1 101", "2 102"]);
    for (const delimiter of ["", "\n", '"'])
      await expect(rowsOf(file("none.csv", "user,item\n1,2\n"), { delimiter })).rejects.toThrow(
        /--delimiter: .* is not a valid delimiter/,
      );
  });

  it("blanks around some ids are part of them, with a note", async () => {
    const { notes, progress } = notebook();
    const path = file("blanks.csv", "user,item\na,1\n a,2\nb ,3\n");
    expect(await rowsOf(path, {}, progress)).toEqual(["a 1", " a 2", "b  3"]);
    expect(notes).toContain("2 of 3 user ids begin or end with a blank, which is kept as part of the id");
  });

  it("a comma before three digits could separate thousands, and is rejected with its place", async () => {
    await expect(rowsOf(file("plays.csv", "user;item;plays\n1;2;3,5\n1;3;1,234\n"))).rejects.toThrow(
      /plays\.csv:3: "1,234" in the column "plays" is not a number/,
    );
  });
});

describe("line breaks", () => {
  const rows = ["user,item,rating", "a,1,5", "b,2,4", "c,3,3"];
  it.each([
    ["LF", "\n"],
    ["CRLF", "\r\n"],
    ["CR", "\r"],
    ["CR CR LF", "\r\r\n"],
    ["blank lines", "\n\n"],
    ["lines of blanks", "\n  \n"],
  ])("%s, with and without a last one", async (name, end) => {
    for (const last of ["", end])
      for (const ids of [
        rows,
        rows.map((row) => row.replace(/^[abc](?=,)/, (letter) => `${letter.charCodeAt(0)}`)),
      ]) {
        const read = await rowsOf(file(`${name}.csv`, ids.join(end) + last));
        expect(read).toEqual(ids.slice(1).map((row) => row.replaceAll(",", " ")));
      }
  });

  it("mixed: a Windows header with Unix rows, and vice versa", async () => {
    for (const [k, text] of [
      "user,item\r\na,1\nb,2\n",
      "user,item\na,1\r\nb,2\n",
      "user,item\r1,1\n2,2\n",
    ].entries())
      expect(await rowsOf(file(`mixed${k}.csv`, text))).toHaveLength(2);
  });

  it("within quoted fields stay, and places name the file's own lines", async () => {
    const text = 'id,title\r\n1,"one\r\ntwo"\r\n\r\n2,"three"\r\n';
    expect(await titlesOf(file("breaks.csv", text))).toEqual({ 1: "one\r\ntwo", 2: "three" });
    const ratings = 'user,item,note,rating\n1,2,"a\nb",5\n\n1,3,c,good\n';
    await expect(rowsOf(file("places.csv", ratings))).rejects.toThrow(/places\.csv:5: "good"/);
  });
});

describe("quotation marks in files with tabs", () => {
  it("are ordinary characters if a quoted field would span several rows", async () => {
    const path = file(
      "swallowed.tsv",
      titled(["1\tOne", '2\t"Heroes', "3\tThree", '4\tClosing"', "5\tFive"]),
    );
    expect(await titlesOf(path)).toEqual({ 1: "One", 2: '"Heroes', 3: "Three", 4: 'Closing"', 5: "Five" });
  });

  it.each([
    ["within a field", '1\t"Weird Al" Songs', '"Weird Al" Songs'],
    ["around a single title among others", '1\t"Heroes"', '"Heroes"'],
    ["inches", '1\t7" Single', '7" Single'],
  ])("are ordinary characters: %s", async (name, row, title) => {
    for (const delimiter of ["\t", "|", "::"]) {
      const path = file(`${name}.txt`, titled([row, "2\tTwo", "3\tThree"], delimiter));
      expect((await titlesOf(path))[1]).toBe(title);
    }
  });

  it("quote if all texts are quoted, or only those that need it", async () => {
    const all = file("all.tsv", '"id"\t"title"\n"1"\t"One"\n"2"\t"say ""two"""\n');
    expect(await titlesOf(all)).toEqual({ 1: "One", 2: 'say "two"' });
    const needed = file(
      "needed.tsv",
      titled(["1\tOne", '2\t"a\ttab"', '3\t"say ""three"""', '4\t"two\nlines"']),
    );
    expect(await titlesOf(needed)).toEqual({ 1: "One", 2: "a\ttab", 3: 'say "three"', 4: "two\nlines" });
  });

  it("follow --quote", async () => {
    const path = file("said.tsv", '"id"\t"title"\n"1"\t"One"\n');
    expect(await titlesOf(path, { quote: "none", columns: undefined })).toEqual({ '"1"': '"One"' });
    expect(await titlesOf(file("apostrophes.csv", "id,title\n1,'a, b'\n"), { quote: "'" })).toEqual({
      1: "a, b",
    });
    await expect(titlesOf(path, { quote: "ab" })).rejects.toThrow(/--items-quote: "ab" is not one character/);
  });
});

describe("quotation marks in files with commas", () => {
  it.each([
    [
      "after.csv",
      'id,title\n1,One\n2,"Weird Al" Songs\n',
      /after\.csv:3: .*--items-quote none.*--items-escape/,
    ],
    [
      "open.csv",
      'id,title\n1,"One\n2,Two\n',
      /open\.csv:2: a quotation mark is never closed.*--items-quote none/,
    ],
    [
      "swallow.csv",
      'id,title\n1,One\n2,"Heroes\n3,Three\n4,Closing"\n',
      /swallow\.csv:3: a quoted field begins here and ends in line 5.*--items-quote none/,
    ],
  ])("%s is rejected, with a remedy", async (name, text, message) => {
    const path = file(name, text);
    await expect(titlesOf(path)).rejects.toThrow(message);
    await expect(titlesOf(path)).rejects.toThrow(UserError);
    expect(Object.keys(await titlesOf(path, { quote: "none" })).length).toBeGreaterThan(1);
  });

  it("can be escaped with backslashes", async () => {
    const path = file("escaped.csv", 'id,title\n1,"say \\"one\\", then \\\\"\n2,"C:\\x"\n');
    expect(await titlesOf(path, { escape: "\\" })).toEqual({ 1: 'say "one", then \\', 2: "C:\\x" });
    await expect(titlesOf(path)).rejects.toThrow(/escaped\.csv:2: .*--items-escape '\\'/);
  });
});

describe("limits", () => {
  it("a cell of 20 MB is rejected with its line, quoted or not, also in JSON lines", async () => {
    const cell = "x".repeat(20 << 20);
    for (const [name, text] of [
      ["plain.csv", `user,item,note\n1,2,a\n1,3,${cell}\n`],
      ["quoted.csv", `user,item,note\nu,2,a\nu,3,"${cell}"\n`],
      ["long.jsonl", `{"user":1,"item":2}\n{"user":1,"item":3,"note":"${cell}"}\n`],
    ])
      await expect(rowsOf(file(name, text))).rejects.toThrow(/:[23]: the (row|line) is longer than 16 MiB/);
    await expect(rowsOf(file("first.csv", cell))).rejects.toThrow(
      /first\.csv:1: the first line is longer than/,
    );
  });

  it("a cell of 3 MB is accepted", async () => {
    const cell = "y".repeat(3_000_000);
    expect((await titlesOf(file("large.csv", `id,title\n1,"${cell}"\n`)))[1]).toBe(cell);
  });
});

describe("gzip", () => {
  const [one, two] = [gzipSync("user,item\na,1\n"), gzipSync("b,2\n")];
  it("of several members is read to its end", async () => {
    expect(await rowsOf(file("two.csv.gz", Buffer.concat([one, two])))).toEqual(["a 1", "b 2"]);
    expect(await rowsOf(file("padded.csv.gz", Buffer.concat([one, two, Buffer.alloc(512)])))).toHaveLength(2);
  });

  it("followed by other data is rejected, because rows could be lost", async () => {
    for (const rest of [Buffer.from("garbage"), Buffer.concat([Buffer.alloc(8), two]), two.subarray(0, 9)])
      await expect(rowsOf(file("rest.csv.gz", Buffer.concat([one, rest])))).rejects.toThrow(
        /rest\.csv\.gz: the gzip data is damaged/,
      );
  });
});

describe("encodings", () => {
  const cyrillic = Buffer.from([0xd4, 0xe8, 0xeb, 0xfc, 0xec]);
  const table = (title: Uint8Array) =>
    Buffer.concat([Buffer.from("id,title\n1,"), title, Buffer.from("\n2,Two\n")]);

  it("can be set by many names", async () => {
    const path = file("cyrillic.csv", table(cyrillic));
    for (const encoding of ["windows-1251", "CP1251", "windows_1251"])
      expect((await titlesOf(path, { encoding }))[1]).toBe("Фильм");
    const euro = file("euro.csv", table(Buffer.from([0x80, 0x93, 0x94])));
    for (const encoding of ["windows-1252", "latin-1", "cp1252"])
      expect((await titlesOf(euro, { encoding }))[1]).toBe("€“”");
    const chinese = file("chinese.csv", table(Buffer.from([0xb5, 0xe7, 0xd3, 0xb0])));
    for (const encoding of ["gbk", "gb2312", "cp936"])
      expect((await titlesOf(chinese, { encoding }))[1]).toBe("电影");
    const japanese = file("japanese.csv", table(Buffer.from([0x83, 0x5c, 0x83, 0x7c])));
    for (const encoding of ["shift_jis", "cp932"])
      expect((await titlesOf(japanese, { encoding }))[1]).toBe("ソポ");
  });

  it("cause a note if they are assumed", async () => {
    const { notes, progress } = notebook();
    expect((await titlesOf(file("assumed.csv", table(cyrillic)), {}, progress))[1]).toBe("Ôèëüì");
    expect(notes.join()).toMatch(
      /assumed\.csv: not valid UTF-8, so it is read as windows-1252 .*--items-encoding/,
    );
  });

  it("UTF-16 is recognised by its byte order mark, or from the bytes with a note", async () => {
    const text = "user,item\nä,1\nб,2\n";
    for (const mark of ["\ufeff", ""])
      for (const swap of [false, true]) {
        const bytes = Buffer.from(mark + text, "utf16le");
        const { notes, progress } = notebook();
        expect(await rowsOf(file("wide.csv", swap ? bytes.swap16() : bytes), {}, progress)).toEqual([
          "ä 1",
          "б 2",
        ]);
        expect(notes.some((note) => /read as UTF-16/.test(note))).toBe(mark === "");
      }
  });

  it.each([
    [
      "an unknown name",
      "id,title\n1,a\n",
      "klingon",
      /--items-encoding: unknown encoding "klingon" \(expected one of utf-8, .*gbk/,
    ],
    [
      "bytes that the encoding does not have",
      Buffer.from([0x69, 0x64, 0x2c, 0x74, 10, 0x31, 0x2c, 0x81, 0xff, 10]),
      "gbk",
      /:2: the line is not valid gbk/,
    ],
    ["UTF-8 that is not", table(cyrillic), "utf-8", /:2: the line is not valid UTF-8.*--items-encoding/],
    ["another mark", "\ufeffid,title\n1,a\n", "gbk", /byte order mark of UTF-8, but --items-encoding is gbk/],
    [
      "two encodings in one file",
      Buffer.concat([Buffer.from("id,title\n1,é\n2,"), cyrillic, Buffer.from("\n")]),
      undefined,
      /:3: the line is not valid UTF-8, but other lines are/,
    ],
    ["NUL bytes", "id,title\n1,a\0b\n".repeat(20), undefined, /control characters/],
  ])("%s is refused", async (name, content, encoding, message) => {
    await expect(titlesOf(file(`${name}.csv`, content), { encoding })).rejects.toThrow(message);
  });
});
