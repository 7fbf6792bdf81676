// The options of a step size that follows the validation, as RecoTour III has them.

import { z } from "zod";

/** Options of training that Liang et al. do not use and RecoTour III does (jrzaurin/RecoTour, utils/parser.py). */
export const recoTour = {
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe("AdamW's decoupled weight decay; unset = 0, which is Adam (RecoTour's default)"),
  scheduler: z
    .enum(["plateau"])
    .optional()
    .describe(
      "plateau = multiply the step size by plateauFactor after more than plateauPatience epochs without a better validation NDCG@100 (PyTorch's ReduceLROnPlateau); unset = a constant step size",
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
          "what scheduler=plateau counts as better: max = a larger NDCG; min = a smaller one, an error of RecoTour's; unset = max",
        ),
    })
    .optional()
    .describe("errors of RecoTour's program, to reproduce them"),
};

const recoTourSchema = z.object(recoTour);

/** Refuses the settings of a scheduler that is not asked for. */
export function checkScheduler(given: z.infer<typeof recoTourSchema>, context: z.RefinementCtx): void {
  if (given.scheduler !== undefined) return;
  const settings: [path: string[], value: unknown][] = [
    [["plateauFactor"], given.plateauFactor],
    [["plateauPatience"], given.plateauPatience],
    [["compatibility", "plateauMode"], given.compatibility?.plateauMode],
  ];
  for (const [path, value] of settings)
    if (value !== undefined)
      context.addIssue({ code: "custom", path, message: "it needs scheduler=plateau" });
}
