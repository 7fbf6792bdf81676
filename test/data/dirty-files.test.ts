import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import type { ReadOptions } from "../../src/data/columns.js";
import { type Database, literal, withDatabase } from "../../src/data/database.js";
import { readInteractions } from "../../src/data/read.js";

// Files in every common dialect, generated from known rows: the reader finds exactly these rows or reports an error. If DuckDB's
// own readers support a dialect, given all of its options, they must find the same rows.

interface Row {
  readonly user: string;
  readonly item: string;
  readonly rating: string | undefined;
  readonly time: string | undefined;
}

/** A file, its rows, and the options of the reader. */
interface DirtyFile {
  readonly name: string;
  readonly bytes: Uint8Array | ((database: Database, path: string) => Promise<void>);
  readonly rows: readonly Row[];
  readonly options: ReadOptions;
  /** DuckDB's own reader, as SQL for the columns u, i, r and t as text; absent if it does not support the dialect. */
  readonly independent?: (path: string) => string;
  /** Whether the dialect is ambiguous, so that the file may be rejected. */
  readonly doubtful: boolean;
}

const seed = 20_251;

/** Non-ASCII letters of an encoding and their bytes: found by decoding, or known. */
const letters: Readonly<Record<string, { text: string; bytes: (letter: string) => number[] }>> = {
  "windows-1252": { text: "éüñß€", bytes: (letter) => [letter === "€" ? 0x80 : letter.charCodeAt(0)] },
  "windows-1251": decodedLetters("windows-1251", "фильмЖЯ", 1),
  "koi8-r": decodedLetters("koi8-r", "фильмЖЯ", 1),
  "iso-8859-2": decodedLetters("iso-8859-2", "łąśčž", 1),
  gbk: decodedLetters("gbk", "电影英雄", 2),
  big5: decodedLetters("big5", "電影英雄", 2),
  shift_jis: decodedLetters("shift_jis", "映画表示ソ", 2),
  "euc-kr": decodedLetters("euc-kr", "영화제목", 2),
};

function decodedLetters(encoding: string, text: string, width: 1 | 2) {
  const decoder = new TextDecoder(encoding);
  const found = new Map<string, number[]>();
  for (let first = 0x80; first < 0x100; first++)
    for (const second of width === 1 ? [undefined] : Array.from({ length: 0x100 }, (_, byte) => byte)) {
      const bytes = second === undefined ? [first] : [first, second];
      const letter = decoder.decode(Uint8Array.from(bytes));
      if (letter.length === 1 && text.includes(letter) && !found.has(letter)) found.set(letter, bytes);
    }
  return { text, bytes: (letter: string) => found.get(letter) as number[] };
}

function encoded(text: string, encoding: string): Buffer {
  switch (encoding) {
    case "utf-8":
      return Buffer.from(text, "utf8");
    case "utf-8-mark":
      return Buffer.from(`\ufeff${text}`, "utf8");
    case "utf-16le":
      return Buffer.from(`\ufeff${text}`, "utf16le");
    case "utf-16be":
      return Buffer.from(`\ufeff${text}`, "utf16le").swap16();
    default: {
      const { bytes } = letters[encoding];
      return Buffer.from(
        Array.from(text).flatMap((letter) =>
          letter.charCodeAt(0) < 0x80 ? [letter.charCodeAt(0)] : bytes(letter),
        ),
      );
    }
  }
}

const encodings = [
  ...Array<string>(10).fill("utf-8"),
  "utf-8-mark",
  "utf-16le",
  "utf-16be",
  ...Object.keys(letters),
];
const isUnicode = (encoding: string) => encoding.startsWith("utf");

