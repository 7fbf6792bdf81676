// Compares elsa with an independent PyTorch program (bench/peers/elsa.py): NDCG@100 of both on the test users of a dataset, with the
// same options and number of epochs, for some seeds. After `npm run build`:
// node bench/elsa.mjs <dataset> [--python python3] [--factors 512] [--batch 128] [--rate 0.05] [--epochs 9] [--seeds 3]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { evaluateSplit, loadDataset, openEngine, train } from "../dist/index.js";

const option = (value) => ({ type: "string", default: value });
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ python: option("python3"), factors: option("512"), batch: option("128"), rate: option("0.05") },
    ...{ epochs: option("9"), seeds: option("3") },
  },
});
const dataset = await loadDataset(positionals[0]);
const folder = mkdtempSync(join(tmpdir(), "foldin-elsa-"));
try {
  const bytes = (numbers) => Buffer.from(Uint32Array.from(numbers).buffer);
  const { foldIn, heldOut } = dataset.test;
  for (const [name, matrix] of Object.entries({ train: dataset.train, history: foldIn, held_out: heldOut })) {
    writeFileSync(join(folder, `${name}.shape`), bytes([matrix.rows, matrix.columns]));
    writeFileSync(join(folder, `${name}.offsets`), bytes(matrix.offsets));
    writeFileSync(join(folder, `${name}.indices`), bytes(matrix.indices));
  }
  const { python, factors, batch, rate, epochs, seeds } = values;
  const engine = await openEngine();
  // Without validation users, the weights of the last epoch are kept, as in the peer.
  const nobody = { ...foldIn, rows: 0, offsets: new Uint32Array(1), indices: new Uint32Array() };
  const trained = { ...dataset, validation: { foldIn: nobody, heldOut: nobody } };
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const options = { factors: Number(factors), batchSize: Number(batch), learningRate: Number(rate) };
    const started = performance.now();
    const model = await train(trained, {
      ...{ model: "elsa", engine, seed },
      options: { ...options, epochs: Number(epochs) },
    });
    const seconds = (performance.now() - started) / 1000;
    const { metrics } = await evaluateSplit(model, dataset.test, { metrics: ["ndcg@100"] });
    const { mean, standardError } = metrics["ndcg@100"];
    const ours = { "ndcg@100": mean.toFixed(4), standardError: standardError.toFixed(4) };
    console.log(`seed ${seed} foldin  ${JSON.stringify({ ...ours, seconds: seconds.toFixed(1) })}`);
    const program = join(dirname(fileURLToPath(import.meta.url)), "peers", "elsa.py");
    const sizes = ["--factors", factors, "--batch", batch, "--rate", rate, "--epochs", epochs];
    const peer = spawnSync(python, [program, folder, ...sizes, "--seed", String(seed)], { encoding: "utf8" });
    if (peer.status !== 0) throw new Error(peer.stderr);
    console.log(`seed ${seed} PyTorch ${peer.stdout.trim()}`);
    model.dispose();
  }
  await engine.close();
} finally {
  rmSync(folder, { recursive: true });
}
