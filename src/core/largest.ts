// The k largest of many numbers, with a heap whose root is the smallest of the numbers kept.

/** The indices of the k largest numbers (among the given indices, or all), largest first, ties by index. No NaN. */
export function largest(numbers: ArrayLike<number>, k: number, among?: ArrayLike<number>): number[] {
  const heap: number[] = [];
  const isWorse = (a: number, b: number) => numbers[a] < numbers[b] || (numbers[a] === numbers[b] && a > b);
  const sink = () => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) return;
      if (child + 1 < heap.length && isWorse(heap[child + 1], heap[child])) child++;
      if (!isWorse(heap[child], heap[at])) return;
      [heap[at], heap[child]] = [heap[child], heap[at]];
      at = child;
    }
  };
  const count = among?.length ?? numbers.length;
  for (let n = 0; n < count; n++) {
    const place = among ? among[n] : n;
    if (heap.length < k) {
      heap.push(place);
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!isWorse(heap[at], heap[parent])) break;
        [heap[at], heap[parent]] = [heap[parent], heap[at]];
        at = parent;
      }
    } else if (k > 0 && isWorse(heap[0], place)) {
      heap[0] = place;
      sink();
    }
  }
  return heap.sort((a, b) => numbers[b] - numbers[a] || a - b);
}
