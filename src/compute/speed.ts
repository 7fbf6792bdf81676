// How fast an engine multiplies matrices, which the training time of most models follows.

import type { Engine } from "./engine.js";

/** The timed matrix product: 512 histories, 600 hidden units, 4096 items. */
export const TIMED_PRODUCT = { rows: 512, inner: 600, columns: 4096 } as const;

/**
 * Floating-point operations per second of matrix products, measured for `seconds`, at least once. The best time counts, because other
 * work on the machine can only slow a run down. By default the product is `TIMED_PRODUCT`.
 */
export async function productSpeed(
  engine: Engine,
  seconds: number,
  { rows, inner, columns }: { rows: number; inner: number; columns: number } = TIMED_PRODUCT,
): Promise<number> {
  const [a, b, out] = [engine.zeros(rows, inner), engine.zeros(columns, inner), engine.empty(rows, columns)];
  engine.fill(a, 0.5);
  engine.fill(b, 0.25);
  await engine.finished();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 1000 * seconds;
  do {
    const started = performance.now();
    engine.matmul(out, a, b, { transposeB: true, bf16: engine.bf16 });
    await engine.finished();
    best = Math.min(best, performance.now() - started);
  } while (performance.now() < end);
  for (const tensor of [a, b, out]) engine.release(tensor);
  return (2 * rows * inner * columns) / (best / 1000);
}
