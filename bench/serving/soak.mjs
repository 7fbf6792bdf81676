// A long steady load on a server: memory per minute, errors, and the share of responses that equal the library's.
//
//   node bench/serving/soak.mjs <run> --pid <the server's> [--url http://127.0.0.1:8080] [--rate 100] [--minutes 30]

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { loadRecommender, recommend } from "foldin/serving";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pid: { type: "string" },
    url: { type: "string", default: "http://127.0.0.1:8080" },
    rate: { type: "string", default: "100" },
    minutes: { type: "string", default: "30" },
  },
});
const recommender = await loadRecommender(positionals[0], { threads: 1 });
const { ids } = recommender.items;
const historyOf = (n) => [
  ...new Set(Array.from({ length: 50 }, (_, k) => ids[(n * 7919 + k * k * 31 + k) % ids.length])),
];
const headers = { "content-type": "application/json" };
const post = async (path, body) =>
  (await fetch(values.url + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
const request = (n) => ({
  method: "POST",
  path: "/v1/recommendations",
  headers,
  body: JSON.stringify({ history: historyOf(n), k: 10 }),
});
const seconds = Number(values.minutes) * 60;
const load = autocannon({
  url: values.url,
  connections: 16,
  duration: seconds,
  overallRate: Number(values.rate),
  requests: Array.from({ length: 1000 }, (_, n) => request(n)),
});
let ended = false;
void load.then(() => {
  ended = true;
});
const resident = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${values.pid}/status`, "utf8"))?.[1]) / 1024;
const memory = [];
let sampled = 0;
let same = 0;
let events = 0;
for (let n = 0; !ended; n++) {
  if (n % 60 === 0) memory.push(resident().toFixed(0));
  const history = historyOf(n);
  const [{ items: served }] = (await post("/v1/recommendations", { history, k: 10 })).results;
  const { items } = await recommend(recommender, history, { k: 10 });
  sampled++;
  if (
    items.every(
      ({ id, score }, rank) => served[rank]?.id === id && Math.abs(served[rank].score - score) < 1e-4,
    )
  )
    same++;
  const { stored } = await post(`/v1/users/user${n % 100}/events`, { events: [{ item: history[0] }] });
  events += stored;
  await setTimeout(1000);
}
const { latency, requests, errors, non2xx, timeouts } = await load;
console.log(
  `${values.minutes} minutes, ${requests.total} requests (${requests.average.toFixed(0)}/s): ${errors} errors, ${non2xx} not 2xx, ${timeouts} timeouts; p50 ${latency.p50} ms, p99 ${latency.p99} ms; ${same} of ${sampled} sampled answers are the library's, ${events} events stored`,
);
console.log(`resident MiB by the minute: ${memory.join(" ")}`);
recommender.dispose();
