import { describe, expect, it } from "vitest";
import { segmentsSection } from "../../src/experiments/segments-section.js";

const value = (mean: number) => ({ mean, standardError: 0.01 });
const metrics = { "ndcg@100": value(0.4), "recall@20": value(0.25) };

describe("the tables by segments", () => {
  it("have a row for each segment, with its size and the chosen metrics", () => {
    const { text } = segmentsSection(
      {
        history: [
          { from: 1, to: 12, users: 1500, metrics },
          { from: 13, to: 13, users: 3, metrics },
        ],
        popularity: [
          { name: "head", items: 40, share: 0.503, heldOut: 12_345, users: 70, metrics },
          { name: "tail", items: 60, share: 0.2, heldOut: 0, users: 0, metrics: {} },
        ],
      },
      ["ndcg@100"],
    );
    const cells = [...text.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
      [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell.replaceAll(/<[^>]*>/g, "")),
    );
    expect(cells).toEqual([
      ["Items in the history", "Users", "NDCG@100"],
      ["1 to 12", "1,500", "0.4000 ± 0.0100"],
      ["13", "3", "0.4000 ± 0.0100"],
      ["Items", "In the catalogue", "Interactions", "Held out", "Users", "NDCG@100"],
      ["Head", "40", "50.3 %", "12,345", "70", "0.4000 ± 0.0100"],
      ["Tail", "60", "20.0 %", "0", "0", "–"],
    ]);
  });
});
