// Load on a server over the loopback: autocannon with single histories of 50 items, its median and worst, and the share of
// sampled answers that the library confirms. Start the server first:
//
//   node dist/cli/main.js serve <run> --port 8080 --store none --rate-limit 0 --log-level warn
//   node bench/serving/load.mjs <run> [--rate 500] [--seconds 30] [--connections 32] [--sample 200]

import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { loadRecommender, recommend } from "foldin/serving";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string", default: "http://127.0.0.1:8080" },
    rate: { type: "string" },
    seconds: { type: "string", default: "30" },
    connections: { type: "string", default: "32" },
    sample: { type: "string", default: "200" },
    items: { type: "string", default: "50" },
    pid: { type: "string" },
  },
});
const recommender = await loadRecommender(positionals[0], { threads: 1 });
const { ids } = recommender.items;
let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const histories = Array.from({ length: 1000 }, () => {
  const chosen = new Set();
  while (chosen.size < Number(values.items)) chosen.add(ids[Math.floor(random() * ids.length)]);
  return [...chosen];
});
const request = (history) => ({
  method: "POST",
  path: "/v1/recommendations",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ history, k: 10 }),
});

/** How many of the sampled answers are the library's: the same items in the same order, scores to 4 digits. */
async function confirm() {
  let same = 0;
  const sample = histories.slice(0, Number(values.sample));
  for (const history of sample) {
    const { path, ...init } = request(history);
    const answer = await (await fetch(values.url + path, init)).json();
    const { items } = await recommend(recommender, history, { k: 10 });
    const [{ items: served }] = answer.results;
    if (
      served.length === items.length &&
      items.every(
        ({ id, score }, rank) => served[rank].id === id && Math.abs(served[rank].score - score) < 1e-4,
      )
    )
      same++;
  }
  return `${same} of ${sample.length} sampled answers are the library's`;
}

const run = autocannon({
  url: values.url,
  connections: Number(values.connections),
  duration: Number(values.seconds),
  ...(values.rate && { overallRate: Number(values.rate) }),
  requests: histories.map(request),
});
// Sampled while the load is on, so that answers come from batches.
const [result, confirmed] = await Promise.all([
  run,
  Number(values.sample) > 0 ? confirm() : "nothing sampled",
]);
const { latency, requests, errors, non2xx, timeouts } = result;
console.log(
  `${requests.average.toFixed(0)} requests/s; latency p50 ${latency.p50} ms, p97.5 ${latency.p97_5} ms, p99 ${latency.p99} ms, max ${latency.max} ms; ${errors} errors, ${non2xx} not 2xx, ${timeouts} timeouts; ${confirmed}`,
);
recommender.dispose();
