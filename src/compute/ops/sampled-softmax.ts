// The sampled softmax of an output layer. Drawn items are shared by all rows of a batch, so their logits are a dense product
// [rows, drawn]. A target's logit is needed by its own row only, so the targets cost one dot product per entry of the batch, instead
// of a product with every item that any row of the batch has. For b rows, e entries, d distinct drawn items and width w: 6 b d w + 6 e w
// operations, and gradients of the rows of drawn items and targets.

import { checkSample, type ItemSample } from "../item-selection.js";
import { type Differentiable, type Parameter, placesIn } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type SparseTensor, type Tensor, viewReshaped } from "../tensor.js";

/**
 * The loss per row [rows, 1], in nats, of `ItemSample` with exact or added targets. o = hidden weight^T + bias, s_i = o_i - logQ_i.
 *
 * Exact targets: the sum over the targets i of the row of x_i (ln Z - o_i), with Z = sum over its targets of exp(o_i) + sum over drawn
 * j that are not its targets of k_j exp(s_j). If exp(logQ_j) is the number of times that j is expected to be drawn, Z is an unbiased
 * estimate of the softmax's denominator, and the loss has the scale of the softmax's, which it approaches as the number of draws grows.
 * ln Z, and with it the gradient, is biased. Bengio and Senecal (AISTATS 2003) introduced importance sampling for a softmax's gradient;
 * this form for histories, with all targets exact and without hits, is ours as far as we know.
 *
 * Added targets (FastVAE, Chen et al., WWW 2022): the sum over the targets i of x_i [-s_i + ln(exp(s_i) + sum over drawn j of
 * k_j exp(s_j))]. An item that was drawn k_j times counts k_j times, also in rows that have it as a target: such hits are not removed. A target is
 * therefore expected exp(o_i) / q_i (1 + d q_i) in its own denominator of d draws, where all other items are expected d exp(o_j): as d
 * grows, the gradient approaches that of the softmax over all items, and the loss that loss plus ln(d q_i) for each target. With few draws
 * (d q_i far below 1) rare targets are underestimated (Khrylchenko et al., RecSys 2025, arXiv 2507.09331).
 * TensorFlow's sampled_softmax_loss removes hits by default (remove_accidental_hits) and draws without repetition.
 *
 * hidden [rows, width], weight [items, width], bias [1, items], target x [rows, items]. Throws RangeError if the sample does not match
 * the layer or the target.
 */