const digits = fc.integer({ min: 0, max: 5000 }).map(String);
const idKinds = {
  integers: digits,
  "large integers": fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
  "negative integers": fc.integer({ min: -5000, max: 5000 }).map(String),
  "padded integers": digits.map((id) => id.padStart(6, "0")),
  "fractions and exponents": fc.constantFrom("1.0", "1", "1e3", "1000", "1E3", "0x10", "-0", "+1", "1.50"),
  words: fc.stringMatching(/^[a-z][a-z0-9_.-]{0,6}$/),
  mixed: fc.oneof(digits, fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/)),
  hexadecimal: fc.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}$/),
};
/** Text that needs quotation marks in a dialect that has them. */
const awkward = fc.constantFrom(
  ...[
    "a,b",
    "a;b",
    "a\tb",
    "a|b",
    'say "hi"',
    '"whole"',
    '5" nail',
    "two\nlines",
    "two\r\nlines",
    "a::b",
    "back\\slash",
    "l'été",
  ],
);

const rating = fc.oneof(
  fc.integer({ min: 1, max: 5 }).map(String),
  fc.integer({ min: 2, max: 10 }).map((halves) => (halves / 2).toFixed(1)),
  fc.constantFrom("0.25", "4.75", "-1.5", "10.25"),
);
const time = fc.integer({ min: 1_000_000_000, max: 1_700_000_000 }).map(String);

/** Rows of one kind of ids; `letter` is put into some ids where the encoding has more letters than ASCII. */
const rowsOf = (encoding: string, quotes: boolean) =>
  fc
    .record({
      user: fc.constantFrom(...(Object.keys(idKinds) as (keyof typeof idKinds)[])),
      item: fc.constantFrom(...(Object.keys(idKinds) as (keyof typeof idKinds)[])),
      rated: fc.boolean(),
      timed: fc.boolean(),
      special: fc.boolean(),
    })
    .chain(({ user, item, rated, timed, special }) => {
      const alphabet = encoding.startsWith("utf") ? "éЖ电😀\u00a0" : letters[encoding].text;
      const lettered = fc
        .tuple(fc.constantFrom(...Array.from(alphabet)), fc.stringMatching(/^[a-z]{1,4}$/))
        .map(([letter, word]) => `${word}${letter}`);
      // Only a straight apostrophe exists in every encoding.
      const odd = quotes && isUnicode(encoding) ? fc.oneof(lettered, awkward) : lettered;
      return fc.array(
        fc.record({
          user: idKinds[user],
          item: special
            ? fc.oneof({ weight: 3, arbitrary: idKinds[item] }, { weight: 1, arbitrary: odd })
            : idKinds[item],
          rating: rated ? rating : fc.constant(undefined),
          time: timed ? time : fc.constant(undefined),
        }),
        { minLength: 2, maxLength: 12 },
      );
    });

const headers = [
  { user: "user", item: "item", rating: "rating", time: "timestamp" },
  { user: "userId", item: "movieId", rating: "rating", time: "timestamp" },
  { user: "User ID", item: "ISBN", rating: "Book-Rating", time: "date" },
] as const;

const delimiters = [",", "\t", ";", "|", "::"] as const;
const endings: Readonly<Record<(typeof delimiters)[number], string>> = {
  ",": "csv",
  "\t": "tsv",
  ";": "csv",
  "|": "txt",
  "::": "dat",
};

