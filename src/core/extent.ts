// Minimum and maximum of a list. Math.min(...list) overflows the stack for long lists.

/** The smallest and the largest number; [Infinity, -Infinity] for an empty list. */
export function extent(numbers: Iterable<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return [low, high];
}
