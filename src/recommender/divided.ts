// A recommender whose items are divided among the members of a run. Each member scores its own items; the best ones of all members
// are merged. While training, all members make the same calls. Afterwards member 0 alone evaluates and reports: it sends what it
// calls to the others, which `follow` it.

import { deserialize, serialize } from "node:v8";
import type { Division } from "../compute/division.js";
import { NO_ITEM, type TopK } from "../compute/engine.js";
import { mergeTopK } from "../compute/merge-top-k.js";
import { Tape, type Variable } from "../compute/tape.js";
import type { ItemAxis, SparseTensor, Tensor } from "../compute/tensor.js";
import { viewColumns, viewRows } from "../compute/tensor.js";
import { wordsFor } from "../core/bits.js";
import { throwIfAborted } from "../core/errors.js";
import { type CsrMatrix, sliceRows } from "../sparse/csr.js";
import { requireCatalogue } from "./catalogue.js";
import type { HostTensor, ModelFiles, NamedTensors, Recommender, Scores } from "./recommender.js";
import { rowsPerBlock } from "./scores.js";

/** What a divided recommender is made of. */
export interface DividedProducts {
  readonly division: Division;
  /** The hidden activations [rows, width] of histories, the same on every member. */
  activations(tape: Tape, histories: SparseTensor, rows: CsrMatrix): Variable;
  /** [own items, width] and [1, own items] */
  readonly weights: Tensor;
  readonly bias: Tensor;
  /** Configuration and own tensors. */
  save(): Promise<ModelFiles>;
  dispose(): void;
}

/** A call of member 0. */
type Call =
  | {
      readonly kind: "top-k";
      readonly histories: CsrMatrix;
      readonly k: number;
      readonly without?: CsrMatrix;
      readonly allowed?: Uint32Array;
    }
  | { readonly kind: "scores"; readonly histories: CsrMatrix }
  | { readonly kind: "save" }
  | { readonly kind: "end" };

export class DividedRecommender implements Recommender {
  readonly algorithm: string;
  readonly items: Recommender["items"];
  readonly #products: DividedProducts;
  /** Whether member 0 alone makes calls. */
  readonly #isLed: boolean;
  #turn: Promise<unknown> = Promise.resolve();
  #isEnded = false;

  constructor(
    { algorithm, items }: Pick<Recommender, "algorithm" | "items">,
    products: DividedProducts,
    isLed: boolean,
  ) {
    this.algorithm = algorithm;
    this.items = items;
    this.#products = products;
    this.#isLed = isLed;
  }

  score(histories: CsrMatrix, { signal }: { readonly signal?: AbortSignal } = {}): Scores {
    const items = this.items.size;
    requireCatalogue("score", histories, items);
    const { rows } = histories;
    const eachBlock = async (use: (first: number, last: number) => Promise<void>) => {
      const block = rowsPerBlock(items);
      for (let first = 0; first < rows; first += block) {
        throwIfAborted(signal);
        await use(first, Math.min(rows, first + block));
      }
    };
    const read = async () => {
      const all = new Float32Array(rows * items);
      await eachBlock(async (first, last) => {
        const call = { kind: "scores", histories: sliceRows(histories, first, last) } as const;
        all.set((await this.#call(call)) as Float32Array, first * items);
      });
      return all;
    };
    return {
      rows,
      topK: async (k, without, allowed) => {
        const columns = Math.min(k, items);
        const result: TopK = {
          ...{ rows, k: columns },
          items: new Uint32Array(rows * columns),
          scores: new Float32Array(rows * columns),
        };
        const words = wordsFor(items);
        await eachBlock(async (first, last) => {
          const best = (await this.#call({
            kind: "top-k",
            histories: sliceRows(histories, first, last),
            k: columns,
            without: without && sliceRows(without, first, last),
            allowed:
              allowed && allowed.length !== words ? allowed.subarray(first * words, last * words) : allowed,
          })) as TopK;
          result.items.set(best.items, first * columns);
          result.scores.set(best.scores, first * columns);
        });
        return result;
      },
      read,
      at: async (wanted) => {
        for (const item of wanted)
          if (item >= items) throw new RangeError(`at: item ${item} is outside [0, ${items})`);
        const all = await read();
        const taken = new Float32Array(rows * wanted.length);
        for (let i = 0; i < taken.length; i++)
          taken[i] = all[Math.floor(i / wanted.length) * items + wanted[i % wanted.length]];
        return taken;
      },
    };
  }

