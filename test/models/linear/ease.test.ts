import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { AbortedError, UserError } from "../../../src/core/errors.js";
import { ease } from "../../../src/models/linear/ease.js";
import { parseOptions } from "../../../src/models/options.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { dataset, engines, fixture, items, reference, trained, worst } from "../../support/closed-forms.js";
import { trainingOnly } from "../../support/datasets.js";

/** Each item alone: its scores are its row of W. */
const everyItem = fromRows(
  items,
  Array.from({ length: items }, (_, item) => [item]),
);

describe.each(engines)("on the %s engine", (_, tolerance, open) => {
  it.each(fixture.ease.map((example) => [JSON.stringify(example.options), example] as const))(
    "ease %s has NumPy's weights",
    async (_, { options, weights }) => {
      const found = await trained(ease, open, options, (scores) => scores(everyItem));
      expect(worst(found, weights)).toBeLessThan(tolerance);
    },
  );
});

describe("ease", () => {
  it("with xi = 0 is EASE: the diagonal is 0", async () => {
    const [strict, relaxed] = await Promise.all(
      [{ lambda: 2 }, { lambda: 2, xi: 0 }].map((options) =>
        trained(ease, reference, options, (scores) => scores(everyItem)),
      ),
    );
    expect(worst(relaxed, [...strict])).toBeLessThan(1e-6);
  });

  it("reports a lambda that is too small and an abort, and releases its memory", async () => {
    for (const open of [reference, () => openEngine()]) {
      const engine = await open();
      const before = engine.memory();
      const singular = ease.fit(dataset, parseOptions(ease, { lambda: 0 }), { engine, seed: 1 });
      await expect(singular).rejects.toThrow(
        /^lambda: 0 is too small: .* \(at item \d\) \(expected a larger value/,
      );
      const aborted = { engine, seed: 1, signal: AbortSignal.abort() };
      await expect(ease.fit(dataset, parseOptions(ease), aborted)).rejects.toThrow(AbortedError);
      await engine.finished();
      // Blocks that are kept for reuse.
      expect(engine.memory() - before).toBeLessThan(20_000);
      await engine.close();
    }
  });

  it("rejects a matrix that does not fit into memory before allocating, with its size and a remedy", async () => {
    const large = trainingOnly(fromRows(400_000, [[1, 2, 399_999]]));
    const engine = new ReferenceEngine();
    const refused = ease.fit(large, parseOptions(ease), { engine, seed: 1 });
    await expect(refused).rejects.toThrow(
      /^ease: a matrix of 400,000 x 400,000 items.* needs 1192\.1 GiB of memory, but only .* are available.*--min-item/,
    );
    expect(engine.memory()).toBe(0);
  });

  it.each([
    [{ p: 1 }, /^p: 1 is not valid/],
    [{ lambda: -1 }, /^lambda: -1 is not valid/],
    [{ xi: 1.5 }, /^xi: 1.5 is not valid/],
    [{ lamda: 1 }, /lamda: ease has no such option.*lambda/],
    [{ beta: "much" }, /^beta: "much" is not valid/],
  ])("refuses %j", (options, message) => {
    expect(() => parseOptions(ease, options)).toThrow(UserError);
    expect(() => parseOptions(ease, options)).toThrow(message);
  });
});
