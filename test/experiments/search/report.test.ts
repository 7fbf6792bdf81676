import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { edgesOf } from "../../../src/experiments/search/edges.js";
import { reportOnSearch } from "../../../src/experiments/search/report.js";
import type { SearchPoint, SearchResult } from "../../../src/experiments/search/result.js";
import { gridOf, parseSpace } from "../../../src/experiments/search/space.js";
import { findAlgorithm } from "../../../src/models/registry.js";

const space = parseSpace(await findAlgorithm("mult-dae"), [
  "dropout=0.2,0.5,0.8",
  "learningRate=1e-4,1e-3,1e-2",
]);
const score = ({ setting: { dropout, learningRate } }: Pick<SearchPoint, "setting">) =>
  0.4 - Math.abs(Number(dropout) - 0.5) / 10 - (dropout === 0.5 && learningRate === 0.01 ? 0 : 0.01);
const points = gridOf(space).map(
  (setting, p): SearchPoint =>
    p === 1
      ? { key: "p1", setting, state: "failed", message: "it <broke>" }
      : {
          key: `p${p}`,
          setting,
          state: "done",
          metrics: { "ndcg@100": { mean: score({ setting }), standardError: 0.007 } },
          epochs: 10,
          chosenEpoch: 7,
          seconds: 2,
        },
);
const best = points[5];
const search: SearchResult = {
  dataset: "tiny",
  model: "mult-dae",
  options: { epochs: 10 },
  seed: 1,
  metric: "ndcg@100",
  chosenOn: "validation",
  command: "foldin search data/tiny --model mult-dae",
  space,
  points,
  best,
  run: "p5",
  test: { "ndcg@100": { mean: 0.3877, standardError: 0.007 } },
  recipes: [],
};

async function page(given: SearchResult): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "foldin-search-report-"));
  try {
    return await readFile(await reportOnSearch(folder, given), "utf8");
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("a search's page", () => {
  it("shows the best point, all points, and a heat map with one cell per pair of values", async () => {
    const text = await page(search);
    expect(text).toContain("dropout 0.5, learningRate 0.01");
    expect(text).toContain("0.3877");
    expect(text).toContain("failed: it &lt;broke&gt;");
    const [map] = /<svg[^>]*aria-label="NDCG@100 by dropout and learningRate".*?<\/svg>/s.exec(text) ?? [""];
    // The failed point has no cell.
    expect(map.match(/>0\.[34]\d{3}</g)).toHaveLength(8);
    expect(text).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(text).not.toContain('warning">');
  });

  it("warns when the point was selected on the test users", async () => {
    const metrics = best.metrics;
    expect(await page({ ...search, chosenOn: "test", best: { ...best, metrics } })).toContain(
      'class="warning">The point was selected on the test users',
    );
  });

  it("points out where a wider search may find a better point", () => {
    expect(edgesOf(search)).toEqual([expect.stringMatching(/^learningRate=0.01 is at the upper end/)]);
    expect(edgesOf({ ...search, best: { ...best, chosenEpoch: 10 } })).toContainEqual(
      expect.stringMatching(/more epochs/),
    );
    // Where the last epoch is kept by intent, it says nothing that it was the last.
    const options = { ...search.options, "compatibility.restoreBest": false };
    expect(edgesOf({ ...search, options, best: { ...best, chosenEpoch: 10 } })).not.toContainEqual(
      expect.stringMatching(/more epochs/),
    );
    expect(edgesOf({ ...search, best: points[4] })).toEqual([]);
  });
});
