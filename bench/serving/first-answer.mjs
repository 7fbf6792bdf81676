// Starts `foldin serve` and measures the time to its first answer, its memory, and the times of some requests:
//
//   node bench/serving/first-answer.mjs <run> [--approximate] [--port 8093]

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { approximate: { type: "boolean", default: false }, port: { type: "string", default: "8093" } },
});
const [run] = positionals;
const url = `http://127.0.0.1:${values.port}`;
const started = performance.now();
const options = ["--port", values.port, "--store", "none", "--rate-limit", "0", "--log-level", "warn"];
const server = spawn(
  process.execPath,
  ["dist/cli/main.js", "serve", run, ...options, ...(values.approximate ? ["--approximate"] : [])],
  { stdio: ["ignore", "ignore", "inherit"] },
);
const mebibytes = (name) => {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024).toFixed(0);
};
async function ask(path, body) {
  const begun = performance.now();
  const headers = { "content-type": "application/json" };
  const response = await fetch(
    `${url}${path}`,
    body && { method: "POST", headers, body: JSON.stringify(body) },
  );
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return { answer, milliseconds: performance.now() - begun };
}
const ids = JSON.parse(readFileSync(`${run}/items.json`, "utf8")).ids;
const history = [3, 30_000, 300_000].map((place) => ids[place % ids.length]);
const readBefore = performance.now();
while (!(await ask("/v1/recommendations", { history }).catch(() => undefined))) await setTimeout(20);
const first = performance.now();
console.log(
  `first answer after ${((first - started) / 1000).toFixed(2)} s${readBefore > first - 50 ? " (at most)" : ""}: resident ${mebibytes("VmRSS")} MiB, at most ${mebibytes("VmHWM")} MiB so far`,
);
const search = async (text) => {
  const { answer, milliseconds } = await ask(`/v1/items?search=${encodeURIComponent(text)}&limit=10`);
  console.log(`search "${text}": ${answer.items.length} items, ${milliseconds.toFixed(1)} ms`);
};
await search("the amber");
console.log(`titles searchable after ${((performance.now() - started) / 1000).toFixed(2)} s`);
for (const text of ["the amber river", "lantern 77", "no such title", "(1999)"]) await search(text);
const times = [];
for (let n = 0; n < 200; n++) {
  const places = [n * 37, n * 4801 + 1, n * 3001 + 2].map((place) => place % ids.length);
  times.push(
    (await ask("/v1/recommendations", { history: places.map((place) => ids[place]), k: 20 })).milliseconds,
  );
}
times.sort((a, b) => a - b);
console.log(
  `one connection: p50 ${times[100].toFixed(1)} ms, p99 ${times[198].toFixed(1)} ms; resident ${mebibytes("VmRSS")} MiB, at most ${mebibytes("VmHWM")} MiB`,
);
server.kill();
