// Request bodies: JSON in UTF-8, with every key once. Node's own reading replaces bytes that are not UTF-8 and keeps the last
// of two equal keys, both without a word.

import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import type { SharedTurns } from "../../core/shared-turns.js";
import type { Limits } from "./limits.js";
import { Problem } from "./problems.js";

/** Arrays and objects within each other; no request needs more than four. */
const MOST_DEPTH = 16;
/** Keys of one object; no request needs more than ten. */
const MOST_KEYS = 100;
/** Longer bodies wait for their turn before they are read and before they are checked. */
const LARGE = 1 << 14;

/** Values that the largest request within the limits may hold, with room for a mistake to be named. */
export function mostValues({ histories, history, ids }: Limits): number {
  return (histories + 1) * (history + 1) + 2 * ids + 1000;
}

export function acceptJson(app: FastifyInstance, values: number, turns: SharedTurns): void {
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
    if (body.length <= LARGE) return parseJson(body, values);
    const pauses = turns.begin();
    await pauses.yield();
    const value = parseJson(body, values);
    await pauses.yield();
    return value;
  });
}

/**
 * The value of a JSON text. Throws Problem where it is none, is not UTF-8, has a key twice, or holds more than so many values.
 */
export function parseJson(bytes: Buffer, values: number): unknown {
  if (bytes.length === 0) throw new Problem(400, "the body is empty (expected JSON)");
  if (!isUtf8(bytes)) throw new Problem(400, "the body is not valid UTF-8");
  const problem = structureProblem(bytes, values);
  let value: unknown;
  try {
    // What is too large or too deep is not read.
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
  /** Whether that is so even where the text is not JSON. */
  readonly early: boolean;
}

/** Looks at the size and the keys of what may be a JSON text, and stops at the first thing that is wrong. */
function structureProblem(bytes: Buffer, mostValues: number): StructureProblem | undefined {
  const tooMuch = (detail: string) => ({ problem: new Problem(400, detail), early: true });
  /** The keys so far of every object that is open; undefined for an array. */
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
        if (++values > mostValues) return tooMuch(`the body holds more than ${mostValues} values`);
        keyFollows = open[open.length - 1] !== undefined;
        break;
      case QUOTE: {
        const start = at++;
        while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
        const keys = open[open.length - 1];
        if (keyFollows && keys) {
          if (keys.size === MOST_KEYS)
            return tooMuch(`the body has an object of more than ${MOST_KEYS} keys`);
          const problem = keyProblem(bytes.toString("utf8", start, at + 1), keys);
          if (problem !== undefined) return { problem: new Problem(400, problem), early: false };
        }
        keyFollows = false;
      }
    }
}

/** What is wrong with a key, given as it stands in the text; else it is added to those before. */
function keyProblem(text: string, before: Set<string>): string | undefined {
  let key: string;
  try {
    key = JSON.parse(text);
  } catch {
    // Then the whole is not JSON either.
    return undefined;
  }
  if (key === "__proto__") return `the body has the key "__proto__", which is not allowed`;
  if (before.has(key)) return `the body has the key ${clipped(JSON.stringify(key))} twice`;
  before.add(key);
}

function clipped(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
