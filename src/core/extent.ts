// Math.min and Math.max of a list: spread into a call, a long one overflows the stack.

/** The smallest and the largest number; [Infinity, -Infinity] of none. */
export function extent(numbers: Iterable<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return [low, high];
}
