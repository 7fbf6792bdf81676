// The code of each kind of task, loaded by the process that needs it.

import type { MakeReady } from "../tasks/performer.js";
import type { TaskKind } from "../tasks/tasks.js";

export const makeReady: Readonly<Record<TaskKind, () => Promise<MakeReady>>> = {
  point: async () => (await import("../experiments/search/point-task.js")).readyForPoints,
  training: async () => (await import("../experiments/training-task.js")).readyForTrainings,
  part: async () => (await import("../serving/part-task.js")).readyForParts,
};
