// Files that another machine has written, on a network file system.

import { readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds until what another machine has written is seen through a network file system. */
const SEEN_WITHIN = 60_000;

/** Waits until a path that another machine has created is seen here; network file systems remember for some time that it was missing. */
export async function untilSeen(path: string): Promise<void> {
  const until = performance.now() + SEEN_WITHIN;
  while ((await stat(path).catch(() => undefined)) === undefined && performance.now() < until) {
    // Reading the folder makes most systems ask the server again.
    await readdir(dirname(path)).catch(() => {});
    await sleep(250);
  }
}
