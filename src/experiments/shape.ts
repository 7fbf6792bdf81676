// The shape of a dataset: what the choice of models and the cost of training depend on.

import type { Manifest } from "../data/manifest.js";

/** The size of a dataset, as recipes keep it. */
export interface Size {
  /** Training users. */
  readonly users: number;
  readonly items: number;
  /** Training interactions. */
  readonly interactions: number;
}

export interface Shape extends Size {
  /** Interactions / (users x items). */
  readonly density: number;
  /** Training interactions per user, on average. */
  readonly history: number;
  readonly validationUsers: number;
  /** Whether the items have content. */
  readonly content: boolean;
  /** Whether the interactions have times. */
  readonly times: boolean;
}

export function shapeOf({
  counts,
  content,
  columns,
}: Pick<Manifest, "counts" | "content" | "columns">): Shape {
  const { users, items, interactions, validation } = counts;
  return {
    ...sizeOf(counts),
    density: interactions / Math.max(1, users * items),
    history: interactions / Math.max(1, users),
    validationUsers: validation.judgedUsers,
    content: content !== undefined,
    times: columns.time,
  };
}

export function sizeOf({ users, items, interactions }: Size): Size {
  return { users, items, interactions };
}

/** The factor by which two shapes may differ; beyond it, options are not expected to carry over. */
const ALIKE = 4;

/** What differs by more than `ALIKE` between two shapes, as words with both numbers; empty if the shapes are alike. */
export function differencesOf(a: Size, b: Size): string[] {
  const density = ({ users, items, interactions }: Size) => interactions / Math.max(1, users * items);
  const compared: [string, number, number, (value: number) => string][] = [
    ["training users", a.users, b.users, whole],
    ["items", a.items, b.items, whole],
    ["density", density(a), density(b), (value) => value.toPrecision(2)],
  ];
  return compared.flatMap(([name, mine, theirs, text]) => {
    const factor = Math.max(mine, theirs) / Math.max(Number.MIN_VALUE, Math.min(mine, theirs));
    return factor > ALIKE ? [`${name} ${text(mine)} instead of ${text(theirs)}`] : [];
  });
}

function whole(value: number): string {
  return value.toLocaleString("en");
}
