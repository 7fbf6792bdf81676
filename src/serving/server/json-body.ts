// Request bodies: JSON in UTF-8, with every key once. Node's own reading replaces bytes that are not UTF-8 and keeps the last
// of two equal keys, both without a word.

import { isUtf8 } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { Problem } from "./problems.js";

/** Arrays and objects within each other; no request needs more than four. */
const MOST_DEPTH = 16;
/** After longer bodies the event loop gets a turn before they are checked. */
const LARGE = 1 << 16;

export function acceptJson(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ headers }) => {
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity")
      throw new Problem(
        415,
        `content-encoding: ${clipped(encoding)} is not supported: send the body as it is`,
      );
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers["content-type"] ?? "")?.[1];
    if (charset !== undefined && !/^utf-?8$/i.test(charset))
      throw new Problem(415, `charset=${clipped(charset)} is not supported: JSON is sent in UTF-8`);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_: unknown, body: Buffer) => {
    const value = parseJson(body);
    if (body.length > LARGE) await setImmediate();
    return value;
  });
}

/** The value of a JSON text. Throws Problem where it is none, is not UTF-8, or a reader could take it for another. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new Problem(400, "the body is empty (expected JSON)");
  if (!isUtf8(bytes)) throw new Problem(400, "the body is not valid UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new Problem(400, `the body is not JSON: ${clipped((error as Error).message)}`);
  }
  checkKeys(bytes);
  return value;
}

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;

/** Looks at the keys of a sound JSON text. */
function checkKeys(bytes: Buffer): void {
  /** The keys so far of every object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let keyFollows = false;
  for (let at = 0; at < bytes.length; at++)
    switch (bytes[at]) {
      case 0x7b: // {
      case 0x5b: // [
        if (open.length === MOST_DEPTH)
          throw new Problem(400, `the body is nested more than ${MOST_DEPTH} levels deep`);
        keyFollows = bytes[at] === 0x7b;
        open.push(keyFollows ? new Set() : undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case COMMA:
        keyFollows = open[open.length - 1] !== undefined;
        break;
      case QUOTE: {
        const start = at++;
        while (bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
        if (keyFollows) checkKey(JSON.parse(bytes.toString("utf8", start, at + 1)), open[open.length - 1]);
        keyFollows = false;
      }
    }
}

function checkKey(key: string, before: Set<string> | undefined): void {
  if (key === "__proto__") throw new Problem(400, `the body has the key "__proto__", which is not allowed`);
  if (before?.has(key)) throw new Problem(400, `the body has the key ${clipped(JSON.stringify(key))} twice`);
  before?.add(key);
}

function clipped(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
