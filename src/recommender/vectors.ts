// Models with user and item vectors in a common space, which can be exported to a vector database. A model has up to two spaces:
//   scores   user . item is the model's score, so that a search by inner product gives the model's ranking
//   latent   the encoder's output for a history; an item's vector is that of the history with only this item

import type { Engine } from "../compute/engine.js";
import { type FloatArray, type Tensor, viewRows } from "../compute/tensor.js";
import { type CsrMatrix, fromRows, sliceRows } from "../sparse/csr.js";
import { requireCatalogue } from "./catalogue.js";
import type { Recommender } from "./recommender.js";

export const spaceNames = ["scores", "latent"] as const;
export type SpaceName = (typeof spaceNames)[number];

export interface VectorSpace {
  readonly name: SpaceName;
  /** Numbers per vector. */
  readonly dimensions: number;
  /** A description of the vectors. */
  readonly users: string;
  readonly items: string;
}

/** A recommender that has vectors. */
export interface Vectors extends Recommender {
  /** The space of the scores comes first. */
  readonly spaces: readonly VectorSpace[];
  /** Vectors of histories [users, items], folded in: [users, dimensions], row-major. Throws RangeError like `score`, and for an unknown space. */
  userVectors(histories: CsrMatrix, space: SpaceName): Promise<Float32Array>;
  /** Vectors of items [from, to): [to - from, dimensions], row-major. */
  itemVectors(from: number, to: number, space: SpaceName): Promise<Float32Array>;
}

export function hasVectors(recommender: Recommender): recommender is Vectors {
  return "userVectors" in recommender;
}

/** A space and the functions that compute its vectors, one block at a time, row-major. */
export interface VectorSource extends VectorSpace {
  ofHistories(block: CsrMatrix): Promise<FloatArray>;
  ofItems(from: number, to: number): Promise<FloatArray>;
}

/** Histories converted to vectors at a time. */
const BLOCK_ROWS = 512;

/** Implements a recommender's `Vectors` with its sources. */
export function vectorsFrom(
  { algorithm, items }: Pick<Recommender, "algorithm" | "items">,
  sources: readonly VectorSource[],
): Omit<Vectors, keyof Recommender> {
  const sourceOf = (name: SpaceName) => {
    const source = sources.find((known) => known.name === name);
    if (!source) throw new RangeError(`${algorithm} has no ${name} vectors`);
    return source;
  };
  const inBlocks = async (
    rows: number,
    dimensions: number,
    block: (from: number, to: number) => Promise<FloatArray>,
  ) => {
    const vectors = new Float32Array(rows * dimensions);
    for (let from = 0; from < rows; from += BLOCK_ROWS)
      vectors.set(await block(from, Math.min(rows, from + BLOCK_ROWS)), from * dimensions);
    return vectors;
  };
  return {
    spaces: sources.map(({ name, dimensions, users, items }) => ({ name, dimensions, users, items })),

    async userVectors(histories, space) {
      const { dimensions, ofHistories } = sourceOf(space);
      requireCatalogue("userVectors", histories, items.size);
      return inBlocks(histories.rows, dimensions, (from, to) => ofHistories(sliceRows(histories, from, to)));
    },

    async itemVectors(first, last, space) {
      const { dimensions, ofItems } = sourceOf(space);
      if (!(0 <= first && first <= last && last <= items.size))
        throw new RangeError(`itemVectors: [${first}, ${last}) is outside [0, ${items.size})`);
      return inBlocks(last - first, dimensions, (from, to) => ofItems(first + from, first + to));
    },
  };
}

type Encode = (block: CsrMatrix) => Tensor | Promise<Tensor>;

/**
 * The space of scores that are products, activations . weights + bias: `encode` computes the activations [rows, width] of some
 * histories, which are released here; weights [items, width]. A bias [1, items] becomes the last number of the item vectors, which
 * is multiplied by a 1 in the user vectors.
 */
export function productSpace(
  engine: Engine,
  what: Pick<VectorSpace, "users" | "items"> & { encode: Encode; weights: Tensor; bias?: Tensor },
): VectorSource {
  const { encode, weights, bias } = what;
  const width = weights.columns;
  const withLast = (numbers: FloatArray, last: (row: number) => number) => {
    const rows = numbers.length / width;
    const wider = new Float32Array(rows * (width + 1));
    for (let row = 0; row < rows; row++) {
      wider.set(numbers.subarray(row * width, (row + 1) * width), row * (width + 1));
      wider[row * (width + 1) + width] = last(row);
    }
    return wider;
  };
  return {
    name: "scores",
    dimensions: width + (bias ? 1 : 0),
    users: bias ? `${what.users}, and 1` : what.users,
    items: bias ? `${what.items}, and its bias` : what.items,
    async ofHistories(block) {
      const numbers = await readOnce(engine, await encode(block));
      return bias ? withLast(numbers, () => 1) : numbers;
    },
    async ofItems(from, to) {
      const numbers = await engine.read(viewRows(weights, from, to));
      if (!bias) return numbers;
      const biases = await engine.read(bias);
      return withLast(numbers, (row) => biases[from + row]);
    },
  };
}

/** The space of an encoder's z [rows, dimensions]; `encode` returns z as a tensor that is released here. */
export function latentSpace(
  engine: Engine,
  what: { dimensions: number; items: number; users: string; encode: Encode },
): VectorSource {
  const ofHistories = async (block: CsrMatrix) => readOnce(engine, await what.encode(block));
  return {
    name: "latent",
    dimensions: what.dimensions,
    users: what.users,
    items: `${what.users}, for a history with only this item`,
    ofHistories,
    ofItems: (from, to) =>
      ofHistories(
        fromRows(
          what.items,
          Array.from({ length: to - from }, (_, k) => [from + k]),
        ),
      ),
  };
}

async function readOnce(engine: Engine, tensor: Tensor): Promise<FloatArray> {
  try {
    return await engine.read(tensor);
  } finally {
    engine.release(tensor);
  }
}
