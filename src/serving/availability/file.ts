// A file of unavailable items: one id per line, or CSV with the ids in a column called item or id, otherwise in the first one. A server
// looks at it from time to time; requests that change the set write it, so that a restart has the same set.

import { stat } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { writeFileAtomic } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import { readText } from "../../core/input-file.js";
import { plainName } from "../../data/tables/table.js";
import { type Availability, MOST_UNAVAILABLE } from "./availability.js";

/** A file that changes within this time, in milliseconds, is still being written. */
const SETTLED_AFTER = 200;

/** Names of a column of ids, without case, spaces and punctuation. */
const headers = new Set(["item", "id", "itemid", "product", "productid", "sku"]);
const DELIMITERS = [",", "\t", ";"];

/**
 * The ids in a file, each once. Throws UserError, naming the file and the line, if it is empty, not text, or a row is not complete: a
 * file without ids has the header alone.
 */
export async function readUnavailable(path: string): Promise<string[]> {
  const text = await readText(path, { expected: "a file of unavailable items, one id per line" });
  return parseUnavailable(text, path);
}

export function parseUnavailable(text: string, place: string): string[] {
  const lines = text.split(/\r\n|[\n\r]/);
  const first = lines.findIndex((line) => line.trim() !== "");
  const fail = (line: number, problem: string, expected?: string) =>
    new UserError({ place: `${place}:${line + 1}`, problem, expected });
  if (first < 0)
    throw new UserError({
      place,
      problem: "the file is empty",
      expected: "ids of unavailable items, one per line",
      remedy: 'If all items are available, write one line with the word "item"',
    });
  const delimiter = DELIMITERS.find((one) => fieldsOf(lines[first], one).length > 1);
  const head = fieldsOf(lines[first], delimiter);
  const named = head.findIndex((name) => headers.has(plainName(name)));
  const idPlace = Math.max(0, named);
  const ids = new Set<string>();
  for (let at = first + (named >= 0 ? 1 : 0); at < lines.length; at++) {
    if (lines[at].trim() === "") continue;
    const fields = fieldsOf(lines[at], delimiter);
    if (fields.length !== head.length)
      throw fail(at, `has ${fields.length} fields`, `${head.length}, as in line ${first + 1}`);
    const id = fields[idPlace].trim();
    if (id === "") throw fail(at, "the id is missing");
    if (/[\p{Cc}\p{Cs}]/u.test(id)) throw fail(at, "the id has control characters");
    ids.add(id);
  }
  if (ids.size > MOST_UNAVAILABLE)
    throw new UserError({ place, problem: `has ${ids.size} ids`, expected: `at most ${MOST_UNAVAILABLE}` });
  return [...ids];
}

/** The fields of a line; a field that begins with a quotation mark ends with the next single one. */
function fieldsOf(line: string, delimiter: string | undefined): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= line.length; ) {
    const quoted = line[at] === '"' ? quotedAt(line, at) : undefined;
    const from = quoted ? quoted.end : at;
    const next = delimiter === undefined ? -1 : line.indexOf(delimiter, from);
    const end = next < 0 ? line.length : next;
    fields.push(quoted ? quoted.text : line.slice(at, end));
    at = end + 1;
  }
  return fields;
}

function quotedAt(line: string, start: number): { text: string; end: number } | undefined {
  let text = "";
  for (let at = start + 1; at < line.length; at++) {
    const quote = line.indexOf('"', at);
    if (quote < 0) return undefined;
    text += line.slice(at, quote);
    if (line[quote + 1] !== '"') return { text, end: quote + 1 };
    text += '"';
    at = quote + 1;
  }
  return undefined;
}

/** What happened to a file. */
export interface Looked {
  /** The number of ids that were read. */
  readonly ids?: number;
  /** Why the new content is not used; the previous set stays. */
  readonly error?: unknown;
}

export class UnavailableFile {
  readonly #path: string;
  readonly #availability: Availability;
  #seen = "";
  /** The content that was not used. */
  #failed = "";
  /** Looks and changes, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(path: string, availability: Availability) {
    this.#path = path;
    this.#availability = availability;
  }

  /** Reads the file. Throws UserError like `readUnavailable`. */
  static async open(path: string, availability: Availability): Promise<UnavailableFile> {
    const file = new UnavailableFile(path, availability);
    availability.replace(await readUnavailable(path));
    file.#seen = await file.#signature();
    return file;
  }

  /** Reads the file if it has changed and is complete; resolves to undefined if there is nothing to report. */
  look(): Promise<Looked | undefined> {
    return this.#inTurn(() => this.#look());
  }

  /** Changes the set, and writes it to the file first. Throws UserError if it cannot be written; nothing is changed then. */
  change(changed: (ids: ReadonlySet<string>) => Iterable<string>): Promise<void> {
    return this.#inTurn(async () => {
      await this.#look();
      const ids = [...changed(this.#availability.ids)];
      const lines = ids.map((id) => (/^\s*"/.test(id) ? `"${id.replaceAll('"', '""')}"` : id));
      await writeFileAtomic(this.#path, `item\n${lines.map((line) => `${line}\n`).join("")}`);
      this.#seen = await this.#signature();
      this.#availability.replace(ids);
    });
  }

  async #look(): Promise<Looked | undefined> {
    let now = "";
    try {
      now = await this.#signature();
      if (now === this.#seen) return undefined;
      await wait(SETTLED_AFTER);
      if ((await this.#signature()) !== now) return undefined;
      const ids = await readUnavailable(this.#path);
      // The next look reads a file that has changed meanwhile.
      if ((await this.#signature()) !== now) return undefined;
      this.#availability.replace(ids);
      this.#seen = now;
      this.#failed = "";
      return { ids: ids.length };
    } catch (error) {
      const failure = `${now} ${error instanceof Error ? error.message : error}`;
      if (failure === this.#failed) return undefined;
      this.#failed = failure;
      return { error };
    }
  }

  /** Changes with the file. Throws UserError if there is none. */
  async #signature(): Promise<string> {
    const { ino, size, mtimeMs } = await stat(this.#path).catch((cause: NodeJS.ErrnoException) => {
      throw new UserError({
        place: this.#path,
        problem: cause.code === "ENOENT" ? "no such file" : `cannot be read (${cause.code})`,
        expected: "a file of unavailable items, one id per line",
        cause,
      });
    });
    return `${ino} ${size} ${mtimeMs}`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
}
