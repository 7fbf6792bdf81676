// Histograms of what a dataset holds: interactions per user and per item in bins that grow as 1, 2, 5, 10, 20, 50, ..., and ratings.

/** How many values lie in [from, to]; both ends are whole numbers, or a rating where they are equal. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** 0, 1, 2, 3 to 4, 5 to 9, 10 to 19, 20 to 49, 50 to 99, ...: from the first bin to the last one that holds a count. */
export function histogramOf(counts: Uint32Array): Bin[] {
  let largest = 0;
  for (const count of counts) largest = Math.max(largest, count);
  const starts = [0, 1, 2, 3];
  for (let decade = 1; ; decade *= 10) {
    const more = [5 * decade, 10 * decade, 20 * decade];
    starts.push(...more);
    if (20 * decade > largest) break;
  }
  const bins = starts.slice(0, -1).map((from, b) => ({ from, to: starts[b + 1] - 1, count: 0 }));
  for (const count of counts) {
    let bin = 0;
    while (count > bins[bin].to) bin++;
    bins[bin].count++;
  }
  const filled = bins.flatMap(({ count }, b) => (count > 0 ? [b] : []));
  return filled.length === 0 ? [] : bins.slice(filled[0], filled[filled.length - 1] + 1);
}

/** Above so many different ratings, they are counted in as many bins of equal width. */
const MOST_RATINGS = 20;

/** How often each rating occurs. */
export function countRatings(values: Float32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** One bin per rating, ascending; of more than twenty different ones twenty bins of equal width. */
export function ratingBins(counts: ReadonlyMap<number, number>): Bin[] {
  const ratings = [...counts.keys()].sort((a, b) => a - b);
  if (ratings.length <= MOST_RATINGS)
    return ratings.map((rating) => ({ from: rating, to: rating, count: counts.get(rating) ?? 0 }));
  const first = ratings[0];
  const width = (ratings[ratings.length - 1] - first) / MOST_RATINGS;
  const bins = Array.from({ length: MOST_RATINGS }, (_, b) => ({
    from: first + b * width,
    to: first + (b + 1) * width,
    count: 0,
  }));
  for (const [rating, count] of counts)
    bins[Math.min(MOST_RATINGS - 1, Math.trunc((rating - first) / width))].count += count;
  return bins;
}
