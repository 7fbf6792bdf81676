// The output layer with its likelihood, over a selection of items: from hidden activations to a loss per row. It has several
// steps, so that machines that each hold a share of the items can exchange statistics in between:
//
//   outputStatistics   statistics of the selection's items, [rows, 4] (kernels.ts), and the engine's scratch
//   (merging)          engine.mergeOutputStatistics over all shares, in a fixed order; not needed for a single share
//   outputLossOf       the loss, and the gradients for the selection
//
// The gradient of `hidden` is the selection's part of it: the parts of several shares must be summed. Costs for b rows, n items of
// the selection and width w: 6 b n w operations (8 if the engine does not keep the b n elements of the scratch, see
// docs/decisions/one-output-operation.md), and n w elements of gradient.

import { DividedBatch } from "../division.js";
import type { Likelihood, SelectedOutput } from "../engine.js";
import { checkSample, type ItemSample, type ItemSelection } from "../item-selection.js";
import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type SparseTensor, type Tensor, viewColumns, viewReshaped, viewRows } from "../tensor.js";
import { dividedOutputLoss } from "./divided-output.js";
import { dividedSampledSoftmax } from "./divided-sample.js";
import { sampledSoftmax } from "./sampled-softmax.js";

export interface OutputOptions {
  /** Default "multinomial". */
  readonly likelihood?: Likelihood;
  /** Default: all items. */
  readonly selection?: ItemSelection;
}

/** The statistics of an output layer, and the state for its loss and gradients. */
export interface OutputForward {
  /** [rows, 4] of the selection. */
  readonly statistics: Tensor;
  readonly likelihood: Likelihood;
  readonly layer: OutputLayerParts;
  readonly scratch: Tensor;
}

interface OutputLayerParts {
  readonly hidden: Differentiable;
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly output: SelectedOutput;
  /** The rows of the weights in the selection; absent = all. */
  readonly rows?: Uint32Array;
  /** Adds the selection's part of the bias gradient, computed by `write`. */
  readonly addBiasGradient: (write: (out: Tensor) => void) => void;
}

/**
 * -log p(x_r) per row: [rows, 1], in nats. hidden [rows, width], weight [items, width] (item-major), bias [1, items], target x
 * [rows, items]. Multinomial: -sum over i of x_i log softmax(hidden weight^T + bias)_i (Liang et al. 2018, equation 2).
 * Bernoulli: -sum over i of x_i log p_i + (1 - x_i) log(1 - p_i), p = sigmoid(hidden weight^T + bias). A sample gives an estimate
 * (`ItemSample`); a single share is treated as the complete catalogue. Throws RangeError if the selection does not match
 * the layer or the target.
 */
export function outputLoss(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: SparseTensor,
  options: OutputOptions = {},
): Variable {
  const { selection, likelihood = "multinomial" } = options;
  if (target instanceof DividedBatch) {
    if (selection?.kind === "sample" && selection.ownTargets !== "drawn" && likelihood === "multinomial")
      return dividedSampledSoftmax(tape, hidden, weight, bias, target, selection);
    if (selection && selection.kind !== "all")
      throw new RangeError("this selection of divided items is not supported");
    return dividedOutputLoss(tape, hidden, weight, bias, target, likelihood);
  }
  if (selection?.kind === "sample" && selection.ownTargets !== "drawn" && likelihood === "multinomial")
    return sampledSoftmax(tape, hidden, weight, bias, target, selection);
  const forward = outputStatistics(tape, hidden, weight, bias, target, options);
  return outputLossOf(tape, forward, forward.statistics);
}

/**
 * The first step. For a share, weight and bias cover either the catalogue (of which the share's part is used) or only the share;
 * the target has the columns of the catalogue.
 */
export function outputStatistics(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: SparseTensor,
  { likelihood = "multinomial", selection = { kind: "all" } }: OutputOptions = {},
): OutputForward {
  const given = { hidden, weight, bias };
  const layer =
    selection.kind === "sample"
      ? sampled(tape, given, target, likelihood, selection)
      : consecutive(given, target, likelihood, selection);
  const { rows } = hidden.value;
  const scratch = tape.empty(rows, tape.engine.outputColumns(rows, layer.output.weights.rows));
  const statistics = tape.empty(rows, 4);
  tape.engine.outputStatistics(statistics, scratch, layer.output);
  return { statistics, likelihood, layer, scratch };
}

