// The Pareto front: the runs that no other run beats in both quality and cost.

export interface Point {
  readonly id: string;
  /** Lower is better. */
  readonly cost: number;
  /** Higher is better. */
  readonly quality: number;
}

/** The points of the front, by increasing cost. Of equal points, all are on it. */
export function paretoFront<T extends Point>(points: readonly T[]): T[] {
  const ordered = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality);
  const front: T[] = [];
  for (const point of ordered) {
    const last = front.at(-1);
    const isEqual = last !== undefined && point.cost === last.cost && point.quality === last.quality;
    if (last === undefined || point.quality > last.quality || isEqual) front.push(point);
  }
  return front;
}
