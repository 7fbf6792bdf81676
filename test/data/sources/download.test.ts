import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, UserError } from "../../../src/core/errors.js";
import { type DownloadTask, downloadSource, type RemoteFile } from "../../../src/data/sources/download.js";
import { zip } from "../../support/zip.js";

const archive = zip({
  "ml-tiny/": "",
  "ml-tiny/README": "not needed",
  "ml-tiny/ratings.dat": "1::10::5::0\n".repeat(1000),
  "ml-tiny/movies.dat": "10::Caf\xe9 (1999)::Comedy\n",
});
const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest("hex");

let asked: string[] = [];
const answers: Record<string, (response: ServerResponse) => void> = {
  "/tiny.zip": (response) => response.end(archive),
  "/bsd.zip": (response) => response.end(archive),
  "/bsd.zip.md5": (response) => response.end(`MD5 (bsd.zip) = ${md5(archive).toUpperCase()}\n`),
  "/gnu.zip": (response) => response.end(archive),
  "/gnu.zip.md5": (response) => response.end(`${md5(archive)}  gnu.zip\n`),
  "/empty.zip.md5": (response) => response.end("see above"),
  "/truncated.zip": (response) => {
    response.writeHead(200, { "content-length": String(archive.length) });
    response.write(archive.subarray(0, 100), () => response.destroy());
  },
  "/hangs.zip": (response) => {
    response.writeHead(200, { "content-length": String(archive.length) });
    response.write(archive.subarray(0, 100));
  },
  "/damaged.zip": (response) => response.end(archive.subarray(0, archive.length - 40)),
  "/climbing.zip": (response) => response.end(zip({ "../../ratings.dat": "1::1::1::1\n" })),
  "/users.dat": (response) => response.end("2 0 1\n"),
};

async function listen(server: Server): Promise<string> {
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

let server: Server;
let address: string;
let nobody: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const answer = answers[request.url ?? ""];
    if (answer) answer(response);
    else response.writeHead(404).end("no such file");
  });
  address = await listen(server);
  const closed = createServer();
  nobody = await listen(closed);
  await new Promise((done) => closed.close(done));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-download-"));
  asked = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const members = ["ml-tiny/ratings.dat", "ml-tiny/movies.dat"];
function task(file: RemoteFile, parts: Partial<DownloadTask> = {}): DownloadTask {
  return {
    source: "ml-tiny",
    homepage: "https://example.org/ml-tiny/",
    folder: join(root, "in", "ml-tiny"),
    download: { address, files: [file] },
    ...parts,
  };
}
async function failureOf(work: Promise<void>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe("a download", () => {
  it("stores the needed members, byte for byte, and nothing else", async () => {
    const wanted = task({ path: "tiny.zip", md5: md5(archive), members });
    await downloadSource(wanted);
    expect(readdirSync(wanted.folder).sort()).toEqual(["movies.dat", "ratings.dat"]);
    expect(readFileSync(join(wanted.folder, "ratings.dat"), "latin1")).toBe("1::10::5::0\n".repeat(1000));
    expect(readFileSync(join(wanted.folder, "movies.dat"), "latin1")).toBe("10::Caf\xe9 (1999)::Comedy\n");
  });

  it.each(["bsd.zip", "gnu.zip"])("compares with the checksum in the .md5 file of %s", async (path) => {
    const wanted = task({ path, md5: "md5-file", members });
    await downloadSource(wanted);
    expect(asked).toEqual([`/${path}.md5`, `/${path}`]);
    expect(readdirSync(wanted.folder)).toHaveLength(2);
  });

  it("stores a plain file unchanged and notes that there is no published checksum", async () => {
    const notes: string[] = [];
    const wanted = task(
      { path: "users.dat" },
      { progress: (event) => event.type === "note" && notes.push(event.text) },
    );
    await downloadSource(wanted);
    expect(readFileSync(join(wanted.folder, "users.dat"), "utf8")).toBe("2 0 1\n");
    expect(notes).toEqual([expect.stringContaining("no published checksum")]);
  });

  it("does not download existing files", async () => {
    writeFileSync(join(root, "users.dat"), "mine");
    await downloadSource(task({ path: "users.dat" }, { folder: root }));
    expect(asked).toEqual([]);
    expect(readFileSync(join(root, "users.dat"), "utf8")).toBe("mine");
  });

  it("can use a mirror, with the official checksum", async () => {
    const file = { path: "tiny.zip", md5: md5(archive), members };
    const wanted = task(file, {
      download: { address: nobody, files: [file] },
      mirror: address.slice(0, -1),
    });
    await downloadSource(wanted);
    expect(readdirSync(wanted.folder)).toHaveLength(2);
  });

  it("reports its progress in bytes", async () => {
    const done: number[] = [];
    await downloadSource(
      task(
        { path: "tiny.zip", members },
        { progress: (event) => event.type === "advance" && done.push(event.done) },
      ),
    );
    expect(done.at(-1)).toBe(archive.length);
  });
});

describe("a download that goes wrong leaves nothing and says how to get the files", () => {
  it.each<[string, RemoteFile, RegExp]>([
    [
      "a wrong checksum",
      { path: "tiny.zip", md5: "0".repeat(32), members },
      /MD5 checksum .* is [0-9a-f]{32}, but the published one is 0{32}/,
    ],
    ["a missing file", { path: "gone.zip", members }, /gone\.zip: the server responded with 404 Not Found/],
    ["a missing checksum file", { path: "tiny.zip", md5: "md5-file", members }, /tiny\.zip\.md5: .*404/],
    ["a checksum file without one", { path: "empty.zip", md5: "md5-file", members }, /no MD5 checksum/],
    ["a truncated body", { path: "truncated.zip", members }, /stopped after \d+/],
    ["a damaged archive", { path: "damaged.zip", members }, /the archive is damaged/],
    [
      "an archive without the member",
      { path: "tiny.zip", members: ["ml-tiny/u.data"] },
      /does not contain ml-tiny\/u\.data/,
    ],
    [
      "a member that climbs out",
      { path: "climbing.zip", members: ["../../ratings.dat"] },
      /the archive is damaged: invalid relative path/,
    ],
  ])("%s", async (_case, file, message) => {
    const wanted = task(file);
    const error = await failureOf(downloadSource(wanted));
    expect(error.message).toMatch(message);
    expect(error.message).toContain("from https://example.org/ml-tiny/");
    expect(error.message).toContain(`foldin prepare ml-tiny --from ${wanted.folder}`);
    expect(readdirSync(root)).toEqual([]);
  });

  it("an address that refuses connections", async () => {
    const wanted = task({ path: "tiny.zip", members }, { mirror: nobody });
    const error = await failureOf(downloadSource(wanted));
    expect(error.message).toMatch(/tiny\.zip: cannot be reached: connect ECONNREFUSED/);
    expect(existsSync(wanted.folder)).toBe(false);
  });

  it("an aborted signal", async () => {
    const stop = new AbortController();
    const work = downloadSource(
      task(
        { path: "hangs.zip", members },
        { signal: stop.signal, progress: (event) => event.type === "advance" && stop.abort() },
      ),
    );
    await expect(work).rejects.toBeInstanceOf(AbortedError);
    expect(readdirSync(root)).toEqual([]);
  });
});
