// The Bernoulli log-likelihood over items from logits and its gradient: with l = logit + bias,
// -log p = max(l, 0) - l x + log(1 + e^-|l|), which overflows nowhere. The forward pass leaves sigmoid(l) in `logits`, so
// that the gradient, sigmoid(l) - x, needs no second exponential.

import type { Matrix, SparseMatrix } from "./matrix.js";

export function bernoulliLoss(loss: Matrix, logits: Matrix, bias: Matrix, target: SparseMatrix): void {
  const { data, columns } = logits;
  const { offsets, indices, values } = target;
  for (let r = 0; r < logits.rows; r++) {
    const o = logits.offset + r * logits.rowStride;
    let sum = 0;
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      sum -= (values ? values[k] : 1) * (data[o + indices[k]] + bias.data[bias.offset + indices[k]]);
    for (let c = 0; c < columns; c++) {
      const l = data[o + c] + bias.data[bias.offset + c];
      const e = Math.exp(-Math.abs(l));
      sum += Math.max(l, 0) + Math.log1p(e);
      data[o + c] = (l < 0 ? e : 1) / (1 + e);
    }
    loss.data[loss.offset + r * loss.rowStride] = sum;
  }
}

export function bernoulliLossGradient(logits: Matrix, target: SparseMatrix, g: Matrix): void {
  const { data, columns } = logits;
  const { offsets, indices, values } = target;
  for (let r = 0; r < logits.rows; r++) {
    const o = logits.offset + r * logits.rowStride;
    const upstream = g.data[g.offset + r * g.rowStride];
    for (let c = 0; c < columns; c++) data[o + c] *= upstream;
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      data[o + indices[k]] -= upstream * (values ? values[k] : 1);
  }
}
