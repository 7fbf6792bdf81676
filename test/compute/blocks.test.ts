import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blockStarts,
  inTree,
  mostBlocks,
  nodesWithin,
  sharesOf,
  sumOfNode,
} from "../../src/compute/blocks.js";

const counts = fc.integer({ min: 1, max: 70 });

describe("the blocks of a catalogue", () => {
  it("are of equal size up to 4 items, start at multiples of 4, and none is empty", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 30_000 }), counts, (items, wanted) => {
        const blocks = Math.min(wanted, mostBlocks(items));
        const starts = [...blockStarts(items, blocks)];
        expect([starts[0], starts.at(-1), starts.length]).toEqual([0, items, blocks + 1]);
        for (const [block, start] of starts.slice(0, -1).entries()) {
          expect(start % 4).toBe(0);
          const size = starts[block + 1] - start;
          expect(size).toBeGreaterThan(0);
          expect(Math.abs(size - items / blocks)).toBeLessThan(4);
        }
      }),
    );
  });
});

describe("the shares of members", () => {
  it("are consecutive blocks, none more than an equal share rounded up", () => {
    fc.assert(
      fc.property(counts, counts, (blocks, wanted) => {
        const members = Math.min(blocks, wanted);
        const shares = sharesOf(blocks, members);
        expect(shares).toHaveLength(members);
        let next = 0;
        for (const { from, to } of shares) {
          expect(from).toBe(next);
          expect(to - from).toBeGreaterThan(0);
          expect(to - from).toBeLessThanOrEqual(Math.ceil(blocks / members));
          next = to;
        }
        expect(next).toBe(blocks);
      }),
    );
  });

  it("are single nodes of the tree for 1, 2, 4, 8 and 16 members of 16 blocks, and at most two for 3", () => {
    const nodes = (members: number) =>
      Math.max(...sharesOf(16, members).map((share) => nodesWithin(share, 16).length));
    expect([1, 2, 4, 8, 16].map(nodes)).toEqual([1, 1, 1, 1, 1]);
    expect(nodes(3)).toBe(2);
  });
});

describe("a sum in the order of the tree", () => {
  it("does not depend on how the blocks are divided into nodes", () => {
    const text = (a: string, b: string) => `(${a} ${b})`;
    fc.assert(
      fc.property(counts, counts, (blocks, wanted) => {
        const whole = sumOfNode({ from: 0, to: blocks }, String, text);
        const nodes = sharesOf(blocks, Math.min(blocks, wanted)).flatMap((share) =>
          nodesWithin(share, blocks),
        );
        expect(nodes.map(({ to }) => to).at(-1)).toBe(blocks);
        const values = nodes.map((node) => [node, sumOfNode(node, String, text)] as const);
        expect(inTree(values, blocks, text)).toBe(whole);
      }),
    );
    expect(sumOfNode({ from: 0, to: 5 }, String, text)).toBe("(((0 1) (2 3)) 4)");
  });
});
