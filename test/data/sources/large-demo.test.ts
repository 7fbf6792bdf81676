import { describe, expect, it } from "vitest";
import { openEngine } from "../../../src/compute/open-engine.js";
import { buildDataset } from "../../../src/data/prepare.js";
import { largeDemo } from "../../../src/data/sources/large-demo.js";
import { evaluate } from "../../../src/evaluation/evaluate.js";
import { train } from "../../../src/experiments/train.js";

const sizes = { items: 3000, users: 6000, interactions: 200_000 };
const { items, rows, strandOf } = largeDemo(sizes);
const all = [...rows] as { user: number; item: number }[];

describe("the generated benchmark", () => {
  it("is the same for the same seed and another one for another seed", () => {
    expect([...rows]).toEqual(all);
    expect([...largeDemo({ ...sizes, seed: 1 }).rows]).toEqual(all);
    expect([...largeDemo({ ...sizes, seed: 2 }).rows].slice(0, 50)).not.toEqual(all.slice(0, 50));
  });

  it("has exactly the requested number of interactions, at least 5 per user, and no pair twice", () => {
    expect([all.length, rows.length]).toEqual([200_000, 200_000]);
    const perUser = new Uint32Array(6001);
    for (const { user } of all) perUser[user]++;
    expect(Math.min(...perUser.subarray(1))).toBeGreaterThanOrEqual(5);
    expect(new Set(all.map(({ user, item }) => user * 10_000 + item)).size).toBe(200_000);
    expect(all.every(({ item }) => item >= 1 && item <= 3000)).toBe(true);
  });

  it("yields blocks with the rows of the iterable", () => {
    const users = [];
    for (const block of rows.blocks()) users.push(...block.users);
    expect(users).toEqual(all.map(({ user }) => user));
  });

  it("draws popularity by the Zipf-Mandelbrot law: log counts against log ranks have slope -0.8", () => {
    const counts = new Uint32Array(3001);
    for (const { item } of all) counts[item]++;
    const ranked = counts.slice(1).sort().reverse();
    // Repetitions are drawn again, which flattens the head.
    const slope = (from: number, to: number) =>
      Math.log(ranked[to] / ranked[from]) / Math.log((to + 50) / (from + 50));
    expect(slope(200, 1500)).toBeGreaterThan(-0.9);
    expect(slope(200, 1500)).toBeLessThan(-0.65);
  });

  it("gives a user far more items of one strand than popularity would", () => {
    let [same, pairs] = [0, 0];
    for (let row = 1; row < all.length; row++) {
      if (all[row].user !== all[row - 1].user) continue;
      pairs++;
      if (strandOf[all[row].item - 1] === strandOf[all[row - 1].item - 1]) same++;
    }
    expect(same / pairs).toBeGreaterThan(2 / 8);
  });

  it("has unique titles, one per item", () => {
    const titles = [...items].map(({ title }) => title);
    expect(new Set(titles).size).toBe(3000);
    expect(titles[0]).toMatch(/^[A-Z].+ No\. 1$/);
  });

  it("is learnable: item-knn and wmf clearly beat popularity's NDCG@100 on held-out users", async () => {
    const dataset = await buildDataset({ input: rows, options: { validationUsers: 300, testUsers: 300 } });
    const engine = await openEngine({ engine: "auto" });
    const ndcg = async (model: string, options = {}) => {
      const recommender = await train(dataset, { model, options, engine });
      const { metrics } = await evaluate(recommender, dataset, { metrics: ["ndcg@100"] });
      recommender.dispose();
      return metrics["ndcg@100"].mean;
    };
    const popularity = await ndcg("popularity");
    expect(popularity).toBeGreaterThan(0.02);
    expect(await ndcg("item-knn", { neighbours: 100 })).toBeGreaterThan(1.5 * popularity);
    expect(await ndcg("wmf", { factors: 32, epochs: 5, alpha: 5 })).toBeGreaterThan(1.5 * popularity);
    await engine.close();
  });

  it.each([
    [{ items: 999 }, /items: 999/],
    [{ users: 1.5 }, /users: 1.5/],
    [{ interactions: 6000 * 5 }, /interactions: 30000 \(expected from 36000 to 360000/],
    [{ interactions: 360_001 }, /interactions: 360001/],
  ])("refuses sizes out of range: %j", (wrong, message) => {
    expect(() => largeDemo({ ...sizes, ...wrong })).toThrow(message);
  });
});
