// One training step: a batch becomes new weights. Every model that learns by gradients takes its steps here, so that what
// several members of a run must agree on stands in one place.

import { alone, type Communicator } from "../compute/communicator.js";
import type { Engine } from "../compute/engine.js";
import type { Objective } from "../compute/objective.js";
import type { Optimizer } from "../compute/optimizers.js";
import { Tape } from "../compute/tape.js";
import { type Tensor, viewColumns } from "../compute/tensor.js";

/** What a batch costs: each objective is a sum over the batch's rows. */
export interface BatchLoss {
  /** To be minimised, as the mean over the rows of the whole batch. */
  readonly loss: Objective;
  /** Added to that mean as it is, whatever the size of the batch: an L2 term. */
  readonly penalty?: Objective;
  /** Other sums over the rows that are worth showing: { kl }. */
  readonly parts?: Readonly<Record<string, Objective>>;
}

export interface StepOptions<Batch> {
  readonly engine: Engine;
  /** The members that take the step together, each with some rows of the batch. Default: this process alone. */
  readonly communicator?: Communicator;
  readonly optimizer: Optimizer;
  /** The loss of this member's part of a batch, in the `update`-th update of the run (from 1); `rows` are those of the whole batch. */
  readonly loss: (tape: Tape, batch: Batch, update: number, rows: Uint32Array) => BatchLoss;
  /** What is reported, each as a sum over rows: "loss", or the name of one of the loss's parts. */
  readonly reports: readonly string[];
}

/** Queues one update on a batch; adds each report's sum over its rows to `totals`, [1, 1] each. */
export type Step<Batch> = (
  batch: Batch,
  update: number,
  totals: readonly Tensor[],
  rows: Uint32Array,
) => void;

/**
 * The step: forward and backward; gradients and reports added up over the members, so that all of them make the same update; the
 * optimiser, which divides gradients by their norms where it was told to. A step of one member reuses the memory of the one before.
 * Throws RangeError for an optimiser that moves touched rows only, with several members: they do not know of each other's rows.
 */
export function trainingStep<Batch>(options: StepOptions<Batch>): Step<Batch> {
  const { engine, optimizer, loss, reports, communicator = alone(engine) } = options;
  if (optimizer.sparse && communicator.size > 1)
    throw new RangeError("training step: several members have whole gradients, of which no row is left out");
  return (batch, update, totals, rows) => {
    const tape = new Tape(engine);
    try {
      const cost = loss(tape, batch, update, rows);
      // Several members agree on the sums before they add them to their totals.
      const sums = communicator.size > 1 ? tape.zeros(1, reports.length) : undefined;
      const outs = sums ? reports.map((_, column) => viewColumns(sums, column, column + 1)) : totals;
      reports.forEach((name, column) => {
        addSums(engine, outs[column], objectiveOf(cost, name));
      });
      const perRow = cost.loss.times(1 / rows.length);
      tape.backward(cost.penalty ? perRow.plus(cost.penalty) : perRow);
      if (sums) {
        communicator.sum(sums, [sums]);
        addGradients(communicator, optimizer);
        outs.forEach((out, column) => {
          engine.addScaled(totals[column], out, 1);
        });
      }
    } finally {
      tape.dispose();
    }
    optimizer.step();
  };
}

function objectiveOf({ loss, parts }: BatchLoss, name: string): Objective {
  const objective = name === "loss" ? loss : parts?.[name];
  if (!objective) throw new Error(`training step: the loss has no part "${name}"`);
  return objective;
}

/** total += what the objective is worth now; squares of parameters are not counted. */
function addSums(engine: Engine, total: Tensor, { terms }: Objective): void {
  for (const term of terms) if (term.kind === "sum") engine.addSum(total, term.of.value, term.weight);
}

/** Members may have touched different rows, so their gradients are whole ones before they are added. */
function addGradients(communicator: Communicator, { parameters }: Optimizer): void {
  for (const parameter of parameters) {
    if (parameter.currentGradient === undefined) continue;
    const gradient = parameter.gradient();
    communicator.sum(gradient, [gradient]);
  }
}
