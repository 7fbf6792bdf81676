// The options of a step size that follows the validation, as RecoTour III has them.

import { z } from "zod";

/** Options of training that Liang et al. do not use and RecoTour III does (jrzaurin/RecoTour, utils/parser.py). */
export const recoTour = {
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe("AdamW's decay beside the gradient; unset = 0, which is Adam (RecoTour's default too)"),
  scheduler: z
    .enum(["plateau"])
    .optional()
    .describe(
      "plateau = the step size is multiplied by plateauFactor after more than plateauPatience epochs without a better validation NDCG@100 (PyTorch's ReduceLROnPlateau); unset = it stays",
    ),
  plateauFactor: z.number().gt(0).lt(1).optional().describe("see scheduler; unset = 0.4 (RecoTour)"),
  plateauPatience: z.int().min(0).optional().describe("see scheduler; unset = 5 (RecoTour)"),
  compatibility: z
    .strictObject({
      plateauMode: z
        .enum(["max", "min"])
        .optional()
        .describe(
          "what scheduler=plateau takes for better: max = a larger NDCG; min = a smaller one, RecoTour's slip; unset = max",
        ),
    })
    .optional()
    .describe("slips of RecoTour, to repeat them"),
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
