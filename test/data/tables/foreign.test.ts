import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { rowsOf, titlesOf, useFolder } from "./reading.js";

const { file } = useFolder();
const bytes = (text: string) => Buffer.from(text.padEnd(600, "\0\x1b[31m"), "latin1");

// The beginnings are those of the formats' own specifications.
it.each([
  ["ratings.zip", bytes("PK\x03\x04\x14\0\0\0\x08\0ratings.csv"), /a zip archive.*unzip .*ratings\.zip/],
  ["empty.zip", bytes("PK\x05\x06"), /a zip archive/],
  [
    "book.xlsx",
    bytes("PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml"),
    /an Excel workbook.*save the sheet as CSV/,
  ],
  ["ratings.csv.xz", bytes("\xfd7zXZ\0"), /xz data.*xz -d -k .*ratings\.csv\.xz/],
  ["ratings.csv.zst", bytes("\x28\xb5\x2f\xfd"), /Zstandard data.*zstd -d/],
  ["ratings.csv.bz2", bytes("BZh91AY&SY"), /bzip2 data.*bzip2 -d/],
  ["ratings.7z", bytes("7z\xbc\xaf\x27\x1c"), /a 7z archive/],
  ["ratings.rar", bytes("Rar!\x1a\x07\x01\0"), /a RAR archive/],
  ["ratings.tar", bytes(`${"ratings.csv".padEnd(257, "\0")}ustar\x0000`), /a tar archive/],
  [
    "ratings.tar.gz",
    gzipSync(bytes(`${"ratings.csv".padEnd(257, "\0")}ustar\x0000`)),
    /a tar archive, gzipped/,
  ],
  ["ratings.sqlite", bytes("SQLite format 3\0"), /a SQLite database/],
  ["old.xls", bytes("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), /an old Excel workbook|\.xls/],
  ["paper.csv", bytes("%PDF-1.7"), /a PDF document/],
  ["error.csv", Buffer.from("<!DOCTYPE html>\n<html><body>404</body></html>"), /a web page \(HTML\)/],
  [
    "data.csv",
    Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"),
    /Git LFS pointer.*git lfs pull/,
  ],
  ["twice.csv.gz", gzipSync(gzipSync("user,item\n1,2\n")), /gzip data, gzipped/],
  ["array.csv", bytes("\x93NUMPY\x01\0"), /a NumPy array/],
  ["random.csv", bytes("\x01\x02\x03\xfe\x00\x1b[2J"), /control characters at the beginning/],
])("%s is recognised, and its bytes are not shown", async (name, content, message) => {
  const path = file(name, content);
  for (const reading of [() => rowsOf(path), () => titlesOf(path)]) {
    const error = await reading().catch((error: Error) => error);
    expect(error).toBeInstanceOf(UserError);
    const text = (error as Error).message;
    expect(text).toMatch(message);
    expect(text).not.toMatch(/[^\x20-\x7e]/);
  }
});

it("files are read by their content, whatever their name", async () => {
  const csv = "user,item\n1,2\n";
  for (const name of ["csv.parquet", "csv.gz", "csv.xlsx", "it's a 'file'.csv"])
    expect(await rowsOf(file(name, csv))).toEqual(["1 2"]);
  expect(await rowsOf(file("gzipped.csv", gzipSync(csv)))).toEqual(["1 2"]);
  expect(await rowsOf(file("lines.csv", '{"user": 1, "item": 2}\n'))).toEqual(["1 2"]);
});
