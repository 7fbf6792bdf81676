// The output layer over all items, where the items are divided among the members of a run. Each block of items has statistics of
// its own, which are gathered and merged in the order of the blocks; the gradient of the hidden layer is the sum over the blocks.
// Gradients of weights and bias are computed by the member that has the items.

import type { DividedBatch, Division } from "../division.js";
import type { Engine, Likelihood, SelectedOutput } from "../engine.js";
import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type Tensor, viewColumns, viewRows } from "../tensor.js";

/** The result of `outputLoss` over all items: [rows, 1]. Weight and bias have the own items. */
export function dividedOutputLoss(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: DividedBatch,
  likelihood: Likelihood,
): Variable {
  const { engine } = tape;
  const { division } = target;
  const { rows } = hidden.value;
  const blocks = division.ownBlocks.map((block) => {
    const [from, to] = [block.from - division.own.from, block.to - division.own.from];
    const output: SelectedOutput = {
      ...{ hidden: hidden.value, target: target.own, likelihood, from, bf16: engine.bf16 },
      weights: viewRows(weight.value, from, to),
      bias: viewColumns(bias.value, from, to),
    };
    const scratch = tape.empty(rows, scratchColumns(engine, rows, division, to - from));
    const statistics = tape.empty(rows, 4);
    engine.outputStatistics(statistics, scratch, output);
    return { from, to, output, scratch, statistics };
  });
  const merged = mergedStatistics(
    tape,
    division,
    blocks.map(({ statistics }) => statistics),
    likelihood,
  );
  const loss = tape.empty(rows, 1);
  engine.outputLoss(loss, merged, likelihood);

  return tape.record(loss, [hidden, weight, bias], (g) => {
    const gradients = (weightsGradient?: Tensor, addToWeights = false) =>
      blocks.map(({ from, to, output, scratch, statistics }) => {
        const hiddenGradient = hidden.needsGradient ? tape.empty(rows, weight.columns) : undefined;
        engine.outputGradient(scratch, output, statistics, merged, g, {
          hiddenGradient,
          ...(weightsGradient && { weightsGradient: viewRows(weightsGradient, from, to), addToWeights }),
          ...(bias.needsGradient && { biasGradient: viewColumns(bias.gradient(), from, to) }),
        });
        return hiddenGradient;
      });
    let parts: (Tensor | undefined)[] = [];
    if (weight.needsGradient)
      weight.addGradient((out, accumulate) => {
        parts = gradients(out, accumulate);
      });
    else parts = gradients();
    if (hidden.needsGradient) addSum(tape, hidden, division, parts as Tensor[]);
  });
}

/**
 * The columns of a block's scratch. Whether products are kept depends on the whole catalogue, since this changes how a gradient is
 * rounded.
 */
function scratchColumns(engine: Engine, rows: number, { items }: Division, count: number): number {
  const whole = engine.outputColumns(rows, items);
  return engine.bf16 ? Math.min(whole, engine.outputColumns(rows, count)) : Math.min(whole, count);
}

/** The statistics [rows, 4] of all blocks, merged in their order. */
export function mergedStatistics(
  tape: Tape,
  { communicator, blocks }: Division,
  own: readonly Tensor[],
  likelihood: Likelihood,
): Tensor {
  const { engine } = tape;
  const [{ rows }] = own;
  const all = tape.empty(rows, 4 * blocks);
  communicator.gather(all, own);
  const of = (block: number) => viewColumns(all, 4 * block, 4 * block + 4);
  const merged = tape.empty(rows, 4);
  engine.copy(merged, of(0));
  for (let block = 1; block < blocks; block++) engine.mergeOutputStatistics(merged, of(block), likelihood);
  return merged;
}

/** Adds the sum of the blocks' parts to a gradient. */
export function addSum(
  tape: Tape,
  to: Differentiable,
  { communicator }: Division,
  parts: readonly Tensor[],
): void {
  const { engine } = tape;
  const sum = tape.empty(to.value.rows, to.value.columns);
  communicator.sum(sum, parts);
  to.addGradient((out, accumulate) => {
    if (accumulate) engine.addScaled(out, sum, 1);
    else engine.copy(out, sum);
  });
}
