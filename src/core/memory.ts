// Available memory, checked before large allocations: an error with numbers is more useful than a killed process.

import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { UserError } from "./errors.js";
import type { ProgressListener } from "./progress.js";

/** The environment variable with the limit of this process and its workers, in bytes or with a unit. Set by --memory. */
export const memoryVariable = "FOLDIN_MEMORY";

const units: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** The bytes of a size such as "8GiB", "8G", "500MB" or "4294967296". Throws UserError, naming `place`. */
export function parseBytes(size: string, place: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)$/i.exec(size.trim()) ?? [];
  const name = unit.toLowerCase();
  const factor = units[name] ?? units[name.replace(/i?b$/, "")];
  const bytes = Math.floor(Number(number) * factor);
  if (bytes > 0) return bytes;
  throw new UserError({
    place,
    problem: `"${size}" is not an amount of memory`,
    expected: "a number with a unit, such as 8GiB or 500MB",
  });
}

/** The limit set by --memory or the environment, in bytes; Infinity if there is none. */
export function memoryLimit(): number {
  const given = process.env[memoryVariable];
  return given === undefined || given === "" ? Infinity : parseBytes(given, memoryVariable);
}

/**
 * Bytes that this process can still allocate within the limits of the machine, its container, its address space (ulimit -v),
 * and `memoryLimit`.
 */
export function availableMemory(): number {
  // Very large or 0 if the process has no limit.
  const limit = process.constrainedMemory();
  const room = limit > 0 ? Math.max(0, limit - process.memoryUsage.rss()) : Infinity;
  const asked = memoryLimit();
  const granted = asked === Infinity ? asked : Math.max(0, asked - process.memoryUsage.rss());
  return Math.min(freemem(), room, roomForAddresses(), granted);
}

/** What ulimit -v leaves. Infinity if there is no limit or it is unknown. */
function roomForAddresses(): number {
  try {
    const limit = addressLimitOf(readFileSync("/proc/self/limits", "utf8"));
    if (limit === Infinity) return limit;
    const used = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return used ? Math.max(0, limit - 1024 * Number(used[1])) : Infinity;
  } catch {
    return Infinity;
  }
}

/** The soft limit of the address space, in bytes, from the text of Linux's /proc/self/limits. */
export function addressLimitOf(limits: string): number {
  const found = /^Max address space\s+(\d+)\s/m.exec(limits);
  return found ? Number(found[1]) : Infinity;
}

/** The UserError for a failed allocation; undefined for any other error. */
export function outOfMemory(error: unknown): UserError | undefined {
  if (!(error instanceof Error) || error instanceof UserError) return undefined;
  // Messages of the addon, then of V8: no memory, or more elements than an array can have.
  const [found] =
    /out of memory: .*|Array buffer allocation failed|Invalid (typed )?array length.*/.exec(error.message) ??
    [];
  if (found === undefined) return undefined;
  return new UserError({
    problem: found.startsWith("out of memory") ? found : `out of memory: ${found}`,
    remedy:
      "Close other programs, or reduce the memory use: fewer items (foldin prepare --min-item), smaller layers or fewer factors (foldin models <name> lists the options), a smaller batchSize",
    cause: error,
  });
}

/** "1.5 GiB", "30 MiB" */
export function bytesText(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

/** Smaller needs are not reported. */
const WORTH_A_WORD = 2 ** 28;

/** Throws UserError if the `bytes` needed for `what` are not available; reports large needs. */
export function requireMemory({
  place,
  bytes,
  what,
  alternatives,
  available = availableMemory(),
  progress,
}: {
  place: string;
  bytes: number;
  /** "the 20,108 x 20,108 matrix of items". */
  what: string;
  /** What to do instead, as sentences. */
  alternatives: string;
  available?: number;
  /** Told about needs of 256 MiB and more. */
  progress?: ProgressListener;
}): void {
  if (bytes > available)
    throw new UserError({
      place,
      problem: `${what} needs ${bytesText(bytes)} of memory, but only ${bytesText(available)} are available`,
      remedy: alternatives,
    });
  if (bytes >= WORTH_A_WORD)
    progress?.({
      type: "note",
      text: `${place}: ${what} needs at least ${bytesText(bytes)} of memory; ${bytesText(available)} are available`,
    });
}
