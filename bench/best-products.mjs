// Times the best 20 items of a few histories, by bounds and by the whole product: node bench/best-products.mjs [threads] (after
// npm run setup). Random weights of the ML-20M shape; medians in milliseconds.

import { openEngine } from "../dist/compute/open-engine.js";
import { randomNormals } from "../dist/core/philox.js";

const [items, width, k, repeats] = [20108, 600, 20, 41];
const [threads = 2] = process.argv.slice(2).map(Number);
const engine = await openEngine({ engine: "native", threads });
let stream = 0;
function normal(rows, columns, deviation) {
  const data = new Float32Array(rows * columns);
  randomNormals({ seed: 1, step: 0, stream: ++stream }, data);
  return engine.tensor(
    rows,
    columns,
    data.map((x) => deviation * x),
  );
}

async function median(call) {
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[repeats >> 1].toFixed(2);
}

const [weights, bias] = [normal(items, width, 0.05), normal(1, items, 0.1)];
await engine.finished();
const started = performance.now();
const layer = {
  weights,
  bias,
  quantised: engine.empty(items, width, "int8"),
  statistics: engine.empty(items, 3),
};
engine.quantise(layer.quantised, layer.statistics, weights);
await engine.finished();
console.log(
  `${engine.description}; quantising the weights took ${(performance.now() - started).toFixed(1)} ms`,
);
for (const rows of [1, 2, 4, 8, 12, 16]) {
  const a = normal(rows, width, 0.3);
  const bounded = await median(() => engine.bestProducts(a, layer, k));
  const whole = await median(async () => {
    const scores = engine.empty(rows, items);
    engine.matmul(scores, a, weights, { transposeB: true });
    engine.addRow(scores, bias);
    await engine.topK(scores, k);
    engine.release(scores);
  });
  console.log(`${String(rows).padStart(2)} histories: ${bounded} of ${whole} ms`);
}
await engine.close();
