// How a catalogue is divided: into blocks of items, whose number belongs to a run's identity, and the blocks among the members of
// a run, whose number does not. Sums over blocks follow one fixed binary tree, so consecutive blocks are a few of its nodes, and
// a member sends these instead of all of its blocks.

/** Blocks start at multiples of this number of items, so that initial values can be computed from there (`Fill`). */
const ALIGNED = 4;

/** Consecutive numbers from .. to - 1. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The largest number of blocks of a catalogue: none is empty. */
export function mostBlocks(items: number): number {
  return Math.max(1, Math.floor(items / ALIGNED));
}

/** The first item of every block, and the number of items: [blocks + 1]. Blocks are of equal size, up to 4 items. */
export function blockStarts(items: number, blocks: number): Uint32Array {
  return Uint32Array.from({ length: blocks + 1 }, (_, block) =>
    block === blocks ? items : Math.floor((block * items) / blocks / ALIGNED) * ALIGNED,
  );
}

/** The number of blocks in the left part of a node: the largest power of two below `count`. */
function leftPart(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}

/** The largest nodes of the tree over `blocks` that lie within a span, in order. */
export function nodesWithin(span: Span, blocks: number, node: Span = { from: 0, to: blocks }): Span[] {
  const { from, to } = node;
  if (span.to <= from || to <= span.from) return [];
  if (span.from <= from && to <= span.to) return [node];
  const middle = from + leftPart(to - from);
  return [
    ...nodesWithin(span, blocks, { from, to: middle }),
    ...nodesWithin(span, blocks, { from: middle, to }),
  ];
}

/**
 * The consecutive blocks of every member: none has more than its equal share, rounded up, and among these divisions the largest
 * number of nodes that a member has to send is the smallest. `members` is at most `blocks`.
 */
export function sharesOf(blocks: number, members: number): Span[] {
  const most = Math.ceil(blocks / members);
  // best[m][b]: the first m members have the first b blocks; their largest number of nodes, and where the last of them starts.
  const best: (readonly [nodes: number, from: number] | undefined)[][] = [[[0, 0]]];
  for (let m = 1; m <= members; m++) {
    best.push([]);
    for (let to = m; to <= blocks; to++)
      for (let from = Math.max(m - 1, to - most); from < to; from++) {
        const before = best[m - 1][from];
        if (!before) continue;
        const nodes = Math.max(before[0], nodesWithin({ from, to }, blocks).length);
        const found = best[m][to];
        if (!found || nodes < found[0]) best[m][to] = [nodes, from];
      }
  }
  const shares: Span[] = [];
  for (let m = members, to = blocks; m > 0; m--) {
    const from = best[m][to]?.[1] ?? 0;
    shares.unshift({ from, to });
    to = from;
  }
  return shares;
}

/** Adds what `leaf` returns for every block, in the order of the tree; `add` returns the sum of two neighbours. */
export function inTree<T>(nodes: readonly (readonly [Span, T])[], blocks: number, add: (a: T, b: T) => T): T {
  let next = 0;
  const sum = ({ from, to }: Span): T => {
    const [span, value] = nodes[next];
    if (span.from === from && span.to === to) {
      next++;
      return value;
    }
    const middle = from + leftPart(to - from);
    const left = sum({ from, to: middle });
    return add(left, sum({ from: middle, to }));
  };
  return sum({ from: 0, to: blocks });
}

/** The same for the blocks of one node. */
export function sumOfNode<T>(node: Span, leaf: (block: number) => T, add: (a: T, b: T) => T): T {
  const { from, to } = node;
  if (to - from === 1) return leaf(from);
  const middle = from + leftPart(to - from);
  const left = sumOfNode({ from, to: middle }, leaf, add);
  return add(left, sumOfNode({ from: middle, to }, leaf, add));
}
