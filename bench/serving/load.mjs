// Generates load on a server over the loopback, with single histories of 50 items: at the maximum rate (autocannon), or with --rate
// at random times. Compares sampled responses with the library. Start the server first:
//
//   node dist/cli/main.js serve <run> --port 8080 --store none --rate-limit 0 --log-level warn
//   node bench/serving/load.mjs <run> [--rate 500] [--seconds 30] [--connections 32] [--sample 200]

import http, { Agent } from "node:http";
import { setTimeout } from "node:timers/promises";
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

/** The number of sampled responses that equal the library's: same items in the same order, scores to 4 digits. */
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

/** As fast as responses arrive, on the given number of connections. */
async function saturate(seconds) {
  const result = await autocannon({
    url: values.url,
    connections: Number(values.connections),
    duration: seconds,
    requests: histories.map(request),
  });
  const { latency, requests, errors, non2xx, timeouts } = result;
  return {
    rate: requests.average,
    shown: [latency.p50, latency.p97_5, latency.p99, latency.max],
    failed: errors + non2xx + timeouts,
  };
}

/**
 * Requests at random times (a Poisson process) with a mean rate, like those of many users, regardless of pending responses. The
 * time of a request starts when it should have been sent.
 */
async function arrive(rate, seconds) {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const { hostname, port } = new URL(values.url);
  const times = [];
  const pending = new Set();
  let failed = 0;
  const send = (due) =>
    new Promise((done) => {
      const { body, ...asked } = request(histories[times.length % histories.length]);
      const headers = { ...asked.headers, "content-length": Buffer.byteLength(body) };
      const sent = http.request({ ...asked, headers, agent, hostname, port }, (answer) => {
        answer.resume().on("end", () => {
          times.push(performance.now() - due);
          if (answer.statusCode !== 200) failed++;
          done();
        });
      });
      sent.on("error", () => {
        failed++;
        done();
      });
      sent.end(body);
    });
  const start = performance.now();
  let due = start;
  while (due < start + seconds * 1000) {
    const early = due - performance.now();
    if (early > 0) await setTimeout(early);
    const now = performance.now();
    while (due <= now) {
      const one = send(due).then(() => pending.delete(one));
      pending.add(one);
      // The time to the next request is exponentially distributed.
      due -= (1000 * Math.log(1 - random())) / rate;
    }
  }
  await Promise.all(pending);
  agent.destroy();
  const sorted = times.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1);
  return { rate: times.length / seconds, shown: [at(0.5), at(0.975), at(0.99), at(1)], failed };
}

const seconds = Number(values.seconds);
const load = values.rate ? arrive(Number(values.rate), seconds) : saturate(seconds);
// Sampled under load, so that responses come from batches.
const [{ rate, shown, failed }, confirmed] = await Promise.all([
  load,
  Number(values.sample) > 0 ? confirm() : "nothing sampled",
]);
const [p50, p97, p99, max] = shown;
console.log(
  `${rate.toFixed(0)} requests/s; p50 ${p50} ms, p97.5 ${p97} ms, p99 ${p99} ms, max ${max} ms; ${failed} failed; ${confirmed}`,
);
recommender.dispose();
