// Initial values, computed on the host. Each parameter has its own random stream, derived from its name, so that adding a parameter
// to a model does not change the others. A shape is [rows, columns]; for a weight these are the fan-in and the fan-out. Values
// are computed in pieces: a large matrix takes seconds, in which the event loop must not block.

import type { Fill, Initializer } from "../compute/parameter.js";
import { type RandomKey, RandomSequence, randomNormals, randomUniforms, streamOf } from "../core/philox.js";

export type { Fill, Initializer };

/** The key of a parameter's initial values: step 0, the stream of its name. */
export function initialKey(seed: number, name: string): RandomKey {
  return { seed, step: 0, stream: streamOf(name) };
}

/** Uniform in (-limit, limit). */
export function uniform(limit: number): Initializer {
  return (_rows, _columns, key) => (out, first) => {
    randomUniforms(key, out, first);
    for (let i = 0; i < out.length; i++) out[i] = (2 * out[i] - 1) * limit;
  };
}

/** Glorot and Bengio (2010), also called Xavier: uniform in +-sqrt(6 / (fan-in + fan-out)). */
export const glorotUniform: Initializer = (rows, columns, key, inputs) =>
  uniform(Math.sqrt(6 / (rows + columns)))(rows, columns, key, inputs);

/** PyTorch's default for the biases of a linear layer: uniform in +-1 / sqrt(fan-in). */
export const pytorchBias: Initializer = (rows, columns, key, inputs = rows) =>
  uniform(1 / Math.sqrt(inputs))(rows, columns, key, inputs);

/** Normal, by default with mean 0. */
export function normal(deviation: number, mean = 0): Initializer {
  return (_rows, _columns, key) => (out, first) => {
    randomNormals(key, out, first);
    for (let i = 0; i < out.length; i++) out[i] = mean + deviation * out[i];
  };
}

/** He et al. (2015): normal with variance 2 / fan-in. The layout determines which side is the fan-in. */
export function heNormal(fanIn: "rows" | "columns"): Initializer {
  return (rows, columns, key, inputs) =>
    normal(Math.sqrt(2 / (fanIn === "rows" ? rows : columns)))(rows, columns, key, inputs);
}

/** Normal with mean 0, redrawn beyond two standard deviations, as TensorFlow's truncated_normal. */
export function truncatedNormal(deviation: number): Initializer {
  return (_rows, _columns, key) => {
    const sequence = new RandomSequence(key);
    const fill = (out: Float32Array) => {
      for (let i = 0; i < out.length; i++) {
        let value = sequence.normal();
        while (Math.abs(value) > 2) value = sequence.normal();
        out[i] = deviation * value;
      }
    };
    return Object.assign(fill, { sequential: true });
  };
}

/** PyTorch's default for the weight and the bias of a linear layer: uniform in +-1 / sqrt(fan-in). */
export function torchLinear(fanIn: number): Initializer {
  return uniform(1 / Math.sqrt(fanIn));
}

/** One value everywhere. */
export function constant(value: number): Initializer {
  return () => (out) => {
    out.fill(value);
  };
}

/** All zeros. */
export const zeros: Initializer = constant(0);
