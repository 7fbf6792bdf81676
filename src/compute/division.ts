// The division of a catalogue's items among the members of a run. A member has consecutive blocks of items: their rows of item
// parameters with gradients and moments. Everything else is the same on every member. The sums of the first and of the output
// layer are formed block by block and added over all blocks, so that they do not depend on the number of members.

import type { CsrMatrix } from "../sparse/csr.js";
import { blockStarts, mostBlocks, type Span, sharesOf } from "./blocks.js";
import { type Communicator, type Connection, connected, unconnected } from "./communicator.js";
import type { Engine } from "./engine.js";
import { type SparseTensor, type Tensor, viewColumns } from "./tensor.js";

export class Division {
  readonly engine: Engine;
  readonly connection: Connection;
  readonly communicator: Communicator;
  /** Items of the catalogue. */
  readonly items: number;
  readonly blocks: number;
  /** The items of this member. */
  readonly own: Span;
  /** The items of each of its blocks, and the block's number. */
  readonly ownBlocks: readonly (Span & { readonly block: number })[];
  /** The items of each block. */
  readonly spans: readonly Span[];
  readonly #shares: readonly Span[];
  /** What this member has sent in training updates so far. */
  readonly traffic = { bytes: 0, updates: 0 };

  /** Throws RangeError if there are more blocks than `mostBlocks`, or more members than blocks. */
  constructor(engine: Engine, items: number, blocks: number, connection: Connection = unconnected) {
    if (!(Number.isInteger(blocks) && blocks >= 1 && blocks <= mostBlocks(items)))
      throw new RangeError(`${items} items cannot be divided into ${blocks} blocks`);
    if (connection.size > blocks)
      throw new RangeError(`${connection.size} members cannot share ${blocks} blocks`);
    this.engine = engine;
    this.connection = connection;
    this.communicator = connected(engine, connection, blocks);
    this.items = items;
    this.blocks = blocks;
    const starts = blockStarts(items, blocks);
    this.spans = Array.from({ length: blocks }, (_, block) => ({
      from: starts[block],
      to: starts[block + 1],
    }));
    this.#shares = sharesOf(blocks, connection.size);
    this.own = this.spanOf(connection.rank);
    const share = this.#shares[connection.rank];
    this.ownBlocks = this.spans
      .map((span, block) => ({ ...span, block }))
      .filter(({ block }) => share.from <= block && block < share.to);
  }

  /** The items of a member. */
  spanOf(member: number): Span {
    const { from, to } = this.#shares[member];
    return { from: this.spans[from].from, to: this.spans[to - 1].to };
  }

  /** The member that has a block. */
  memberOf(block: number): number {
    return this.#shares.findIndex(({ to }) => block < to);
  }

  /** The block of an item. */
  blockOf(item: number): number {
    let [low, high] = [0, this.blocks - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.spans[middle].from <= item) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The number of own items. */
  get count(): number {
    return this.own.to - this.own.from;
  }

  /** A batch of histories [rows, items] on the engine, which `releaseSparse` of this class releases. */
  sparse(histories: CsrMatrix): DividedBatch {
    return new DividedBatch(this, histories);
  }
}

/** A batch of histories, of which the engine has the columns of this member's items. */
export class DividedBatch implements SparseTensor {
  readonly division: Division;
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  /** The own columns: [rows, own items]. For gradients and as a target. */
  readonly own: SparseTensor;
  /** The same, but every own block has rows of its own: [own blocks * rows, own items]. For the partial sums of a first layer. */
  readonly stacked: SparseTensor;
  /** The sum of the values of each whole row. */
  readonly sums: Float64Array;
  /** The histories on the host. */
  readonly histories: CsrMatrix;
  /** The positions in the whole batch of the entries of `own` and of `stacked`. */
  readonly positions: { readonly own: Uint32Array; readonly stacked: Uint32Array };
  #touched: Uint32Array | undefined;
  #whole: SparseTensor | undefined;

