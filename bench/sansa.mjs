// Time and peak memory of `sansa` and of the authors' package (bench/peers/sansa.py) on one generated input: clusters of taste, Zipf
// popularity. Each runs in a process of its own. After `npm run build`:
// node bench/sansa.mjs [--items 100000] [--users 100000] [--interactions 3000000] [--variant incomplete] [--lambda 1]
//   [--density 5e-4] [--python <python with sansa installed>] [--model sansa] [--set '{"factors":64}']
// Without --python, only foldin is measured. --model and --set measure another model on the same input.

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Vocabulary } from "../dist/data/vocabulary.js";
import { openEngine, train } from "../dist/index.js";

const option = (value) => ({ type: "string", default: value });
const { values } = parseArgs({
  options: {
    ...{ items: option("100000"), users: option("100000"), interactions: option("3000000") },
    ...{
      variant: option("incomplete"),
      lambda: option("1"),
      density: option("5e-4"),
      python: { type: "string" },
    },
    ...{ model: option("sansa"), set: option("{}"), fit: { type: "string" } },
  },
});
const files = [".shape", ".offsets", ".indices"];
const numbers = (file) => {
  const all = new Uint32Array(statSync(file).size / 4);
  const opened = openSync(file);
  readSync(opened, all);
  closeSync(opened);
  return all;
};

/** Histories of distinct items: four in five from one of the user's three clusters, the others from all, by popularity. */
function generate(folder) {
  const [items, users, interactions] = [values.items, values.users, values.interactions].map(Number);
  const clusters = Math.max(2, Math.round(items / 250));
  let state = 1;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  // Item i belongs to cluster i mod clusters; ranks are in the order of the items.
  const sums = new Float64Array(items + 1);
  const within = Array.from({ length: clusters }, () => [0]);
  for (let i = 0; i < items; i++) {
    const popularity = (i + 50) ** -0.9;
    sums[i + 1] = sums[i] + popularity;
    const list = within[i % clusters];
    list.push(list[list.length - 1] + popularity);
  }
  const draw = (list) => {
    const wanted = random() * list[list.length - 1];
    let [low, high] = [0, list.length - 1];
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (list[middle] <= wanted) low = middle;
      else high = middle;
    }
    return low;
  };
  const offsets = new Uint32Array(users + 1);
  const indices = new Uint32Array(Math.ceil(1.2 * interactions));
  for (let u = 0; u < users; u++) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const length = Math.max(5, Math.round((interactions / users) * Math.exp(0.8 * normal - 0.32)));
    const tastes = [0, 1, 2].map(() => Math.floor(random() * clusters));
    const chosen = new Set();
    for (let n = 0; n < length; n++) {
      const cluster = tastes[Math.floor(random() * 3)];
      chosen.add(random() < 0.8 ? draw(within[cluster]) * clusters + cluster : draw(sums));
    }
    const list = Uint32Array.from(chosen).sort();
    offsets[u + 1] = Math.min(indices.length, offsets[u] + list.length);
    indices.set(list.subarray(0, offsets[u + 1] - offsets[u]), offsets[u]);
  }
  const parts = [Uint32Array.of(users, items), offsets, indices.subarray(0, offsets[users])];
  for (const [p, part] of parts.entries()) writeFileSync(join(folder, `train${files[p]}`), part);
  console.log(`${users} users, ${items} items, ${offsets[users]} interactions`);
}

/** Trains in this process. */
async function measure(folder) {
  const [shape, offsets, indices] = files.map((end) => numbers(join(folder, `train${end}`)));
  const [rows, columns] = shape;
  const none = { rows: 0, columns, offsets: new Uint32Array(1), indices: new Uint32Array() };
  const split = { foldIn: none, heldOut: none };
  const items = new Vocabulary(Array.from({ length: columns }, (_, i) => String(i)));
  const dataset = { train: { rows, columns, offsets, indices }, items, validation: split, test: split };
  const { lambda, density, variant, model } = values;
  const sansa = { lambda: Number(lambda), density: Number(density), variant };
  const options = { ...(model === "sansa" && sansa), ...JSON.parse(values.set) };
  const engine = await openEngine();
  const started = performance.now();
  const trained = await train(dataset, { model, options, engine, seed: 1 });
  const seconds = (performance.now() - started) / 1000;
  const peak = process.resourceUsage().maxRSS / 2 ** 20;
  trained.dispose();
  await engine.close();
  console.log(JSON.stringify({ seconds: +seconds.toFixed(1), peakGiB: +peak.toFixed(2) }));
}

function run(name, command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  console.log(`${name}: ${status === 0 ? stdout.trim() : `failed\n${stderr}`}`);
}

if (values.fit) await measure(values.fit);
else {
  const folder = mkdtempSync(join(tmpdir(), "foldin-sansa-"));
  try {
    generate(folder);
    const here = fileURLToPath(import.meta.url);
    run("foldin", process.execPath, [here, ...process.argv.slice(2), "--fit", folder]);
    const { python, variant, lambda, density } = values;
    const peer = join(dirname(here), "peers", "sansa.py");
    const options = ["--variant", variant, "--l2", lambda, "--density", density];
    if (python) run("sansa of the authors", python, ["-P", peer, folder, ...options]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
