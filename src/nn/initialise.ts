// Gives tensors their initial values. A network is built by constructors, which cannot wait; its values can take seconds.
// So within `initialised` the values are only noted down while the network is built, and computed afterwards, a piece at a
// time, the event loop turning in between. Everywhere else they are computed on the spot. The values are the same.

import type { Engine } from "../compute/engine.js";
import { type Tensor, viewElements } from "../compute/tensor.js";
import { Turns } from "../core/turns.js";
import type { Fill } from "./initializers.js";

/** Numbers that are made at a time: some milliseconds' worth. */
const PIECE = 1 << 16;

interface Noted {
  readonly engine: Engine;
  readonly tensor: Tensor;
  readonly fill: Fill;
}

/** What is noted down while `initialised` builds something. Nothing else runs meanwhile, so that one place is enough. */
let noted: Noted[] | undefined;

/** Fills a contiguous tensor: now, or, while `initialised` builds something, once that is built. */
export function initialise(engine: Engine, tensor: Tensor, fill: Fill): void {
  if (noted) noted.push({ engine, tensor, fill });
  else for (const _ of pieces({ engine, tensor, fill }));
}

/**
 * What `build` makes, its initial values in place. `build` must not look at them. Throws AbortedError on the signal, after
 * `release` has given back what was built.
 */
export async function initialised<T>(
  build: () => T,
  { signal, release }: { readonly signal?: AbortSignal; readonly release?: (built: T) => void } = {},
): Promise<T> {
  const outer = noted;
  const own: Noted[] = [];
  noted = own;
  let built: T;
  try {
    built = build();
  } finally {
    noted = outer;
  }
  const turns = new Turns(signal);
  try {
    for (const one of own) for (const _ of pieces(one)) if (turns.due) await turns.yield();
  } catch (error) {
    release?.(built);
    throw error;
  }
  return built;
}

/** The values as an array on the host; the event loop turns while they are computed. Throws AbortedError on the signal. */
export async function filled(length: number, fill: Fill, signal?: AbortSignal): Promise<Float32Array> {
  const values = new Float32Array(length);
  const turns = new Turns(signal);
  for (let first = 0; first < length; first += PIECE) {
    fill(values.subarray(first, first + PIECE), first);
    if (turns.due) await turns.yield();
  }
  return values;
}

function* pieces({ engine, tensor, fill }: Noted): Generator<void> {
  const length = tensor.rows * tensor.columns;
  const values = new Float32Array(Math.min(PIECE, length));
  for (let first = 0; first < length; first += PIECE) {
    const piece = values.subarray(0, Math.min(PIECE, length - first));
    fill(piece, first);
    engine.write(viewElements(tensor, first, first + piece.length), piece);
    yield;
  }
}
