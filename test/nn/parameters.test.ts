import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { type Initializer, Parameter, saveParameters } from "../../src/compute/parameter.js";
import { AbortedError, UserError } from "../../src/core/errors.js";
import { constant } from "../../src/nn/initializers.js";
import { LayerNorm } from "../../src/nn/layer-norm.js";
import { Linear } from "../../src/nn/linear.js";
import { OutputLayer } from "../../src/nn/output-layer.js";
import { allocate, allocated, numbersIn, release, restoreParameters } from "../../src/nn/parameters.js";
import { SavedModel } from "../../src/recommender/saved-model.js";

/** 3 -> 2, normalised, -> 5 items. */
function declared() {
  const layers = [
    new Linear({ name: "hidden", inputs: 3, outputs: 2 }),
    new LayerNorm({ name: "norm", width: 2, epsilon: 0.1 }),
    new OutputLayer({ name: "output", inputs: 2, outputs: 5 }),
  ];
  return layers.flatMap(({ parameters }) => parameters);
}
const NUMBERS = 3 * 2 + 2 + 2 + 2 + 5 * 2 + 5;

describe("declared parameters", () => {
  it("are counted without allocation, and have no values", () => {
    const parameters = declared();
    expect(numbersIn(parameters)).toBe(NUMBERS);
    // However large they would be.
    expect(numbersIn([Parameter.declare({ name: "w", rows: 2 ** 26, columns: 2 ** 26 })])).toBe(2 ** 52);
    expect(() => parameters[0].value).toThrow("hidden.weight is only declared");
    release(parameters);
  });

  it("get initial values that depend only on the seed and their names", async () => {
    const engine = new ReferenceEngine();
    const [one, again, other, alone] = [declared(), declared(), declared(), declared().slice(-2)];
    allocate(engine, one, 7);
    await allocated({ parameters: again }, { engine, seed: 7 });
    allocate(engine, other, 8);
    allocate(engine, alone, 7);
    const saved = await saveParameters(one);
    expect(await saveParameters(again)).toEqual(saved);
    expect((await saveParameters(other))["hidden.weight"]).not.toEqual(saved["hidden.weight"]);
    expect(saved).toMatchObject(await saveParameters(alone));
    expect([...saved["norm.weight"].data, ...saved["norm.bias"].data]).toEqual([1, 1, 0, 0]);
  });

  it("are allocated once", () => {
    const engine = new ReferenceEngine();
    const parameters = declared();
    allocate(engine, parameters, 7);
    expect(() => allocate(engine, parameters, 7)).toThrow("hidden.weight is already allocated");
  });

  it("release their memory if memory runs out and on an abort", async () => {
    const engine = new ReferenceEngine();
    const slow: Initializer = () => (out) => {
      const until = performance.now() + 30;
      while (performance.now() < until) out.fill(1);
    };
    const stopping = async () => {
      const stopped = Parameter.declare({ name: "slow", rows: 1 << 10, columns: 1 << 10, initial: slow });
      const parameters = [...declared(), stopped];
      const signal = AbortSignal.abort();
      await expect(allocated({ parameters }, { engine, seed: 1, signal })).rejects.toThrow(AbortedError);
    };
    const failing = () => {
      const tooLarge = Parameter.declare({
        name: "huge",
        rows: 2 ** 20,
        columns: 2 ** 13,
        initial: constant(1),
      });
      expect(() => allocate(engine, [...declared(), tooLarge], 1)).toThrow(/too large/);
    };
    // The engine keeps some of what is given back, for the next who asks: the second time nothing is added.
    await stopping();
    failing();
    const kept = engine.memory();
    await stopping();
    failing();
    expect(engine.memory()).toBe(kept);
  });

  it("are restored from saved values, or refused before they take memory", async () => {
    const engine = new ReferenceEngine();
    const [made, restored, refused] = [declared(), declared(), declared()];
    allocate(engine, made, 7);
    const tensors = await saveParameters(made);
    await restoreParameters(engine, new SavedModel({ algorithm: "x", config: {}, tensors }), restored);
    expect(await saveParameters(restored)).toEqual(tensors);
    const fresh = new ReferenceEngine();
    const { "output.bias": _, ...others } = tensors;
    const restoring = restoreParameters(
      fresh,
      new SavedModel({ algorithm: "x", config: {}, tensors: others }),
      refused,
    );
    await expect(restoring).rejects.toThrow(UserError);
    await expect(restoring).rejects.toThrow(
      "x: the saved model is not valid: tensor output.bias: is missing. Copy the model again, or train it again",
    );
    expect(fresh.memory()).toBe(0);
  });
});
