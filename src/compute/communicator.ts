// The members of a run: the processes that train one model together (only one unless a launcher started more). Sums do not
// depend on the number of members: work is divided into a fixed number of blocks, a member has one or more consecutive blocks,
// and the contributions of the blocks are always added in the order of the blocks.

import type { Engine } from "./engine.js";
import type { Tensor } from "./tensor.js";

/**
 * How members exchange numbers. All of them make the same calls in the same order. `sum` and `gather` are queued as kernels are: they
 * return at once, and their effect is visible to the kernels called after them.
 */
export interface Communicator {
  /** The number of this member, from 0. */
  readonly rank: number;
  /** The number of members. */
  readonly size: number;
  /**
   * out = the sum of the parts of all blocks, in the order of the blocks, with the same bits on every member. `parts` are those of this
   * member's blocks; all are shaped like `out`, which may be one of them. For partial sums and gradients.
   */
  sum(out: Tensor, parts: readonly Tensor[]): void;
  /** out [rows, blocks * columns] = the parts [rows, columns] of all blocks side by side. For statistics that are merged rather than added. */
  gather(out: Tensor, parts: readonly Tensor[]): void;
  /** Returns the value of member 0 on every member: for a run's seed. */
  broadcast(value: number): Promise<number>;
}

/** The communicator of a run with one member and one block. */
export function alone(engine: Engine): Communicator {
  const take = (out: Tensor, parts: readonly Tensor[]) => {
    if (parts.length !== 1) throw new RangeError(`communicator: ${parts.length} parts of one block`);
    if (parts[0] !== out) engine.copy(out, parts[0]);
  };
  return { rank: 0, size: 1, sum: take, gather: take, broadcast: async (value) => value };
}
