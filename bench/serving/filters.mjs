// Times the best 20 items of single histories with filters that admit different shares of the items, and without one. The calls are
// interleaved; medians in milliseconds, of the whole call in the library and of the ranking alone (the history's hidden units given).
//
//   npx tsc -p tsconfig.bench.json && node bench/.build/serving/model.js runs/large
//   node bench/serving/filters.mjs runs/large [threads]

import { itemsMatching } from "../../dist/recommender/filter/compile.js";
import { parseWhere, recommend } from "../../dist/recommender/recommend.js";
import { loadRecommender } from "../../dist/serving/load.js";
import { fromRows } from "../../dist/sparse/csr.js";

const [run, threads = "1"] = process.argv.slice(2);
const recommender = await loadRecommender(run, { threads: Number(threads) });
const { items, ranking } = recommender;
const texts = [
  "genres = g0",
  "genres = g3",
  "genres = g6",
  "genres = g9",
  "year >= 1990 and year < 2010",
  "genres in (g1, g2) and year >= 1990 and not genres = g5",
  "year is not missing",
];
const k = 20;
let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const histories = Array.from({ length: 300 }, () => {
  const chosen = new Set();
  while (chosen.size < 50) chosen.add(Math.floor(random() * items.size));
  return Uint32Array.from(chosen);
});
const cases = [undefined, ...texts].map((text) => ({
  ...{ text: text ?? "without a filter", filter: text && parseWhere(text) },
  ...{ whole: [], alone: [] },
}));
for (const [h, history] of histories.entries())
  for (const one of cases) {
    const started = performance.now();
    await recommend(recommender, history, { k, filter: one.filter });
    const answered = performance.now();
    const set = one.filter && (await itemsMatching(items, one.filter));
    one.share = set ? set.count / items.size : 1;
    let alone = 0;
    if (ranking) {
      const row = fromRows(items.size, [history.toSorted()]);
      const hidden = ranking.products.encode(row);
      const begun = performance.now();
      await ranking.topK(hidden, k, row, undefined, set?.words);
      alone = performance.now() - begun;
      ranking.release(hidden);
    }
    // The first calls prepare bounds and filters.
    if (h < 30) continue;
    one.whole.push(answered - started);
    one.alone.push(alone);
  }
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const [plain] = cases.map(({ whole, alone }) => ({ whole: median(whole), alone: median(alone) }));
console.log(`${items.size} items, k = ${k}, ${threads} threads; whole call | ranking alone`);
for (const { text, share, whole, alone } of cases)
  console.log(
    `${(100 * share).toFixed(1).padStart(6)} %  ${median(whole).toFixed(3)} ms (${(median(whole) / plain.whole).toFixed(2)}) | ${median(alone).toFixed(3)} ms (${(median(alone) / plain.alone).toFixed(2)})  ${text}`,
  );
recommender.dispose();
