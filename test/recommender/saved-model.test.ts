import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { NamedTensors } from "../../src/compute/tensor.js";
import { SavedModel } from "../../src/recommender/saved-model.js";

const of = (tensors: NamedTensors, config = {}) => new SavedModel({ algorithm: "test", config, tensors });
const whole = (...data: number[]) => ({ shape: [data.length], data: Uint32Array.from(data) });
const numbers = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });

describe("a saved model", () => {
  it("names the field of a configuration that does not fit", () => {
    const schema = z.object({ latent: z.int() });
    expect(of({}, { latent: 3, other: 1 }).config(schema)).toEqual({ latent: 3 });
    expect(() => of({}, { latent: "x" }).config(schema)).toThrow(
      /^test: the saved model is not valid: .*latent.*Copy the model again, or train it again$/s,
    );
  });

  it("returns a tensor only with the requested name, shape and kind", () => {
    const saved = of({ w: { shape: [2, 3], data: new Float32Array(6) }, n: whole(1, 2) });
    expect(saved.take("w", [2, 3])).toHaveLength(6);
    expect(saved.take("w", [undefined, 3])).toHaveLength(6);
    expect(saved.take("n", [2], "whole numbers")).toEqual(Uint32Array.of(1, 2));
    expect(saved.take("n", [2], "any")).toHaveLength(2);
    const refused = (take: () => unknown, why: string) =>
      expect(take).toThrow(
        `test: the saved model is not valid: tensor ${why}. Copy the model again, or train it again`,
      );
    refused(() => saved.take("v", [2]), "v: is missing");
    refused(() => saved.take("toString", [2]), "toString: is missing");
    refused(() => saved.take("w", [3, 2]), "w: has the shape 2 x 3 (expected 3 x 2)");
    refused(() => saved.take("w", [6]), "w: has the shape 2 x 3 (expected 6)");
    refused(() => saved.take("w", [undefined, 2]), "w: has the shape 2 x 3 (expected any x 2)");
    refused(() => saved.take("n", [2]), "n: holds whole numbers (expected numbers)");
    refused(() => saved.take("w", [2, 3], "whole numbers"), "w: holds float32 (expected whole numbers)");
    const short = of({ w: { shape: [2, 3], data: new Float32Array(5) } });
    refused(() => short.take("w", [2, 3]), "w: has 5 numbers (expected 2 x 3 numbers)");
    const double = of({ w: { shape: [1], data: new Float64Array(1) } });
    expect(double.take("w", [1])).toHaveLength(1);
    refused(() => double.take("w", [1], "float32"), "w: holds float64 (expected float32)");
  });

  it("names an unexpected tensor", () => {
    const saved = of({ a: numbers(1), b: numbers(2) });
    saved.take("a", [1]);
    expect(() => saved.end()).toThrow(
      "test: the saved model is not valid: tensor b: is not one of test's tensors",
    );
    saved.take("b", [1]);
    expect(() => saved.end()).not.toThrow();
  });

  describe("of a sparse matrix", () => {
    const names = { offsets: "offsets", indices: "indices", values: "values" };
    const sound = { offsets: whole(0, 2, 2, 3), indices: whole(0, 4, 1), values: numbers(1, 2, 3) };

    it("returns the matrix, with or without a required number of rows", () => {
      const matrix = { rows: 3, columns: 5, offsets: sound.offsets.data, indices: sound.indices.data };
      expect(of(sound).takeSparse(names, { rows: 3, columns: 5 })).toEqual({
        ...matrix,
        values: sound.values.data,
      });
      expect(of(sound).takeSparse({ offsets: "offsets", indices: "indices" }, { columns: 5 })).toEqual(
        matrix,
      );
    });

    it.each([
      [
        "rows that begin before the one above",
        { offsets: whole(0, 2, 1, 3) },
        "offsets: the row offsets do not start at 0",
      ],
      [
        "a first row that begins elsewhere",
        { offsets: whole(1, 2, 2, 3) },
        "offsets: the row offsets do not start at 0",
      ],
      ["no row at all", { offsets: whole() }, "offsets: has the shape 0 (expected 4)"],
      ["too few rows", { offsets: whole(0, 2, 3) }, "offsets: has the shape 3 (expected 4)"],
      ["more entries than it says", { indices: whole(0, 4, 1, 1) }, "indices: has the shape 4 (expected 3)"],
      ["a column that it has not", { indices: whole(0, 5, 1) }, "indices: an index is not below 5"],
      ["a value too few", { values: numbers(1, 2) }, "values: has the shape 2 (expected 3)"],
    ])("refuses %s", (_what, change, why) => {
      const take = () => of({ ...sound, ...change }).takeSparse(names, { rows: 3, columns: 5 });
      expect(take).toThrow(`test: the saved model is not valid: tensor ${why}`);
    });
  });

  it("loads a tensor into the engine, and allocates nothing if it has another shape", async () => {
    const engine = new ReferenceEngine();
    const saved = of({ w: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } });
    await expect(saved.load(engine, "w", 2 ** 20, 2 ** 20)).rejects.toThrow("has the shape 2 x 3");
    expect(engine.memory()).toBe(0);
    expect([...(await engine.read(await saved.load(engine, "w", 2, 3)))]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
