// The multinomial log-likelihood over items (Liang et al. 2018, equation 2) and its gradient. The forward pass leaves
// exp(logit + bias - max) in `logits` and [their sum, n = sum of the target] in `statistics`, so that the gradient,
// n softmax - x, takes one multiplication per item and no second exponential.

import type { Matrix, SparseMatrix } from "./matrix.js";

export function multinomialLoss(
  loss: Matrix,
  logits: Matrix,
  bias: Matrix,
  target: SparseMatrix,
  statistics: Matrix,
): void {
  const { data, columns } = logits;
  const { offsets, indices, values } = target;
  for (let r = 0; r < logits.rows; r++) {
    const o = logits.offset + r * logits.rowStride;
    let largest = -Infinity;
    for (let c = 0; c < columns; c++) {
      const logit = data[o + c] + bias.data[bias.offset + c];
      data[o + c] = logit;
      if (logit > largest) largest = logit;
    }
    let n = 0;
    let chosen = 0;
    for (let k = offsets[r]; k < offsets[r + 1]; k++) {
      const x = values ? values[k] : 1;
      n += x;
      chosen += x * (data[o + indices[k]] - largest);
    }
    let sum = 0;
    for (let c = 0; c < columns; c++) {
      const e = Math.exp(data[o + c] - largest);
      data[o + c] = e;
      sum += e;
    }
    loss.data[loss.offset + r * loss.rowStride] = n * Math.log(sum) - chosen;
    const s = statistics.offset + r * statistics.rowStride;
    statistics.data[s] = sum;
    statistics.data[s + 1] = n;
  }
}

export function multinomialLossGradient(
  logits: Matrix,
  target: SparseMatrix,
  statistics: Matrix,
  g: Matrix,
): void {
  const { data, columns } = logits;
  const { offsets, indices, values } = target;
  for (let r = 0; r < logits.rows; r++) {
    const o = logits.offset + r * logits.rowStride;
    const s = statistics.offset + r * statistics.rowStride;
    const upstream = g.data[g.offset + r * g.rowStride];
    const factor = (upstream * statistics.data[s + 1]) / statistics.data[s];
    for (let c = 0; c < columns; c++) data[o + c] *= factor;
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      data[o + indices[k]] -= upstream * (values ? values[k] : 1);
  }
}
