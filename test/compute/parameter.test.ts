import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { mean } from "../../src/compute/objective.js";
import { Adam } from "../../src/compute/optimizers.js";
import { Parameter, writeTensor } from "../../src/compute/parameter.js";
import { Tape } from "../../src/compute/tape.js";
import { SparseLinear } from "../../src/nn/linear.js";
import { fromRows } from "../../src/sparse/csr.js";
import { allocatedOn } from "../support/allocated.js";

const native = loadNativeEngine({ threads: 2 });
const engines: [string, Engine][] = [["reference", new ReferenceEngine()]];
if ("engine" in native) engines.push(["native", native.engine]);
else console.log(`skipped: ${native.reason}`);
afterAll(() => Promise.all(engines.map(([, engine]) => engine.close())));

describe.each(engines)("a gradient of rows, on the %s engine", (_, engine) => {
  it("has memory of its own size: training a sparse first layer never makes one of [items, hidden]", async () => {
    const [items, hidden, users, perUser] = [200_000, 16, 20, 50];
    const layer = allocatedOn(engine, new SparseLinear({ name: "input", inputs: items, outputs: hidden }), 1);
    const adam = new Adam(engine, layer.parameters);
    const { m } = layer.weight.moments;
    expect([m.rows, m.columns]).toEqual([items, hidden]);
    await engine.finished();
    const before = engine.memory();
    let most = 0;
    for (let update = 0; update < 5; update++) {
      const tape = new Tape(engine);
      const x = tape.sparse(
        fromRows(
          items,
          Array.from({ length: users }, (_, user) =>
            Array.from({ length: perUser }, (_, i) => (user * 7919 + i * 3571 + update * 101) % items),
          ),
        ),
      );
      tape.backward(mean(layer.forward(tape, x, { rowScale: "l2" })));
      expect(layer.weight.currentGradient?.kind).toBe("rows");
      most = Math.max(most, engine.memory());
      tape.dispose();
      adam.step();
    }
    await engine.finished();
    // At most 1,000 rows of 200,000 are touched; the batch itself has a few numbers per column of the catalogue.
    const whole = items * hidden * (engine.precision === "float32" ? 4 : 8);
    expect(most - before).toBeLessThan(whole / 2);
    expect(engine.memory() - before).toBeLessThan(whole / 4);
    for (const parameter of layer.parameters) parameter.release();
  });

  it("is right at every number of rows, as its memory grows from size class to size class", async () => {
    const parameter = new Parameter(engine, "w", 70, 2);
    for (let count = 0; count <= 70; count++) {
      const touched = Uint32Array.from({ length: count }, (_, i) => i);
      const numbers = Float32Array.from({ length: 2 * count }, (_, i) => count + i);
      parameter.addRowsGradient(touched, (out) => {
        expect([out.rows, out.columns]).toEqual([count, 2]);
        engine.write(out, numbers);
      });
      const full = await parameter.fullGradient();
      expect([...full], `${count} rows`).toEqual([...numbers, ...new Float32Array(140 - 2 * count)]);
      parameter.clearGradient();
    }
    parameter.release();
  });

  it("stays one of rows as long as all contributions are, and is whole with a dense one", async () => {
    const parameter = new Parameter(engine, "w", 6, 2);
    const add = (touched: number[], numbers: number[]) =>
      parameter.addRowsGradient(Uint32Array.from(touched), (out) => engine.write(out, numbers));
    add([1, 4], [1, 2, 3, 4]);
    add([0, 4, 5], [10, 20, 30, 40, 50, 60]);
    const { currentGradient } = parameter;
    expect(currentGradient?.kind === "rows" && [...currentGradient.touched]).toEqual([0, 1, 4, 5]);
    expect([...(await parameter.fullGradient())]).toEqual([10, 20, 1, 2, 0, 0, 0, 0, 33, 44, 50, 60]);
    add([4], [100, 100]);
    expect(parameter.currentGradient?.tensor.rows).toBe(4);
    parameter.addGradient((out, accumulate) => {
      expect(accumulate).toBe(true);
      const ones = engine.tensor(6, 2, new Float32Array(12).fill(1));
      engine.addScaled(out, ones, 1);
      engine.release(ones);
    });
    add([2], [7, 8]);
    expect(parameter.currentGradient?.kind).toBe("dense");
    expect([...(await parameter.fullGradient())]).toEqual([11, 21, 2, 3, 8, 9, 1, 1, 134, 145, 51, 61]);
    parameter.clearGradient();
    add([3], [5, 6]);
    expect([...(await parameter.fullGradient())]).toEqual([0, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0]);
    parameter.release();
  });
});

describe("writing a large tensor", () => {
  const [rows, columns] = [7, 5];
  const data = Float32Array.from({ length: rows * columns }, (_, i) => i * i - 3);

  it.each([1, 4, 5, 6, 10, 34, 35, 36])(
    "is the same where %i numbers go to the engine at a time",
    async (atOnce) => {
      const engine = new ReferenceEngine();
      const out = engine.zeros(rows, columns);
      await writeTensor(engine, out, data, atOnce);
      expect([...(await engine.read(out))]).toEqual([...data]);
    },
  );
});

describe.each(engines)("a gradient of columns, of a bias, on the %s engine", (_, engine) => {
  const values = [1, 2, 3, 4, 5, 6];
  /** A bias with gradients -1 at 1, and 3 and 4 at 4. */
  function bias(): Parameter {
    const parameter = new Parameter(engine, "bias", 1, 6, values);
    parameter.addColumnsGradient(Uint32Array.of(1, 4), (out) => engine.write(out, [-1, 3]));
    parameter.addColumnsGradient(Uint32Array.of(4), (out) => engine.write(out, [4]));
    return parameter;
  }

  it("is that of the whole row, where it is asked for", async () => {
    expect([...(await bias().fullGradient())]).toEqual([0, -1, 0, 0, 7, 0]);
    const parameter = bias();
    expect([...(await engine.read(parameter.gradient()))]).toEqual([0, -1, 0, 0, 7, 0]);
    expect(parameter.currentGradient?.kind).toBe("dense");
    parameter.addColumnsGradient(Uint32Array.of(5), (out) => engine.write(out, [2]));
    expect([...(await parameter.fullGradient())]).toEqual([0, -1, 0, 0, 7, 2]);
  });

  it("moves only these columns with lazy Adam, as dense Adam does in the first update", async () => {
    const [lazy, dense] = [bias(), bias()];
    new Adam(engine, [lazy], { sparse: true, learningRate: 0.1 }).step();
    new Adam(engine, [dense], { learningRate: 0.1 }).step();
    const moved = await engine.read(lazy.value);
    expect([...moved]).toEqual([...(await engine.read(dense.value))]);
    expect([...moved].map((x, i) => x === values[i])).toEqual([true, false, true, true, false, true]);
  });

  it("is refused for a matrix", () => {
    const matrix = new Parameter(engine, "weights", 2, 3);
    expect(() => matrix.addColumnsGradient(Uint32Array.of(1), () => {})).toThrow(
      "parameter weights is not a single row",
    );
  });
});
