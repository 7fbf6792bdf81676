// How much of a training is done, from its progress.

import type { ProgressListener } from "../core/progress.js";

/** A listener that calls `onShare` with the share of the task "train" that is done. */
export function shareOfTraining(onShare: (share: number) => void): ProgressListener {
  let total = 0;
  return (event) => {
    if (event.type === "note" || event.task !== "train") return;
    if (event.type === "start") total = event.total ?? 0;
    if (event.type === "advance" && total > 0) onShare(event.done / total);
  };
}
