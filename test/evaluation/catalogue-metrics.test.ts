import { describe, expect, it } from "vitest";
import { CatalogueMetrics } from "../../src/evaluation/catalogue-metrics.js";
import { parseMetric } from "../../src/evaluation/metrics.js";

describe("metrics of all lists together", () => {
  const names = ["coverage@1", "coverage@2", "gini@1", "gini@2"];
  const values = (ranked?: number[]) => {
    const metrics = new CatalogueMetrics(names.map(parseMetric), 4, ranked && Uint32Array.from(ranked));
    for (const list of [[0, 1], [0, 2], [0], []]) metrics.add(Uint32Array.from(list));
    return names.map((name) =>
      metrics.value(name.startsWith("gini") ? "gini" : "coverage", Number(name.at(-1))),
    );
  };

  it("count each user's first k items", () => {
    // At depth 2, items 0 to 3 are recommended 3, 1, 1 and 0 times: (-3 * 0 - 1 + 1 + 3 * 3) / 5 / 3.
    expect(values()).toEqual([1 / 4, 3 / 4, 1, 9 / 15]);
  });

  it("are over the items that can be recommended", () => {
    // Of items 0, 1 and 2: (-2 * 1 + 0 * 1 + 2 * 3) / 5 / 2.
    expect(values([0, 1, 2])).toEqual([1 / 3, 1, 1, 4 / 10]);
  });
});
