// The index of a model: built, stored next to the weights, used for exact and for approximate answers, and refused if it does not fit.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomNormals } from "../../src/core/philox.js";
import { wmf } from "../../src/models/factors/wmf.js";
import { buildIndex, hasIndex, writeIndex } from "../../src/recommender/item-index.js";
import { writeModelFiles } from "../../src/recommender/model-files.js";
import { type RankingRecommender, ranksByProducts } from "../../src/recommender/product-ranking.js";
import { recommend } from "../../src/recommender/recommend.js";
import { type LoadOptions, loadRecommender } from "../../src/serving/load.js";
import { vocabulary } from "../support/datasets.js";

const [ITEMS, WIDTH] = [4000, 4];

async function writeModel(folder: string, stream: number) {
  const data = new Float32Array(ITEMS * WIDTH);
  randomNormals({ seed: 2, step: 0, stream }, data);
  await writeModelFiles(folder, {
    algorithm: "wmf",
    config: wmf.options.parse({ factors: WIDTH }) as never,
    tensors: { items: { shape: [ITEMS, WIDTH], data } },
    items: vocabulary("i", ITEMS),
  });
}

describe("the index of a model", () => {
  let folder: string;
  const load = async (options: LoadOptions = {}) => {
    const model = await loadRecommender(folder, { threads: 1, ...options });
    if (!ranksByProducts(model)) throw new Error("not products");
    return model;
  };
  const answers = async (options: LoadOptions) => {
    const model = await load(options);
    try {
      const found = [];
      for (const item of [3, 700, 3999]) found.push(await recommend(model, Uint32Array.of(item), { k: 20 }));
      return found;
    } finally {
      model.dispose();
    }
  };
  const build = async (recall: number) => {
    const model: RankingRecommender = await load({ index: false });
    try {
      const built = await buildIndex(model, recall);
      await writeIndex(folder, built.index);
      return built;
    } finally {
      model.dispose();
    }
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "foldin-index-"));
    await writeModel(folder, 1);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("is required for approximate answers", async () => {
    expect(hasIndex(folder)).toBe(false);
    await expect(load({ approximate: true })).rejects.toThrow(/the model has none\. .*foldin index/);
  });

  it("gives the exact answers, and measures how much of them approximate ones contain", async () => {
    const exact = await answers({});
    const { index, measured } = await build(0.9);
    expect(await answers({})).toEqual(exact);
    expect(measured[0]).toMatchObject({ blocks: index.blocks.rows, recall: 1 });
    const recalls = measured.slice(1).map(({ recall }) => recall);
    expect(recalls).toEqual(recalls.toSorted((a, b) => a - b));
    expect(measured.at(-1)).toMatchObject({ blocks: index.chosen, recall: index.recall });
    expect(index.recall).toBeGreaterThanOrEqual(0.9);
    for (const { recall } of measured.slice(1, -1)) expect(recall).toBeLessThan(0.9);
    // All blocks are the exact answers, one block is not.
    expect(await answers({ approximate: index.blocks.rows })).toEqual(exact);
    expect(await answers({ approximate: 1 })).not.toEqual(exact);
    expect(await answers({ approximate: true })).toEqual(await answers({ approximate: index.chosen }));
  });

  it("chooses all blocks if fewer are not enough", async () => {
    const model = await load({ index: false });
    const { index, measured } = await buildIndex(model, 1.1);
    expect(index.chosen).toBe(index.blocks.rows);
    expect(measured.length).toBeGreaterThan(1);
    model.dispose();
  });

  it("of other weights is not used, and refused for approximate answers", async () => {
    await build(0.9);
    await writeModel(folder, 2);
    const exact = await answers({ index: false });
    const notes: string[] = [];
    expect(await answers({ onNote: (note) => notes.push(note) })).toEqual(exact);
    expect(notes).toEqual([
      expect.stringMatching(
        /index\.safetensors: the index was built for other weights and is not used\. .*foldin index/,
      ),
    ]);
    await expect(load({ approximate: true })).rejects.toThrow(/was built for other weights/);
  });

  it("that is damaged is refused, naming the file", async () => {
    await build(0.9);
    const path = join(folder, "index.safetensors");
    const bytes = await readFile(path);
    // An item twice, another one not at all.
    const start = 8 + Number(bytes.readBigUInt64LE());
    bytes.copy(bytes, start, start + 4, start + 8);
    await writeFile(path, bytes);
    await expect(load()).rejects.toThrow(/index\.safetensors.*not every one of the 4000 items/s);
  });
});
