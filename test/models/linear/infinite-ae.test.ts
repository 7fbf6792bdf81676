import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import type { ProgressEvent } from "../../../src/core/progress.js";
import { infiniteAe } from "../../../src/models/linear/infinite-ae.js";
import { parseOptions } from "../../../src/models/options.js";
import { type CsrMatrix, fromRows } from "../../../src/sparse/csr.js";
import { engines, fixture, items, reference, trained, worst } from "../../support/closed-forms.js";
import { checkerboard, trainingOnly } from "../../support/datasets.js";

const probe = fromRows(items, fixture.probe);

describe.each(engines)("on the %s engine", (_, tolerance, open) => {
  it.each(fixture["infinite-ae"].map((example) => [JSON.stringify(example.options), example] as const))(
    "infinite-ae %s gives NumPy's scores",
    async (_, { options, scores }) => {
      const found = await trained(infiniteAe, open, options, (score) => score(probe));
      expect(worst(found, scores)).toBeLessThan(tolerance);
    },
  );
});

describe("infinite-ae", () => {
  const board = checkerboard();
  const scoresOf = (scores: (histories: CsrMatrix) => Promise<Float32Array>) => scores(board.test.foldIn);

  it("trains on a sample of the users if not all fit into memory, and says so", async () => {
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => {
      if (event.type === "note") notes.push(event.text);
    };
    const { rows, columns } = board.train;
    // Room for 30 users: 30 (30 + items) float32.
    const options = { memory: (4 * 30 * (30 + columns) + 8) / 2 ** 30 };
    expect(rows).toBeGreaterThan(30);
    const small = await trained(infiniteAe, reference, options, scoresOf, { progress }, board);
    expect(notes).toEqual([
      expect.stringMatching(`infinite-ae: all ${rows} users would need .* a random sample of 30 users`),
    ]);
    // The same 30 by their number, others by another seed; said only where it is not what was asked for.
    expect(await trained(infiniteAe, reference, { users: 30 }, scoresOf, { progress }, board)).toEqual(small);
    const other = await trained(infiniteAe, reference, { users: 30 }, scoresOf, { seed: 2 }, board);
    expect(other).not.toEqual(small);
    expect(notes).toHaveLength(1);
  });

  it("rejects a numerically singular kernel: two users with the same history and no ridge", async () => {
    const twins = trainingOnly(fromRows(items, [[0, 1], [0, 1], [3]]));
    const fit = infiniteAe.fit(twins, parseOptions(infiniteAe, { lambda: 0 }), {
      engine: new ReferenceEngine(),
      seed: 1,
    });
    await expect(fit).rejects.toThrow(/^lambda: 0 is too small/);
  });
});
