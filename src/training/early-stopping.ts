// Tracks the best epoch by the monitored metric, and decides on early stopping.

export interface Progress {
  /** The best value so far; absent before the first. */
  bestValue?: number;
  /** The epoch of the best value, from 1; 0 before the first. */
  bestEpoch: number;
}

/** The progress after an epoch: a value must be strictly better to become the best. */
export function withEpoch(progress: Progress, epoch: number, value: number): Progress {
  const better = progress.bestValue === undefined || value > progress.bestValue;
  return better ? { bestValue: value, bestEpoch: epoch } : progress;
}

/**
 * True once `patience` epochs have passed since the best one and since epoch `heldUntil` (the last epoch that does not count
 * towards patience; default 0). Never true without patience.
 */
export function shouldStop(
  progress: Progress,
  epoch: number,
  patience: number | undefined,
  heldUntil = 0,
): boolean {
  if (patience === undefined || progress.bestEpoch === 0) return false;
  return epoch - Math.max(progress.bestEpoch, heldUntil) >= patience;
}
