// Profiles training steps of a model, kernel by kernel, on generated histories (after npm run setup):
// node bench/profile-step.mjs [--model mult-vae] [--options '{"gated":true}'] [--engine native|reference] [--precision float32|bf16]
// [--items 20108] [--batch 500] [--steps 4] [--threads 2] [--least 0.5]
//
// The first epoch is a warm-up; the kernels of the second are timed, and those of the same kind and operands are added up. Flops count
// products. Bytes count operands of more than 4 MB once per kernel. The limit is the larger of the flops at the speed of a
// product whose operands fit the caches and the bytes at the speed of a sum of two arrays of 48 MB, both measured first. `--least` hides rows of
// a smaller share (per cent).

import { parseArgs } from "node:util";
import { ReferenceEngine } from "../dist/compute/engines/reference.js";
import { operandsOf } from "../dist/compute/kernel.js";
import { openEngine, train, Vocabulary } from "../dist/index.js";
import { emptyMatrix } from "../dist/sparse/csr.js";
import { machineLimits, randomHistories } from "./kernel-timing.mjs";

const option = (value) => ({ type: "string", default: value });
const { values } = parseArgs({
  options: {
    model: option("mult-vae"),
    options: option("{}"),
    engine: option("native"),
    precision: option("float32"),
    items: option("20108"),
    batch: option("500"),
    steps: option("4"),
    threads: option("2"),
    least: option("0.5"),
  },
});
const [items, batch, steps, threads, least] = [
  ...[values.items, values.batch, values.steps, values.threads],
  values.least,
].map(Number);
const LARGE = 4e6;

const matrix = randomHistories(batch * steps, items, 75);
const names = (size) => new Vocabulary(Array.from({ length: size }, (_, k) => String(k)));
const none = emptyMatrix(0, items);
const nobody = { users: names(0), foldIn: none, heldOut: none };
const dataset = {
  ...{ name: "generated", items: names(items), users: names(matrix.rows), train: matrix },
  ...{ validation: nobody, test: nobody },
};

const clock = values.engine === "reference" ? referenceClock() : await nativeClock();
let mostMemory = 0;
for (const name of ["empty", "zeros", "tensor"]) {
  const make = clock.engine[name].bind(clock.engine);
  clock.engine[name] = (...args) => {
    const made = make(...args);
    mostMemory = Math.max(mostMemory, clock.engine.memory());
    return made;
  };
}
let [seconds, timed] = [];
const recommender = await train(dataset, {
  model: values.model,
  engine: clock.engine,
  options: { batchSize: batch, ...JSON.parse(values.options), epochs: 2 },
  onEpoch: (epoch) => {
    if (seconds === undefined) clock.start();
    else timed = clock.read();
    seconds = epoch.seconds;
  },
});
recommender.dispose();
await clock.engine.close();

/** The operations of a kernel's products. */
function flopsOf({ name, operands }) {
  const of = (wanted) => operands.find((operand) => operand.name === wanted);
  if (name === "matmul") {
    const [out, left] = [of("out"), of("a")];
    return 2 * out.columns * left.rows * left.columns;
  }
  const [hidden, weights] = [of("hidden"), of("weights")];
  const product = hidden && weights ? 2 * hidden.rows * weights.rows * weights.columns : 0;
  return { outputStatistics: 1, outputLosses: 1, outputGradient: 2 }[name] * product || 0;
}

/** The bytes of a kernel's large operands; the entries of a batch with their places. */
function bytesOf({ operands }) {
  const sizes = { float32: 4, bfloat16: 2, int8: 1, float64: 8 };
  const bytes = operands.map(({ rows, columns, entries, element }) =>
    entries === undefined ? rows * columns * sizes[element] : 8 * entries,
  );
  return bytes.filter((size) => size > LARGE).reduce((sum, size) => sum + size, 0);
}

const groups = new Map();
for (const kernel of await timed) {
  const shapes = kernel.operands.filter(({ rows }) => rows > 0);
  const key = `${kernel.name} ${shapes.map(({ name, rows, columns }) => `${name} ${rows}x${columns}`).join(", ")}`;
  const group = groups.get(key) ?? { key, calls: 0, milliseconds: 0, flops: 0, bytes: 0 };
  group.calls++;
  group.milliseconds += kernel.milliseconds;
  group.flops += flopsOf(kernel);
  group.bytes += bytesOf(kernel);
  groups.set(key, group);
}
const { flopsPerMs, bytesPerMs } = clock.limits ?? {};
const total = [...groups.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0);
const fixed = (value, digits) => value.toFixed(digits);
console.log(
  `${values.model} ${values.options}, ${clock.engine.description ?? "reference engine"}; ${batch} users x ${items} items, ${Math.round(matrix.indices.length / steps)} entries a batch: a step takes ${fixed((1000 * seconds) / steps, 1)} ms, its kernels ${fixed(total / steps, 1)} ms${clock.limits ? `; limits: ${fixed(flopsPerMs / 1e6, 0)} GFLOP/s, ${fixed(bytesPerMs / 1e6, 0)} GB/s` : ""}`,
);
console.log(
  `engine memory, most: ${fixed(mostMemory / 1e6, 0)} MB; peak of the process: ${fixed(process.resourceUsage().maxRSS / 1024, 0)} MiB`,
);
console.log("| kernel and operands | calls | ms | GFLOP | MB | limit / measured | share |");
console.log("| --- | --- | --- | --- | --- | --- | --- |");
let limit = 0;
for (const group of [...groups.values()].sort((a, b) => b.milliseconds - a.milliseconds)) {
  const [ms, flops, bytes] = [group.milliseconds, group.flops, group.bytes].map((value) => value / steps);
  const at = clock.limits ? Math.max(flops / flopsPerMs, bytes / bytesPerMs) : 0;
  // What has neither flops nor large operands is bounded by nothing that is counted here.
  limit += at || ms;
  const share = (100 * group.milliseconds) / total;
  if (share < least) continue;
  console.log(
    `| ${group.key} | ${group.calls / steps} | ${fixed(ms, 2)} | ${fixed(flops / 1e9, 2)} | ${fixed(bytes / 1e6, 0)} | ${at ? fixed(at / ms, 2) : ""} | ${fixed(share, 1)} % |`,
  );
}
if (clock.limits)
  console.log(
    `| together, at the limits | | ${fixed(limit, 1)} | | | ${fixed((limit * steps) / total, 2)} | |`,
  );

async function nativeClock() {
  const engine = await openEngine({ engine: "native", threads, precision: values.precision });
  const limits = await machineLimits(engine);
  return { engine, limits, start: () => engine.startClock(), read: () => engine.clocked() };
}

/** The reference engine runs a kernel within its call. */
function referenceClock() {
  let kernels = [];
  const engine = new (class extends ReferenceEngine {
    run(kernel, given) {
      const started = performance.now();
      const value = super.run(kernel, given);
      const operands = operandsOf(kernel, given);
      kernels.push({ name: kernel.name, operands, milliseconds: performance.now() - started });
      return value;
    }
  })();
  return { engine, start: () => (kernels = []), read: async () => kernels };
}
