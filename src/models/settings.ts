// Option schemas that several models share, and how a saved model keeps those that shape it.

import { z } from "zod";
import type { JsonObject } from "../core/json.js";

/** A number of units, users, epochs. */
export const size = z.int().min(1);
/** A bound on the layers of a saved model, which may come from an untrusted source. */
const MOST_LAYERS = 100;
/** A number of layers. */
export const depth = z.int().min(1).max(MOST_LAYERS);
/** The sizes of layers. */
export const layerSizes = z.array(size).max(MOST_LAYERS);

/** Options that Mult-VAE and Mult-DAE share, with the values of Liang et al. 2018. */
export const published = {
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("dropout rate of a history in training (Liang et al. 2018, section 4.4)"),
  learningRate: z
    .number()
    .positive()
    .default(1e-3)
    .describe("Adam's learning rate (Liang et al.'s notebook)"),
  batchSize: size.default(500).describe("users per update (Liang et al. 2018, section 4.4)"),
  epochs: size.default(200).describe("passes over the training users (Liang et al. 2018, section 4.4)"),
  patience: size
    .optional()
    .describe(
      "stop after this many epochs without a better validation NDCG@100; unset = never, as published",
    ),
};

/** The output's distribution, of models that were published with the multinomial one. */
export const likelihood = z
  .enum(["multinomial", "bernoulli"])
  .optional()
  .describe(
    "the distribution of a history given the decoder's output: multinomial over all items, or one Bernoulli per item, which EVCF found better for some models and data sets (Kim and Suh 2019, section 5.2; compared in Liang et al. 2018); the ranking by logits is the same rule for both; unset = multinomial",
  );

/** An option of models with a sparse first layer. */
export const sparseAdam = z
  .boolean()
  .optional()
  .describe(
    "true = lazy Adam for the first layer: update only the weights of items that occur in the batch (PyTorch's SparseAdam, with Adam's epsilon). Faster on large catalogues, but gives other weights. unset = false, the dense Adam of the published code",
  );

/** Rejects `sparseAdam` with options that change every row of a weight matrix in every update, and with normalised gradients. */
export function checkSparseAdam(
  given: {
    readonly sparseAdam?: boolean;
    readonly l2?: number;
    readonly weightDecay?: number;
    readonly normaliseGradients?: boolean;
  },
  context: z.RefinementCtx,
): void {
  if (!given.sparseAdam) return;
  const refuse = (message: string) => context.addIssue({ code: "custom", path: ["sparseAdam"], message });
  for (const name of ["l2", "weightDecay"] as const)
    if (given[name])
      refuse(
        `it updates only the rows of items in the batch, but ${name} changes all rows: it needs ${name}=0`,
      );
  if (given.normaliseGradients)
    refuse("normaliseGradients is defined for dense Adam only: it needs normaliseGradients=false");
}

/** The options that determine the shape of the network, as a saved model keeps them. */
export function savedConfig<Shape>(shape: z.ZodType<Shape>, options: Shape): JsonObject {
  return JSON.parse(JSON.stringify(shape.parse(options))) as JsonObject;
}
