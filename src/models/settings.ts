// Option schemas that several models share, and how a saved model keeps those that shape it.

import { z } from "zod";
import type { JsonObject } from "../core/json.js";
import { linearRange, logRange, oneOf } from "./tuned.js";

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
    .describe("dropout rate of a history in training (Liang et al. 2018, section 4.4)")
    .meta(linearRange(0.1, 0.8)),
  learningRate: z
    .number()
    .positive()
    .default(1e-3)
    .describe("Adam's learning rate (Liang et al.'s notebook)")
    .meta(logRange(2e-4, 4e-3)),
  batchSize: size
    .default(500)
    .describe("users per update (Liang et al. 2018, section 4.4)")
    .meta(logRange(50, 500)),
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

/** What an update predicts, of autoencoders of histories. */
export const target = z
  .enum(["history", "rest"])
  .optional()
  .describe(
    "what an update predicts from a history: history = the history itself; rest = one random half of it from the other half, drawn anew in every update, as VASP's training data (Vancura and Kordik 2021, utils.py); scoring is unchanged; unset = history",
  );

/** Options of students: models that can be trained with `--distill`, whose targets are then mixed with a teacher's scores. */
export const distillation = {
  distillWeight: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "with --distill: the teacher's share of the loss, the rest is that of the clicks (Hinton et al. 2015); unset = 0.2 (our choice)",
    ),
  distillTemperature: z
    .number()
    .positive()
    .optional()
    .describe(
      "with --distill: temperature of the teacher's softmax, in standard deviations of its best scores; higher values make its items more alike (Hinton et al. 2015); unset = 0.3 (our choice)",
    ),
  distillTop: size
    .optional()
    .describe(
      "with --distill: number of the teacher's best items per user, without those in the history, that are part of the target; unset = 100 (our choice)",
    ),
};

/** An option of networks: a moving average of the weights. */
export const averageDecay = z
  .number()
  .min(0)
  .lt(1)
  .optional()
  .describe(
    "decay of a moving average of the weights over the epochs: the model that is validated, kept and saved has the average, training continues with the weights (Kingma and Ba 2015, section 7.2, there per update); averages over about 1 / (1 - averageDecay) epochs; 0 = none; unset = 0",
  )
  .meta(oneOf(null, 0.8, 0.9));

/** An option of models with a sparse first layer. */
export const sparseAdam = z
  .boolean()
  .optional()
  .describe(
    "true = lazy Adam for the first layer and, with negatives, for the output layer: update only the weights of items that occur in the batch (PyTorch's SparseAdam, with Adam's epsilon). Faster on large catalogues, but gives other weights. unset = false, the dense Adam of the published code; with negatives, true",
  );

/** Options of models whose softmax over items can be sampled. */
export const sampledOutput = {
  negatives: z
    .int()
    .min(0)
    .optional()
    .describe(
      "number of items drawn per update, shared by its users, that take the place of the whole catalogue in the softmax: time and memory of an update then follow the batch instead of the catalogue. An approximation for catalogues of 100,000 items and more, for example 4096; 0 = the exact softmax over all items; unset = 0",
    ),
  proposal: z
    .enum(["uniform", "popularity"])
    .optional()
    .describe(
      "how negatives are drawn: uniform = all items alike; popularity = in proportion to popularity^0.75; the softmax is corrected for it (log-q); unset = popularity",
    ),
  sampledLoss: z
    .enum(["exact-targets", "fastvae"])
    .optional()
    .describe(
      "the loss with negatives: exact-targets = the multinomial loss, whose denominator has the items of the history exactly and all others as an unbiased estimate from the drawn items; fastvae = FastVAE's sampled softmax, one per item of the history (Chen et al. 2022), less accurate in our measurements; unset = exact-targets",
    ),
};

interface SampledOutput {
  readonly negatives?: number;
  readonly proposal?: "uniform" | "popularity";
  readonly sampledLoss?: "exact-targets" | "fastvae";
}

/** Rejects sampling options that do not apply: a proposal or a loss without negatives, and a likelihood that is not a softmax. */
export function checkSampledOutput(
  { negatives = 0, proposal, sampledLoss, likelihood }: SampledOutput & { readonly likelihood?: string },
  context: z.RefinementCtx,
): void {
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (negatives === 0 && proposal !== undefined)
    refuse("proposal", "it says how negatives are drawn: it needs negatives above 0");
  if (negatives === 0 && sampledLoss !== undefined)
    refuse("sampledLoss", "it is the loss with negatives: it needs negatives above 0");
  if (negatives > 0 && likelihood === "bernoulli")
    refuse("negatives", "they replace the items of a softmax: they need likelihood=multinomial");
}

/** Whether updates are lazy: as asked for or, by default, if the output is sampled. */
export function isSparseAdam({
  sparseAdam,
  negatives = 0,
}: Pick<SampledOutput, "negatives"> & { readonly sparseAdam?: boolean }): boolean {
  return sparseAdam ?? negatives > 0;
}

/**
 * Rejects lazy updates (`sparseAdam`, or `negatives` without it) with options that change every row of a weight matrix in every
 * update, and with normalised gradients.
 */
export function checkSparseAdam(
  given: {
    readonly sparseAdam?: boolean;
    readonly negatives?: number;
    readonly l2?: number;
    readonly weightDecay?: number;
    readonly normaliseGradients?: boolean;
  },
  context: z.RefinementCtx,
): void {
  if (!isSparseAdam(given)) return;
  const [path, or] = given.sparseAdam ? ["sparseAdam", ""] : ["negatives", " or sparseAdam=false"];
  const refuse = (message: string) => context.addIssue({ code: "custom", path: [path], message });
  for (const name of ["l2", "weightDecay"] as const)
    if (given[name])
      refuse(
        `it updates only the rows of items in the batch, but ${name} changes all rows: it needs ${name}=0${or}`,
      );
  if (given.normaliseGradients)
    refuse(`normaliseGradients is defined for dense Adam only: it needs normaliseGradients=false${or}`);
}

/** The options that determine the shape of the network, as a saved model keeps them. */
export function savedConfig<Shape>(shape: z.ZodType<Shape>, options: Shape): JsonObject {
  return JSON.parse(JSON.stringify(shape.parse(options))) as JsonObject;
}
