// Sparse matrices in compressed sparse row (CSR) form, used throughout the library. Row r holds the columns
// indices[offsets[r] .. offsets[r + 1]), in the order in which they were given; without values, all entries are 1.
// Matrices are immutable by convention.

/** A sparse matrix [rows, columns]; with rows = users and columns = items, row u is the history of user u. */
export interface CsrMatrix {
  readonly rows: number;
  readonly columns: number;
  /** [rows + 1], where each row starts in `indices`; the last entry is the number of stored entries. */
  readonly offsets: Uint32Array;
  /** [entries], the column of each entry. */
  readonly indices: Uint32Array;
  /** [entries], the value of each entry; absent = all ones. */
  readonly values?: Float32Array;
}

/** The number of stored entries. */
export function entryCount(matrix: CsrMatrix): number {
  return matrix.offsets[matrix.rows];
}

/** An empty matrix [rows, columns]. */
export function emptyMatrix(rows: number, columns: number): CsrMatrix {
  return { rows, columns, offsets: new Uint32Array(rows + 1), indices: new Uint32Array(0) };
}

/** The columns stored in one row, as a view (no copy). */
export function rowIndices(matrix: CsrMatrix, row: number): Uint32Array {
  return matrix.indices.subarray(matrix.offsets[row], matrix.offsets[row + 1]);
}

/**
 * Builds a matrix [rows, columns] from parallel arrays of coordinates. The entries of a row keep their order, and duplicates
 * are kept (remove them before). Throws RangeError for a coordinate outside the shape.
 */
export function fromPairs(
  rows: number,
  columns: number,
  rowOf: ArrayLike<number>,
  columnOf: ArrayLike<number>,
  weightOf?: ArrayLike<number>,
): CsrMatrix {
  const entries = rowOf.length;
  if (columnOf.length !== entries || (weightOf && weightOf.length !== entries))
    throw new RangeError("fromPairs: the coordinate arrays have different lengths");
  const offsets = new Uint32Array(rows + 1);
  for (let k = 0; k < entries; k++) {
    if (!(rowOf[k] < rows) || !(columnOf[k] < columns))
      throw new RangeError(`fromPairs: (${rowOf[k]}, ${columnOf[k]}) is outside [${rows}, ${columns}]`);
    offsets[rowOf[k] + 1]++;
  }
  for (let r = 0; r < rows; r++) offsets[r + 1] += offsets[r];
  const cursor = offsets.slice(0, rows);
  const indices = new Uint32Array(entries);
  const values = weightOf ? new Float32Array(entries) : undefined;
  for (let k = 0; k < entries; k++) {
    const place = cursor[rowOf[k]]++;
    indices[place] = columnOf[k];
    if (values && weightOf) values[place] = weightOf[k];
  }
  return { rows, columns, offsets, indices, values };
}

/** One row per list of columns: [lists.length, columns]. */
export function fromRows(columns: number, lists: readonly ArrayLike<number>[]): CsrMatrix {
  const offsets = new Uint32Array(lists.length + 1);
  for (let r = 0; r < lists.length; r++) offsets[r + 1] = offsets[r] + lists[r].length;
  const indices = new Uint32Array(offsets[lists.length]);
  for (let r = 0; r < lists.length; r++) indices.set(lists[r] as ArrayLike<number>, offsets[r]);
  for (const index of indices)
    if (index >= columns) throw new RangeError(`fromRows: column ${index} is outside [0, ${columns})`);
  return { rows: lists.length, columns, offsets, indices };
}

