// Compares elsa with an independent PyTorch program (bench/peers/elsa.py): NDCG@100 of both on the test users of a dataset, with the
// same options and number of epochs, for some seeds. After `npm run build`:
// node bench/elsa.mjs <dataset> [--python python3] [--factors 512] [--batch 128] [--rate 0.05] [--epochs 9] [--seeds 3]

import { parseArgs } from "node:util";
import { compareWithPeer } from "./peer-program.mjs";

const option = (value) => ({ type: "string", default: value });
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ python: option("python3"), factors: option("512"), batch: option("128"), rate: option("0.05") },
    ...{ epochs: option("9"), seeds: option("3") },
  },
});
const { python, factors, batch, rate, epochs, seeds } = values;
await compareWithPeer({
  ...{ path: positionals[0], model: "elsa", python, seeds: Number(seeds) },
  options: {
    ...{ factors: Number(factors), batchSize: Number(batch) },
    ...{ learningRate: Number(rate), epochs: Number(epochs) },
  },
  flags: ["--factors", factors, "--batch", batch, "--rate", rate, "--epochs", epochs],
});
