// Profiles a Mult-VAE training step, kernel by kernel: node bench/profile-step.mjs [items] [batch] [steps]
// (after npm run build). For a synchronous engine, such as the reference engine; a queueing engine shows
// only the total.

import { ReferenceEngine } from "../dist/compute/engines/reference.js";
import { mean } from "../dist/compute/objective.js";
import { tanh } from "../dist/compute/ops/tanh.js";
import { Adam } from "../dist/compute/optimizers.js";
import { Tape } from "../dist/compute/tape.js";
import { RandomSequence } from "../dist/core/philox.js";
import { Linear, SparseLinear } from "../dist/nn/linear.js";
import { Mlp } from "../dist/nn/mlp.js";
import { DiagonalNormal } from "../dist/nn/normal.js";
import { OutputLayer } from "../dist/nn/output-layer.js";
import { allocate } from "../dist/nn/parameters.js";
import { fromRows } from "../dist/sparse/csr.js";

const [items = 1200, batch = 500, steps = 6] = process.argv.slice(2).map(Number);
const [hidden, latent, perUser, seed, warmup] = [600, 200, 60, 1, 2];

const spent = new Map();
const timed = new Proxy(new ReferenceEngine(), {
  get(engine, name) {
    const member = engine[name];
    if (typeof member !== "function") return member;
    return (...args) => {
      const start = performance.now();
      try {
        return member.apply(engine, args);
      } finally {
        const entry = spent.get(name) ?? { milliseconds: 0, calls: 0 };
        entry.milliseconds += performance.now() - start;
        entry.calls++;
        spent.set(name, entry);
      }
    };
  },
});

const first = new SparseLinear({ name: "encoder.0", inputs: items, outputs: hidden });
const second = new Linear({ name: "encoder.1", inputs: hidden, outputs: 2 * latent });
const decoder = new Mlp({ name: "decoder", sizes: [latent, hidden], activateLast: true });
const output = new OutputLayer({ name: "output", inputs: hidden, outputs: items });
const parameters = [first, second, decoder, output].flatMap((layer) => layer.parameters);
allocate(timed, parameters, seed);
const adam = new Adam(timed, parameters);
const random = new RandomSequence({ seed, step: 0, stream: 0 });
const histories = fromRows(
  items,
  Array.from({ length: batch }, () => [
    ...new Set(Array.from({ length: perUser }, () => Math.floor(items * random.uniform() ** 2))),
  ]),
);

let total = 0;
for (let update = 1; update <= warmup + steps; update++) {
  if (update === warmup + 1) {
    spent.clear();
    total = 0;
  }
  const start = performance.now();
  const tape = new Tape(timed);
  const x = tape.sparse(histories);
  const key = (stream) => ({ seed, step: update, stream });
  const h = tanh(tape, first.forward(tape, x, { rowScale: "l2", dropout: { rate: 0.5, key: key(1) } }));
  const posterior = DiagonalNormal.fromHalves(tape, second.forward(tape, h));
  const loss = output.loss(tape, decoder.forward(tape, posterior.sample(tape, key(2))), x);
  tape.backward(mean(loss).plus(mean(posterior.kl(tape)).times(0.2)));
  adam.step();
  tape.dispose();
  await timed.finished();
  total += performance.now() - start;
}

const flops = 6 * batch * hidden * (items + 3 * latent);
console.log(`${(total / steps).toFixed(0)} ms a step of ${batch} users x ${items} items`);
console.log(
  `products: ${(flops / 1e9).toFixed(2)} GFLOP, ${(flops / 1e6 / (spent.get("matmul").milliseconds / steps)).toFixed(2)} GFLOP/s`,
);
for (const [name, { milliseconds, calls }] of [...spent].sort(
  (a, b) => b[1].milliseconds - a[1].milliseconds,
))
  if (milliseconds / steps > 0.1)
    console.log(
      `  ${name.padEnd(24)} ${(milliseconds / steps).toFixed(1).padStart(8)} ms  ${calls / steps} calls`,
    );
