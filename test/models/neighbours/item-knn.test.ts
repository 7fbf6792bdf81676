import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { engineNames } from "../../support/engine-names.js";
import { fixture, items, weightsOf, worst } from "../../support/item-weights.js";

describe.each(engineNames)("on the %s engine", (engineName) => {
  const opened: Promise<Engine> = openEngine({ engine: engineName, threads: 2 });
  afterAll(async () => (await opened).close());

  it.each(fixture.neighbours.map(({ by, options, similarity }) => [options, by, similarity] as const))(
    "%j has the similarities of %s",
    async (options, _, similarity) => {
      const all = { ...options, neighbours: items };
      const found = await weightsOf(await opened, "item-knn", all);
      const scale = Math.max(...similarity);
      expect(worst(found, similarity)).toBeLessThan(1e-5 * scale);
      // Whose neighbours they are makes no difference while all of them are kept.
      expect(
        worst(await weightsOf(await opened, "item-knn", { ...all, of: "candidate" }), similarity),
      ).toBeLessThan(1e-5 * scale);
    },
  );

  it("keeps the nearest neighbours of the history's items or of the candidates", async () => {
    const { similarity } = fixture.neighbours[4];
    const { options } = fixture.neighbours[4];
    const at = (i: number, j: number) => similarity[i * items + j];
    for (const of of ["history", "candidate"]) {
      const found = await weightsOf(await opened, "item-knn", { ...options, neighbours: 4, of });
      for (let mine = 0; mine < items; mine++) {
        const line = (matrix: (i: number, j: number) => number) =>
          Array.from({ length: items }, (_, k) => (of === "history" ? matrix(mine, k) : matrix(k, mine)));
        const fourth = line(at).sort((a, b) => b - a)[3];
        const kept = line((i, j) => found[i * items + j]);
        expect(kept.filter((value) => value > 0).length).toBe(4);
        expect(Math.min(...kept.filter((value) => value > 0))).toBeCloseTo(fourth, 5);
      }
    }
  });
});
