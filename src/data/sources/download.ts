// Downloads the files of a known source from their official address: streams them to a temporary folder next to the target,
// verifies the checksum, extracts only the needed members and renames them, so files appear atomically. Every failure becomes a
// UserError that says how to get the files by hand.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, rename } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";
import { AbortedError, UserError } from "../../core/errors.js";
import { makeFolders, removeEmptyFolders } from "../../core/folders.js";
import { removeLeftovers, withPartial } from "../../core/leftovers.js";
import type { ProgressListener } from "../../core/progress.js";
import { silent } from "../../core/progress.js";
import { shellCommand } from "../../core/shell.js";

/** One file at the official address. */
export interface RemoteFile {
  /** Relative to the download's address: "ml-1m.zip". */
  readonly path: string;
  /** Its published MD5; "md5-file": published at the same address with ".md5" appended; absent: not published. */
  readonly md5?: string | "md5-file";
  /** For a zip archive: the members to extract; each is stored under its base name. Absent: the file is not extracted. */
  readonly members?: readonly string[];
}

export interface Download {
  /** The official address of the folder that holds the files; ends with "/". */
  readonly address: string;
  readonly files: readonly RemoteFile[];
}

export interface DownloadTask {
  /** The source's name, for messages: "ml-1m". */
  readonly source: string;
  /** The page where users find the files. */
  readonly homepage: string;
  readonly download: Download;
  /** The target folder; created if necessary. */
  readonly folder: string;
  /** Another address that holds the same files (a mirror); checksums stay the official ones. */
  readonly mirror?: string;
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/**
 * Downloads the files that are not in the folder yet. Throws UserError for an unreachable address, an HTTP error, a truncated
 * body, a wrong checksum, a damaged archive or a missing member; nothing of that file is kept then.
 */
export async function downloadSource(task: DownloadTask): Promise<void> {
  const { download, signal } = task;
  const folder = resolve(task.folder);
  const made = await makeFolders(folder);
  const target = join(folder, "download");
  await removeLeftovers(target);
  try {
    await withPartial(target, async (work) => {
      await mkdir(work);
      for (const file of download.files) {
        const names = localNames(file);
        if (await allExist(names.map((name) => join(folder, name)))) continue;
        const fetched = join(work, basename(file.path));
        await fetchFile(task, file, fetched);
        if (file.members) await unzip(fetched, file.members, work, task);
        for (const name of names) await rename(join(work, name), join(folder, name));
      }
    });
  } catch (error) {
    if (signal?.aborted) throw new AbortedError();
    throw error;
  } finally {
    // If nothing was downloaded, the created folders are removed again.
    await removeEmptyFolders(made);
  }
}

/** The names of a remote file's contents in the folder. */
function localNames(file: RemoteFile): string[] {
  return file.members ? file.members.map((member) => basename(member)) : [basename(file.path)];
}

async function fetchFile(task: DownloadTask, file: RemoteFile, target: string): Promise<void> {
  const url = new URL(file.path, directory(task.mirror ?? task.download.address)).href;
  const progress = task.progress ?? silent;
  const expected = file.md5 === "md5-file" ? await publishedChecksum(task, `${url}.md5`) : file.md5;
  const response = await get(task, url);
  const length = Number(response.headers.get("content-length")) || undefined;
  const encoded = response.headers.get("content-encoding") !== null;
  const label = `downloading ${file.path}`;
  const hash = createHash("md5");
  let received = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      received += chunk.length;
      progress({ type: "advance", task: label, done: received });
      done(null, chunk);
    },
  });
  progress({ type: "start", task: label, total: length, unit: "bytes" });
  try {
    if (!response.body) throw new Error("the response has no body");
    await pipeline(Readable.fromWeb(response.body as never), count, createWriteStream(target), {
      signal: task.signal,
    });
  } catch (error) {
    if (task.signal?.aborted) throw new AbortedError();
    throw failure(task, url, `the download stopped after ${received} bytes: ${reason(error)}`, error);
  } finally {
    progress({ type: "end", task: label });
  }
  if (!encoded && length !== undefined && received !== length)
    throw failure(task, url, `the download stopped after ${received} of ${length} bytes`);
  const actual = hash.digest("hex");
  if (expected !== undefined && actual !== expected)
    throw failure(
      task,
      url,
      `the MD5 checksum of the downloaded file is ${actual}, but the published one is ${expected}; the file was deleted`,
    );
  if (expected === undefined)
    progress({
      type: "note",
      text: `${file.path}: there is no published checksum; the counts are compared instead`,
    });
}

/** The checksum in a .md5 file, in either order of checksum and name. */
async function publishedChecksum(task: DownloadTask, url: string): Promise<string> {
  const response = await get(task, url);
  const text = await response.text().catch((error: unknown) => {
    throw failure(task, url, `the download stopped: ${reason(error)}`, error);
  });
  const found = /\b[0-9a-f]{32}\b/i.exec(text);
  if (!found) throw failure(task, url, "this file contains no MD5 checksum");
  return found[0].toLowerCase();
}

async function get(task: DownloadTask, url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: task.signal });
  } catch (error) {
    if (task.signal?.aborted) throw new AbortedError();
    throw failure(task, url, `cannot be reached: ${reason(error)}`, error);
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw failure(task, url, `the server responded with ${response.status} ${response.statusText}`.trimEnd());
  }
  return response;
}

async function unzip(
  archive: string,
  members: readonly string[],
  into: string,
  task: DownloadTask,
): Promise<void> {
  const missing = new Set(members);
  try {
    const zip = await openPromise(archive); // rejects absolute names and names with ".."
    try {
      for await (const entry of zip.eachEntry()) {
        if (!missing.delete(entry.fileName)) continue;
        const content = await zip.openReadStreamPromise(entry);
        await pipeline(content, createWriteStream(join(into, basename(entry.fileName))), {
          signal: task.signal,
        });
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    if (task.signal?.aborted) throw new AbortedError();
    throw failure(task, basename(archive), `the archive is damaged: ${reason(error)}`, error);
  }
  if (missing.size > 0)
    throw failure(task, basename(archive), `the archive does not contain ${[...missing].join(", ")}`);
}

function failure(task: DownloadTask, place: string, problem: string, cause?: unknown): UserError {
  const wanted = task.download.files.flatMap(localNames).join(", ");
  return new UserError({
    place,
    problem,
    remedy: `Download ${wanted} from ${task.homepage} by other means, put them into ${task.folder}, and run: ${shellCommand("foldin", "prepare", task.source, "--from", task.folder)} --out <folder>`,
    cause,
  });
}

/** The innermost message: fetch puts the reason into `cause`. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reason(error.cause);
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return error.message || code || error.name;
}

function directory(address: string): string {
  return address.endsWith("/") ? address : `${address}/`;
}

async function allExist(paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.every(Boolean);
}
