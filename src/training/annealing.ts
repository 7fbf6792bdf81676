// Annealing of the KL weight. In Mult-VAE it increases with the number of updates since the start of the run, across epochs (Liang
// et al. 2018, section 2.2.2, and their notebook: anneal = min(cap, update_count / total_anneal_steps), total_anneal_steps 200,000).

/** Without `annealSteps` the cap is reached after this share of the planned updates (170 of 200 epochs, as on ML-20M). */
const SHARE_OF_UPDATES = 0.85;

export interface Annealing {
  /** The largest value of beta. */
  cap: number;
  /** Updates after which an uncapped beta would reach 1; 0 = beta is the cap from the start; unset = see `SHARE_OF_UPDATES`. */
  annealSteps?: number;
  plannedUpdates: number;
}

export interface WarmUp {
  /** The largest value of beta. */
  cap: number;
  /** Epochs until it is reached; 0 = from the start. */
  warmup: number;
  updatesPerEpoch: number;
}

/** Beta as a function of the number of updates done before: cap min(1, epoch / warmup), epochs counted from 1 (EVCF, VampPrior). */
export function warmedUpBeta({ cap, warmup, updatesPerEpoch }: WarmUp): (updates: number) => number {
  return (updates) => cap * Math.min(1, (Math.floor(updates / updatesPerEpoch) + 1) / Math.max(1, warmup));
}

/** Beta as a function of the number of updates done before: min(cap, updates / annealSteps). The first update has 0. */
export function annealedBeta({ cap, annealSteps, plannedUpdates }: Annealing): (updates: number) => number {
  const steps = annealSteps ?? (SHARE_OF_UPDATES * plannedUpdates) / cap;
  return (updates) => (steps === 0 ? cap : Math.min(cap, updates / steps));
}
