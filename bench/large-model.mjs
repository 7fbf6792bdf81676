// Writes a model folder with a large catalogue, without training, to measure answers and serving: `wmf` with generated item vectors
// and titles. The same arguments give the same files.
//
//   node bench/large-model.mjs <folder> [--items 1000000] [--factors 128] [--vectors clustered|gaussian] [--seed 1]
//
// clustered  2,000 clusters of taste in sizes by Zipf's law; a vector is 0.7 of its cluster's centre and 0.3 of noise (shares of the
//            squared norm), and its norm falls with the item's popularity rank as rank^-0.25, as the norms of trained wmf factors do
// gaussian   independent normal numbers: the hard case, without any structure

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { randomNormals } from "../dist/core/philox.js";
import { Vocabulary } from "../dist/data/vocabulary.js";
import { wmf } from "../dist/models/factors/wmf.js";
import { writeModelFiles } from "../dist/recommender/model-files.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    items: { type: "string", default: "1000000" },
    factors: { type: "string", default: "128" },
    vectors: { type: "string", default: "clustered" },
    seed: { type: "string", default: "1" },
  },
});
const [folder] = positionals;
const [items, width, seed] = [Number(values.items), Number(values.factors), Number(values.seed)];
const CLUSTERS = 2000;
const normals = (count, stream) => {
  const out = new Float32Array(count);
  randomNormals({ seed, step: 0, stream }, out);
  return out;
};

/** Numbers in [0, 1) from a linear congruential generator. */
let state = seed;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};

const data = normals(items * width, 1);
const words = "amber silver quiet northern broken golden hidden distant crimson paper winter hollow".split(
  " ",
);
const things = "river garden engine letter harbour mirror orchard signal lantern bridge island clock".split(
  " ",
);
if (values.vectors === "clustered") {
  const centres = normals(CLUSTERS * width, 2);
  const popularity = Uint32Array.from({ length: items }, (_, item) => item);
  for (let last = items - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1));
    [popularity[last], popularity[other]] = [popularity[other], popularity[last]];
  }
  for (let item = 0; item < items; item++) {
    // The density of the cluster's number c is proportional to 1 / c.
    const cluster = Math.min(CLUSTERS - 1, Math.floor(CLUSTERS ** uniform()));
    const scale = (2.5 * (popularity[item] + 1) ** -0.25) / Math.sqrt(width);
    for (let i = 0; i < width; i++) {
      const at = item * width + i;
      data[at] = scale * (Math.sqrt(0.7) * centres[cluster * width + i] + Math.sqrt(0.3) * data[at]);
    }
  }
}
const ids = Array.from({ length: items }, (_, item) => `item-${item + 1}`);
const titles = ids.map((_, item) => {
  const [word, thing] = [words[Math.floor(uniform() * 12)], things[Math.floor(uniform() * 12)]];
  return `The ${word} ${thing} ${item + 1} (${1930 + (item % 95)})`;
});
await mkdir(folder, { recursive: true });
await writeModelFiles(folder, {
  algorithm: "wmf",
  config: wmf.options.parse({ factors: width, weighting: "unobserved", regularization: 0.1 }),
  tensors: { items: { shape: [items, width], data } },
  items: new Vocabulary(ids, titles),
});
console.log(`${join(folder)}: ${items} items, ${width} factors, ${values.vectors} vectors`);
