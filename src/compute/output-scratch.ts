// The size of the scratch that a CPU engine keeps of an output layer between the statistics of a batch and its gradient. Keeping
// everything takes one number per row and item; computing the products a second time takes a third more operations.

/** Maximum number of elements that are kept (256 MiB of float32). */
const KEPT = 2 ** 26;
/** Elements of a block if they are not kept (16 MiB of float32), and the minimum number of items in a block. */
const BLOCK = 2 ** 22;
const LEAST_ITEMS = 256;
/** Items in a block where products take bfloat16; as in native/src/kernels/rounded_output.rs. */
export const BF16_ITEMS = 256;

/** The columns of the scratch of `rows` hidden activations and an output layer of `items`. */
export function outputColumns(rows: number, items: number): number {
  if (rows * items <= KEPT) return items;
  return Math.min(items, Math.max(LEAST_ITEMS, Math.floor(BLOCK / rows)));
}

/**
 * The same where products take bfloat16: two of a row's numbers in one of the scratch, and each block's statistics. Where it
 * is not kept, nothing is.
 */
export function outputColumnsBf16(rows: number, items: number): number {
  const columns = Math.ceil(items / 2) + 4 * Math.ceil(items / BF16_ITEMS);
  return rows * columns <= KEPT ? columns : 1;
}
