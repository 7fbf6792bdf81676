// Averages of weights: the model that is evaluated, kept and saved has a moving average of the weights at the ends of the epochs, while
// training itself continues with the weights. After epoch t the average is sum_i w_i decay^(t-i) / sum_i decay^(t-i) over the epochs
// i = 1 .. t: the temporal averaging of Kingma and Ba (2015, section 7.2), per epoch instead of per update.

import { readAll, type StoredTensors, takeTensor } from "../compute/named-tensors.js";
import { loadTensor, type Parameter, pendingTensor } from "../compute/parameter.js";
import type { Tensor } from "../compute/tensor.js";
import type { Trainable } from "./trainable.js";

/** The name under which the number of averaged epochs is saved. */
const EPOCHS = "average.epochs";
const nameOf = ({ name }: Parameter) => `average.${name}`;

/**
 * The trainable with averaged weights between the epochs. `decay` is between 0 and 1: 0 would be the last weights, 1 the mean of all
 * epochs. Needs as much memory again as the weights. The trainable must have `parameters` and `pendingState`.
 */
export function averaged(trainable: Trainable, decay: number): Trainable {
  const { parameters, pendingState } = trainable;
  if (!parameters || !pendingState) throw new Error("a model without parameters cannot be averaged");
  let epochs = 0;
  /** Per parameter: during an epoch its average, between epochs its weights. */
  let others: Tensor[] = [];
  const allocate = () => {
    others = parameters.map(({ engine, value }) => engine.zeros(value.rows, value.columns));
  };
  const exchange = () => {
    others = others.map((other, p) => parameters[p].exchange(other));
  };
  const update = () => {
    epochs++;
    const share = (1 - decay) / (1 - decay ** epochs);
    parameters.forEach(({ engine, value }, p) => {
      const difference = engine.empty(value.rows, value.columns);
      engine.copy(difference, value);
      engine.addScaled(difference, others[p], -1);
      engine.addScaled(others[p], difference, share);
      engine.release(difference);
    });
  };
  const state = (): StoredTensors => {
    if (epochs === 0) return pendingState();
    const saved = pendingState();
    // The weights have the names of the parameters in a checkpoint.
    parameters.forEach((parameter, p) => {
      saved[nameOf(parameter)] = saved[parameter.name];
      saved[parameter.name] = pendingTensor(parameter.engine, others[p], parameter.divided);
    });
    return { ...saved, [EPOCHS]: { shape: [1], data: Uint32Array.of(epochs) } };
  };
  return {
    ...trainable,
    pendingState: state,
    saveState: () => readAll(state()),
    async loadState(saved) {
      await trainable.loadState(saved);
      if (!Object.hasOwn(saved, EPOCHS)) return;
      [epochs] = takeTensor(saved, EPOCHS, [1], "whole numbers");
      allocate();
      for (const [p, parameter] of parameters.entries())
        await loadTensor(parameter.engine, others[p], nameOf(parameter), saved);
      exchange();
    },
    async epoch(epoch) {
      if (epochs === 0) allocate();
      else exchange();
      const report = await trainable.epoch(epoch);
      update();
      exchange();
      return report;
    },
    dispose() {
      others.forEach((other, p) => {
        parameters[p].engine.release(other);
      });
      others = [];
      trainable.dispose();
    },
  };
}
