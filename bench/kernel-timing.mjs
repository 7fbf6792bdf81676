// What kernels.mjs and roofline.mjs share: histories of random lengths, filled tensors, and the best of several timings of a kernel.

import { RandomSequence } from "../dist/core/philox.js";
import { fromRows } from "../dist/sparse/csr.js";

/** Histories of at most `perUser` items each, popular ones more often. */
export function randomHistories(users, items, perUser) {
  const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
  return fromRows(
    items,
    Array.from({ length: users }, () => [
      ...new Set(Array.from({ length: perUser }, () => Math.floor(items * random.uniform() ** 2.5))),
    ]),
  );
}

/** A tensor of equal numbers. */
export function filled(engine, rows, columns, value = 0.01) {
  const made = engine.empty(rows, columns);
  engine.fill(made, value);
  return made;
}

/** The shortest of `repeats` runs, after two that are not counted: milliseconds of wall time, and of processor time of all threads. */
export async function shortest(engine, call, repeats = 7) {
  let [wall, processor] = [Infinity, Infinity];
  for (let i = 0; i < repeats + 2; i++) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    call();
    await engine.finished();
    const { user, system } = process.cpuUsage(used);
    if (i < 2) continue;
    wall = Math.min(wall, performance.now() - started);
    processor = Math.min(processor, (user + system) / 1000);
  }
  return { wall, processor };
}
