// Initial values, made on the host. Each parameter draws from a stream named after it, so that adding one to a model
// does not shift the others. A shape is [rows, columns]; of a weight one is the fan-in, the other the fan-out.

import { type RandomKey, RandomSequence, randomNormals, randomUniforms, streamOf } from "../core/philox.js";

/** Makes the initial values of a parameter [rows, columns], row-major; `inputs` is the fan-in of its layer (default: the rows). */
export type Initializer = (rows: number, columns: number, key: RandomKey, inputs?: number) => Float32Array;

/** The key of a parameter's initial values: step 0, a stream of its name. */
export function initialKey(seed: number, name: string): RandomKey {
  return { seed, step: 0, stream: streamOf(name) };
}

/** Uniform in (-limit, limit). */
export function uniform(limit: number): Initializer {
  return (rows, columns, key) => {
    const values = new Float32Array(rows * columns);
    randomUniforms(key, values);
    for (let i = 0; i < values.length; i++) values[i] = (2 * values[i] - 1) * limit;
    return values;
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
  return (rows, columns, key) => {
    const values = new Float32Array(rows * columns);
    randomNormals(key, values);
    for (let i = 0; i < values.length; i++) values[i] = mean + deviation * values[i];
    return values;
  };
}

/** He et al. (2015): normal with variance 2 / fan-in. Which side is the fan-in depends on the layout. */
export function heNormal(fanIn: "rows" | "columns"): Initializer {
  return (rows, columns, key, inputs) =>
    normal(Math.sqrt(2 / (fanIn === "rows" ? rows : columns)))(rows, columns, key, inputs);
}

/** Normal with mean 0, redrawn beyond two standard deviations, as TensorFlow's truncated_normal. */
export function truncatedNormal(deviation: number): Initializer {
  return (rows, columns, key) => {
    const sequence = new RandomSequence(key);
    return Float32Array.from({ length: rows * columns }, () => {
      let value = sequence.normal();
      while (Math.abs(value) > 2) value = sequence.normal();
      return deviation * value;
    });
  };
}

/** PyTorch's default for a linear layer's weight and bias alike: uniform in +-1 / sqrt(fan-in). */
export function torchLinear(fanIn: number): Initializer {
  return uniform(1 / Math.sqrt(fanIn));
}

/** One value everywhere. */
export function constant(value: number): Initializer {
  return (rows, columns) => new Float32Array(rows * columns).fill(value);
}

/** All zeros. */
export const zeros: Initializer = constant(0);