/** The loss per row from merged statistics, which must not change until the backward pass is done. */
export function outputLossOf(tape: Tape, forward: OutputForward, merged: Tensor): Variable {
  const { engine } = tape;
  const { layer, likelihood, scratch, statistics } = forward;
  const { hidden, weight, bias, output, rows } = layer;
  const loss = tape.empty(hidden.value.rows, 1);
  engine.outputLoss(loss, merged, likelihood);
  return tape.record(loss, [hidden, weight, bias], (g) => {
    intoHidden(hidden, (hiddenGradient, addToHidden) =>
      intoWeights(weight, rows, (weightsGradient, addToWeights) => {
        const write = (biasGradient?: Tensor) => {
          const to = { hiddenGradient, addToHidden, weightsGradient, addToWeights, biasGradient };
          engine.outputGradient(scratch, output, statistics, merged, g, to);
        };
        if (bias.needsGradient) layer.addBiasGradient(write);
        else write();
      }),
    );
  });
}

type Write = (out: Tensor | undefined, accumulate: boolean) => void;

function intoHidden(hidden: Differentiable, write: Write): void {
  if (hidden.needsGradient) hidden.addGradient(write);
  else write(undefined, false);
}

function intoWeights(weight: Parameter, rows: Uint32Array | undefined, write: Write): void {
  if (!weight.needsGradient) write(undefined, false);
  else if (rows) weight.addRowsGradient(rows, (out) => write(out, false));
  else weight.addGradient(write);
}

type Given = Pick<OutputLayerParts, "hidden" | "weight" | "bias">;

/** All items, or a share of them. */
function consecutive(
  { hidden, weight, bias }: Given,
  target: SparseTensor,
  likelihood: Likelihood,
  selection: Exclude<ItemSelection, ItemSample>,
): OutputLayerParts {
  const { from, to } = selection.kind === "share" ? selection : { from: 0, to: target.columns };
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= target.columns))
    throw new RangeError(`the share [${from}, ${to}) is not within the catalogue's ${target.columns} items`);
  const isWhole = weight.rows === to - from;
  if (!isWhole && weight.rows !== target.columns)
    throw new RangeError(`the output layer has ${weight.rows} items, but the target has ${target.columns}`);
  const [first, last] = isWhole ? [0, weight.rows] : [from, to];
  return {
    ...{ hidden, weight, bias },
    rows: isWhole ? undefined : Uint32Array.from({ length: to - from }, (_, i) => from + i),
    output: {
      ...{ hidden: hidden.value, target, likelihood, from, bf16: weight.engine.bf16 },
      weights: viewRows(weight.value, first, last),
      bias: viewColumns(bias.value, first, last),
    },
    addBiasGradient: (write) => write(viewColumns(bias.gradient(), first, last)),
  };
}

/** Copies the rows of the sample, so that all further work has the size of the sample. */
function sampled(
  tape: Tape,
  { hidden, weight, bias }: Given,
  target: SparseTensor,
  likelihood: Likelihood,
  sample: ItemSample,
): OutputLayerParts {
  const { engine } = tape;
  const { items, draws, logQ } = sample;
  const { length } = items;
  checkSample(sample, weight, target);
  if (likelihood === "multinomial" && sample.ownTargets !== "drawn")
    throw new RangeError(
      `a sample with ${sample.ownTargets} targets has a loss, but no statistics that could be merged`,
    );
  const weights = tape.empty(length, weight.columns);
  engine.takeRows(weights, weight.value, items);
  const shifted = tape.empty(1, length);
  engine.takeColumns(shifted, bias.value, items);
  const counts = tape.empty(1, length);
  const multinomial = likelihood === "multinomial";
  if (multinomial) {
    const correction = tape.empty(1, length);
    engine.write(correction, logQ);
    engine.addScaled(shifted, correction, -1);
  }
  engine.write(counts, multinomial ? draws : draws.map((times, i) => times * Math.exp(-logQ[i])));
  return {
    ...{ hidden, weight, bias, rows: items },
    output: {
      ...{ hidden: hidden.value, weights, bias: shifted, target, likelihood, items, counts },
      bf16: engine.bf16,
    },
    addBiasGradient: (write) => addBiasRows(tape, bias, items, write),
  };
}

/** Adds the gradient of some columns of a bias, [1, items.length], which `write` adds to zeros. */
function addBiasRows(tape: Tape, bias: Parameter, items: Uint32Array, write: (out: Tensor) => void): void {
  const part = tape.zeros(1, items.length);
  write(part);
  bias.addColumnsGradient(items, (out) => tape.engine.copy(out, viewReshaped(part, items.length, 1)));
}
