import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { type FoldIn, ridgesOf, solveFoldIn, twoLevelWeights } from "../../src/recommender/fold-in.js";
import { fromRows } from "../../src/sparse/csr.js";

const engine = new ReferenceEngine({ precision: "float64" });
// One factor, so that every system is one equation: y = 2, 3, -1, and G = 14 over all of them.
const y = [2, 3, -1];
const items = engine.tensor(3, 1, y);
const gram = engine.tensor(1, 1, [14]);
const histories = fromRows(3, [[0, 1], [2], []]);

const solve = async (foldIn: FoldIn) => [...(await engine.read(solveFoldIn(engine, foldIn, histories)))];
const expectClose = (found: number[], wanted: number[]) =>
  expect(found).toEqual(wanted.map((x) => expect.closeTo(x, 12)));

describe("a fold-in by ridge regression", () => {
  const ridge = { kind: "ridge", items, gram, ...twoLevelWeights(5, 2) } as const;

  it("solves (b G + (a - b) sum y^2 + ridge) x = a sum y over the history", async () => {
    expectClose(await solve({ ...ridge, ridge: 7 }), [
      (5 * 5) / (2 * 14 + 3 * (4 + 9) + 7),
      (5 * -1) / (2 * 14 + 3 * 1 + 7),
      0,
    ]);
  });

  it("can have a ridge that grows with the history: scale (n + offset)^exponent", async () => {
    const rule = { scale: 3, offset: 4, exponent: 0.5 };
    expectClose(
      [...ridgesOf(histories, rule)].map((r) => r ** 2),
      [9 * 6, 9 * 5, 9 * 4].map((x) => Math.fround(Math.sqrt(x)) ** 2),
    );
    const [two, one] = ridgesOf(histories, rule);
    expectClose(await solve({ ...ridge, ridge: rule }), [
      (5 * 5) / (2 * 14 + 3 * (4 + 9) + two),
      (5 * -1) / (2 * 14 + 3 * 1 + one),
      0,
    ]);
  });

  it("takes the expectation of y^2 where the items' factors are distributions, and gives the inverse of the system", async () => {
    const covariances = engine.tensor(3, 1, [0.5, 0.25, 4]);
    const posterior = engine.empty(3, 1);
    solveFoldIn(engine, { ...ridge, ridge: 7, covariances }, histories, posterior);
    expectClose(
      [...(await engine.read(posterior))],
      [1 / (2 * 14 + 3 * (4 + 9 + 0.5 + 0.25) + 7), 1 / (2 * 14 + 3 * (1 + 4) + 7), 1 / (2 * 14 + 7)],
    );
  });
});

describe("a non-negative fold-in", () => {
  it("is (sum y - l1) / (G + l2), or 0 where that is negative", async () => {
    const penalties = { l1: 1, l2: 2, iterations: 50, tolerance: 0 };
    expectClose(await solve({ kind: "non-negative", items, gram, ...penalties }), [(5 - 1) / (14 + 2), 0, 0]);
  });
});
