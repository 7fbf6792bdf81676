// Measures how hostile and slow clients affect regular clients of a server: their times and errors, and per minute the server's
// memory, connections, open files and event loop delay. Starts `foldin serve` on the loopback, and stops it.
//
//   node bench/serving/hostile.mjs <run> [--minutes 30] [--rate 20] [--hostile 1] [--json result.json]
//
// --hostile 0 runs without hostile clients, 2 with twice as many of each kind.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "30" },
    rate: { type: "string", default: "20" },
    hostile: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const [run] = positionals;
const seconds = Math.min(Number(values.minutes), 120) * 60;
const { ids } = JSON.parse(readFileSync(`${run}/model/items.json`, "utf8"));
const token = "hostile-bench-token";
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const options = ["--port", "0", "--store", "none", "--threads", "1", "--log-level", "warn"];
const server = spawn(process.execPath, [main, "serve", run, ...options], {
  env: { ...process.env, FOLDIN_TOKEN: token },
  stdio: ["ignore", "pipe", "pipe"],
});
let warnings = 0;
server.stdout.on("data", (text) => {
  warnings += String(text).split("\n").length - 1;
});
const address = await new Promise((done, fail) => {
  let said = "";
  server.stderr.on("data", (text) => {
    said += text;
    const [, found] = /serving \S+ at (http:\/\/\S+)/.exec(said) ?? [];
    if (found) done(found);
  });
  server.once("exit", () => fail(new Error(said)));
});
// A hard limit on the total time.
const end = performance.now() + seconds * 1000;
process.once("exit", () => server.kill("SIGKILL"));

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const authorization = `Bearer ${token}`;
/** The status and the milliseconds of one request. */
function ask(path, body) {
  const started = performance.now();
  return new Promise((done) => {
    const request = http.request(
      address + path,
      {
        agent,
        timeout: 30_000,
        method: body === undefined ? "GET" : "POST",
        headers: { authorization, ...(body && { "content-type": "application/json" }) },
      },
      (response) => {
        let text = "";
        response.on("data", (piece) => {
          text += piece;
        });
        response.on("end", () =>
          done({ status: response.statusCode, text, milliseconds: performance.now() - started }),
        );
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", (error) =>
      done({ status: error.code ?? "error", text: "", milliseconds: performance.now() - started }),
    );
    request.end(body);
  });
}

const historyOf = (n) => [
  ...new Set(Array.from({ length: 50 }, (_, k) => ids[(n * 7919 + k * k * 31 + k) % ids.length])),
];
const times = { recommendations: [], "/health/live": [] };
const failures = new Map();
let asked = 0;
async function honest(path, body) {
  const { status, milliseconds } = await ask(path, body);
  (path === "/health/live" ? times[path] : times.recommendations).push({
    at: performance.now(),
    milliseconds,
  });
  asked++;
  if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
}

const percentile = (numbers, p) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
};
const since = (list, from) => list.filter(({ at }) => at >= from).map(({ milliseconds }) => milliseconds);

/** The server process as seen from outside, and its event loop delay since the previous call. */
async function look() {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  const { text } = await ask("/metrics");
  const metric = (name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    residentMiB: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    heapMiB: Math.round(metric("nodejs_heap_size_used_bytes") / 2 ** 20),
    openFiles: readdirSync(`/proc/${server.pid}/fd`).length,
    loopDelayP99: 1000 * metric("nodejs_eventloop_lag_p99_seconds"),
    loopDelayMax: 1000 * metric("nodejs_eventloop_lag_max_seconds"),
  };
}

for (let n = 0; n < 20; n++)
  await ask("/v1/recommendations", JSON.stringify({ history: historyOf(n), k: 10 }));
await look();
const hostile =
  Number(values.hostile) > 0 &&
  new Worker(new URL("./hostile-clients.mjs", import.meta.url), {
    workerData: { address, token, ids, seconds, factor: Number(values.hostile) },
  });
const counts = hostile ? new Promise((done) => hostile.once("message", done)) : {};

const began = performance.now();
const every = seconds > 600 ? 60_000 : seconds * 100;
const samples = [];
const sampling = (async () => {
  while (performance.now() < end - every / 2) {
    const from = performance.now();
    await setTimeout(every);
    const recent = since(times.recommendations, from);
    const sample = {
      minute: Number(((performance.now() - began) / 60_000).toFixed(1)),
      p50: Number(percentile(recent, 0.5).toFixed(1)),
      p99: Number(percentile(recent, 0.99).toFixed(1)),
      ...(await look()),
    };
    samples.push(sample);
    console.log(
      `${sample.minute} min: p50 ${sample.p50} ms, p99 ${sample.p99} ms; resident ${sample.residentMiB} MiB (heap ${sample.heapMiB}); ${sample.openFiles} open files; event loop delay p99 ${sample.loopDelayP99.toFixed(0)} ms, max ${sample.loopDelayMax.toFixed(0)} ms`,
    );
  }
})();
const open = new Set();
for (let n = 0; performance.now() < end; n++) {
  const one = honest("/v1/recommendations", JSON.stringify({ history: historyOf(n), k: 10 }));
  open.add(one);
  void one.then(() => open.delete(one));
  if (n % 5 === 0) void honest("/health/live");
  await setTimeout(1000 / Number(values.rate));
}
await Promise.all([...open, sampling]);
const hostileCounts = await counts;
// By then the server has closed the connections that hostile clients left open.
await setTimeout(Math.min(35_000, seconds * 1000));
const after = await look();
const all = (name) => times[name].map(({ milliseconds }) => milliseconds);
const quarter = Math.max(1, Math.floor(samples.length / 4));
const middle = (part) =>
  percentile(
    part.map(({ residentMiB }) => residentMiB),
    0.5,
  );
const result = {
  minutes: seconds / 60,
  honest: {
    requests: asked,
    failures: Object.fromEntries(failures),
    ...Object.fromEntries(
      Object.keys(times).map((name) => [
        name,
        { p50: percentile(all(name), 0.5), p99: percentile(all(name), 0.99), max: Math.max(...all(name)) },
      ]),
    ),
  },
  hostile: hostileCounts,
  residentMiB: {
    secondQuarter: middle(samples.slice(quarter, 2 * quarter + 1)),
    lastQuarter: middle(samples.slice(-quarter)),
    most: Math.max(...samples.map(({ residentMiB }) => residentMiB)),
    after: after.residentMiB,
  },
  openFilesAfter: after.openFiles,
  warnings,
  samples,
};
const { recommendations, "/health/live": live } = result.honest;
console.log(
  `${asked} honest requests in ${result.minutes} min: p50 ${recommendations.p50.toFixed(1)} ms, p99 ${recommendations.p99.toFixed(1)} ms, max ${recommendations.max.toFixed(0)} ms; /health/live p99 ${live.p99.toFixed(1)} ms; failed: ${JSON.stringify(result.honest.failures)}`,
);
console.log(
  `resident ${result.residentMiB.secondQuarter} MiB in the second quarter, ${result.residentMiB.lastQuarter} in the last, ${result.residentMiB.most} at most, ${result.residentMiB.after} after; ${after.openFiles} open files after; ${warnings} lines logged`,
);
console.log(`hostile: ${JSON.stringify(hostileCounts)}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
await hostile?.terminate?.();
server.kill("SIGTERM");
await Promise.race([new Promise((done) => server.once("exit", done)), setTimeout(15_000)]);
agent.destroy();
process.exit(0);
