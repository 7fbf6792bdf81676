// Measures the cost of a kernel call in the native engine, in nanoseconds. Tensors have one element, so that the kernel itself
// takes almost no time. node bench/call-cost.mjs [folder of another build of foldin], after `npm run setup`.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = pathToFileURL(resolve(process.argv[2] ?? `${import.meta.dirname}/..`)).href;
const { openEngine } = await import(`${root}/dist/index.js`);

const engine = await openEngine({ engine: "native", threads: 1 });
const t = () => engine.zeros(1, 1);
const [a, b, c, d] = [t(), t(), t(), t()];
async function cost(name, call) {
  const [rounds, calls] = [30, 2000];
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call();
    times.push(Number(process.hrtime.bigint() - started) / calls);
    await engine.finished();
  }
  times.sort((x, y) => x - y);
  console.log(`${name}: smallest ${times[0].toFixed(0)} ns, median ${times[rounds / 2].toFixed(0)} ns`);
}
await cost("addRow", () => engine.addRow(a, b));
await cost("gate", () => engine.gate(a, b, c));
await cost("matmul", () => engine.matmul(a, b, c, { transposeB: true }));
const step = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update: 1, decay: 0 };
await cost("adam", () => engine.adam(a, b, c, { kind: "dense", tensor: d }, step));
await engine.close();
