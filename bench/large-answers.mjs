// Times the best 20 items of one history of a loaded model with a large catalogue, by the whole product, by bounds, with an index,
// and approximately; with the recall of the approximate answers (the share of the exact best 20 items that they contain):
//
//   node bench/large-model.mjs runs/large && node bench/large-answers.mjs runs/large [--threads 2] [--histories 200]
//
// The histories are an item and the nine items that the model recommends for it. Medians and 99th percentiles of the ranking itself,
// in milliseconds; the fold-in of a history is timed on its own.

import { parseArgs } from "node:util";
import { openEngine } from "../dist/compute/open-engine.js";
import { itemBlocks } from "../dist/recommender/item-blocks.js";
import { loadRecommender } from "../dist/serving/load.js";
import { fromRows } from "../dist/sparse/csr.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" }, histories: { type: "string", default: "200" } },
});
const k = 20;
const engine = await openEngine({ engine: "native", threads: Number(values.threads) });
const model = await loadRecommender(positionals[0], { engine, index: false });
const { ranking, items } = model;
console.log(`${engine.description}; ${items.size} items, ${ranking.products.weights.columns} factors`);

const quantile = (times, share) => times.toSorted((a, b) => a - b)[Math.floor(share * (times.length - 1))];
const shown = (times) =>
  `p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`;
async function timed(name, work, times = Number(values.histories)) {
  const taken = [];
  const results = [];
  for (let n = 0; n < times; n++) {
    const started = performance.now();
    results.push(await work(n));
    taken.push(performance.now() - started);
  }
  console.log(`${name}: ${shown(taken)}`);
  return results;
}

const started = performance.now();
const blocks = await itemBlocks(engine, ranking.products.weights);
await engine.finished();
console.log(`index: ${blocks.rows} blocks, built in ${((performance.now() - started) / 1000).toFixed(1)} s`);

const histories = [];
ranking.useIndex({ blocks });
ranking.prepare();
await engine.finished();
for (let n = 0; n < Number(values.histories); n++) {
  const first = Math.floor(((n + 0.5) * items.size) / Number(values.histories));
  const single = fromRows(items.size, [[first]]);
  const { items: found } = await model.score(single).topK(9, single);
  histories.push(fromRows(items.size, [[first, ...found].sort((a, b) => a - b)]));
}
const hidden = await timed("fold-in", async (n) => {
  const made = ranking.products.encode(histories[n]);
  await engine.finished();
  return made;
});
const ask = (n) => ranking.topK(hidden[n], k, histories[n]);
const exact = await timed("exact, with the index", ask);
for (const most of [8, 16, 32, 64, 128, 256, 512, 1024]) {
  if (most >= blocks.rows) break;
  ranking.useIndex({ blocks, most });
  ranking.prepare();
  await engine.finished();
  await ask(0);
  const found = await timed(`approximate, ${most} blocks`, ask);
  const shares = found.map(({ items }, n) => {
    const best = new Set(exact[n].items);
    return items.reduce((sum, item) => sum + (best.has(item) ? 1 : 0), 0) / k;
  });
  console.log(`  recall@${k} ${(shares.reduce((a, b) => a + b, 0) / shares.length).toFixed(4)}`);
}
const single = await loadRecommender(positionals[0], { engine, index: false });
await single.ranking.topK(hidden[0], k, histories[0]);
const bounded = await timed("exact, by bounds without an index", (n) =>
  single.ranking.topK(hidden[n], k, histories[n]),
);
const whole = await timed(
  "all products and topK",
  async (n) => {
    const scores = engine.empty(1, items.size);
    engine.matmul(scores, hidden[n], ranking.products.weights, { transposeB: true });
    const masked = engine.sparse(histories[n]);
    const best = await engine.topK(scores, k, masked);
    engine.releaseSparse(masked);
    engine.release(scores);
    return best;
  },
  20,
);
const same = (a, b) => a.items.every((item, i) => item === b.items[i] && a.scores[i] === b.scores[i]);
console.log(
  `the same answers: ${bounded.filter((one, n) => same(one, exact[n])).length} of ${bounded.length} by bounds, ${whole.filter((one, n) => same(one, exact[n])).length} of ${whole.length} by all products`,
);
await engine.close();
