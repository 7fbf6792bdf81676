// The matrix product. Blocks of both operands are packed, transposed if requested and widened to float64, into panels of four
// rows or columns; a tile of 4 x 4 sums then stays in registers along the inner dimension (after Goto and van de Geijn 2008).
// Transposition only changes the packing.

import type { MatmulOptions } from "../../engine.js";
import { roundToBfloat16 } from "./elements.js";
import type { Matrix } from "./matrix.js";

/** Inner size of a block: a panel of B (4 x 256 float64 = 8 KiB) fits into the L1 cache. */
const INNER = 256;
/** Rows of A (times INNER float64 = 256 KiB) and columns of B (2 MiB) in a block. */
const ROWS = 128;
const COLUMNS = 1024;

const packedA = new Float64Array(ROWS * INNER);
const packedB = new Float64Array(COLUMNS * INNER);
const tile = new Float64Array(16);

/** out = op(a) op(b), or += with accumulate; shapes are checked by the caller. */
export function matmul(out: Matrix, a: Matrix, b: Matrix, options: MatmulOptions = {}): void {
  const { transposeA = false, transposeB = false, accumulate = false, bf16 = false } = options;
  const m = out.rows;
  const n = out.columns;
  const inner = transposeA ? a.rows : a.columns;
  if (inner === 0 && !accumulate)
    for (let r = 0; r < m; r++)
      out.data.fill(0, out.offset + r * out.rowStride, out.offset + r * out.rowStride + n);
  const [aRow, aInner] = transposeA ? [1, a.rowStride] : [a.rowStride, 1];
  const [bColumn, bInner] = transposeB ? [b.rowStride, 1] : [1, b.rowStride];
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = Math.min(COLUMNS, n - j);
    for (let p = 0; p < inner; p += INNER) {
      const depth = Math.min(INNER, inner - p);
      pack(packedB, b, b.offset + j * bColumn + p * bInner, bColumn, bInner, columns, depth);
      if (bf16) roundToBfloat16(packedB, Math.ceil(columns / 4) * 4 * depth);
      const add = accumulate || p > 0;
      for (let i = 0; i < m; i += ROWS) {
        const rows = Math.min(ROWS, m - i);
        pack(packedA, a, a.offset + i * aRow + p * aInner, aRow, aInner, rows, depth);
        if (bf16) roundToBfloat16(packedA, Math.ceil(rows / 4) * 4 * depth);
        for (let jj = 0; jj < columns; jj += 4)
          for (let ii = 0; ii < rows; ii += 4) {
            multiplyTile(ii * depth, jj * depth, depth);
            const o = out.offset + (i + ii) * out.rowStride + j + jj;
            store(out, o, Math.min(4, rows - ii), Math.min(4, columns - jj), add);
          }
      }
    }
  }
}

/** Panels of four lines: element p of line l is at (l - l mod 4) * depth + 4 p + l mod 4; missing lines are zero. */
function pack(
  into: Float64Array,
  { data }: Matrix,
  offset: number,
  lineStride: number,
  innerStride: number,
  lines: number,
  depth: number,
): void {
  let at = 0;
  for (let line = 0; line < lines; line += 4) {
    const o0 = offset + line * lineStride;
    if (line + 4 <= lines) {
      const o1 = o0 + lineStride;
      const o2 = o1 + lineStride;
      const o3 = o2 + lineStride;
      for (let p = 0, q = 0; p < depth; p++, q += innerStride, at += 4) {
        into[at] = data[o0 + q];
        into[at + 1] = data[o1 + q];
        into[at + 2] = data[o2 + q];
        into[at + 3] = data[o3 + q];
      }
    } else {
      const left = lines - line;
      for (let p = 0, q = 0; p < depth; p++, q += innerStride, at += 4)
        for (let l = 0; l < 4; l++) into[at + l] = l < left ? data[o0 + l * lineStride + q] : 0;
    }
  }
}

/** tile[4 i + j] = sum over p of packedA[a + 4 p + i] packedB[b + 4 p + j] */
function multiplyTile(a: number, b: number, depth: number): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  let s30 = 0;
  let s31 = 0;
  let s32 = 0;
  let s33 = 0;
  const end = a + 4 * depth;
  for (; a < end; a += 4, b += 4) {
    const b0 = packedB[b];
    const b1 = packedB[b + 1];
    const b2 = packedB[b + 2];
    const b3 = packedB[b + 3];
    const a0 = packedA[a];
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    const a1 = packedA[a + 1];
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    const a2 = packedA[a + 2];
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    const a3 = packedA[a + 3];
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
  }
  tile[0] = s00;
  tile[1] = s01;
  tile[2] = s02;
  tile[3] = s03;
  tile[4] = s10;
  tile[5] = s11;
  tile[6] = s12;
  tile[7] = s13;
  tile[8] = s20;
  tile[9] = s21;
  tile[10] = s22;
  tile[11] = s23;
  tile[12] = s30;
  tile[13] = s31;
  tile[14] = s32;
  tile[15] = s33;
}

/** Writes the tile's first rows and columns to out, or adds them. */
function store(
  { data, rowStride }: Matrix,
  offset: number,
  rows: number,
  columns: number,
  add: boolean,
): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const o = offset + i * rowStride + j;
      data[o] = add ? data[o] + tile[4 * i + j] : tile[4 * i + j];
    }
}
