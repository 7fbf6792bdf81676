// Measures what `train --init-from` saves. A dataset's training interactions are split at a point in time and a run is trained on
// the earlier part. Then models are trained on the whole dataset, from scratch and from that run. Validation users are those of the
// dataset, on whom no run is trained. Prints the validation NDCG@100 of every epoch, and the epochs to the level of the run from scratch.
//   npm run build && node bench/warm-start.mjs <dataset folder> [--model mult-vae] [--share 0.9] [--epochs 100] [--set name=value ...]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Vocabulary } from "../dist/data/vocabulary.js";
import { findAlgorithm, loadDataset, train } from "../dist/index.js";
import { parseSettings } from "../dist/models/options.js";
import { fromRows, rowIndices } from "../dist/sparse/csr.js";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", default: "mult-vae" },
    share: { type: "string", default: "0.9" },
    epochs: { type: "string", default: "100" },
    threads: { type: "string", default: "1" },
    set: { type: "string", multiple: true, default: [] },
    warm: { type: "string", multiple: true, default: [] },
  },
});
const { model } = values;
const dataset = await loadDataset(positionals[0]);
const former = await before(dataset, Number(values.share));
const options = {
  ...parseSettings(await findAlgorithm(model), values.set),
  epochs: Number(values.epochs),
};
const warmOptions = parseSettings(await findAlgorithm(model), values.warm);
const folder = mkdtempSync(join(tmpdir(), "foldin-warm-"));
try {
  const out = join(folder, "former");
  const old = await curve(former, { model, options, out, seed: 1 });
  const anew = await curve(dataset, { model, options, seed: 2 });
  const warm = await curve(dataset, { initFrom: out, options: { ...options, ...warmOptions }, seed: 2 });
  const best = Math.max(...anew);
  const until = (curve, goal) => curve.findIndex((value) => value >= goal) + 1;
  const goals = [0.99, 1].map((part) => ({
    goal: part * best,
    anew: until(anew, part * best),
    warm: until(warm, part * best),
  }));
  const { items, train: matrix } = former;
  console.log(
    JSON.stringify({
      ...{ model, options, warmOptions },
      former: { items: items.size, users: former.users.size, interactions: matrix.indices.length },
      today: {
        items: dataset.items.size,
        users: dataset.users.size,
        interactions: dataset.train.indices.length,
      },
      best: { former: Math.max(...old), anew: best, warm: Math.max(...warm) },
      goals,
      curves: { anew, warm },
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}

async function curve(data, given) {
  const values100 = [];
  const trained = await train(data, {
    ...given,
    threads: Number(values.threads),
    onEpoch: ({ values }) => values100.push(values["validation ndcg@100"]),
  });
  trained.dispose();
  return values100;
}

/** The dataset at the time of this share of its training interactions: fewer items, users and interactions. */
async function before(dataset, share) {
  const times = await dataset.trainTimes();
  const cut = Float64Array.from(times).sort()[Math.floor(share * times.length)];
  const { train: full, validation, test } = dataset;
  const rows = [];
  const users = [];
  const seen = new Set();
  for (let user = 0; user < full.rows; user++) {
    const items = [...rowIndices(full, user)].filter((_, k) => times[full.offsets[user] + k] < cut);
    if (items.length === 0) continue;
    rows.push(items);
    users.push(dataset.users.ids[user]);
    for (const item of items) seen.add(item);
  }
  const kept = [...seen].sort((a, b) => a - b);
  const placeOf = new Map(kept.map((item, place) => [item, place]));
  const matrix = (lists) =>
    fromRows(
      kept.length,
      lists.map((list) => list.filter((item) => placeOf.has(item)).map((item) => placeOf.get(item))),
    );
  const rowsOf = (csr) => Array.from({ length: csr.rows }, (_, row) => [...rowIndices(csr, row)]);
  const split = ({ users, foldIn, heldOut }) => ({
    users,
    foldIn: matrix(rowsOf(foldIn)),
    heldOut: matrix(rowsOf(heldOut)),
  });
  return {
    name: `${dataset.name}, the first ${share}`,
    items: new Vocabulary(kept.map((item) => dataset.items.ids[item])),
    users: new Vocabulary(users),
    train: matrix(rows),
    validation: split(validation),
    test: split(test),
  };
}
