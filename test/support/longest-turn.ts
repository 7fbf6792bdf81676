// The longest turn of the event loop while something goes on, in milliseconds of this thread's processor time where the
// system tells it (Linux), so that what other programs do on the machine does not count.

import { readFileSync } from "node:fs";

function threadMilliseconds(): number {
  try {
    return Number(/^\d+/.exec(readFileSync("/proc/thread-self/schedstat", "utf8"))?.[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Of several rounds that with the shortest, as garbage collection and compilation count too. */
export async function longestTurn(work: () => Promise<unknown>, rounds = 3): Promise<number> {
  let shortest = Infinity;
  for (let round = 0; round < rounds; round++) shortest = Math.min(shortest, await longestTurnOnce(work));
  return shortest;
}

async function longestTurnOnce(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = threadMilliseconds();
  let over = false;
  const look = () => {
    const now = threadMilliseconds();
    longest = Math.max(longest, now - last);
    last = threadMilliseconds();
    if (!over) setImmediate(look);
  };
  setImmediate(look);
  await work();
  over = true;
  return longest;
}
