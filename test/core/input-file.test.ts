import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import {
  linesOf,
  openInput,
  readBytes,
  readLines,
  readPieces,
  readText,
  readTextSync,
} from "../../src/core/input-file.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-input-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function write(name: string, data: string | Uint8Array): string {
  const path = join(home, name);
  writeFileSync(path, data);
  return path;
}

async function collect<T>(of: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of of) all.push(one);
  return all;
}

const readers: [string, (path: string) => Promise<unknown>][] = [
  ["openInput", async (path) => (await openInput(path)).file.close()],
  ["readBytes", (path) => readBytes(path)],
  ["readText", (path) => readText(path)],
  ["readTextSync", async (path) => readTextSync(path)],
  ["readPieces", (path) => collect(readPieces(path))],
  ["readLines", (path) => collect(readLines(path))],
];

describe.each(readers)("%s", (_, read) => {
  it("refuses a pipe immediately, with or without a writer", async () => {
    const path = join(home, `pipe-${Math.random()}`);
    execFileSync("mkfifo", [path]);
    await expect(read(path)).rejects.toThrow(
      /this is a pipe, not a file\. Save its contents to a file and use that file/,
    );
    await expect(read(path)).rejects.toBeInstanceOf(UserError);
  });

  it("refuses devices, folders, sockets and missing files", async () => {
    await expect(read("/dev/zero")).rejects.toThrow(/this is a device, not a file/);
    await expect(read(home)).rejects.toThrow(/this is a folder, not a file/);
    await expect(read(join(home, "nowhere"))).rejects.toThrow(/nowhere: there is no such file/);
    await expect(read(join(write("plain", "x"), "below"))).rejects.toThrow(/there is no such file/);
    const path = join(home, `socket-${Math.random()}`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await expect(read(path)).rejects.toThrow(/this is a socket, not a file/);
    } finally {
      server.close();
    }
  });
});

describe("a sparse file", () => {
  it("is refused with its size before it is read", async () => {
    const path = write("holes", "{");
    truncateSync(path, 40e9);
    await expect(openInput(path)).rejects.toThrow(
      /holes: the file is 37\.3 GiB long, but almost all of it is sparse/,
    );
    const empty = write("nothing", "");
    truncateSync(empty, 1 << 28);
    await expect(readText(empty)).rejects.toThrow(/almost all of it is sparse/);
  });

  it("is read if it is small: up to 16 MiB", async () => {
    const path = write("small-holes", "{");
    truncateSync(path, (1 << 24) - 1);
    expect(await readBytes(path)).toHaveLength((1 << 24) - 1);
  });
});

describe("texts", () => {
  it("come without their byte order mark, in UTF-8 and UTF-16", async () => {
    for (const bytes of [
      Buffer.from("\ufeffpâté"),
      Buffer.from("pâté"),
      Buffer.from("\ufeffpâté", "utf16le"),
      Buffer.from("\ufeffpâté", "utf16le").swap16(),
    ])
      expect(await readText(write("mark", bytes))).toBe("pâté");
    expect(await readText(write("latin", Buffer.from("pâté", "latin1")), { encoding: "windows-1252" })).toBe(
      "pâté",
    );
  });

  it.each<[string, Buffer, RegExp]>([
    ["latin-1", Buffer.from("pâté", "latin1"), /not UTF-8 text.*iconv/],
    ["gzip", gzipSync("text"), /compressed with gzip.*gunzip/],
    ["UTF-16 without a mark", Buffer.from("text", "utf16le"), /NUL bytes: it is binary or UTF-16/],
  ])("that are %s are refused with a remedy", async (_, bytes, message) => {
    await expect(readText(write("other", bytes))).rejects.toThrow(message);
  });

  it("have a maximum size", async () => {
    await expect(readText(write("large", "x".repeat(11)), { most: 10 })).rejects.toThrow(
      /the file is too large: 1 MiB/,
    );
  });
});

describe("lines", () => {
  it("are those of Python's universal newlines, except for a lone CR among LFs", () => {
    expect(linesOf("a\nb\r\nc")).toEqual(["a", "b", "c"]);
    expect(linesOf("a\rb\r")).toEqual(["a", "b"]);
    expect(linesOf("a\r\n\r\nb\n")).toEqual(["a", "", "b"]);
    expect(linesOf("")).toEqual([]);
  });

  it("are the same from a stream with any chunk boundaries", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-zé ]{0,6}$/), { maxLength: 20 }),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        async (lines, end, mark) => {
          const text = lines.map((line) => `${line}${end}`).join("");
          const path = write("lines", `${mark ? "\ufeff" : ""}${text}`);
          expect(await collect(readLines(path))).toEqual(lines);
          expect(linesOf(await readText(path))).toEqual(lines);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
    const long = write("long", `${"x".repeat(3 << 20)}\n${"é".repeat(1 << 20)}`);
    expect((await collect(readLines(long))).map((line) => line.length)).toEqual([3 << 20, 1 << 20]);
    await expect(collect(readLines(write("longer", "x".repeat(20 << 20))))).rejects.toThrow(
      /a line is longer than 16 MiB/,
    );
  });
});
