// The process of one map of items.

import { openEngine } from "../compute/open-engine.js";
import { writeFileAtomic } from "../core/atomic-file.js";
import type { Recommender } from "../recommender/recommender.js";
import { loadRecommender } from "../serving/load.js";
import { workOn } from "./jobs.js";
import type { ItemMap } from "./map-api.js";
import { coloursOf } from "./map-colours.js";
import { layOut } from "./map-layout.js";
import type { MapJob, MapResult } from "./map-messages.js";
import { mapVectors } from "./map-vectors.js";

/** Nearest items that are listed. */
const LISTED = 10;
/** Digits of coordinates: less than a pixel at any zoom. */
const ROUNDED = 1e5;

workOn<MapJob, MapResult>(async ({ path, stamp, file }, progress) => {
  progress("loading the model");
  const recommender = await loadRecommender(path);
  try {
    const map = await mapOf(recommender, stamp, (what, share) =>
      progress(`${what}, ${Math.round(100 * share)} %`),
    );
    await writeFileAtomic(file, JSON.stringify(map));
    return { file };
  } finally {
    recommender.dispose();
  }
});

async function mapOf(
  recommender: Recommender,
  stamp: string,
  progress: (what: string, share: number) => void,
): Promise<ItemMap> {
  const { items: catalogue, algorithm } = recommender;
  const { what, items, width, data } = await mapVectors(recommender);
  const engine = await openEngine();
  try {
    const { x, y, neighbours, near } = await layOut(engine, data, width, progress);
    const rounded = (values: Float32Array) =>
      Array.from(values, (value) => Math.round(ROUNDED * value) / ROUNDED);
    const nearest = Math.min(LISTED, neighbours);
    const indices = [...items];
    return {
      ...{ formatVersion: 1, stamp, algorithm, vectors: what, left: catalogue.size - items.length },
      ids: indices.map((item) => catalogue.ids[item]),
      titles: indices.map((item) => catalogue.titleOf(item)),
      ...(catalogue.popularity && { users: indices.map((item) => catalogue.popularity?.counts[item] ?? 0) }),
      ...{ x: rounded(x), y: rounded(y), nearest },
      near: indices.flatMap((_, row) => [...near.subarray(row * neighbours, row * neighbours + nearest)]),
      colours: await coloursOf(catalogue.attributes, items),
    };
  } finally {
    await engine.close();
  }
}
