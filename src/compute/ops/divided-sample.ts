// The sampled softmax (sampled-softmax.ts) where the items are divided among the members of a run. Each block has its part of the
// drawn items, whose statistics are merged as those of all items are; the logits of the targets, one per entry of the batch, are
// exchanged, so that every member computes the same loss. Gradients of weights and bias are computed by the member that has the items.

import type { DividedBatch } from "../division.js";
import type { SelectedOutput } from "../engine.js";
import type { ItemSample } from "../item-selection.js";
import { type Differentiable, firstFrom, type Parameter, placesIn } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type Tensor, viewRows } from "../tensor.js";
import { addSum, mergedStatistics } from "./divided-output.js";
import { column, correctionsAt, drawnOf, hitsAt, row, shifted } from "./sampled-softmax.js";

/** The result of `sampledSoftmax`: [rows, 1]. Weight and bias have the own items, the sample has items of the catalogue. */
export function dividedSampledSoftmax(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: DividedBatch,
  sample: ItemSample,
): Variable {
  const { engine } = tape;
  const { division, own, stacked } = target;
  const { rows, columns: width } = hidden.value;
  const isExact = sample.ownTargets === "exact";
  const ofOwn = partOf(sample, division.own.from, division.own.to);
  const { items } = ofOwn;
  const none = (columns: number) =>
    tape.sparse({ rows, columns, offsets: new Uint32Array(rows + 1), indices: new Uint32Array() });
  const blocks = division.ownBlocks.map(({ from, to }) => {
    const { drawn, shifts } = drawnOf(partOf(sample, from, to, division.own.from));
    const weights = tape.empty(drawn.length, width);
    engine.takeRows(weights, weight.value, drawn);
    const output: SelectedOutput = {
      ...{ hidden: hidden.value, weights, bias: shifted(tape, bias, drawn, shifts) },
      ...{ target: none(drawn.length), likelihood: "multinomial" },
    };
    // What is kept depends on the whole sample, as it does for the whole catalogue (divided-output.ts).
    const whole = engine.outputColumns(rows, sample.items.length);
    const scratch = tape.empty(rows, Math.min(whole, drawn.length));
    const statistics = tape.empty(rows, 4);
    engine.outputStatistics(statistics, scratch, output);
    return { drawn, output, scratch, statistics };
  });
  const statistics = mergedStatistics(
    tape,
    division,
    blocks.map(({ statistics }) => statistics),
    "multinomial",
  );
  const touchedPlaces = placesIn(items, own.touched);
  const targetBias = shifted(
    tape,
    bias,
    own.touched,
    isExact ? undefined : correctionsAt(ofOwn, touchedPlaces),
  );
  const ownLogits = tape.empty(1, own.entries);
  engine.targetLogits(ownLogits, hidden.value, weight.value, targetBias, own);
  const gathered = target.gatherEntries(ownLogits);
  const coefficients = tape.empty(1, target.entries);
  engine.copy(coefficients, gathered);
  engine.release(gathered);
  const hits = isExact ? row(tape, hitsAt(sample, placesIn(sample.items, target.touched))) : undefined;
  engine.sampledTargets(statistics, coefficients, target.whole, hits);
  const loss = tape.empty(rows, 1);
  engine.outputLoss(loss, statistics, "multinomial");

  return tape.record(loss, [hidden, weight, bias], (g) => {
    const isTrained = weight.needsGradient || bias.needsGradient;
    const parts = hidden.needsGradient ? tape.empty(stacked.rows, width) : undefined;
    const ofBlocks = blocks.map(({ drawn, output, scratch, statistics: ofBlock }, place) => {
      const hiddenGradient = parts && viewRows(parts, place * rows, (place + 1) * rows);
      const gradients = isTrained
        ? { weightsGradient: tape.empty(drawn.length, width), biasGradient: tape.zeros(1, drawn.length) }
        : undefined;
      engine.outputGradient(scratch, output, ofBlock, statistics, g, { hiddenGradient, ...gradients });
      return { drawn, gradients };
    });
    const taken = (positions: Uint32Array) => {
      const some = tape.empty(1, positions.length);
      engine.takeColumns(some, coefficients, positions);
      return some;
    };
    if (parts) {
      const repeated = tape.empty(stacked.rows, 1);
      for (let place = 0; place < blocks.length; place++)
        engine.copy(viewRows(repeated, place * rows, (place + 1) * rows), g);
      engine.addSampledTargets(parts, weight.value, stacked, taken(target.positions.stacked), repeated);
      addSum(
        tape,
        hidden,
        division,
        blocks.map((_, place) => viewRows(parts, place * rows, (place + 1) * rows)),
      );
    }
    if (!isTrained) return;
    const ofBias = tape.empty(1, items.length);
    const write = (out: Tensor) => {
      const pulls = taken(target.positions.own);
      engine.sampledTargetsToWeights(out, ofBias, hidden.value, own, pulls, g, touchedPlaces);
      for (const { drawn, gradients } of ofBlocks) {
        if (!gradients) continue;
        const places = placesIn(items, drawn);
        engine.addRows(out, gradients.weightsGradient, places);
        engine.addRows(column(ofBias), column(gradients.biasGradient), places);
      }
    };
    if (weight.needsGradient) weight.addRowsGradient(items, write);
    else write(tape.empty(items.length, width));
    if (bias.needsGradient) bias.addColumnsGradient(items, (out) => engine.copy(out, column(ofBias)));
  });
}

/** The sample's items within [from, to), as places relative to `origin`. */
function partOf(sample: ItemSample, from: number, to: number, origin = from): ItemSample {
  const { items, draws, logQ } = sample;
  const [first, last] = [firstFrom(items, from), firstFrom(items, to)];
  return {
    ...{ kind: "sample", ownTargets: sample.ownTargets },
    items: items.subarray(first, last).map((item) => item - origin),
    draws: draws.subarray(first, last),
    logQ: logQ.subarray(first, last),
  };
}
