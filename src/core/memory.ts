// How much memory there is, asked before much of it is taken: a refusal with a number is worth more than a killed process.

import { freemem } from "node:os";
import { UserError } from "./errors.js";

/** Bytes that this process could still take without the machine, or the container that it runs in, running out. */
export function availableMemory(): number {
  // Enormous or 0 where nothing limits the process.
  const limit = process.constrainedMemory();
  const room = limit > 0 ? Math.max(0, limit - process.memoryUsage.rss()) : Infinity;
  return Math.min(freemem(), room);
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
      problem: `${what} needs ${bytesText(bytes)} of memory, and there are ${bytesText(available)}`,
      remedy: alternatives,
    });
}
