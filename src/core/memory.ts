// How much memory there is, asked before much of it is taken: a refusal with a number is worth more than a killed process.

import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { UserError } from "./errors.js";

/**
 * Bytes that this process could still take without the machine, the container that it runs in, or its own limit of addresses
 * (ulimit -v) running out.
 */
export function availableMemory(): number {
  // Enormous or 0 where nothing limits the process.
  const limit = process.constrainedMemory();
  const room = limit > 0 ? Math.max(0, limit - process.memoryUsage.rss()) : Infinity;
  return Math.min(freemem(), room, roomForAddresses());
}

/** What ulimit -v leaves. Infinity where there is no limit, or no way to know. */
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

/** The soft limit of addresses, in bytes, in the text of Linux's /proc/self/limits. */
export function addressLimitOf(limits: string): number {
  const found = /^Max address space\s+(\d+)\s/m.exec(limits);
  return found ? Number(found[1]) : Infinity;
}

/** What an allocation that failed is to its user; undefined for any other error. */
export function outOfMemory(error: unknown): UserError | undefined {
  if (!(error instanceof Error) || error instanceof UserError) return undefined;
  // The addon's words, then V8's: there was no memory, or more was asked for than an array can hold.
  const [found] =
    /out of memory: .*|Array buffer allocation failed|Invalid (typed )?array length.*/.exec(error.message) ??
    [];
  if (found === undefined) return undefined;
  return new UserError({
    problem: found.startsWith("out of memory") ? found : `out of memory: ${found}`,
    remedy:
      "Close other programs, or make the work smaller: fewer items (foldin prepare --min-item), smaller layers or fewer factors (foldin models <name> lists the options), a smaller batchSize",
    cause: error,
  });
}

/** "1.5 GiB", "30 MiB" */
export function bytesText(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

/** Throws UserError where `bytes`, which are needed for `what`, are more than there are. */
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
      problem: `${what} needs ${bytesText(bytes)} of memory, and ${bytesText(available)} are available`,
      remedy: alternatives,
    });
}
