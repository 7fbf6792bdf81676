// Reads JSON files, which may be untrusted, with limits, and validates them against a schema. Brackets are counted before
// parsing, because an empty list takes two bytes in the file but many in memory, and deep nesting overflows the stack.

import { z } from "zod";
import { UserError } from "./errors.js";
import { type InputRules, readText } from "./input-file.js";

export interface JsonRules extends InputRules {
  /** Maximum number of lists and objects. Default: one million. */
  readonly containers?: number;
}

const MOST_DEPTH = 100;
const MOST_CONTAINERS = 1_000_000;
/** Maximum size of a JSON file that foldin writes. */
const MOST_JSON_BYTES = 64 << 20;

/** The value in a JSON file. Throws UserError, naming the file, if it cannot be read or is not JSON. */
export async function readJson(path: string, rules: JsonRules = {}): Promise<unknown> {
  const text = await readText(path, { most: MOST_JSON_BYTES, ...rules });
  return parseJson(text, path, rules);
}

/** Parses JSON. Throws UserError if the text is not JSON, is nested too deeply, or has a field `__proto__`. */
export function parseJson(text: string, place: string, rules: JsonRules = {}): unknown {
  const { expected, remedy, containers: most = MOST_CONTAINERS } = rules;
  const wrong = (problem: string, cause?: unknown) =>
    new UserError({ place, problem, expected, remedy, cause });
  const { depth, containers } = countBrackets(text);
  if (depth > MOST_DEPTH) throw wrong(`is nested more than ${MOST_DEPTH} levels deep`);
  if (containers > most) throw wrong(`has ${containers} lists and objects; the limit is ${most}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("is not JSON", cause);
  }
  if (namesPrototype(value)) throw wrong('has a field "__proto__", which is not allowed');
  return value;
}

/** Validates a value. Throws UserError with the first invalid field: "<problem>: <field>: <why>". */
export function checkJson<T>(
  schema: z.ZodType<T>,
  value: unknown,
  place: string,
  { problem, expected, remedy }: InputRules & { readonly problem: string },
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError({
    place,
    problem: `${problem}: ${issue.path.join(".") || "it"}: ${issue.message}`,
    expected,
    remedy,
  });
}

/** Throws UserError if `formatVersion` is newer than `newest`; `what` names the file in the message, such as "recipe". */
export function refuseNewer(value: unknown, place: string, newest: number, what: string): void {
  const version = z.object({ formatVersion: z.int() }).safeParse(value);
  if (version.success && version.data.formatVersion > newest)
    throw new UserError({
      place,
      problem: `the ${what} has format ${version.data.formatVersion}, newer than this version of foldin supports`,
      expected: `at most ${newest}`,
      remedy: "Update foldin",
    });
}

/** The nesting depth and the number of lists and objects; strings are skipped. */
function countBrackets(text: string): { depth: number; containers: number } {
  let [now, depth, containers] = [0, 0, 0];
  for (let at = 0; at < text.length; at++)
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        containers++;
        depth = Math.max(depth, ++now);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        now--;
        break;
    }
  return { depth, containers };
}

/** The end of the string that starts at `start`: its closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return text.length;
}

function namesPrototype(value: unknown): boolean {
  const open = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== "object" || next === null) continue;
    if (!Array.isArray(next) && Object.hasOwn(next, "__proto__")) return true;
    for (const inner of Array.isArray(next) ? next : Object.values(next))
      if (typeof inner === "object" && inner !== null) open.push(inner);
  }
  return false;
}
