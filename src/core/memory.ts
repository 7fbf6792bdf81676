// Available memory, checked before large allocations: an error with numbers is more useful than a killed process.

import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { UserError } from "./errors.js";

/**
 * Bytes that this process can still allocate within the limits of the machine, its container, and its address space
 * (ulimit -v).
 */
export function availableMemory(): number {
  // Very large or 0 if the process has no limit.
  const limit = process.constrainedMemory();
  const room = limit > 0 ? Math.max(0, limit - process.memoryUsage.rss()) : Infinity;
  return Math.min(freemem(), room, roomForAddresses());
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

/** Throws UserError if the `bytes` needed for `what` are not available. */
export function requireMemory({
  place,
  bytes,
  what,
  alternatives,
  available = availableMemory(),
}: {
  place: string;
  bytes: number;
  /** "the 20,108 x 20,108 matrix of items". */
  what: string;
  /** What to do instead, as sentences. */
  alternatives: string;
  available?: number;
}): void {
  if (bytes > available)
    throw new UserError({
      place,
      problem: `${what} needs ${bytesText(bytes)} of memory, but only ${bytesText(available)} are available`,
      remedy: alternatives,
    });
}
