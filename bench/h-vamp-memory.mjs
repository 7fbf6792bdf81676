// Measures the peak memory of H+Vamp (gated, 2 layers, K 1000, 86.5 M parameters) in a whole run on the ML-20M shape: one epoch
// over all users, checkpoints, validation on 10,000 users, the saved model. node bench/h-vamp-memory.mjs <run folder>, after `npm run bench -- h-vamp-step`,
// which creates the input. Takes 15 minutes on two idle cores.

import { train } from "../dist/index.js";
import { readMatrix } from "./.build/input.js";
import { names, trainingOnly } from "./.build/ours/generated.js";

const [out] = process.argv.slice(2);
if (!out) throw new Error("usage: node bench/h-vamp-memory.mjs <run folder>");
const folder = new URL("./.cache/ml-20m-shape", import.meta.url).pathname;
const foldIn = readMatrix(folder, "test-fold-in");
const heldOut = readMatrix(folder, "test-held-out");
const evaluated = { users: names(foldIn.rows), foldIn, heldOut };
const dataset = { ...trainingOnly(readMatrix(folder, "train"), evaluated), validation: evaluated };
const report = (what) =>
  console.log(`${what}: peak ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB so far`);

report("loaded");
const model = await train(dataset, {
  model: "h-vamp",
  options: { layers: 2, gated: true, epochs: 1, beta: 0.2, warmup: 1 },
  out,
  checkpointSeconds: 60,
  onEpoch: ({ epoch, seconds }) => report(`epoch ${epoch}, ${Math.round(seconds)} s`),
});
report("trained and saved");
model.dispose();
