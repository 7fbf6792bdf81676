// Compares vasp with an independent PyTorch program (bench/peers/vasp.py): NDCG@100 of both on the test users of a dataset, with the
// same options and number of epochs, for some seeds. After `npm run build`:
// node bench/vasp.mjs <dataset> [--python python3] [--hidden 256] [--latent 128] [--batch 128] [--rate 0.0005] [--epochs 20] [--seeds 1]
//   [--threads 1] [--only foldin|PyTorch]

import { parseArgs } from "node:util";
import { compareWithPeer } from "./peer-program.mjs";

const option = (value) => ({ type: "string", default: value });
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ python: option("python3"), hidden: option("256"), latent: option("128"), batch: option("128") },
    ...{ rate: option("0.0005"), epochs: option("20"), seeds: option("1"), threads: option("1") },
    only: { type: "string" },
  },
});
const { python, hidden, latent, batch, rate, epochs, seeds, threads, only } = values;
await compareWithPeer({
  ...{ path: positionals[0], model: "vasp", python, seeds: Number(seeds), threads: Number(threads), only },
  options: {
    ...{ hidden: Number(hidden), latent: Number(latent), batchSize: Number(batch) },
    ...{ learningRate: Number(rate), epochs: Number(epochs) },
  },
  flags: [
    ...["--hidden", hidden, "--latent", latent, "--batch", batch, "--rate", rate, "--epochs", epochs],
    ...["--threads", threads],
  ],
});
