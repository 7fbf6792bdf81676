import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import type { ProgressEvent } from "../../../src/core/progress.js";
import { slim } from "../../../src/models/linear/slim.js";
import { parseOptions } from "../../../src/models/options.js";
import { engineNames } from "../../support/engine-names.js";
import { dataset, fixture, items, weightsOf, worst } from "../../support/item-weights.js";

describe.each(engineNames)("on the %s engine", (engineName) => {
  const opened: Promise<Engine> = openEngine({ engine: engineName, threads: 2 });
  afterAll(async () => (await opened).close());

  it.each(fixture.slim.map(({ options, weights }) => [options, weights] as const))(
    "%j has the weights of scikit-learn's ElasticNet",
    async (options, weights) => {
      const solved = await weightsOf(await opened, "slim", {
        ...options,
        tolerance: 1e-7,
        maxIterations: 10_000,
      });
      expect(worst(solved, weights)).toBeLessThan(1e-4);
      expect(solved.filter((w) => w > 0).length).toBeGreaterThan(100);
      // At the tolerance that is the default there and here.
      expect(worst(await weightsOf(await opened, "slim", options), weights)).toBeLessThan(0.02);
    },
  );

  it("keeps the largest weights of each item", async () => {
    const all = await weightsOf(await opened, "slim", {});
    const some = await weightsOf(await opened, "slim", { neighbours: 3 });
    for (let j = 0; j < items; j++) {
      const column = (weights: number[]) => Array.from({ length: items }, (_, i) => weights[i * items + j]);
      const largest = column(all)
        .sort((a, b) => b - a)
        .slice(0, 3);
      expect(
        column(some)
          .sort((a, b) => b - a)
          .slice(0, 4),
      ).toEqual([...largest, 0]);
    }
  });

  it("says how many items have not reached the tolerance", async () => {
    const engine = await opened;
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => event.type === "note" && notes.push(event.text);
    const options = parseOptions(slim, { alpha: 0.002, tolerance: 1e-6, maxIterations: 1 });
    (await slim.fit(dataset, options, { engine, seed: 1, progress })).dispose();
    expect(notes).toEqual([expect.stringMatching(/\d+ of 24 items .* after 1 iterations.*maxIterations/)]);
  });
});
