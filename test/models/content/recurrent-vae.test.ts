import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { sequenceContent } from "../../../src/data/content/in-memory.js";
import { cvae } from "../../../src/models/content/cvae.js";
import { RecurrentVae } from "../../../src/models/content/recurrent-vae.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { expectToResumeAnywhere, trainedOn } from "../../support/content-models.js";
import { vocabulary } from "../../support/datasets.js";
import {
  brief,
  coldOrder,
  datasetOf,
  joint,
  networkGradientError,
  sequences,
} from "../../support/modalities.js";

describe("the recurrent network of cvae", () => {
  it("has the gradients of finite differences", async () => {
    const options = { latent: 2, embedding: 3, units: 4, length: 3, wordDropout: 0.3 };
    const error = await networkGradientError(new RecurrentVae(9, options), sequences);
    expect(error).toBeLessThan(1e-6);
  });

  it("ranks cold items by their sequences, far above chance", async () => {
    const options = { ...joint, embedding: 8, units: 16, wordDropout: 0.5 };
    expect(await coldOrder(cvae, sequences, options)).toBeGreaterThan(0.8);
  });

  it("resumed anywhere, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(datasetOf(sequences), cvae, { ...brief, embedding: 3, units: 4 }));

  it("encodes new items like old ones, independently of the batch", async () => {
    const content = sequences;
    const options = { ...brief, embedding: 8, units: 16 };
    const { model, tensors } = await trainedOn(datasetOf(content), cvae, options, {
      engine: new ReferenceEngine(),
    });
    const one = {
      items: vocabulary("new", 1),
      content: sequenceContent(fromRows(9, [[1, 2, 3]]), vocabulary("token", 9)),
    };
    const many = {
      items: vocabulary("new", 3),
      content: sequenceContent(fromRows(9, [[5, 6, 7, 8, 0, 1], [1, 2, 3], [4]]), vocabulary("token", 9)),
    };
    const after = tensors.items.data.length;
    const alone = (await (await model.withItems(one, "content")).save()).tensors.items.data.subarray(after);
    const among = (await (await model.withItems(many, "content")).save()).tensors.items.data.subarray(after);
    for (let k = 0; k < 3; k++) expect(among[3 + k]).toBeCloseTo(alone[k], 6);
  });
});
