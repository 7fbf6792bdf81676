import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { loadMatrix } from "../../src/models/saved-matrix.js";

describe("a saved matrix", () => {
  const [rows, columns] = [7, 5];
  const data = Float32Array.from({ length: rows * columns }, (_, i) => i * i - 3);

  it.each([1, 4, 5, 6, 10, 34, 35, 36])(
    "is the same where %i numbers go to the engine at a time",
    async (atOnce) => {
      const engine = new ReferenceEngine();
      const tensors = { w: { shape: [rows, columns], data } };
      const matrix = await loadMatrix(engine, "test", tensors, "w", rows, columns, atOnce);
      expect([...(await engine.read(matrix))]).toEqual([...data]);
    },
  );

  it("is refused where a row or a column is missing", async () => {
    const engine = new ReferenceEngine();
    const load = (shape: number[], length: number) =>
      loadMatrix(engine, "test", { w: { shape, data: data.subarray(0, length) } }, "w", rows, columns);
    await expect(load([rows - 1, columns], 30)).rejects.toThrow(
      "does not fit the model (its shape is 6 x 5)",
    );
    await expect(load([rows, columns], 34)).rejects.toThrow("does not fit the model");
  });
});