export function sampledSoftmax(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: SparseTensor,
  sample: ItemSample,
): Variable {
  checkSample(sample, weight, target);
  const { engine } = tape;
  const { rows, columns: width } = hidden.value;
  const { touched } = target;
  const { items, ownTargets } = sample;
  const { drawn, places, shifts } = drawnOf(sample);
  const weights = tape.empty(drawn.length, width);
  engine.takeRows(weights, weight.value, drawn);
  const placesOfTargets = placesIn(items, touched);
  const isExact = ownTargets === "exact";
  const targetBias = shifted(
    tape,
    bias,
    touched,
    isExact ? undefined : correctionsAt(sample, placesOfTargets),
  );
  const hits = isExact ? row(tape, hitsAt(sample, placesOfTargets)) : undefined;
  const none = {
    rows,
    columns: drawn.length,
    offsets: new Uint32Array(rows + 1),
    indices: new Uint32Array(),
  };
  const output = {
    ...{ hidden: hidden.value, weights, bias: shifted(tape, bias, drawn, shifts) },
    ...{ target: tape.sparse(none), likelihood: "multinomial" as const },
    // Drawn targets are taken out of the sum again, in which a rare item weighs up to thousands: bfloat16 is too coarse for that.
    bf16: engine.bf16 && !isExact,
  };
  const ofDrawnItems = tape.empty(rows, 4);
  const scratch = tape.empty(rows, engine.outputColumns(rows, drawn.length));
  engine.outputStatistics(ofDrawnItems, scratch, output);
  const statistics = tape.empty(rows, 4);
  engine.copy(statistics, ofDrawnItems);
  const coefficients = tape.empty(1, target.entries);
  engine.targetLogits(coefficients, hidden.value, weight.value, targetBias, target);
  engine.sampledTargets(statistics, coefficients, target, hits);
  const loss = tape.empty(rows, 1);
  engine.outputLoss(loss, statistics, "multinomial");

  return tape.record(loss, [hidden, weight, bias], (g) => {
    const trained = weight.needsGradient || bias.needsGradient;
    const ofDrawn = trained
      ? { weightsGradient: tape.empty(drawn.length, width), biasGradient: tape.zeros(1, drawn.length) }
      : {};
    const gradient = (hiddenGradient?: Tensor, addToHidden = false) =>
      engine.outputGradient(scratch, output, ofDrawnItems, statistics, g, {
        ...{ hiddenGradient, addToHidden, ...ofDrawn },
      });
    if (hidden.needsGradient)
      hidden.addGradient((out, accumulate) => {
        gradient(out, accumulate);
        engine.addSampledTargets(out, weight.value, target, coefficients, g);
      });
    else gradient();
    const { weightsGradient, biasGradient } = ofDrawn;
    if (!weightsGradient || !biasGradient) return;
    const ofBias = tape.empty(1, items.length);
    const write = (out: Tensor) => {
      engine.sampledTargetsToWeights(out, ofBias, hidden.value, target, coefficients, g, placesOfTargets);
      engine.addRows(out, weightsGradient, places);
      engine.addRows(column(ofBias), column(biasGradient), places);
    };
    if (weight.needsGradient) weight.addRowsGradient(items, write);
    else write(tape.empty(items.length, width));
    if (bias.needsGradient) bias.addColumnsGradient(items, (out) => engine.copy(out, column(ofBias)));
  });
}

/** A row as a column: a view. */
export const column = (row: Tensor) => viewReshaped(row, row.columns, 1);

/** The items that were drawn, their places in the sample, and ln(times) - logQ of each. */
export function drawnOf({ items, draws, logQ }: ItemSample) {
  let count = 0;
  for (const times of draws) if (times > 0) count++;
  const [places, drawn] = [new Uint32Array(count), new Uint32Array(count)];
  const shifts = new Float64Array(count);
  for (let at = 0, next = 0; at < items.length; at++)
    if (draws[at] > 0) {
      places[next] = at;
      drawn[next] = items[at];
      shifts[next++] = Math.log(draws[at]) - logQ[at];
    }
  return { places, drawn, shifts };
}

/** -logQ of the items at these places. */
export function correctionsAt({ logQ }: ItemSample, places: Uint32Array): Float64Array {
  const corrections = new Float64Array(places.length);
  for (let p = 0; p < places.length; p++) corrections[p] = -logQ[places[p]];
  return corrections;
}

/** The weights of the items at these places in the drawn items' sum: draws / expected draws. */
export function hitsAt({ draws, logQ }: ItemSample, places: Uint32Array): Float64Array {
  const hits = new Float64Array(places.length);
  for (let p = 0; p < places.length; p++) {
    const times = draws[places[p]];
    if (times > 0) hits[p] = times * Math.exp(-logQ[places[p]]);
  }
  return hits;
}

/** The biases of some items, plus `shifts` if given, [1, items]. */
export function shifted(tape: Tape, bias: Parameter, items: Uint32Array, shifts?: Float64Array): Tensor {
  const { engine } = tape;
  const taken = tape.empty(1, items.length);
  engine.takeColumns(taken, bias.value, items);
  if (shifts) engine.addScaled(taken, row(tape, shifts), 1);
  return taken;
}

/** Numbers as a tensor [1, numbers]. */
export function row(tape: Tape, numbers: Float64Array): Tensor {
  const written = tape.empty(1, numbers.length);
  tape.engine.write(written, numbers);
  return written;
}
