import { describe, expect, it } from "vitest";
import { demoCatalogue, demoStrands, generatedNote } from "../../../src/data/sources/demo.js";

const { films, views } = demoCatalogue();
const all = [...views];

describe("the demo catalogue", () => {
  it("is the same for the same seed and another one for another seed", () => {
    const again = demoCatalogue({ seed: 1 });
    expect(again.films).toEqual(films);
    expect(JSON.stringify([...again.views])).toBe(JSON.stringify(all));
    expect(JSON.stringify([...views])).toBe(JSON.stringify(all));
    expect(demoCatalogue({ seed: 2 }).films[0].title).not.toBe(films[0].title);
    expect(films[0].title).toBe("Thirteen Velvet Amplifiers (2009)");
  });

  it("has unique titles with a year, and descriptions that say they are generated", () => {
    for (const size of [1200, 20_000]) {
      const many = demoCatalogue({ films: size }).films;
      expect(new Set(many.map((film) => film.title)).size).toBe(size);
      for (const film of many) {
        expect(film.title).toMatch(/^[A-Z][\w',: -]+ \((19|20)\d\d\)$/);
        expect(film.description.endsWith(generatedNote)).toBe(true);
        expect(`${film.title} ${film.description}`).not.toMatch(/undefined|null|NaN| {2}|\ba [aeio]/i);
      }
    }
  });

  it("tells in every plot what the film's strands are about", () => {
    for (const film of films) {
      const { strand } = demoStrands[film.strands[0]];
      const plot = film.description.toLowerCase();
      expect(strand.quests.some((quest) => plot.includes(quest.toLowerCase()))).toBe(true);
      if (film.strands.length > 1) {
        const second = demoStrands[film.strands[1]].strand;
        expect([...second.quests, ...second.places].some((text) => plot.includes(text.toLowerCase()))).toBe(
          true,
        );
      }
    }
  });

  it("has every viewer see 15 to 150 different films, in the order of time", () => {
    const seen = new Map<string, { items: Set<string>; last: number }>();
    let repeated = 0;
    let unordered = 0;
    for (const { user, item, time } of all) {
      const viewer = seen.get(user) ?? { items: new Set(), last: 0 };
      if (viewer.items.has(item)) repeated++;
      if (!(time > viewer.last)) unordered++;
      seen.set(user, { items: viewer.items.add(item), last: time });
    }
    expect({ repeated, unordered }).toEqual({ repeated: 0, unordered: 0 });
    expect(seen.size).toBe(4000);
    const sizes = [...seen.values()].map(({ items }) => items.size);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(150);
    expect(all.length / 4000).toBeGreaterThan(30);
    expect(all.length / 4000).toBeLessThan(60);
  });

  it("has a long tail: a tenth of the films takes at least a third of the views", () => {
    const counts = new Map<string, number>();
    for (const { item } of all) counts.set(item, (counts.get(item) ?? 0) + 1);
    const ranked = [...counts.values()].sort((a, b) => b - a);
    const share = ranked.slice(0, 120).reduce((a, b) => a + b) / all.length;
    expect(share).toBeGreaterThan(1 / 3);
    expect(share).toBeLessThan(2 / 3);
  });

  it("is learnable: item-kNN clearly beats popularity's NDCG@100 on held-out viewers", () => {
    const { popularity, itemKnn } = evaluateOn(400);
    expect(itemKnn).toBeGreaterThan(1.75 * popularity);
    expect(popularity).toBeGreaterThan(0.05);
    expect(itemKnn).toBeLessThan(0.7); // and is not trivial
  });

  it("refuses sizes out of range", () => {
    expect(() => demoCatalogue({ films: 3 })).toThrow(RangeError);
    expect(() => demoCatalogue({ viewers: 0 })).toThrow(RangeError);
  });
});

/** NDCG@100 of popularity and of a cosine item-kNN on the last viewers: a fifth of each history is held out. */
function evaluateOn(users: number): { popularity: number; itemKnn: number } {
  const size = films.length;
  const histories: number[][] = [];
  for (const { user, item } of all) {
    histories[Number(user) - 1] ??= [];
    histories[Number(user) - 1].push(Number(item) - 1);
  }
  const counts = new Float64Array(size);
  const similarity = new Float64Array(size * size);
  for (const history of histories.slice(0, -users))
    for (const i of history) {
      counts[i]++;
      for (const j of history) if (j !== i) similarity[i * size + j]++;
    }
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) similarity[i * size + j] /= Math.sqrt(counts[i] * counts[j]) + 10;

  const ndcg = (scoresOf: (foldIn: number[]) => Float64Array) => {
    let sum = 0;
    for (const history of histories.slice(-users)) {
      const cut = Math.floor(history.length / 5);
      const heldOut = new Set(history.slice(0, cut)); // the order within a history is random
      const foldIn = history.slice(cut);
      const scores = scoresOf(foldIn);
      for (const item of foldIn) scores[item] = -Infinity;
      const ranking = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 100);
      let gain = 0;
      let ideal = 0;
      ranking.forEach((item, rank) => {
        if (heldOut.has(item)) gain += 1 / Math.log2(rank + 2);
        if (rank < heldOut.size) ideal += 1 / Math.log2(rank + 2);
      });
      sum += gain / ideal;
    }
    return sum / users;
  };
  return {
    popularity: ndcg(() => counts.slice()),
    itemKnn: ndcg((foldIn) => {
      const scores = new Float64Array(size);
      for (const i of foldIn) for (let j = 0; j < size; j++) scores[j] += similarity[i * size + j];
      return scores;
    }),
  };
}
