// Times each kernel of the native engine on the shapes of Mult-VAE: node bench/kernels.mjs [items] [threads] [entries
// per user] (after npm run setup). Best of several: wall time, and processor time of all threads, which other work on the
// machine affects less. Products are timed with the output layer's weights stored by item and by hidden unit.

import { openEngine } from "../dist/compute/open-engine.js";
import { viewColumns } from "../dist/compute/tensor.js";
import { filled, randomHistories, shortest } from "./kernel-timing.mjs";

const [items = 20108, threads = 2, perUser = 75] = process.argv.slice(2).map(Number);
const [users, hidden, latent] = [500, 600, 200];
const engine = await openEngine({ engine: "native", threads });
const x = engine.sparse(randomHistories(users, items, perUser));
const tensor = (rows, columns, value) => filled(engine, rows, columns, value);

async function measure(name, call, { flops = 0, bytes = 0 } = {}) {
  const { wall, processor } = await shortest(engine, call);
  const rate = flops
    ? `${(flops / wall / 1e6).toFixed(0).padStart(5)} GFLOP/s, ${(flops / processor / 1e6).toFixed(0)} a core`
    : bytes
      ? `${(bytes / wall / 1e6).toFixed(1).padStart(5)} GB/s`
      : "";
  const [w, p] = [wall, processor].map((time) => time.toFixed(2).padStart(8));
  console.log(`${name.padEnd(34)}${w} ms ${p} ms of processor  ${rate}`);
}

console.log(`${engine.description}; ${users} users x ${items} items, ${x.entries} entries`);
const weights = tensor(items, hidden);
const turned = tensor(hidden, items);
const h = tensor(users, hidden);
const logits = tensor(users, items);
const [gradient, turnedGradient, hGradient] = [
  tensor(items, hidden),
  tensor(hidden, items),
  tensor(users, hidden),
];
const flops = 2 * users * hidden * items;
const t = (transposeA, transposeB) => ({ transposeA, transposeB });
await measure("h W^T, W [items, hidden]", () => engine.matmul(logits, h, weights, t(false, true)), { flops });
await measure("h W, W [hidden, items]", () => engine.matmul(logits, h, turned), { flops });
await measure("g W, W [items, hidden]", () => engine.matmul(hGradient, logits, weights), { flops });
await measure("g W^T, W [hidden, items]", () => engine.matmul(hGradient, logits, turned, t(false, true)), {
  flops,
});
await measure("g^T h, for W [items, hidden]", () => engine.matmul(gradient, logits, h, t(true, false)), {
  flops,
});
await measure(
  "h^T g, for W [hidden, items]",
  () => engine.matmul(turnedGradient, h, logits, t(true, false)),
  {
    flops,
  },
);

const [loss, statistics, bias] = [tensor(users, 1), tensor(users, 4), tensor(1, items)];
const output = { hidden: h, weights, bias, target: x, likelihood: "multinomial" };
const to = { hiddenGradient: hGradient, weightsGradient: gradient, biasGradient: tensor(1, items) };
for (const columns of [items, Math.floor(2 ** 22 / users)]) {
  const scratch = tensor(users, columns);
  const kept = columns === items ? "kept" : `${columns} items at a time`;
  await measure(`outputStatistics, ${kept}`, () => engine.outputStatistics(statistics, scratch, output), {
    flops,
  });
  await measure(
    `outputGradient, ${kept}`,
    () => engine.outputGradient(scratch, output, statistics, statistics, loss, to),
    { flops: (columns === items ? 2 : 3) * flops },
  );
  engine.release(scratch);
}
engine.outputLoss(loss, statistics, "multinomial");

const [m, v, touched] = [
  tensor(items, hidden),
  tensor(items, hidden),
  tensor(x.touched.length, hidden, 1e-3),
];
const step = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update: 1, decay: 0 };
const weightBytes = 4 * items * hidden;
await measure("adam, dense", () => engine.adam(weights, m, v, { kind: "dense", tensor: gradient }, step), {
  bytes: 7 * weightBytes,
});
await measure(
  `adam, ${x.touched.length} rows`,
  () => engine.adam(weights, m, v, { kind: "rows", tensor: touched, touched: x.touched }, step),
  { bytes: 6 * weightBytes + 4 * x.touched.length * hidden },
);

const key = { seed: 1, step: 1, stream: 1 };
const options = { rowScale: "l2", dropout: { rate: 0.5, key } };
const entryBytes = (4 * x.entries * hidden) / 2;
await measure("sparseRowSum", () => engine.sparseRowSum(h, x, weights, options), { bytes: entryBytes });
await measure("sparseRowSumGradient", () => engine.sparseRowSumGradient(touched, x, h, options), {
  bytes: entryBytes,
});

const halves = tensor(users, 2 * latent);
const [mean, logVariance] = [viewColumns(halves, 0, latent), viewColumns(halves, latent, 2 * latent)];
const z = tensor(users, latent);
await measure("gaussianSample", () => engine.gaussianSample(z, mean, logVariance, key));
await measure("gaussianSampleGradient", () => engine.gaussianSampleGradient(mean, logVariance, mean, z, z));
await measure("tanh of h", () => engine.tanh(h, h));
await measure("topK, 100 of the logits", () => void engine.topK(logits, 100, x));
await measure("1000 calls that do nothing much", () => {
  for (let i = 0; i < 1000; i++) engine.fill(statistics, 0);
});
await engine.close();
