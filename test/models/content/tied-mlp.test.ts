import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { type Objective, sum } from "../../../src/compute/objective.js";
import type { Parameter } from "../../../src/compute/parameter.js";
import { Tape } from "../../../src/compute/tape.js";
import { streamOf } from "../../../src/core/philox.js";
import type { ContentBatch } from "../../../src/models/content/batches.js";
import { TiedMlp } from "../../../src/models/content/tied-mlp.js";
import { allocate } from "../../../src/nn/parameters.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { worstError } from "../../support/content-models.js";

const key = (name: string) => ({ seed: 3, step: 1, stream: streamOf(name) });

function networkOf(tied: boolean | undefined, likelihood: "bernoulli" | "gaussian" = "bernoulli") {
  const engine = new ReferenceEngine({ precision: "float64" });
  const network = new TiedMlp({
    ...{ inputs: 4, hidden: [3, 2], latent: 2, likelihood, precision: 2, corruption: 0, tied },
  });
  allocate(engine, [...network.parameters, ...network.scaffolding], 11);
  const sparse: ContentBatch = {
    kind: "sparse",
    rows: 3,
    sparse: engine.sparse(fromRows(4, [[0, 2], [1], [0, 1, 3]])),
  };
  const dense: ContentBatch = {
    kind: "dense",
    rows: 3,
    dense: engine.tensor(3, 4, [0.5, 0, 0.25, 1, 0, 0.75, 0, 0.5, 1, 1, 0, 0.25]),
  };
  const loss =
    (x: ContentBatch) =>
    (tape: Tape): Objective => {
      const posterior = network.posterior(tape, x);
      const z = posterior.sample(tape, key("noise"));
      return sum(network.reconstruction(tape, z, x)).plus(sum(posterior.kl(tape)));
    };
  return { engine, network, sparse, dense, loss };
}
type Network = ReturnType<typeof networkOf>;

/** The gradient of an objective in all parameters, by name. */
async function gradients({ network }: Network, engine: ReferenceEngine, build: (tape: Tape) => Objective) {
  const tape = new Tape(engine);
  tape.backward(build(tape));
  const all = new Map<string, ArrayLike<number>>();
  for (const parameter of network.parameters) all.set(parameter.name, await parameter.fullGradient());
  tape.dispose();
  return all;
}

describe("the network of cvae", () => {
  it.each([
    ["bernoulli", "sparse"],
    ["bernoulli", "dense"],
    ["gaussian", "dense"],
  ] as const)(
    "with untied weights has the gradient of finite differences (%s, %s)",
    async (likelihood, kind) => {
      const made = networkOf(false, likelihood);
      const { engine, network } = made;
      const build = made.loss(made[kind]);
      const analytic = await gradients(made, engine, build);
      const value = async () => {
        const tape = new Tape(engine, { gradients: false });
        const [found] = await engine.read(tape.value(build(tape)));
        tape.dispose();
        return found;
      };
      const difference = async (parameter: Parameter, i: number) => {
        const data = Float64Array.from(await engine.read(parameter.value));
        const moved = async (step: number) => {
          parameter.write(data.map((x, k) => (k === i ? x + step : x)));
          return value();
        };
        const numeric = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
        parameter.write(data);
        return numeric;
      };
      for (const parameter of network.parameters)
        for (let i = 0; i < parameter.rows * parameter.columns; i++) {
          const numeric = await difference(parameter, i);
          const found = analytic.get(parameter.name)?.[i] ?? Number.NaN;
          expect(Math.abs(found - numeric) / (1 + Math.abs(numeric)), parameter.name).toBeLessThan(1e-7);
        }
    },
  );

  it("with untied weights that are equal has the tied loss, and gradients whose sum is the tied gradient", async () => {
    const [tied, untied] = [networkOf(undefined), networkOf(false)];
    const own = new Map(tied.network.parameters.map((parameter) => [parameter.name, parameter]));
    for (const parameter of untied.network.parameters) {
      const same = own.get(parameter.name.replace(".generation", ""));
      if (!same) throw new Error(`${parameter.name} is not a parameter of the tied network`);
      parameter.write(await tied.engine.read(same.value));
    }
    const together = await gradients(tied, tied.engine, tied.loss(tied.sparse));
    const apart = await gradients(untied, untied.engine, untied.loss(untied.sparse));
    expect(apart.size).toBe(together.size + 3);
    for (const [name, wanted] of together) {
      const other = name.startsWith("layer.")
        ? apart.get(name.replace(/^(layer\.\d+)\./, "$1.generation."))
        : undefined;
      const found = Array.from(apart.get(name) ?? [], (g, i) => g + (other?.[i] ?? 0));
      expect(worstError(found, Array.from(wanted)), name).toBeLessThan(1e-12);
    }
  });

  it("trains a layer's autoencoder with weights of its own where they are untied", async () => {
    const { network } = networkOf(false);
    const names = network.parts.map(({ parameters }) => parameters.map(({ name }) => name));
    expect(names.slice(0, 2)).toEqual([
      ["layer.1.weight", "layer.1.generation.weight", "layer.1.bias", "layer.1.visible"],
      ["layer.2.weight", "layer.2.generation.weight", "layer.2.bias", "layer.2.visible"],
    ]);
  });
});
