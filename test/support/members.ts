// Two or more members of a run in one process. Each member runs until it needs what the others have to say; when all of them are
// there, the sum is formed in the order of the members and all run again from the start, now with the answers so far. What a member
// changes for good must therefore come after the last exchange, as the optimiser's update does in a training step.

import type { Communicator } from "../../src/compute/communicator.js";
import type { Engine } from "../../src/compute/engine.js";
import type { FloatArray, Tensor } from "../../src/compute/tensor.js";

class Waiting extends Error {
  readonly kind: "sum" | "gather";
  readonly part: Tensor;
  readonly contents: Promise<FloatArray>;
  constructor(kind: "sum" | "gather", part: Tensor, contents: Promise<FloatArray>) {
    super("waiting for the other members");
    this.kind = kind;
    this.part = part;
    this.contents = contents;
  }
}

/** Lets `size` members run `member` together. `reset` undoes what an interrupted run left behind. */
export async function together(
  engine: Engine,
  size: number,
  member: (communicator: Communicator) => void,
  reset: (rank: number) => void,
): Promise<void> {
  const answers: Float64Array[] = [];
  for (;;) {
    const waiting: Waiting[] = [];
    for (let rank = 0; rank < size; rank++) {
      try {
        member(replaying(engine, rank, size, answers));
      } catch (error) {
        if (!(error instanceof Waiting)) throw error;
        waiting.push(error);
        reset(rank);
      }
    }
    if (waiting.length === 0) return;
    if (waiting.length < size) throw new Error(`only ${waiting.length} of ${size} members exchange anything`);
    const parts = await Promise.all(waiting.map(({ contents }) => contents));
    answers.push(waiting[0].kind === "sum" ? summed(parts) : sideBySide(parts, waiting[0].part));
  }
}

function replaying(
  engine: Engine,
  rank: number,
  size: number,
  answers: readonly Float64Array[],
): Communicator {
  let calls = 0;
  const exchange = (kind: "sum" | "gather") => (out: Tensor, parts: readonly Tensor[]) => {
    if (parts.length !== 1) throw new Error("a member has one block here");
    const answer = answers[calls++];
    if (answer === undefined) throw new Waiting(kind, parts[0], engine.read(parts[0]));
    engine.write(out, answer);
  };
  return {
    ...{ rank, size, sum: exchange("sum"), gather: exchange("gather") },
    broadcast: async (value) => value,
  };
}

function summed(parts: readonly FloatArray[]): Float64Array {
  const sum = Float64Array.from(parts[0]);
  for (const part of parts.slice(1)) for (let i = 0; i < sum.length; i++) sum[i] += part[i];
  return sum;
}

function sideBySide(parts: readonly FloatArray[], { rows, columns }: Tensor): Float64Array {
  const width = parts.length * columns;
  const out = new Float64Array(rows * width);
  for (const [p, part] of parts.entries())
    for (let i = 0; i < part.length; i++)
      out[Math.floor(i / columns) * width + p * columns + (i % columns)] = part[i];
  return out;
}