/** Writes fields into a line, quoted as the style asks. */
function lineOf(
  fields: readonly string[],
  delimiter: string,
  style: "none" | "minimal" | "all" | "escaped",
  space: string,
): string {
  const separator = `${space}${delimiter}${space}`;
  return fields
    .map((field) => {
      if (style === "none") return field;
      if (style === "escaped") return `"${field.replace(/["\\]/g, "\\$&")}"`;
      const needs = field.includes(delimiter) || /["\r\n]|^ | $/.test(field);
      return style === "all" || needs ? `"${field.replaceAll('"', '""')}"` : field;
    })
    .join(separator);
}

const textFile: fc.Arbitrary<DirtyFile> = fc
  .record({
    delimiter: fc.constantFrom(...delimiters),
    encoding: fc.constantFrom(...encodings),
    style: fc.constantFrom("none", "none", "minimal", "all", "escaped"),
    names: fc.option(fc.constantFrom(...headers), { freq: 3 }),
    extra: fc.boolean(),
    lineEnd: fc.constantFrom("\n", "\n", "\n", "\r\n", "\r\n", "\r", "mixed"),
    lastEnd: fc.boolean(),
    blankLines: fc.constantFrom(false, false, false, true),
    space: fc.constantFrom("", "", "", "", "", " "),
    gzip: fc.constantFrom("no", "no", "no", "one", "two"),
    decimalComma: fc.boolean(),
    told: fc.boolean(),
  })
  .chain((dialect) =>
    rowsOf(dialect.encoding, dialect.style !== "none").map((rows) => ({ ...dialect, rows })),
  )
  .map((dialect) => {
    const {
      delimiter,
      encoding,
      style,
      names,
      extra,
      lineEnd,
      lastEnd,
      blankLines,
      space,
      gzip,
      told,
      rows,
    } = dialect;
    const comma = dialect.decimalComma && delimiter !== ",";
    const shown = (value: string) => (comma ? value.replace(".", ",") : value);
    const [first] = rows;
    const roles = (["user", "item", "rating", "time"] as const).filter((role) => first[role] !== undefined);
    const cells = rows.map((row, k) => [
      ...roles.map((role) => (role === "rating" ? shown(row[role] as string) : (row[role] as string))),
      ...(extra ? [`note ${k % 3}`] : []),
    ]);
    const columns = [...roles, ...(extra ? ["note"] : [])];
    const header = names ?? undefined;
    const table = [
      ...(header
        ? [columns.map((role) => (role === "note" ? "note" : header[role as keyof typeof header]))]
        : []),
      ...cells,
    ];
    const ends = lineEnd === "mixed" ? ["\n", "\r\n", "\n"] : [lineEnd];
    const text = table
      .map((fields, k) => {
        const line = lineOf(fields, delimiter, style, space);
        const end = k === table.length - 1 && !lastEnd ? "" : ends[k % ends.length];
        return `${line}${end}${blankLines && k % 4 === 1 && end !== "" ? end : ""}`;
      })
      .join("");
    const plain = encoded(text, encoding);
    const half = Math.floor(plain.length / 2);
    const bytes =
      gzip === "no"
        ? plain
        : gzip === "one"
          ? gzipSync(plain)
          : Buffer.concat([gzipSync(plain.subarray(0, half)), gzipSync(plain.subarray(half))]);
    const options: ReadOptions = {
      ...(!isUnicode(encoding) && { encoding }),
      ...(style === "escaped" && { escape: "\\" }),
      // Without a header, columns are named by position, or found by their order.
      ...(!header && { header: false, columns }),
      ...(told && { delimiter, quote: style === "none" ? "none" : '"' }),
    };
    const independent =
      encoding === "utf-8" &&
      gzip !== "two" &&
      lineEnd !== "mixed" &&
      lineEnd !== "\r" &&
      space === "" &&
      !blankLines
        ? (path: string) => {
            const declared = columns.map((column) => `${literal(column)}: 'VARCHAR'`).join(", ");
            const quote = style === "none" ? "" : '"';
            const escaping = style === "escaped" ? "\\" : quote;
            const column = (role: string) => (columns.includes(role as never) ? `"${role}"` : "NULL");
            const value = comma ? `replace(${column("rating")}, ',', '.')` : column("rating");
            return `SELECT "user", "item", ${value}, ${column("time")} FROM read_csv(${literal(path)}, auto_detect = false,
              header = ${header !== undefined}, delim = ${literal(delimiter)}, quote = ${literal(quote)}, escape = ${literal(escaping)},
              compression = '${gzip === "one" ? "gzip" : "none"}', columns = {${declared}})`;
          }
        : undefined;
    return {
      name: `ratings.${endings[delimiter]}${gzip === "no" ? "" : ".gz"}`,
      bytes,
      rows,
      options,
      independent,
      doubtful: !told,
    };
  });

/** A value as JSON: numbers as numbers or as text. */
const jsonId = (id: string, asText: boolean) =>
  asText || !/^(0|-?[1-9]\d*)$/.test(id) ? JSON.stringify(id) : id;

const jsonFile: fc.Arbitrary<DirtyFile> = fc
  .record({
    encoding: fc.constantFrom("utf-8", "utf-8", "utf-8-mark", "utf-16le", "utf-16be"),
    names: fc.constantFrom(...headers),
    lineEnd: fc.constantFrom("\n", "\n", "\r\n", "\r"),
    lastEnd: fc.boolean(),
    blankLines: fc.boolean(),
    gzip: fc.boolean(),
    asText: fc.constantFrom("none", "all", "some"),
    escapes: fc.boolean(),
    wrapped: fc.constantFrom(false, false, false, true),
    extra: fc.boolean(),
    reversed: fc.boolean(),
    padding: fc.integer({ min: 0, max: 3 }),
  })
  .chain((dialect) => rowsOf("utf-8", true).map((rows) => ({ ...dialect, rows })))
  .map(({ encoding, names, lineEnd, lastEnd, blankLines, gzip, asText, rows, ...dialect }) => {
    const lines = rows.map((row, k) => {
      const id = (value: string) => {
        const text = jsonId(value, asText === "all" || (asText === "some" && k % 2 === 0));
        if (dialect.wrapped) return text.startsWith('"') ? `{"$oid": ${text}}` : `{"$numberLong": "${text}"}`;
        return dialect.escapes
          ? text.replace(/[^\x20-\x7e]|(?<=^".*)[a-z](?=.*"$)/gu, (letter) =>
              /^[a-z]$/.test(letter) && text.includes("\\")
                ? letter
                : Array.from(
                    { length: letter.length },
                    (_, place) => `\\u${letter.charCodeAt(place).toString(16).padStart(4, "0")}`,
                  ).join(""),
            )
          : text;
      };
      const pairs: [string, string][] = [
        [names.user, id(row.user)],
        [names.item, id(row.item)],
        ...(row.rating === undefined
          ? []
          : [[names.rating, k % 3 === 0 ? `${row.rating}e0` : row.rating] as [string, string]]),
        ...(row.time === undefined ? [] : [[names.time, row.time] as [string, string]]),
        ...(dialect.extra ? [[`extra${k % 2}`, '{"deep": [1, "}", null]}'] as [string, string]] : []),
      ];
      if (dialect.reversed && k % 2 === 1) pairs.reverse();
      const blank = " ".repeat(dialect.padding);
      return `${blank}{${pairs.map(([key, value]) => `${blank}${JSON.stringify(key)}:${blank}${value}`).join(",")}${blank}}`;
    });
    const text = lines.join(blankLines ? lineEnd.repeat(2) : lineEnd) + (lastEnd ? lineEnd : "");
    const plain = encoded(text, encoding);
    const isSimple = encoding === "utf-8" && lineEnd !== "\r" && !dialect.wrapped;
    return {
      name: `ratings.jsonl${gzip ? ".gz" : ""}`,
      bytes: gzip ? gzipSync(plain) : plain,
      rows,
      options: {},
      independent: isSimple
        ? (path: string) => {
            const [{ rating, time }] = rows;
            const wanted = [
              names.user,
              names.item,
              ...(rating ? [names.rating] : []),
              ...(time ? [names.time] : []),
            ];
            const declared = wanted.map((key) => `${literal(key)}: 'VARCHAR'`).join(", ");
            return `SELECT "${names.user}", "${names.item}", ${rating ? `"${names.rating}"` : "NULL"}, ${time ? `"${names.time}"` : "NULL"}
              FROM read_json(${literal(path)}, format = 'newline_delimited', columns = {${declared}})`;
          }
        : undefined,
      doubtful: false,
    };
  });

const parquetFile: fc.Arbitrary<DirtyFile> = fc
  .record({
    idType: fc.constantFrom("VARCHAR", "INTEGER", "BIGINT", "UBIGINT", "DOUBLE", "DECIMAL(18,0)", "BLOB"),
    ratingType: fc.constantFrom("DOUBLE", "FLOAT", "VARCHAR", "DECIMAL(9,3)"),
    timeType: fc.constantFrom("BIGINT", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"),
    compression: fc.constantFrom("snappy", "zstd", "uncompressed"),
    misnamed: fc.boolean(),
  })
  .chain((dialect) =>
    (dialect.idType === "VARCHAR" || dialect.idType === "BLOB"
      ? rowsOf("utf-8", true)
      : fc.array(fc.record({ user: digits, item: digits, rating, time }), { minLength: 2, maxLength: 12 })
    ).map((rows) => ({ ...dialect, rows })),
  )
  .map(({ idType, ratingType, timeType, compression, misnamed, rows }) => ({
    name: misnamed ? "ratings.csv" : "ratings.parquet",
    bytes: async (database: Database, path: string) => {
      const id = (value: string) =>
        idType === "BLOB" ? `encode(${literal(value)})` : `${literal(value)}::${idType}`;
      const instant = (value: string) =>
        timeType.startsWith("TIMESTAMP")
          ? `to_timestamp(${value})::${timeType}`
          : `${literal(value)}::${timeType}`;
      const values = rows.map(
        (row) =>
          `(${id(row.user)}, ${id(row.item)}` +
          `${row.rating === undefined ? "" : `, ${literal(row.rating)}::${ratingType}`}` +
          `${row.time === undefined ? "" : `, ${instant(row.time)}`})`,
      );
      const [first] = rows;
      const names = ["user", "item", ...(first.rating ? ["rating"] : []), ...(first.time ? ["time"] : [])];
      await database.run(
        `COPY (SELECT * FROM (VALUES ${values.join(", ")}) AS t(${names.map((name) => `"${name}"`).join(", ")}))
         TO ${literal(path)} (FORMAT parquet, COMPRESSION ${compression})`,
      );
    },
    rows,
    options: {},
    doubtful: false,
  }));

const texts = ({ user, item, rating, time }: Row) =>
  [user, item, rating === undefined ? "" : Math.fround(Number(rating)), time ?? ""].join("\u001f");

describe("files in every dialect", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "foldin-test-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const families = [
    ["text", textFile, 150],
    ["JSON lines", jsonFile, 50],
    ["Parquet", parquetFile, 25],
  ] as const;
  it.each(families)(
    "%s: exactly the rows that they hold, or a refusal where the dialect is open to doubt",
    { timeout: 120_000 },
    (_, files, numRuns) =>
      withDatabase(async (database) => {
        let number = 0;
        let refused = 0;
        let compared = 0;
        await fc.assert(
          fc.asyncProperty(files, async ({ name, bytes, rows, options, independent, doubtful }) => {
            const path = join(home, `${number++}-${name}`);
            if (typeof bytes === "function") await bytes(database, path);
            else writeFileSync(path, bytes);
            const expected = rows.map(texts);
            const read = await readInteractions([path], { columns: options }).catch(
              (error: unknown) => error,
            );
            if (read instanceof Error) {
              expect(read, read.stack).toBeInstanceOf(UserError);
              expect(doubtful, read.message).toBe(true);
              expect(read.message).toContain(name);
              refused++;
              return;
            }
            const { users, items, userOf, itemOf, ratingOf, timeOf } = read as Awaited<
              ReturnType<typeof readInteractions>
            >;
            const found = Array.from(userOf, (user, row) =>
              texts({
                user: users.ids[user],
                item: items.ids[itemOf[row]],
                rating: ratingOf && String(ratingOf[row]),
                time: timeOf && String(timeOf[row]),
              }),
            );
            expect(found).toEqual(expected);
            if (!independent) return;
            const theirs = await database.rows(independent(path)).catch(() => undefined);
            if (theirs === undefined) return;
            compared++;
            expect(
              theirs.map(([user, item, rating, time]) =>
                texts({
                  user: String(user),
                  item: String(item),
                  rating: rating === null ? undefined : String(rating),
                  time: time === null ? undefined : String(time),
                }),
              ),
            ).toEqual(expected);
          }),
          { numRuns, seed },
        );
        expect(refused).toBeLessThan(numRuns / 10);
        if (files !== (parquetFile as unknown)) expect(compared).toBeGreaterThan(numRuns / 10);
      }),
  );
});
