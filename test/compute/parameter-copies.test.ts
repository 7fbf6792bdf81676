import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { AdaDelta, Adam } from "../../src/compute/optimizers.js";
import { loadParameters, Parameter, saveParameters } from "../../src/compute/parameter.js";
import { nearestBfloat16 } from "../support/engines.js";

const native = loadNativeEngine({ threads: 2 });
const engines: Engine[] = [
  ...("engine" in native ? [native.engine] : []),
  new ReferenceEngine(),
  new ReferenceEngine({ precision: "float64" }),
];
afterAll(() => Promise.all(engines.map((engine) => engine.close())));

describe.each(engines.map((engine) => [`${engine.name} engine in ${engine.precision}`, engine] as const))(
  "a parameter's copy in bfloat16 on the %s",
  (_, engine) => {
    const initial = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1) / 3);
    const make = () => new Parameter(engine, "w", 4, 3, initial);

    /** The copy is the master, rounded; and the master is not what it was. */
    async function expectUpToDate(parameter: Parameter, before: ArrayLike<number>): Promise<void> {
      const [master, copy] = await Promise.all([
        engine.read(parameter.value),
        engine.read(parameter.copyAs("bfloat16")),
      ]);
      expect([...master]).not.toEqual([...Array.from(before)]);
      expect([...copy]).toEqual(Array.from(master, (x) => nearestBfloat16(Math.fround(x))));
    }

    it.each(["dense gradient", "rows gradient", "L2 term alone"])(
      "follows a step of Adam: %s",
      async (kind) => {
        const parameter = make();
        const copy = parameter.copyAs("bfloat16");
        const adam = new Adam(engine, [parameter], { learningRate: 0.1 });
        for (let step = 0; step < 3; step++) {
          const before = await engine.read(parameter.value);
          if (kind === "dense gradient") parameter.addGradient((out) => engine.fill(out, 1));
          else if (kind === "rows gradient")
            parameter.addRowsGradient(Uint32Array.of(1, 3), (out) => engine.fill(out, -2));
          else parameter.decay = 0.1;
          adam.step();
          await expectUpToDate(parameter, before);
          expect(parameter.copyAs("bfloat16")).toBe(copy);
        }
        parameter.release();
      },
    );

    it("follows AdaDelta, what is written, and what is loaded", async () => {
      const parameter = make();
      parameter.copyAs("bfloat16");
      parameter.addGradient((out) => engine.fill(out, 1));
      new AdaDelta(engine, [parameter]).step();
      await expectUpToDate(parameter, initial);
      parameter.write(initial.map((x) => 7 * x));
      await expectUpToDate(parameter, initial);
      const saved = await saveParameters([make()]);
      await loadParameters([parameter], saved);
      await expectUpToDate(
        parameter,
        initial.map((x) => 7 * x),
      );
      parameter.release();
    });

    it("is made when it is asked for, half the size of float32, and released with the parameter", async () => {
      const parameter = new Parameter(engine, "w", 64, 64);
      const before = engine.memory();
      const copy = parameter.copyAs("bfloat16");
      expect(engine.memory() - before).toBe(2 * 64 * 64);
      parameter.release();
      await expect(engine.read(copy)).rejects.toThrow("released");
    });
  },
);
