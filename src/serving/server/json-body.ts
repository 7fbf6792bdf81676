// Parses request bodies: JSON in UTF-8 without duplicate keys. Node silently replaces invalid UTF-8 and keeps the last of
// two equal keys.

import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import type { SharedTurns } from "../../core/shared-turns.js";
import { MOST_VALUES } from "../../recommender/filter/filter.js";
import type { Limits } from "./limits.js";
import { Problem } from "./problems.js";

/** Maximum nesting depth; only filters need more than four levels. */
const MOST_DEPTH = 16;
/** Maximum keys of one object; no request needs more than ten. */
const MOST_KEYS = 100;
/** Longer bodies yield to the event loop before they are parsed and before they are validated. */
const LARGE = 1 << 14;

/** The number of values in the largest valid request, with a margin so that slightly larger ones get a specific error. */
export function mostValues({ histories, history, ids, availability }: Limits): number {
  return Math.max((histories + 1) * (history + 1) + 2 * ids, 2 * availability) + MOST_VALUES + 1000;
}

export function acceptJson(app: FastifyInstance, values: number, turns: SharedTurns): void {
  app.addHook("onRequest", async ({ headers }) => {
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity")
      throw new Problem(
        415,
        `content-encoding: ${clipped(encoding)} is not supported; send the body uncompressed`,
      );
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers["content-type"] ?? "")?.[1];
    if (charset !== undefined && !/^utf-?8$/i.test(charset))
      throw new Problem(415, `charset=${clipped(charset)} is not supported; send JSON in UTF-8`);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_: unknown, body: Buffer) => {
    if (body.length <= LARGE) return parseJson(body, values);
    const pauses = turns.begin();
    await pauses.yield();
    const value = parseJson(body, values);
    await pauses.yield();
    return value;
  });
}

/**
 * Parses a JSON text. Throws Problem if it is not JSON, not UTF-8, has duplicate keys, or has more than `values` values.
 */
export function parseJson(bytes: Buffer, values: number): unknown {
  if (bytes.length === 0) throw new Problem(400, "the body is empty; expected JSON");
  if (!isUtf8(bytes)) throw new Problem(400, "the body is not valid UTF-8");
  const problem = structureProblem(bytes, values);
  let value: unknown;
  try {
    // Do not parse texts that are too large or too deep.
    if (problem?.early) throw problem.problem;
    value = JSON.parse(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(400, `the body is not JSON: ${clipped((error as Error).message)}`);
  }
  if (problem) throw problem.problem;
  return value;
}

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;

interface StructureProblem {
  readonly problem: Problem;
  /** Whether to report this before checking that the text is JSON. */
  readonly early: boolean;
}

/** Checks size, nesting and keys of a possible JSON text, and returns the first problem. */
function structureProblem(bytes: Buffer, mostValues: number): StructureProblem | undefined {
  const tooMuch = (detail: string) => ({ problem: new Problem(400, detail), early: true });
  /** For each open object, its keys so far; for an open array, undefined. */
  const open: (Set<string> | undefined)[] = [];
  let keyFollows = false;
  let values = 1;
  for (let at = 0; at < bytes.length; at++)
    switch (bytes[at]) {
      case 0x7b: // {
      case 0x5b: // [
        if (open.length === MOST_DEPTH)
          return tooMuch(`the body is nested more than ${MOST_DEPTH} levels deep`);
        keyFollows = bytes[at] === 0x7b;
        open.push(keyFollows ? new Set() : undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case COMMA:
        if (++values > mostValues) return tooMuch(`the body has more than ${mostValues} values`);
        keyFollows = open[open.length - 1] !== undefined;
        break;
      case QUOTE: {
        const start = at++;
        while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
        const keys = open[open.length - 1];
        if (keyFollows && keys) {
          if (keys.size === MOST_KEYS)
            return tooMuch(`the body has an object with more than ${MOST_KEYS} keys`);
          const problem = keyProblem(bytes.toString("utf8", start, at + 1), keys);
          if (problem !== undefined) return { problem: new Problem(400, problem), early: false };
        }
        keyFollows = false;
      }
    }
}

/** The problem of a key, given as JSON text; a valid key is added to `before`. */
function keyProblem(text: string, before: Set<string>): string | undefined {
  let key: string;
  try {
    key = JSON.parse(text);
  } catch {
    // The text is not JSON, which is reported later.
    return undefined;
  }
  if (key === "__proto__") return `the body has the key "__proto__", which is not allowed`;
  if (before.has(key)) return `the body has the key ${clipped(JSON.stringify(key))} twice`;
  before.add(key);
}

function clipped(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
