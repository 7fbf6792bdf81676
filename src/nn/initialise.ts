// Initialises tensors. A network is built by constructors, which are synchronous, but computing its values can take seconds. So
// within `initialised` the initialisations are only recorded while the network is built, and run afterwards in pieces, yielding
// to the event loop in between. Everywhere else they run immediately. The values are the same.

import type { Span } from "../compute/blocks.js";
import type { Engine } from "../compute/engine.js";
import { type DividedAxis, type ItemAxis, type Tensor, viewElements } from "../compute/tensor.js";
import { Turns } from "../core/turns.js";
import type { Fill } from "./initializers.js";

/** Numbers that are computed at a time: a few milliseconds of work. */
const PIECE = 1 << 16;

/** The rows or columns of a whole matrix that a tensor has. */
export interface PartOfMatrix {
  readonly rows: number;
  readonly columns: number;
  /** The tensor's rows (or columns), each span in order. */
  readonly axis: ItemAxis;
  readonly spans: readonly Span[];
}

interface Noted {
  readonly engine: Engine;
  readonly tensor: Tensor;
  readonly fill: Fill;
  /** Absent = the tensor is the whole matrix. */
  readonly part?: PartOfMatrix;
}

/** The initialisations recorded while `initialised` builds something. Building is synchronous, so a module variable is safe. */
let noted: Noted[] | undefined;

/** The part of a parameter that a member of a run has: its own items, and what follows the items. */
export function partOf(
  whole: { readonly rows: number; readonly columns: number },
  { axis, division: { own, items } }: DividedAxis,
): PartOfMatrix {
  return { ...whole, axis, spans: [own, { from: items, to: whole[axis] }] };
}

/** Fills a contiguous tensor, or with `part` a part of a matrix: immediately or, within `initialised`, after the build. */
export function initialise(engine: Engine, tensor: Tensor, fill: Fill, part?: PartOfMatrix): void {
  const one = { engine, tensor, fill, part };
  if (noted) noted.push(one);
  else for (const _ of pieces(one));
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

function* pieces(noted: Noted): Generator<void> {
  if (noted.part) return yield* piecesOfPart(noted, noted.part);
  const { engine, tensor, fill } = noted;
  const length = tensor.rows * tensor.columns;
  const values = new Float32Array(Math.min(PIECE, length));
  for (let first = 0; first < length; first += PIECE) {
    const piece = values.subarray(0, Math.min(PIECE, length - first));
    fill(piece, first);
    engine.write(viewElements(tensor, first, first + piece.length), piece);
    yield;
  }
}

/** Computes the whole matrix, or only the pieces with wanted rows if they can be computed by themselves, and writes what is wanted. */
function* piecesOfPart(
  { engine, tensor, fill }: Noted,
  { rows, columns, axis, spans }: PartOfMatrix,
): Generator<void> {
  const length = rows * columns;
  const values = new Float32Array(Math.min(PIECE, length));
  for (let first = 0; first < length; first += PIECE) {
    const piece = values.subarray(0, Math.min(PIECE, length - first));
    const last = first + piece.length;
    const isWanted = (span: Span) => span.from * columns < last && first < span.to * columns;
    if (axis === "rows" && !fill.sequential && !spans.some(isWanted)) continue;
    fill(piece, first);
    let before = 0;
    for (const { from, to } of spans) {
      if (axis === "rows") {
        const [start, end] = [Math.max(first, from * columns), Math.min(last, to * columns)];
        const at = start + (before - from) * columns;
        if (start < end)
          engine.write(
            viewElements(tensor, at, at + end - start),
            piece.subarray(start - first, end - first),
          );
      } else
        for (let row = Math.floor(first / columns); row * columns < last; row++) {
          const start = Math.max(first, row * columns + from);
          const end = Math.min(last, row * columns + to);
          const at = row * tensor.columns + before + start - row * columns - from;
          if (start < end)
            engine.write(
              viewElements(tensor, at, at + end - start),
              piece.subarray(start - first, end - first),
            );
        }
      before += to - from;
    }
    yield;
  }
}
