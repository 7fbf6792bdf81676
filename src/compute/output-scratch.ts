// The size of the scratch that a CPU engine keeps of an output layer between the statistics of a batch and its gradient. Keeping
// everything takes one number per row and item; computing the products a second time takes a third more operations.

/** Maximum number of elements that are kept (256 MiB of float32). */
const KEPT = 2 ** 26;
/** Elements of a block if they are not kept (16 MiB of float32), and the minimum number of items in a block. */
const BLOCK = 2 ** 22;
const LEAST_ITEMS = 256;

/** The columns of the scratch of `rows` hidden activations and an output layer of `items`. */
export function outputColumns(rows: number, items: number): number {
  if (rows * items <= KEPT) return items;
  return Math.min(items, Math.max(LEAST_ITEMS, Math.floor(BLOCK / rows)));
}
