import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadRecommender } from "../../src/serving/load.js";
import { mapVectors } from "../../src/studio/map-vectors.js";
import { FILMS, makeFilms } from "../support/films.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
beforeAll(() => makeFilms(root, ["ease", "popularity", "wmf factors=4"]));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The vectors of a model, and the share of items whose most similar item is of the same series. */
async function vectorsOf(name: string) {
  const model = await loadRecommender(join(root, name));
  try {
    const vectors = await mapVectors(model);
    const { items, width, data } = vectors;
    const series = Array.from(items, (item) => Number(model.items.ids[item]) % 4);
    let same = 0;
    for (let row = 0; row < items.length; row++) {
      let [best, most] = [-1, Number.NEGATIVE_INFINITY];
      for (let other = 0; other < items.length; other++) {
        let product = 0;
        for (let c = 0; c < width; c++) product += data[row * width + c] * data[other * width + c];
        if (other === row) expect(product).toBeCloseTo(1, 5);
        else if (product > most) [best, most] = [other, product];
      }
      if (series[row] === series[best]) same++;
    }
    return { ...vectors, same: same / items.length };
  } finally {
    model.dispose();
  }
}

describe("vectors of a map", () => {
  it("are the model's own, of length 1, and near for items that the same users have", async () => {
    const { what, items, width, same } = await vectorsOf("wmf");
    expect([what, items.length, width]).toEqual(["the model's item vectors", FILMS, 4]);
    expect(same).toBeGreaterThan(0.9);
  });

  it("of a model without vectors are its scores for histories with one item", async () => {
    const { what, items, width, same } = await vectorsOf("ease");
    expect(what).toBe("scores of the 40 most popular items for a history with this item alone");
    expect([items.length, width]).toEqual([FILMS, FILMS]);
    expect(same).toBeGreaterThan(0.9);
  });

  it("do not exist for a model that scores all items alike", async () => {
    await expect(vectorsOf("popularity")).rejects.toThrow(/does not tell its items apart/);
  });
});