  /** While training, the own tensors; afterwards, on member 0, the whole model. */
  async save(): Promise<ModelFiles> {
    if (!this.#isLed) return this.#products.save();
    return (await this.#call({ kind: "save" })) as ModelFiles;
  }

  dispose(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { division } = this.#products;
    if (this.#isLed && division.connection.rank === 0) void this.#call({ kind: "end" }).catch(() => {});
    else this.#products.dispose();
  }

  /** Does what member 0 calls, until it disposes of its recommender. Only after training, on all other members. */
  async follow(): Promise<void> {
    const { connection } = this.#products.division;
    for (;;) {
      const [sent] = await connection.gather(new Uint8Array());
      const call = deserialize(sent) as Call;
      await this.#run(call);
      if (call.kind === "end") return;
    }
  }

  /** One call after the other, so that all members run them in the same order. */
  #call(call: Call): Promise<unknown> {
    const result = this.#turn.then(async () => {
      const { connection } = this.#products.division;
      if (this.#isLed && connection.size > 1) await connection.gather(serialize(call));
      return this.#run(call);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #run(call: Call): Promise<unknown> {
    switch (call.kind) {
      case "top-k":
        return this.#topK(call);
      case "scores":
        return this.#scores(call.histories);
      case "save":
        return wholeModel(this.#products);
      case "end":
        this.#products.dispose();
        return Promise.resolve();
      default:
        return call satisfies never;
    }
  }

  /** The scores of the own items, which the caller releases. */
  #own(histories: CsrMatrix): Tensor {
    const { division, weights, bias, activations } = this.#products;
    const { engine, own, ownBlocks } = division;
    const tape = new Tape(engine, { gradients: false });
    try {
      const hidden = activations(tape, tape.histories(histories, division), histories).value;
      const scores = engine.empty(histories.rows, division.count);
      for (const block of ownBlocks) {
        const [from, to] = [block.from - own.from, block.to - own.from];
        engine.matmul(viewColumns(scores, from, to), hidden, viewRows(weights, from, to), {
          transposeB: true,
        });
      }
      engine.addRow(scores, bias);
      return scores;
    } finally {
      tape.dispose();
    }
  }

  async #topK({ histories, k, without, allowed }: Extract<Call, { kind: "top-k" }>): Promise<TopK> {
    const { division } = this.#products;
    const { engine, own, connection } = division;
    const scores = this.#own(histories);
    const masked = without && engine.sparse(columnsOf(without, own));
    const best = await engine.topK(
      scores,
      Math.min(k, division.count),
      masked,
      allowed && bitsOf(allowed, histories.rows, division),
    );
    engine.release(scores);
    if (masked) engine.releaseSparse(masked);
    const items = best.items.map((item) => (item === NO_ITEM ? item : item + own.from));
    const parts = await connection.gather(serialize({ ...best, items }));
    return mergeTopK(
      parts.map((part) => deserialize(part) as TopK),
      k,
    );
  }

  async #scores(histories: CsrMatrix): Promise<Float32Array> {
    const { division } = this.#products;
    const { engine, connection, items } = division;
    const scores = this.#own(histories);
    const own = await engine.read(scores);
    engine.release(scores);
    const parts = await connection.gather(serialize(Float32Array.from(own)));
    const all = new Float32Array(histories.rows * items);
    for (const [member, part] of parts.entries()) {
      const { from, to } = division.spanOf(member);
      const numbers = deserialize(part) as Float32Array;
      for (let row = 0; row < histories.rows; row++)
        all.set(numbers.subarray(row * (to - from), (row + 1) * (to - from)), row * items + from);
    }
    return all;
  }
}

/** The columns [from, to) of a matrix, numbered from 0. */
function columnsOf(
  { rows, offsets, indices }: CsrMatrix,
  { from, to }: { readonly from: number; readonly to: number },
): CsrMatrix {
  const kept = new Uint32Array(rows + 1);
  const items: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      if (from <= indices[k] && indices[k] < to) items.push(indices[k] - from);
    kept[r + 1] = items.length;
  }
  return { rows, columns: to - from, offsets: kept, indices: Uint32Array.from(items) };
}

/** The own part of sets of items. */
function bitsOf(allowed: Uint32Array, rows: number, { items, own, count }: Division): Uint32Array {
  const [words, ownWords] = [wordsFor(items), wordsFor(count)];
  const sets = allowed.length === words ? 1 : rows;
  const bits = new Uint32Array(sets * ownWords);
  for (let set = 0; set < sets; set++)
    for (let item = 0; item < count; item++) {
      const at = own.from + item;
      const isAllowed = (allowed[set * words + (at >>> 5)] >>> (at & 31)) & 1;
      if (isAllowed) bits[set * ownWords + (item >>> 5)] |= 1 << (item & 31);
    }
  return bits;
}

/** The files of the whole model on member 0; elsewhere with the own tensors. */
async function wholeModel({ save, division }: DividedProducts): Promise<ModelFiles> {
  const files = await save();
  const tensors: NamedTensors = {};
  for (const [name, tensor] of Object.entries(files.tensors))
    tensors[name] = tensor.divided ? await wholeTensor(tensor, tensor.divided.axis, division) : tensor;
  return division.connection.rank === 0 ? { ...files, tensors } : files;
}

/** Collects a tensor on member 0, of the same type. */
async function wholeTensor(tensor: HostTensor, axis: ItemAxis, division: Division): Promise<HostTensor> {
  const { connection, items, count } = division;
  const { data, shape } = tensor;
  const parts = await connection.gather(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 0);
  if (connection.rank !== 0) return tensor;
  const [rows, columns] = shape;
  const extra = (axis === "rows" ? rows : columns) - count;
  const whole = axis === "rows" ? [items + extra, columns] : [rows, items + extra];
  const all = new (data.constructor as new (length: number) => typeof data)(whole[0] * whole[1]);
  for (const [member, part] of parts.entries()) {
    const { from, to } = division.spanOf(member);
    const numbers = numbersOf(data, part);
    // What follows the items is the same everywhere: the last member writes it last.
    if (axis === "rows") all.set(numbers, from * columns);
    else {
      const width = to - from + extra;
      for (let row = 0; row < rows; row++)
        all.set(numbers.subarray(row * width, (row + 1) * width), row * whole[1] + from);
    }
  }
  return { shape: whole, data: all };
}

function numbersOf(like: HostTensor["data"], bytes: Uint8Array): HostTensor["data"] {
  const copy = bytes.slice().buffer;
  return new (like.constructor as new (buffer: ArrayBuffer) => typeof like)(copy);
}
