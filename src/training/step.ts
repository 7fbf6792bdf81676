// One training step, from a batch to updated weights. All models that are trained by gradients use it, so that the coordination of
// several members of a run is in one place.

import { alone, type Communicator } from "../compute/communicator.js";
import type { Engine } from "../compute/engine.js";
import type { Objective } from "../compute/objective.js";
import type { Optimizer } from "../compute/optimizers.js";
import { Tape } from "../compute/tape.js";
import { type Tensor, viewColumns } from "../compute/tensor.js";

/** The loss of a batch: each objective is a sum over the batch's rows. */
export interface BatchLoss {
  /** Minimised as the mean over the rows of the whole batch. */
  readonly loss: Objective;
  /** Added to that mean independently of the batch size: an L2 term. */
  readonly penalty?: Objective;
  /** Further sums over the rows that are reported: { kl }. */
  readonly parts?: Readonly<Record<string, Objective>>;
}

export interface StepOptions<Batch> {
  readonly engine: Engine;
  /** The members that share the step, each with some rows of the batch. Default: only this process. */
  readonly communicator?: Communicator;
  readonly optimizer: Optimizer;
  /** The loss of this member's part of a batch, in the `update`-th update of the run (from 1); `rows` are those of the whole batch. */
  readonly loss: (tape: Tape, batch: Batch, update: number, rows: Uint32Array) => BatchLoss;
  /** The reported quantities, each a sum over rows: "loss", or the name of a part of the loss. */
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
 * The step: forward and backward pass; summation of gradients and reports over the members, so that all of them make the same
 * update; the optimiser. With one member, a step reuses the memory of the previous one. Throws RangeError for an optimiser that
 * updates only touched rows with several members, since they do not know each other's rows.
 */
export function trainingStep<Batch>(options: StepOptions<Batch>): Step<Batch> {
  const { engine, optimizer, loss, reports, communicator = alone(engine) } = options;
  if (optimizer.sparse && communicator.size > 1)
    throw new RangeError("training step: sparse optimisers are not supported with several members");
  return (batch, update, totals, rows) => {
    const tape = new Tape(engine);
    try {
      const cost = loss(tape, batch, update, rows);
      // Several members first sum the reports over all members.
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

/** total += the current value of the objective, without squares of parameters. */
function addSums(engine: Engine, total: Tensor, { terms }: Objective): void {
  for (const term of terms) if (term.kind === "sum") engine.addSum(total, term.of.value, term.weight);
}

/** Sums gradients over the members. They may have touched different rows, so gradients are made dense first. */
function addGradients(communicator: Communicator, { parameters }: Optimizer): void {
  for (const parameter of parameters) {
    if (parameter.currentGradient === undefined) continue;
    const gradient = parameter.gradient();
    communicator.sum(gradient, [gradient]);
  }
}
