// Compares a model with an independent PyTorch program of the same equations: NDCG@100 of both on the test users of a dataset, for
// some seeds, with the same options and number of epochs. The last epoch's weights are kept.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { evaluateSplit, loadDataset, openEngine, train } from "../dist/index.js";

/**
 * Trains `model` on the dataset at `path`, and runs bench/peers/<model>.py with the folder of its matrices, `flags` and a seed. `threads`:
 * of this process; `only`: "foldin" or "PyTorch", both by default.
 */
export async function compareWithPeer({ path, model, options, flags, python, seeds, threads, only }) {
  const dataset = await loadDataset(path);
  const folder = mkdtempSync(join(tmpdir(), `foldin-${model}-`));
  try {
    const bytes = (numbers) => Buffer.from(Uint32Array.from(numbers).buffer);
    const { foldIn, heldOut } = dataset.test;
    const matrices = { train: dataset.train, history: foldIn, held_out: heldOut };
    for (const [name, matrix] of Object.entries(matrices)) {
      writeFileSync(join(folder, `${name}.shape`), bytes([matrix.rows, matrix.columns]));
      writeFileSync(join(folder, `${name}.offsets`), bytes(matrix.offsets));
      writeFileSync(join(folder, `${name}.indices`), bytes(matrix.indices));
    }
    const engine = await openEngine({ threads });
    const nobody = { ...foldIn, rows: 0, offsets: new Uint32Array(1), indices: new Uint32Array() };
    const trained = { ...dataset, validation: { foldIn: nobody, heldOut: nobody } };
    for (let seed = 1; seed <= seeds; seed++) {
      if (only !== "PyTorch") {
        const started = performance.now();
        const recommender = await train(trained, { model, engine, seed, options });
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        const { metrics } = await evaluateSplit(recommender, dataset.test, { metrics: ["ndcg@100"] });
        const { mean, standardError } = metrics["ndcg@100"];
        const ours = { "ndcg@100": mean.toFixed(4), standardError: standardError.toFixed(4), seconds };
        console.log(`seed ${seed} foldin  ${JSON.stringify(ours)}`);
        recommender.dispose();
      }
      if (only === "foldin") continue;
      const program = join(dirname(fileURLToPath(import.meta.url)), "peers", `${model}.py`);
      const peer = spawnSync(python, [program, folder, ...flags, "--seed", String(seed)], {
        encoding: "utf8",
      });
      if (peer.status !== 0) throw new Error(peer.stderr);
      console.log(`seed ${seed} PyTorch ${peer.stdout.trim()}`);
    }
    await engine.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
