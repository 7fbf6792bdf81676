import { describe, expect, it } from "vitest";
import { formOf } from "../../../src/data/content.js";
import { ConvolutionalVae } from "../../../src/models/content/convolutional-vae.js";
import { cvae } from "../../../src/models/content/cvae.js";
import { expectToResumeAnywhere } from "../../support/content-models.js";
import {
  brief,
  coldOrder,
  datasetOf,
  joint,
  networkGradientError,
  pictures,
} from "../../support/modalities.js";

describe("the convolutional network of cvae", () => {
  it("has the gradients of finite differences", async () => {
    const content = pictures;
    const form = formOf(content);
    if (form.kind !== "images") throw new Error("no pictures");
    const likelihood = "bernoulli" as const;
    const options = { filters: [3, 4], latent: 2, likelihood, precision: 1 };
    const error = await networkGradientError(new ConvolutionalVae(form, options), content);
    expect(error).toBeLessThan(1e-6);
  });

  it("ranks cold items by their pictures, far above chance", async () => {
    expect(await coldOrder(cvae, pictures, { ...joint, filters: [8, 16] })).toBeGreaterThan(0.8);
  });

  it("resumed anywhere, ends with the uninterrupted run's model", () =>
    expectToResumeAnywhere(datasetOf(pictures), cvae, { ...brief, filters: [2, 3] }));
});
