// What the benchmarks of kernels share: histories of random lengths, filled tensors, the best of several timings of a kernel, and
// the limits of the machine.

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

/** The speed of a product whose operands fit the caches, and of a sum of two arrays of 48 MB: flops and bytes per millisecond. */
export async function machineLimits(engine) {
  const product = { rows: 480, inner: 512, columns: 1280 };
  const [left, right, out] = [
    filled(engine, product.rows, product.inner),
    filled(engine, product.inner, product.columns),
    filled(engine, product.rows, product.columns),
  ];
  const { bf16 } = engine;
  const productTime = (await shortest(engine, () => engine.matmul(out, left, right, { bf16 }))).wall;
  const [rows, columns] = [20108, 600];
  const [sum, added] = [filled(engine, rows, columns), filled(engine, rows, columns)];
  // Adding in place reads two arrays and writes one, which is in the cache already.
  const sumTime = (await shortest(engine, () => engine.addScaled(sum, added, 0.5))).wall;
  for (const tensor of [left, right, out, sum, added]) engine.release(tensor);
  return {
    flopsPerMs: (2 * product.rows * product.inner * product.columns) / productTime,
    bytesPerMs: (3 * 4 * rows * columns) / sumTime,
  };
}
