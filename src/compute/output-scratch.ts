// What an engine on a CPU keeps of an output layer between a batch's statistics and its gradient. Keeping costs memory for
// a number per row and item; computing the products a second time costs a third more operations.

/** Up to so many numbers (256 MiB of float32) are kept. */
const KEPT = 2 ** 26;
/** Numbers in a block where they are not (16 MiB of float32), and the fewest items in one. */
const BLOCK = 2 ** 22;
const LEAST_ITEMS = 256;

/** The columns of the scratch of `rows` hidden activations and an output layer of `items`. */
export function outputColumns(rows: number, items: number): number {
  if (rows * items <= KEPT) return items;
  return Math.min(items, Math.max(LEAST_ITEMS, Math.floor(BLOCK / rows)));
}
