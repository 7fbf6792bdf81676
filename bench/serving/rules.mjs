// Asks a server for 100,000 answers over the loopback, with filters, while items are taken out and brought back and the model is replaced
// again and again, and looks for wrong items: some that were out before the request began, or that the filter does not admit.
//
//   npx tsc -p tsconfig.bench.json && node bench/.build/serving/model.js runs/large 2000
//   node bench/serving/rules.mjs runs/large [answers]

import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openEngine } from "../../dist/compute/open-engine.js";
import { valuesOf } from "../../dist/data/attributes/attributes.js";
import { loadRecommender } from "../../dist/serving/load.js";
import { createServer } from "../../dist/serving/server/server.js";

const [run, asked = "100000"] = process.argv.slice(2);
const wanted = Number(asked);
const model = await loadRecommender(run, { threads: 1 });
const { ids, attributes } = model.items;
const columns = Object.fromEntries((await attributes.columns()).map((column) => [column.name, column]));
const value = (name, item) => valuesOf(columns[name], item);
const rules = [
  [undefined, () => true],
  [{ attribute: "genres", is: "g1" }, (item) => value("genres", item).includes("g1")],
  [{ attribute: "genres", isNot: "g0" }, (item) => !value("genres", item).includes("g0")],
  [
    {
      and: [
        { attribute: "year", atLeast: 1980, below: 2010 },
        { attribute: "genres", isOneOf: ["g0", "g2"] },
      ],
    },
    (item) => {
      const [year] = value("year", item);
      return year >= 1980 && year < 2010 && value("genres", item).some((g) => g === "g0" || g === "g2");
    },
  ],
];

const home = await mkdtemp(join(tmpdir(), "foldin-rules-"));
const served = join(home, "run");
await cp(run, served, { recursive: true });
const engine = await openEngine({ engine: "auto", threads: 1 });
const server = await createServer({
  ...{ models: [{ name: "main", folder: served, share: 1 }], engine },
  limits: { perSecond: 0 },
});
const address = await server.listen(0);
const send = async (method, path, body) => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(address + path, { method, headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
};

let answers = 0;
let changes = 0;
let reloads = 0;
const wrong = [];
const failed = [];
const versions = new Set();
/** The items that are out, each with the number of the change that took it out. */
const out = new Map();
let state = 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const done = () => answers >= wanted;

async function client() {
  while (!done()) {
    const [filter, admits] = rules[random(rules.length)];
    const histories = Array.from({ length: 5 }, () =>
      Array.from({ length: 10 }, () => ids[random(ids.length)]),
    );
    const before = new Map(out);
    const { status, body } = await send("POST", "/v1/recommendations", { histories, k: 20, filter });
    if (status !== 200) {
      failed.push(`${status} ${body.detail}`);
      continue;
    }
    versions.add(body.version);
    for (const { items } of body.results) {
      answers++;
      if (items.length !== 20) wrong.push(`${items.length} items`);
      for (const { id } of items) {
        if (before.has(id) && before.get(id) === out.get(id)) wrong.push(`${id} is out`);
        if (!admits(model.items.indexOf(id))) wrong.push(`${id} is not admitted`);
      }
    }
  }
}

/** Takes out what is recommended most, so that every change matters. */
async function operator() {
  while (!done()) {
    const { body } = await send("POST", "/v1/recommendations", { history: [ids[random(ids.length)]], k: 5 });
    const takeOut = body.results[0].items.map(({ id }) => id);
    await send("PUT", "/v1/items/availability", { takeOut });
    for (const id of takeOut) out.set(id, out.get(id) ?? changes);
    changes++;
    if (out.size > 200) {
      const bringBack = [...out.keys()].slice(0, 100);
      for (const id of bringBack) out.delete(id);
      await send("PUT", "/v1/items/availability", { bringBack });
      changes++;
    }
    await setTimeout(20);
  }
}

async function publisher() {
  while (!done()) {
    await setTimeout(2000);
    const next = join(home, `next-${reloads}`);
    await cp(run, next, { recursive: true });
    await rename(served, join(home, `old-${reloads}`));
    await rename(next, served);
    await server.reload();
    await rm(join(home, `old-${reloads}`), { recursive: true });
    reloads++;
  }
}

const started = performance.now();
await Promise.all([operator(), publisher(), ...Array.from({ length: 32 }, client)]);
const seconds = (performance.now() - started) / 1000;
console.log(
  `${answers} answers in ${seconds.toFixed(0)} s, ${changes} changes of availability, ${reloads} reloads (${versions.size} versions answered): ${wrong.length} wrong, ${failed.length} failed requests`,
);
for (const one of [...wrong, ...failed].slice(0, 10)) console.log(one);
await server.close();
await engine.close();
model.dispose();
await rm(home, { recursive: true });
