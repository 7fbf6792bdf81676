import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import type { Tensor } from "../../src/compute/tensor.js";
import { AbortedError } from "../../src/core/errors.js";
import { filled, initialise, initialised } from "../../src/nn/initialise.js";
import {
  constant,
  glorotUniform,
  heNormal,
  initialKey,
  normal,
  truncatedNormal,
} from "../../src/nn/initializers.js";
import { engineNames } from "../support/engine-names.js";

const key = initialKey(5, "weight");
/** More than two pieces of 65,536, and no multiple of one. */
const [ROWS, COLUMNS] = [301, 501];

/** How often the event loop turns until `work` is done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let running = true;
  const count = async () => {
    for (; running; turns++) await setImmediate();
  };
  const counting = count();
  await work;
  running = false;
  await counting;
  return turns;
}

describe.each([
  ["uniform", glorotUniform],
  ["normal", heNormal("rows")],
  ["truncated normal", truncatedNormal(0.1)],
  ["constant", constant(3)],
])("initial values: %s", (_, initializer) => {
  it("do not depend on the pieces in which they are computed", async () => {
    const fresh = () => initializer(ROWS, COLUMNS, key);
    const whole = new Float32Array(ROWS * COLUMNS);
    fresh()(whole, 0);
    const inFours = new Float32Array(4 * 1000);
    const fill = fresh();
    for (let first = 0; first < inFours.length; first += 4) fill(inFours.subarray(first, first + 4), first);
    expect(inFours).toEqual(whole.subarray(0, inFours.length));
    expect(await filled(ROWS * COLUMNS, fresh())).toEqual(whole);
  });

  it.each(engineNames)(
    "are the same at once and while the event loop turns, on the %s engine",
    async (name) => {
      const engine = await openEngine({ engine: name, threads: 2 });
      const make = () => {
        const tensor = engine.zeros(ROWS, COLUMNS);
        initialise(engine, tensor, initializer(ROWS, COLUMNS, key));
        return tensor;
      };
      const atOnce = await engine.read(make());
      expect(await engine.read(await initialised(make))).toEqual(atOnce);
      expect(atOnce).toEqual(await filled(ROWS * COLUMNS, initializer(ROWS, COLUMNS, key)));
      await engine.close();
    },
  );
});

describe("what is built with large initial values", () => {
  const large = (engine: Engine) => {
    const tensor = engine.zeros(4000, 2000);
    initialise(engine, tensor, normal(1)(4000, 2000, key));
    return tensor;
  };

  it("yields to the event loop", async () => {
    const engine = await openEngine({ engine: "reference" });
    // 8 million normal numbers take some 400 ms, of which a turn gets about 20.
    expect(await turnsDuring(initialised(() => large(engine)))).toBeGreaterThan(5);
    await engine.close();
  });

  it("is released on an abort", async () => {
    const engine = await openEngine({ engine: "reference" });
    const stop = new AbortController();
    const given: Tensor[] = [];
    const building = initialised(() => large(engine), {
      signal: stop.signal,
      release: (tensor) => given.push(tensor),
    });
    stop.abort();
    await expect(building).rejects.toThrow(AbortedError);
    expect(given).toHaveLength(1);
    await engine.close();
  });

  it("does not stay recorded if building fails", async () => {
    const engine = await openEngine({ engine: "reference" });
    const failing = initialised(() => {
      throw new RangeError("unfit");
    });
    await expect(failing).rejects.toThrow("unfit");
    // At once again.
    const tensor = engine.zeros(1, 4);
    initialise(engine, tensor, constant(2)(1, 4, key));
    expect([...(await engine.read(tensor))]).toEqual([2, 2, 2, 2]);
    await engine.close();
  });
});
