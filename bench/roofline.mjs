// The roofline of a Mult-VAE training step: per phase the operations, the bytes that must pass through memory, the time that the
// machine needs at least, and the time measured: node bench/roofline.mjs [float32|bf16] [items] (after npm run setup).
//
// The limits are measured first: a product whose operands fit the caches, and a sum of two arrays of 48 MB. Bytes count each large array once per
// phase that reads or writes it; what fits the caches (activations, inner layers) is not counted. Two threads, best of seven.

import { openEngine } from "../dist/compute/open-engine.js";
import { viewColumns } from "../dist/compute/tensor.js";
import { filled, machineLimits, randomHistories, shortest } from "./kernel-timing.mjs";

const [precision = "float32", items = 20108] = process.argv
  .slice(2)
  .map((text, i) => (i ? Number(text) : text));
const [users, hidden, latent, perUser, threads] = [500, 600, 200, 75, 2];
const engine = await openEngine({ engine: "native", threads, precision });
const { bf16 } = engine;
const tensor = (rows, columns, value) => filled(engine, rows, columns, value);
const time = async (call) => (await shortest(engine, call)).wall;

const { flopsPerMs, bytesPerMs } = await machineLimits(engine);
const weights = tensor(items, hidden);
const weightBytes = 4 * items * hidden;
const gradient = tensor(items, hidden);

const x = engine.sparse(randomHistories(users, items, perUser));
const [h, hGradient, z, halves] = [
  tensor(users, hidden),
  tensor(users, hidden),
  tensor(users, latent),
  tensor(users, 2 * latent),
];
const [encoder, decoder] = [tensor(hidden, 2 * latent), tensor(latent, hidden)];
const [encoderGradient, decoderGradient] = [tensor(hidden, 2 * latent), tensor(latent, hidden)];
const [mean, logVariance] = [viewColumns(halves, 0, latent), viewColumns(halves, latent, 2 * latent)];
const [loss, statistics, bias, biasGradient] = [
  tensor(users, 1),
  tensor(users, 4),
  tensor(1, items),
  tensor(1, items),
];
const scratch = tensor(users, engine.outputColumns(users, items));
const output = { hidden: h, weights, bias, target: x, likelihood: "multinomial", bf16 };
const to = { hiddenGradient: hGradient, weightsGradient: gradient, biasGradient };
const [m, v, touched] = [
  tensor(items, hidden),
  tensor(items, hidden),
  tensor(x.touched.length, hidden, 1e-3),
];
const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update: 1, decay: 0 };
const key = { seed: 1, step: 1, stream: 1 };
const first = { rowScale: "l2", dropout: { rate: 0.5, key } };

const kept = x.entries / 2;
const touchedBytes = 4 * x.touched.length * hidden;
const outputFlops = 2 * users * hidden * items;
const logitBytes = (bf16 ? 2 : 4) * users * items;
const innerFlops = 2 * users * (hidden * 2 * latent + latent * hidden);
const transposed = (transposeA, transposeB) => ({ transposeA, transposeB, bf16 });

const phases = [
  {
    name: "first layer",
    flops: 2 * kept * hidden,
    bytes: touchedBytes,
    run: () => engine.sparseRowSum(h, x, weights, first),
  },
  {
    name: "inner layers, forward",
    flops: innerFlops,
    bytes: 0,
    run: () => {
      engine.tanh(h, h);
      engine.matmul(halves, h, encoder, { bf16 });
      engine.gaussianSample(z, mean, logVariance, key);
      engine.matmul(h, z, decoder, { bf16 });
      engine.tanh(h, h);
    },
  },
  {
    name: "output layer, statistics",
    flops: outputFlops,
    bytes: weightBytes + logitBytes,
    run: () => engine.outputStatistics(statistics, scratch, output),
  },
  {
    name: "output layer, gradients",
    flops: 2 * outputFlops,
    bytes: 2 * weightBytes + logitBytes,
    run: () => engine.outputGradient(scratch, output, statistics, statistics, loss, to),
  },
  {
    name: "inner layers, backward",
    flops: 2 * innerFlops,
    bytes: 0,
    run: () => {
      engine.matmul(decoderGradient, z, hGradient, transposed(true, false));
      engine.matmul(z, hGradient, decoder, transposed(false, true));
      engine.matmul(encoderGradient, h, halves, transposed(true, false));
      engine.matmul(hGradient, halves, encoder, transposed(false, true));
    },
  },
  {
    name: "first layer, gradient",
    flops: 2 * kept * hidden,
    bytes: touchedBytes,
    run: () => engine.sparseRowSumGradient(touched, x, h, first),
  },
  {
    name: "Adam, output layer",
    flops: 10 * items * hidden,
    bytes: 7 * weightBytes,
    run: () => engine.adam(weights, m, v, { kind: "dense", tensor: gradient }, adam),
  },
  {
    name: "Adam, first layer",
    flops: 10 * items * hidden,
    bytes: 6 * weightBytes + touchedBytes,
    run: () => engine.adam(weights, m, v, { kind: "rows", tensor: touched, touched: x.touched }, adam),
  },
];

for (const phase of phases) {
  // Large numbers would overflow after repeated runs.
  engine.fill(h, 0.01);
  phase.time = await time(phase.run);
}
await engine.close();
const total = phases.reduce((sum, phase) => sum + phase.time, 0);
const limits = phases.map(({ flops, bytes }) => [flops / flopsPerMs, bytes / bytesPerMs]);
const limit = limits.reduce((sum, both) => sum + Math.max(...both), 0);
console.log(
  `${engine.description}, ${precision}; ${users} users x ${items} items, ${x.entries} entries, ${x.touched.length} items touched; limits: ${(flopsPerMs / 1e6).toFixed(0)} GFLOP/s, ${(bytesPerMs / 1e6).toFixed(0)} GB/s`,
);
console.log("| phase | GFLOP | MB | limit, by | measured | limit / measured | share |");
console.log("| --- | --- | --- | --- | --- | --- | --- |");
for (const [p, { name, flops, bytes, time }] of phases.entries()) {
  const [arithmetic, memory] = limits[p];
  const by = arithmetic > memory ? "arithmetic" : "memory";
  const least = Math.max(arithmetic, memory);
  console.log(
    `| ${name} | ${(flops / 1e9).toFixed(2)} | ${(bytes / 1e6).toFixed(0)} | ${least.toFixed(1)} ms, ${by} | ${time.toFixed(1)} ms | ${(least / time).toFixed(2)} | ${((100 * time) / total).toFixed(0)} % |`,
  );
}
console.log(
  `| together | | | ${limit.toFixed(1)} ms | ${total.toFixed(1)} ms | ${(limit / total).toFixed(2)} | 100 % |`,
);