/** The transpose [columns, rows]; the entries of each row are in ascending order. */
export function transpose(matrix: CsrMatrix): CsrMatrix {
  const entries = entryCount(matrix);
  const offsets = new Uint32Array(matrix.columns + 1);
  for (let k = 0; k < entries; k++) offsets[matrix.indices[k] + 1]++;
  for (let c = 0; c < matrix.columns; c++) offsets[c + 1] += offsets[c];
  const cursor = offsets.slice(0, matrix.columns);
  const indices = new Uint32Array(entries);
  const values = matrix.values ? new Float32Array(entries) : undefined;
  for (let r = 0; r < matrix.rows; r++)
    for (let k = matrix.offsets[r]; k < matrix.offsets[r + 1]; k++) {
      const place = cursor[matrix.indices[k]]++;
      indices[place] = r;
      if (values && matrix.values) values[place] = matrix.values[k];
    }
  return { rows: matrix.columns, columns: matrix.rows, offsets, indices, values };
}

/** The given rows, in the given order: [chosen.length, columns]. */
export function takeRows(matrix: CsrMatrix, chosen: ArrayLike<number>): CsrMatrix {
  const offsets = new Uint32Array(chosen.length + 1);
  for (let r = 0; r < chosen.length; r++)
    offsets[r + 1] = offsets[r] + matrix.offsets[chosen[r] + 1] - matrix.offsets[chosen[r]];
  const indices = new Uint32Array(offsets[chosen.length]);
  const values = matrix.values ? new Float32Array(indices.length) : undefined;
  for (let r = 0; r < chosen.length; r++) {
    const from = matrix.offsets[chosen[r]];
    const to = matrix.offsets[chosen[r] + 1];
    indices.set(matrix.indices.subarray(from, to), offsets[r]);
    if (values && matrix.values) values.set(matrix.values.subarray(from, to), offsets[r]);
  }
  return { rows: chosen.length, columns: matrix.columns, offsets, indices, values };
}

/** Rows [from, to) in their order; the index arrays are views of the original's. */
export function sliceRows(matrix: CsrMatrix, from: number, to: number): CsrMatrix {
  const start = matrix.offsets[from];
  const end = matrix.offsets[to];
  const offsets = matrix.offsets.slice(from, to + 1);
  if (start > 0) for (let r = 0; r < offsets.length; r++) offsets[r] -= start;
  return {
    rows: to - from,
    columns: matrix.columns,
    offsets,
    indices: matrix.indices.subarray(start, end),
    values: matrix.values?.subarray(start, end),
  };
}

/** The columns [from, to), renumbered from 0. */
export function sliceColumns(matrix: CsrMatrix, from: number, to: number): CsrMatrix {
  const kept: number[] = [];
  const offsets = new Uint32Array(matrix.rows + 1);
  for (let r = 0; r < matrix.rows; r++) {
    for (let k = matrix.offsets[r]; k < matrix.offsets[r + 1]; k++)
      if (matrix.indices[k] >= from && matrix.indices[k] < to) kept.push(k);
    offsets[r + 1] = kept.length;
  }
  return {
    ...{ rows: matrix.rows, columns: to - from, offsets },
    indices: Uint32Array.from(kept, (k) => matrix.indices[k] - from),
    values: matrix.values && Float32Array.from(kept, (k) => (matrix.values as Float32Array)[k]),
  };
}

/** The rows of all parts, one part after the other: [total rows, columns]. Throws RangeError if a part has another number of columns. */
export function stackRows(columns: number, parts: readonly CsrMatrix[]): CsrMatrix {
  for (const part of parts)
    if (part.columns !== columns)
      throw new RangeError(`stackRows: a part has ${part.columns} columns, not ${columns}`);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const entries = parts.reduce((sum, part) => sum + entryCount(part), 0);
  const offsets = new Uint32Array(rows + 1);
  const indices = new Uint32Array(entries);
  const values = parts.some((part) => part.values) ? new Float32Array(entries).fill(1) : undefined;
  let row = 0;
  for (const part of parts) {
    const start = offsets[row];
    indices.set(part.indices, start);
    if (part.values) values?.set(part.values, start);
    for (let r = 0; r < part.rows; r++) offsets[++row] = start + part.offsets[r + 1];
  }
  return { rows, columns, offsets, indices, values };
}
