import { describe, expect, it, vi } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { UserError } from "../../../src/core/errors.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { ease } from "../../../src/models/linear/ease.js";
import { sansa } from "../../../src/models/linear/sansa.js";
import { parseOptions } from "../../../src/models/options.js";
import type { Algorithm } from "../../../src/recommender/algorithm.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { trainingOnly } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

const items = 60;
const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
/** Histories with groups of items; item 59 has no users. */
const dataset = trainingOnly(
  fromRows(
    items,
    Array.from({ length: 200 }, (_, u) =>
      Array.from({ length: items - 1 }, (_, i) => i).filter(
        (i) => random.uniform() < (i % 4 === u % 4 ? 0.4 : 0.05),
      ),
    ),
  ),
);
const each = fromRows(
  items,
  Array.from({ length: items }, (_, item) => [item]),
);

/** The weights of the items on each other, [items, items], without the diagonal. */
async function weightsOf(
  algorithm: Algorithm<never>,
  options: Record<string, unknown>,
  engine = new ReferenceEngine() as Awaited<ReturnType<typeof openEngine>>,
): Promise<Float32Array> {
  const model = await algorithm.fit(dataset, parseOptions(algorithm, options) as never, { engine, seed: 1 });
  const weights = await model.score(each).read();
  for (let i = 0; i < items; i++) weights[i * items + i] = 0;
  return weights;
}
const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at])), 0);

describe("sansa", () => {
  it.each(engineNames)("at full density has the weights of ease, on the %s engine", async (name) => {
    const engine = await openEngine({ engine: name, threads: 2 });
    const expected = await weightsOf(ease as never, { lambda: 20 }, engine);
    expect(Math.max(...expected)).toBeGreaterThan(0.05);
    const weights = await weightsOf(sansa as never, { lambda: 20, density: 1, rounds: 60 }, engine);
    expect(distance(weights, expected)).toBeLessThan(1e-3);
    const exact = await weightsOf(sansa as never, { lambda: 20, density: 1, inverse: "exact" }, engine);
    expect(distance(exact, expected)).toBeLessThan(1e-4);
    await engine.close();
  });

  it("comes closer to ease with more entries, scans and rounds", async () => {
    const expected = await weightsOf(ease as never, { lambda: 20 });
    const errors: number[] = [];
    for (const density of [0.05, 0.2, 0.6])
      errors.push(distance(await weightsOf(sansa as never, { lambda: 20, density }), expected));
    expect(errors).toEqual([...errors].sort((a, b) => b - a));
    const full = { lambda: 20, density: 1 };
    const rough = distance(await weightsOf(sansa as never, { ...full, scans: 0, rounds: 0 }), expected);
    const better = distance(await weightsOf(sansa as never, { ...full, scans: 1, rounds: 0 }), expected);
    const best = distance(await weightsOf(sansa as never, { ...full, scans: 1, rounds: 20 }), expected);
    expect(better).toBeLessThan(rough);
    expect(best).toBeLessThan(better);
  });

  it("has no more entries than the density asks for, and at least two per item", async () => {
    for (const [density, most] of [
      [0.1, 360],
      [0.001, 120],
    ])
      for (const variant of ["exact", "incomplete"]) {
        const options = parseOptions(sansa, { density, variant });
        const model = await sansa.fit(dataset, options, { engine: new ReferenceEngine(), seed: 1 });
        const { tensors } = await model.save();
        expect(tensors.values.data.length).toBeLessThanOrEqual(most);
        expect(tensors.values.data.length).toBeGreaterThan(0.8 * most);
      }
  });

  it("scales the columns of an incomplete factorisation by the roots of the lengths of their Gram columns", async () => {
    // Four groups without a user in common: no column of the factor has as many entries as it may keep.
    const groups = trainingOnly(
      fromRows(
        items,
        Array.from({ length: 80 }, (_, u) =>
          Array.from({ length: items }, (_, i) => i).filter((i) => i % 4 === u % 4 && random.below(3) > 0),
        ),
      ),
    );
    const counts = Array.from({ length: items }, () => new Float64Array(items));
    const { train } = groups;
    for (let u = 0; u < train.rows; u++) {
      const history = train.indices.subarray(train.offsets[u], train.offsets[u + 1]);
      for (const i of history) for (const j of history) counts[i][j]++;
    }
    // The exact variant does not scale.
    const values = Float32Array.from(train.indices, (item) => 1 / Math.sqrt(Math.hypot(...counts[item])));
    const given = { lambda: 0.5, density: 1 };
    const run = { engine: new ReferenceEngine(), seed: 1 };
    const scaled = { ...groups, train: { ...train, values } };
    const exact = await sansa.fit(scaled, parseOptions(sansa, given), run);
    const incomplete = await sansa.fit(groups, parseOptions(sansa, { ...given, variant: "incomplete" }), run);
    const [expected, found] = [await exact.score(each).read(), await incomplete.score(each).read()];
    expect(distance(found, expected)).toBeLessThan(1e-4);
    const unscaled = await sansa.fit(groups, parseOptions(sansa, given), run);
    expect(distance(await unscaled.score(each).read(), expected)).toBeGreaterThan(1e-2);
  });

  it("repeats a failed incomplete factorisation with a larger shift, and says so", async () => {
    const notes: string[] = [];
    const progress = (event: { type: string; text?: string }) => {
      if (event.type === "note") notes.push(event.text ?? "");
    };
    const run = { engine: new ReferenceEngine(), seed: 1, progress: progress as never };
    // Item 59 has no users: without a shift its pivot is 0.
    const options = parseOptions(sansa, { variant: "incomplete", lambda: 0, density: 0.2 });
    await sansa.fit(dataset, options, run);
    expect(notes[0]).toBe("sansa: the incomplete factorisation failed and is repeated with lambda 0.001");
  });

  it("rejects lambda = 0 for a singular matrix, and an exact factor that does not fit into memory", async () => {
    const run = { engine: new ReferenceEngine(), seed: 1 };
    await expect(sansa.fit(dataset, parseOptions(sansa, { lambda: 0 }), run)).rejects.toThrow(
      /lambda: 0 is too small/,
    );
    const size = 3000;
    // Everybody shares item 0, and the items of a user are a clique: nearly all entries fill in.
    const wide = trainingOnly(
      fromRows(
        size,
        Array.from({ length: size }, (_, u) => [...new Set([0, u, (7 * u) % size, (31 * u + 5) % size])]),
      ),
    );
    const limit = vi
      .spyOn(process, "constrainedMemory")
      .mockReturnValue(process.memoryUsage.rss() + 12 * 2 ** 20);
    try {
      const fitting = sansa.fit(wide, parseOptions(sansa, { density: 0.001 }), run);
      await expect(fitting).rejects.toThrow(UserError);
      await expect(fitting).rejects.toThrow(
        /the exact factor of 3,000 items, with [\d,]+ entries .* needs .* --set variant=incomplete/s,
      );
    } finally {
      limit.mockRestore();
    }
  });
});
