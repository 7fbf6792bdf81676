// What a saved model is made of: names, shapes and configuration stay those of earlier versions, and files of anything else are
// refused before memory is taken, with the tensor's name, whatever the model.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { UserError } from "../../src/core/errors.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import type { HostTensor, ModelFiles } from "../../src/recommender/recommender.js";
import { checkerboard, withWords } from "../support/datasets.js";
import { smallModels } from "../support/small-models.js";
import fixture from "./fixtures/saved-models.json" with { type: "json" };

const models = await smallModels(withWords(checkerboard(20, 20)));
const former = fixture.models as unknown as Record<
  string,
  { config: object; tensors: Record<string, string> }
>;

const kindOf = (data: HostTensor["data"]) =>
  data instanceof Uint32Array ? "uint32" : data instanceof Float32Array ? "float32" : "float64";

it("the table has every registered model", () => {
  expect(new Set(models.map(([, model]) => model))).toEqual(new Set(algorithmNames));
});

describe.each(models)("a saved %s", (name, model, options, dataset) => {
  const engine = new ReferenceEngine();
  const saved = (async () => {
    const algorithm = await findAlgorithm(model);
    const trained = await algorithm.fit(dataset, parseOptions(algorithm, options), { engine, seed: 7 });
    const files = await trained.save();
    trained.dispose();
    return { algorithm, files };
  })();

  /** The message of restoring the files with other tensors, before any memory is taken (of a blend's other parts apart). */
  async function refusal(change: (tensors: ModelFiles["tensors"]) => ModelFiles["tensors"]): Promise<string> {
    const { algorithm, files } = await saved;
    const fresh = new ReferenceEngine();
    const restoring = algorithm.restore(
      { ...files, tensors: change({ ...files.tensors }) },
      { engine: fresh },
    );
    const error = await restoring.then(
      () => new Error("it was restored"),
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(UserError);
    if (model !== "blend") expect(fresh.memory()).toBe(0);
    const { message } = error as UserError;
    expect(message).toContain("the saved model is not valid: ");
    return message;
  }
  /** What a part of a blend is told of its tensors. */
  const ownName = (tensor: string) => (model === "blend" ? tensor.slice(tensor.indexOf(".") + 1) : tensor);

  it("has the configuration, names and shapes of earlier versions", async () => {
    const { files } = await saved;
    const tensors = Object.entries(files.tensors).map(
      ([tensor, { shape, data }]) => [tensor, `${kindOf(data)} ${shape.join(" x ")}`] as const,
    );
    expect({ config: files.config, tensors: Object.fromEntries(tensors) }).toEqual(former[name]);
  });

  it("rejects a missing tensor by name", async () => {
    for (const tensor of Object.keys(former[name].tensors)) {
      const message = await refusal(({ [tensor]: _, ...others }) => others);
      expect(message).toContain(`tensor ${ownName(tensor)}: is missing`);
    }
  });

  it("rejects a tensor with another shape, or with fewer numbers than its shape, by name", async () => {
    for (const tensor of Object.keys(former[name].tensors)) {
      const turned = await refusal((tensors) => {
        const { shape, data } = tensors[tensor];
        return { ...tensors, [tensor]: { shape: [1, ...shape], data } };
      });
      expect(turned).toContain(`tensor ${ownName(tensor)}: has the shape 1 x `);
      const cut = await refusal((tensors) => {
        const { shape, data } = tensors[tensor];
        return { ...tensors, [tensor]: { shape, data: data.subarray(1) } };
      });
      expect(cut).toMatch(new RegExp(`tensor ${ownName(tensor).replaceAll(".", "\\.")}: has \\d+ numbers`));
    }
  });

  it("rejects an unknown tensor by name", async () => {
    const odd = { shape: [1], data: new Float32Array(1) };
    for (const stray of ["stray", "0.stray", "99.stray"])
      expect(await refusal((tensors) => ({ ...tensors, [stray]: odd }))).toContain(
        `tensor ${model === "blend" && stray.startsWith("0.") ? "stray" : stray}: is not one of`,
      );
  });
});
