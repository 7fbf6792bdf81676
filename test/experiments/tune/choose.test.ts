import { describe, expect, it } from "vitest";
import { choiceText, chooseModel } from "../../../src/experiments/tune/choose.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";

const machine = { cores: 2, memory: 20 * 2 ** 30 };

function shape(users: number, items: number, interactions: number) {
  return {
    ...{ users, items, interactions, content: false, validationUsers: 100, times: true },
    density: interactions / users / items,
    history: interactions / users,
  };
}

describe("the model that suits a dataset", () => {
  it.each([
    ["small", shape(738, 1415, 43_606)],
    ["MovieLens 1M", shape(4834, 3497, 462_827)],
    ["sparse", shape(4177, 24_103, 102_343)],
    ["large", shape(800_000, 1_000_000, 30_000_000)],
  ])("has valid options: %s", async (_, size) => {
    const { model, options, seconds } = await chooseModel(size, machine);
    parseOptions(await findAlgorithm(model), options);
    expect(seconds).toBeGreaterThan(0);
  });

  it("never needs a matrix that does not fit into memory", async () => {
    const size = shape(50_000, 20_000, 2_000_000);
    expect((await chooseModel(size, machine)).model).toBe("ease");
    expect((await chooseModel(size, { cores: 2, memory: 2 ** 31 })).model).toBe("sansa");
    const large = await chooseModel(shape(800_000, 1_000_000, 30_000_000), machine);
    expect(large.model).toBe("sansa");
    // Two factors with this share of the pairs, 8 bytes per entry.
    expect(2 * Number(large.options.density) * 1e12 * 8).toBeLessThan(2 ** 30);
  });

  it("says what is chosen, why, and what it costs", async () => {
    const text = choiceText(await chooseModel(shape(4834, 3497, 462_827), machine));
    expect(text).toMatch(
      /^no --model given: ease is chosen because .*3,497 items.*about [\d.]+ s .*foldin tune/,
    );
  });
});