  constructor(division: Division, histories: CsrMatrix) {
    const { rows, columns, offsets, indices, values } = histories;
    if (columns !== division.items)
      throw new RangeError(`histories of ${columns} items for a division of ${division.items}`);
    this.division = division;
    this.histories = histories;
    this.rows = rows;
    this.columns = columns;
    this.entries = indices.length;
    const { own, ownBlocks, engine } = division;
    const squares = new Float64Array(rows);
    this.sums = new Float64Array(rows);
    const count = ownBlocks.length;
    /** The place of every own item's block. */
    const blockOf = new Uint32Array(own.to - own.from);
    for (const [place, { from, to }] of ownBlocks.entries())
      blockOf.fill(place, from - own.from, to - own.from);
    const ofBlock = new Uint32Array(count * rows + 1);
    let total = 0;
    const ownOffsets = new Uint32Array(rows + 1);
    for (let r = 0; r < rows; r++) {
      for (let k = offsets[r]; k < offsets[r + 1]; k++) {
        const value = values ? values[k] : 1;
        squares[r] += value * value;
        this.sums[r] += value;
        const item = indices[k] - own.from;
        if (item < 0 || item >= blockOf.length) continue;
        total++;
        ofBlock[blockOf[item] * rows + r + 1]++;
      }
      ownOffsets[r + 1] = total;
    }
    for (let row = 0; row < count * rows; row++) ofBlock[row + 1] += ofBlock[row];
    const mine = pieces(total, values !== undefined);
    const stacked = pieces(total, values !== undefined);
    const next = ofBlock.slice();
    let at = 0;
    for (let r = 0; r < rows; r++)
      for (let k = offsets[r]; k < offsets[r + 1]; k++) {
        const item = indices[k] - own.from;
        if (item < 0 || item >= blockOf.length) continue;
        for (const [piece, place] of [
          [mine, at++],
          [stacked, next[blockOf[item] * rows + r]++],
        ] as const) {
          piece.indices[place] = item;
          piece.positions[place] = k;
          if (piece.values && values) piece.values[place] = values[k];
        }
      }
    this.positions = { own: mine.positions, stacked: stacked.positions };
    const width = blockOf.length;
    this.own = engine.sparse(
      { rows, columns: width, offsets: ownOffsets, indices: mine.indices, values: mine.values },
      { positions: mine.positions, squares },
    );
    const repeated = new Float64Array(count * rows);
    for (let place = 0; place < count; place++) repeated.set(squares, place * rows);
    this.stacked = engine.sparse(
      {
        rows: count * rows,
        columns: width,
        offsets: ofBlock,
        indices: stacked.indices,
        values: stacked.values,
      },
      { positions: stacked.positions, squares: repeated },
    );
  }

  /** The whole batch on the engine, for what every member computes alike. */
  get whole(): SparseTensor {
    this.#whole ??= this.division.engine.sparse(this.histories);
    return this.#whole;
  }

  /**
   * A number for every entry of the whole batch, [1, entries] in its order, from those of the own entries in the order of `own`, [1,
   * own entries]. The caller releases it.
   */
  gatherEntries(own: Tensor): Tensor {
    const { division } = this;
    const { engine, connection } = division;
    const { rank, size } = connection;
    const { indices } = this.histories;
    const owners = indices.map((item) => division.memberOf(division.blockOf(item)));
    const starts = new Uint32Array(size + 1);
    for (const owner of owners) starts[owner + 1]++;
    for (let member = 0; member < size; member++) starts[member + 1] += starts[member];
    const next = starts.slice();
    const places = owners.map((owner) => next[owner]++);
    const stacked = engine.empty(1, indices.length);
    const of = (member: number) => viewColumns(stacked, starts[member], starts[member + 1]);
    engine.copy(of(rank), own);
    const others = Array.from({ length: size }, (_, member) => member).filter((member) => member !== rank);
    if (size > 1)
      connection.exchange(
        engine,
        others.map((member) => ({ member, tensor: of(rank) })),
        others.map((member) => ({ member, tensor: of(member) })),
      );
    const all = engine.empty(1, indices.length);
    engine.takeColumns(all, stacked, places);
    engine.release(stacked);
    return all;
  }

  /** The distinct items of the whole batch, ascending. */
  get touched(): Uint32Array {
    this.#touched ??= distinct(this.histories);
    return this.#touched;
  }

  release(): void {
    const { engine } = this.division;
    engine.releaseSparse(this.own);
    engine.releaseSparse(this.stacked);
    if (this.#whole) engine.releaseSparse(this.#whole);
  }
}

function pieces(entries: number, hasValues: boolean) {
  return {
    indices: new Uint32Array(entries),
    positions: new Uint32Array(entries),
    values: hasValues ? new Float32Array(entries) : undefined,
  };
}

function distinct({ columns, indices }: CsrMatrix): Uint32Array {
  const found = new Uint8Array(columns);
  for (const item of indices) found[item] = 1;
  const list = new Uint32Array(found.reduce((sum, one) => sum + one, 0));
  for (let item = 0, at = 0; item < columns; item++) if (found[item] === 1) list[at++] = item;
  return list;
}

/** A sparse batch of histories, divided if the run is. */
export function histories(engine: Engine, division: Division | undefined, matrix: CsrMatrix): SparseTensor {
  return division ? division.sparse(matrix) : engine.sparse(matrix);
}

/** Returns the memory of `histories`. */
export function releaseHistories(engine: Engine, batch: SparseTensor): void {
  if (batch instanceof DividedBatch) batch.release();
  else engine.releaseSparse(batch);
}
