// Options for AdamW and for a learning rate that is reduced on plateaus of the validation metric, as in RecoTour III.

import { z } from "zod";

/** Training options that RecoTour III has and Liang et al. do not (jrzaurin/RecoTour, utils/parser.py). */
export const recoTour = {
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe("AdamW's decoupled weight decay; unset = 0, which is Adam (also RecoTour's default)"),
  scheduler: z
    .enum(["plateau"])
    .optional()
    .describe(
      "plateau = multiply the learning rate by plateauFactor after more than plateauPatience epochs without a better validation NDCG@100 (PyTorch's ReduceLROnPlateau); unset = constant learning rate",
    ),
  plateauFactor: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe("factor of scheduler=plateau; unset = 0.4 (RecoTour)"),
  plateauPatience: z
    .int()
    .min(0)
    .optional()
    .describe("patience of scheduler=plateau, in epochs; unset = 5 (RecoTour)"),
  compatibility: z
    .strictObject({
      plateauMode: z
        .enum(["max", "min"])
        .optional()
        .describe(
          "what scheduler=plateau counts as better: max = a higher NDCG; min = a lower one (a bug in RecoTour); unset = max",
        ),
    })
    .optional()
    .describe("bugs of RecoTour, for reproducing its results"),
};

const recoTourSchema = z.object(recoTour);

/** Rejects settings of the scheduler when no scheduler is set. */
export function checkScheduler(given: z.infer<typeof recoTourSchema>, context: z.RefinementCtx): void {
  if (given.scheduler !== undefined) return;
  const settings: [path: string[], value: unknown][] = [
    [["plateauFactor"], given.plateauFactor],
    [["plateauPatience"], given.plateauPatience],
    [["compatibility", "plateauMode"], given.compatibility?.plateauMode],
  ];
  for (const [path, value] of settings)
    if (value !== undefined) context.addIssue({ code: "custom", path, message: "needs scheduler=plateau" });
}
