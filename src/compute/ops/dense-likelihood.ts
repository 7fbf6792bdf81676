// Likelihoods of dense targets: codes of a layer below, vectors, pictures.

import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { Tensor } from "../tensor.js";

/**
 * -sum over i of x_i log p_i + (1 - x_i) log(1 - p_i), p = sigmoid(logits), per row: [rows, 1], in nats. logits and target
 * are [rows, width]; the target gets no gradient.
 */
export function denseBernoulliLoss(tape: Tape, logits: Differentiable, target: Tensor): Variable {
  const { engine } = tape;
  const loss = tape.empty(logits.value.rows, 1);
  engine.denseBernoulliLoss(loss, logits.value, target);
  return tape.record(loss, [logits], (g) =>
    engine.denseBernoulliLossGradient(logits.gradient(), logits.value, target, g),
  );
}

/** 1/2 ||a - b||^2 per row: [rows, 1]; a and b are [rows, width]. */
export function halfSquaredDistance(tape: Tape, a: Differentiable, b: Differentiable): Variable {
  const { engine } = tape;
  const { rows, columns } = a.value;
  const zeros = tape.zeros(rows, columns);
  const out = tape.empty(rows, 1);
  const density = tape.empty(rows, 1);
  // The negated log density of a Gaussian with variance 1.
  engine.gaussianLogDensity(density, a.value, b.value, zeros);
  engine.fill(out, 0);
  engine.addScaled(out, density, -1);
  return tape.record(out, [a, b], (g) => {
    const negative = tape.zeros(rows, 1);
    engine.addScaled(negative, g, -1);
    const into = (of: Differentiable) => (of.needsGradient ? of.gradient() : tape.zeros(rows, columns));
    engine.gaussianLogDensityGradient(
      into(a),
      into(b),
      tape.zeros(rows, columns),
      a.value,
      b.value,
      zeros,
      negative,
    );
  });
}

/**
 * 1/2 (a - b)' F (a - b) per row, with a symmetric matrix F for each: [rows, 1]; a and b are [rows, k], `forms` is
 * [rows, k k], row-major. Neither b nor the forms get a gradient.
 */
export function halfQuadraticForm(tape: Tape, a: Differentiable, b: Tensor, forms: Tensor): Variable {
  const { engine } = tape;
  const { rows, columns: k } = a.value;
  const ones = (height: number, width: number, placed: (r: number, c: number) => boolean) => {
    const matrix = new Float32Array(height * width);
    for (let r = 0; r < height; r++)
      for (let c = 0; c < width; c++) if (placed(r, c)) matrix[r * width + c] = 1;
    const tensor = tape.empty(height, width);
    engine.write(tensor, matrix);
    return tensor;
  };
  const difference = tape.empty(rows, k);
  const repeated = tape.empty(rows, k * k);
  const products = tape.zeros(rows, k * k);
  const applied = tape.empty(rows, k);
  const terms = tape.zeros(rows, k);
  const total = tape.empty(rows, 1);
  const out = tape.zeros(rows, 1);
  engine.copy(difference, a.value);
  engine.addScaled(difference, b, -1);
  // F d by two products: d repeated k times, and the sums of every k elements.
  engine.matmul(
    repeated,
    difference,
    ones(k, k * k, (r, c) => c % k === r),
  );
  engine.addProduct(products, repeated, forms);
  engine.matmul(
    applied,
    products,
    ones(k * k, k, (r, c) => Math.floor(r / k) === c),
  );
  engine.addProduct(terms, applied, difference);
  engine.matmul(
    total,
    terms,
    ones(k, 1, () => true),
  );
  engine.addScaled(out, total, 0.5);
  return tape.record(out, [a], (g) => {
    engine.scaleRows(applied, applied, g);
    engine.addScaled(a.gradient(), applied, 1);
  });
}
