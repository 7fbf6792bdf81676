import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { loadNativeEngine } from "../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import type { Solvers } from "../../../src/compute/kernels.js";
import { withSolvers } from "../../../src/compute/solvers/borrowed-solvers.js";
import { solversOf } from "../../../src/compute/solvers/solvers-of.js";
import { UserError } from "../../../src/core/errors.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { demoDataset } from "../../support/demo-dataset.js";

function openCpu(): Engine {
  const native = loadNativeEngine({ threads: 1 });
  return "engine" in native ? native.engine : new ReferenceEngine();
}

/** An engine that does what another does, without its solvers. */
function hidingSolvers(engine: Engine): Engine {
  return new Proxy(engine, {
    get(target, name) {
      if (name === "solvers") return undefined;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("an engine without solvers", () => {
  it("has no solvers of its own", async () => {
    const engine = hidingSolvers(openCpu());
    expect(() => solversOf(engine)).toThrow(UserError);
    const lent = withSolvers(engine, openCpu);
    expect(solversOf(lent)).toBe(lent.solvers);
    const cpu = openCpu();
    expect(withSolvers(cpu, openCpu)).toBe(cpu);
    await Promise.all([lent.close(), cpu.close()]);
  });

  const dataset = demoDataset(120);
  it.each([
    ["wmf", { factors: 5, epochs: 2 }],
    ["ease", { lambda: 20 }],
    ["nmf", { factors: 4, epochs: 3 }],
    ["slim", { alpha: 0.05 }],
    ["item-knn", {}],
    ["infinite-ae", { lambda: 1 }],
  ])("trains %s to the same bytes with those of the CPU, and scores alike", async (name, options) => {
    const algorithm = await findAlgorithm(name);
    const outcome = async (engine: Engine) => {
      const given = algorithm.options.parse(options);
      const recommender = await algorithm.fit(dataset, given, { engine, seed: 1 });
      const { tensors } = await recommender.save();
      const scores = await recommender.score(dataset.test.foldIn).read();
      await engine.close();
      return { tensors, scores };
    };
    expect(await outcome(withSolvers(hidingSolvers(openCpu()), openCpu))).toEqual(await outcome(openCpu()));
  });

  it("keeps calls in their order: those after a solver's see its results", async () => {
    const engine = withSolvers(hidingSolvers(openCpu()), openCpu);
    const solvers = engine.solvers as Solvers;
    const x = engine.sparse(fromRows(2, [[0], [0, 1]]));
    const [gram, ones, doubled] = [engine.empty(2, 2), engine.zeros(1, 2), engine.zeros(2, 2)];
    engine.write(ones, [1, 1]);
    solvers.gram(gram, x);
    engine.releaseSparse(x);
    engine.addScaled(doubled, gram, 2);
    engine.write(ones, [10, 100]);
    // [[2, 1], [1, 1]] scaled by (10, 100) on both sides.
    solvers.expandLower(gram, ones, ones);
    engine.addRow(doubled, ones);
    engine.release(ones);
    const best = engine.topK(doubled, 1);
    expect([...(await engine.read(gram))]).toEqual([200, 1000, 1000, 10_000]);
    expect([...(await engine.read(doubled))]).toEqual([14, 102, 12, 102]);
    expect([...(await best).items]).toEqual([1, 1]);
    expect(await solvers.invertPivots(engine.tensor(2, 2, [1, 0, 0, -1]), 0, 2)).toBe(1);
    await engine.close();
  });

  it("rejects invalid arguments at the call, and fails later calls if the CPU engine fails", async () => {
    const failing = new ReferenceEngine();
    const gramFails = () => {
      throw new Error("out of memory");
    };
    Object.assign(solversOf(failing), { gram: gramFails });
    const engine = withSolvers(hidingSolvers(new ReferenceEngine()), () => failing);
    const solvers = engine.solvers as Solvers;
    const x = engine.sparse(fromRows(2, [[0], [0, 1]]));
    expect(() => solvers.gram(engine.empty(3, 2), x)).toThrow("gram: out is [3, 2]");
    await expect(solvers.invertPivots(engine.empty(3, 3), 3, 1)).rejects.toThrow(
      "invertPivots: pivots up to 4",
    );
    const gram = engine.empty(2, 2);
    solvers.gram(gram, x);
    expect(() => engine.addRow(gram, engine.empty(1, 3))).toThrow("addRow: out is [2, 2], expected [2, 3]");
    engine.addRow(gram, engine.empty(1, 2));
    engine.release(gram);
    await expect(engine.finished()).rejects.toThrow("out of memory");
    await expect(engine.read(gram)).rejects.toThrow("out of memory");
    await engine.close();
    expect(engine.memory()).toBe(0);
  });
});
