// TypeScript twin of native/src/kernels/best_in_blocks.rs. The bounds are computed in float64. All products are computed, and
// those of blocks that are not visited are left out of the ranking.

import { hasBit } from "../../../core/bits.js";
import type { TopK } from "../../engine.js";
import type { Matrix, SparseMatrix } from "./matrix.js";
import { above, quantise, rounding } from "./quantise.js";
import { bestProducts, setOf } from "./top-k.js";

/** Which blocks are visited if their number is limited: those with the highest product at this share of their radius. */
const SHARE_OF_RADIUS = 0.25;

export function arrangeBlocks(
  quantised: Matrix,
  statistics: Matrix,
  centres: Matrix,
  reach: Matrix,
  weights: Matrix,
  bias: Matrix,
  items: SparseMatrix,
): void {
  const margin = rounding(weights.columns);
  for (let block = 0; block < items.rows; block++) {
    const [from, to] = [items.offsets[block], items.offsets[block + 1]];
    const members = Array.from(items.indices.subarray(from, to), (item) => rowOf(weights, item));
    const centre = rowOf(centres, block);
    for (let c = 0; c < centre.length; c++)
      centre[c] = members.reduce((sum, row) => sum + row[c], 0) / Math.max(1, members.length);
    let [radius, longest, highest] = [0, 0, -Infinity];
    for (const [m, row] of members.entries()) {
      const distance = norm(Array.from(row, (x, c) => x - centre[c]));
      // Math.max keeps a NaN.
      radius = Math.max(radius, distance + margin * (norm(row) + norm(centre)));
      longest = Math.max(longest, norm(row) * (1 + margin));
      const own = bias.data[bias.offset + items.indices[from + m]];
      highest = Math.max(highest, own);
      const entry = from + m;
      quantise(
        rowsFrom(quantised, entry),
        rowsFrom(statistics, entry),
        rowsFrom(weights, items.indices[entry]),
      );
      rowOf(statistics, entry)[3] = own;
    }
    rowOf(reach, block).set([above(radius), above(longest), highest]);
  }
}

interface Layer {
  readonly weights: Matrix;
  readonly bias: Matrix;
  readonly centres: Matrix;
  readonly reach: Matrix;
  readonly items: SparseMatrix;
}

export function bestInBlocks(
  a: Matrix,
  layer: Layer,
  k: number,
  most: number,
  without?: SparseMatrix,
  allowed?: Uint32Array,
): TopK {
  const { weights, items } = layer;
  if (most >= items.rows) return bestProducts(a, layer, k, without, allowed);
  const parts = Array.from({ length: a.rows }, (_, row) => {
    const history = rowsFrom(a, row);
    const set = allowed && setOf(allowed, row, weights.rows);
    const known = new Set(without?.indices.subarray(without.offsets[row], without.offsets[row + 1]));
    const choices = (block: number) =>
      Array.from(items.indices.subarray(items.offsets[block], items.offsets[block + 1])).filter(
        (item) => !known.has(item) && (!set || hasBit(set, item)),
      );
    const ordered = orderedBlocks(rowOf(a, row), layer);
    const left = new Set<number>();
    for (let taken = 0; ordered.length > 0 && (taken < most || (set && left.size < k)); ) {
      const chosen = choices(ordered.shift() as number);
      for (const item of chosen) left.add(item);
      if (!set || chosen.length > 0) taken++;
    }
    const excluded = Uint32Array.from({ length: weights.rows }, (_, item) => item).filter(
      (item) => !left.has(item),
    );
    return bestProducts(history, layer, k, listed(excluded, weights.rows));
  });
  return {
    rows: a.rows,
    k: Math.min(k, weights.rows),
    items: Uint32Array.from(parts.flatMap((part) => Array.from(part.items))),
    scores: Float32Array.from(parts.flatMap((part) => Array.from(part.scores))),
  };
}

/** The blocks by descending value, equal ones by ascending index; unknown values are first. */
function orderedBlocks(a: ArrayLike<number>, { centres, reach }: Layer): number[] {
  const length = norm(Array.from(a));
  const values = Array.from({ length: centres.rows }, (_, block) => {
    const [radius, , highest] = rowOf(reach, block);
    let product = 0;
    for (const [c, x] of rowOf(centres, block).entries()) product += x * a[c];
    const value = product + highest + SHARE_OF_RADIUS * length * radius;
    return Number.isNaN(value) ? Infinity : value;
  });
  const order = Array.from(values.keys());
  order.sort((one, other) =>
    values[one] === values[other] ? one - other : values[one] < values[other] ? 1 : -1,
  );
  return order;
}

/** A batch of one row with these columns. */
function listed(indices: Uint32Array, columns: number): SparseMatrix {
  const none = new Uint32Array();
  return {
    ...{ rows: 1, columns, entries: indices.length, offsets: Uint32Array.of(0, indices.length), indices },
    ...{ values: undefined, touched: none, columnOffsets: none, rowOf: none, positionOf: none, piece: {} },
  };
}

function rowOf({ data, offset, rowStride, columns }: Matrix, row: number) {
  return data.subarray(offset + row * rowStride, offset + row * rowStride + columns);
}

/** One row as a matrix. */
function rowsFrom(matrix: Matrix, row: number): Matrix {
  return { ...matrix, offset: matrix.offset + row * matrix.rowStride, rows: 1 };
}

function norm(of: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < of.length; i++) sum += of[i] ** 2;
  return Math.sqrt(sum);
}
