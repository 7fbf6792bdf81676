// Initialises tensors. A network is built by constructors, which are synchronous, but computing its values can take seconds. So
// within `initialised` the initialisations are only recorded while the network is built, and run afterwards in pieces, yielding
// to the event loop in between. Everywhere else they run immediately. The values are the same.

import type { Engine } from "../compute/engine.js";
import { type Tensor, viewElements } from "../compute/tensor.js";
import { Turns } from "../core/turns.js";
import type { Fill } from "./initializers.js";

/** Numbers that are computed at a time: a few milliseconds of work. */
const PIECE = 1 << 16;

interface Noted {
  readonly engine: Engine;
  readonly tensor: Tensor;
  readonly fill: Fill;
}

/** The initialisations recorded while `initialised` builds something. Building is synchronous, so a module variable is safe. */
let noted: Noted[] | undefined;

/** Fills a contiguous tensor: immediately or, within `initialised`, after the build. */
export function initialise(engine: Engine, tensor: Tensor, fill: Fill): void {
  if (noted) noted.push({ engine, tensor, fill });
  else for (const _ of pieces({ engine, tensor, fill }));
}

/**
 * Returns the result of `build` with its initial values, which `build` itself must not read. Throws AbortedError when the signal
 * aborts, after `release` has released the result.
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

/** The values as an array on the host; yields to the event loop. Throws AbortedError when the signal aborts. */
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
