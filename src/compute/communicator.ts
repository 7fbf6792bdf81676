// The members of a run: the processes that train one model together (only one unless a launcher started more). Sums do not
// depend on the number of members: work is divided into a fixed number of blocks, a member has one or more consecutive blocks,
// and the contributions of the blocks are always added in the order of one binary tree over the blocks (blocks.ts).

import { inTree, nodesWithin, type Span, sharesOf, sumOfNode } from "./blocks.js";
import type { Engine } from "./engine.js";
import { type Tensor, viewColumns, viewRows } from "./tensor.js";

/**
 * How members exchange numbers. All of them make the same calls in the same order. `sum` and `gather` are queued as kernels are: they
 * return at once, and their effect is visible to the kernels called after them.
 */
export interface Communicator {
  /** The number of this member, from 0. */
  readonly rank: number;
  /** The number of members. */
  readonly size: number;
  /**
   * out = the sum of the parts of all blocks, in the order of the tree, with the same bits on every member. `parts` are those of this
   * member's blocks; all are shaped like `out`, which may be one of them, and are undefined afterwards. For partial sums and gradients.
   */
  sum(out: Tensor, parts: readonly Tensor[]): void;
  /** out [rows, blocks * columns] = the parts [rows, columns] of all blocks side by side. For statistics that are merged rather than added. */
  gather(out: Tensor, parts: readonly Tensor[]): void;
  /** Returns the value of member 0 on every member: for a run's seed. */
  broadcast(value: number): Promise<number>;
}

/** A tensor of contiguous rows that goes to another member, or comes from it. */
export interface Message {
  readonly member: number;
  readonly tensor: Tensor;
}

/** What a communicator needs from the members' connection. */
export interface Connection {
  readonly rank: number;
  readonly size: number;
  /** Bytes of tensors that this member has sent so far. */
  readonly sent: number;
  /** Queues an exchange like a kernel. All members do so at the same point; a message has the same size on both sides. */
  exchange(engine: Engine, sends: readonly Message[], receives: readonly Message[]): void;
  /** The bytes of every member, on every member, or only on `root` (elsewhere without content); nothing may be queued at the time. */
  gather(bytes: Uint8Array, root?: number): Promise<readonly Uint8Array[]>;
}

/** The connection of a run with one member. */
export const unconnected: Connection = {
  ...{ rank: 0, size: 1, sent: 0, exchange: () => {}, gather: async (bytes) => [bytes] },
};

/** The communicator of a run with one member. */
export function alone(engine: Engine, blocks = 1): Communicator {
  return connected(engine, unconnected, blocks);
}

/**
 * The communicator of connected members that share `blocks`. A sum takes two exchanges. In the first, every member gets its share of
 * the rows of all nodes of the tree that the members have; it adds them; in the second, every member gets the rows of all others. With
 * one node for each member, a member sends 2 (members - 1) / members times the size of `out`.
 */
export function connected(engine: Engine, connection: Connection, blocks: number): Communicator {
  const { rank, size } = connection;
  const shares = sharesOf(blocks, size);
  const nodesOf = shares.map((share) => nodesWithin(share, blocks));
  const own = shares[rank];
  const count = own.to - own.from;
  const add = (a: Tensor, b: Tensor) => {
    engine.addScaled(a, b, 1);
    return a;
  };
  const check = (parts: readonly Tensor[]) => {
    if (parts.length !== count)
      throw new RangeError(
        `communicator: ${parts.length} parts of ${count === 1 ? "one block" : `${count} blocks`}`,
      );
  };
  const others = Array.from({ length: size }, (_, member) => member).filter((member) => member !== rank);
  return {
    rank,
    size,

    sum(out, parts) {
      check(parts);
      const nodes = nodesOf[rank].map((node) => sumOfNode(node, (block) => parts[block - own.from], add));
      if (size === 1) {
        if (nodes[0] !== out) engine.copy(out, nodes[0]);
        return;
      }
      const { rows, columns } = out;
      const rowsOf = (member: number): Span => ({
        from: Math.floor((member * rows) / size),
        to: Math.floor(((member + 1) * rows) / size),
      });
      const slice = (of: Tensor, member: number) => {
        const { from, to } = rowsOf(member);
        return viewRows(of, from, to);
      };
      const mine = rowsOf(rank).to - rowsOf(rank).from;
      const received = engine.empty(mine * nodesOf.flat().length, columns);
      let next = 0;
      const all = nodesOf.flatMap((theirs, member) =>
        theirs.map((node, n) => {
          const tensor = member === rank ? slice(nodes[n], rank) : viewRows(received, next, next + mine);
          if (member !== rank) next += mine;
          return { member, node, tensor };
        }),
      );
      connection.exchange(
        engine,
        others.flatMap((member) => nodes.map((node) => ({ member, tensor: slice(node, member) }))),
        all.filter(({ member }) => member !== rank),
      );
      const sum = inTree(
        all.map(({ node, tensor }) => [node, tensor] as const),
        blocks,
        add,
      );
      engine.copy(slice(out, rank), sum);
      engine.release(received);
      connection.exchange(
        engine,
        others.map((member) => ({ member, tensor: slice(out, rank) })),
        others.map((member) => ({ member, tensor: slice(out, member) })),
      );
    },

    gather(out, parts) {
      check(parts);
      const [{ rows, columns }] = parts;
      // One below the other, because rows are exchanged.
      const stacked = engine.empty(blocks * rows, columns);
      const of = ({ from, to }: Span) => viewRows(stacked, from * rows, to * rows);
      for (const [p, part] of parts.entries()) {
        const block = own.from + p;
        engine.copy(of({ from: block, to: block + 1 }), part);
      }
      if (size > 1)
        connection.exchange(
          engine,
          others.map((member) => ({ member, tensor: of(own) })),
          others.map((member) => ({ member, tensor: of(shares[member]) })),
        );
      for (let block = 0; block < blocks; block++)
        engine.copy(
          viewColumns(out, block * columns, (block + 1) * columns),
          of({ from: block, to: block + 1 }),
        );
      engine.release(stacked);
    },

    async broadcast(value) {
      const [first] = await connection.gather(new Uint8Array(Float64Array.of(value).buffer));
      return new Float64Array(first.slice().buffer)[0];
    },
  };
}
