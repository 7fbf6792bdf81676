import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Division } from "../../../src/compute/division.js";
import type { Engine } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { type ImplicitSlim, implicitSlim } from "../../../src/compute/solvers/implicit-slim.js";
import { AbortedError } from "../../../src/core/errors.js";
import { userCounts } from "../../../src/data/item-popularity.js";
import { type CsrMatrix, fromRows } from "../../../src/sparse/csr.js";
import { build, naiveInverse, product, transposed } from "../../support/dense-solvers.js";
import { engineNames, precisions } from "../../support/engine-names.js";
import { densify, type HostMatrix } from "../../support/engines.js";
import { largestError } from "../../support/updates.js";

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/implicit-slim.json", import.meta.url), "utf8"),
) as {
  items: number;
  rows: number[][];
  weights: number[];
  cases: (ImplicitSlim & { embeddings: number[]; float16: number })[];
};
const histories = fromRows(fixture.items, fixture.rows);
const width = fixture.weights.length / fixture.items;

async function embedded(
  engine: Engine,
  x: CsrMatrix,
  weights: ArrayLike<number>,
  constants: ImplicitSlim,
  { batchSize = 7, signal }: { batchSize?: number; signal?: AbortSignal } = {},
) {
  const tensor = engine.tensor(x.columns, weights.length / x.columns, weights);
  await implicitSlim(tensor, x, constants, { engine, batchSize, signal });
  const data = await engine.read(tensor);
  engine.release(tensor);
  return data;
}

/** The authors' formula, term by term, with matrices of items x items: W [k, items]. */
function denseFormula(w: HostMatrix, histories: CsrMatrix, { lambda, alpha, threshold }: ImplicitSlim) {
  const x = densify({ ...histories, values: undefined });
  const counts = userCounts(histories);
  const like = (a: HostMatrix, of: (r: number, c: number, i: number) => number) =>
    build(a.rows, a.columns, (r, c) => of(r, c, r * a.columns + c));
  const gram = product(transposed(x), x);
  const a = like(w, (_, item, i) => (counts[item] < threshold ? 0 : w.data[i]));
  const shifted = (b: HostMatrix) => {
    const bg = product(b, gram);
    return like(b, (_r, _c, i) => lambda * b.data[i] + bg.data[i]);
  };
  const ag = shifted(a);
  const ainvC = shifted(like(ag, (_, item, i) => ag.data[i] / (counts[item] + lambda) ** 2));
  const ainvCAt = product(ainvC, transposed(a));
  const regularised = like(ainvCAt, (r, c, i) => ainvCAt.data[i] + (r === c ? 1 / alpha : 0));
  const correction = product(product(ainvCAt, naiveInverse(regularised)), ainvC);
  const ac = like(ainvC, (_r, _c, i) => ainvC.data[i] - correction.data[i]);
  const v = product(product(w, transposed(a)), ac);
  return transposed(like(v, (_r, _c, i) => alpha * v.data[i]));
}

describe.each(precisions(1e-11, 2e-5))("ImplicitSLIM on the %s engine", (_, tolerance, open) => {
  it.each(fixture.cases)(
    "has NumPy's embeddings with lambda $lambda, alpha $alpha, threshold $threshold",
    async (one) => {
      const engine = await open();
      for (const batchSize of [1, 7, fixture.rows.length, 1000]) {
        const data = await embedded(engine, histories, fixture.weights, one, { batchSize });
        expect(largestError(data, one.embeddings)).toBeLessThan(
          tolerance * Math.max(...one.embeddings.map(Math.abs)),
        );
      }
      await engine.close();
    },
  );
});

describe("ImplicitSLIM", () => {
  it("is the authors' formula with matrices of items x items, in float64", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const cases = fc.record({
      rows: fc.array(fc.uniqueArray(fc.nat(8), { maxLength: 9 }), { minLength: 1, maxLength: 12 }),
      weights: fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 27, maxLength: 27 }),
      lambda: fc.double({ min: 0.5, max: 50, noNaN: true }),
      alpha: fc.double({ min: 0.01, max: 10, noNaN: true }),
      threshold: fc.integer({ min: 0, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, weights, ...constants }) => {
        const x = fromRows(9, rows);
        const w = transposed({ rows: 9, columns: 3, data: Float64Array.from(weights) });
        const wanted = denseFormula(w, x, constants).data;
        const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        const found = await embedded(engine, x, weights, constants);
        expect(largestError(found, [...wanted])).toBeLessThan(1e-8 * size);
      }),
      { numRuns: 60 },
    );
    await engine.close();
  });

  it.each(precisions(1e-3, 3e-3))(
    "is accurate on the %s engine with eigenvalues of S from 1 to 10^6",
    async (_, tolerance, open) => {
      const engine = await open();
      const items = 40;
      const rows = Array.from({ length: 60 }, (_, user) =>
        Array.from({ length: 12 }, (_, i) => (user * 3 + i * i) % items),
      );
      const x = fromRows(
        items,
        rows.map((row) => [...new Set(row)]),
      );
      // Nearly parallel columns: the formula as the authors write it has four digits left, in float64.
      const weights = Array.from({ length: items * 6 }, (_, i) =>
        Math.fround(20 + 2 ** -(i % 6) * Math.sin(7 * i)),
      );
      const constants = { lambda: 5, alpha: 1, threshold: 10 };
      const w = transposed({ rows: items, columns: 6, data: Float64Array.from(weights) });
      const wanted = [...denseFormula(w, x, constants).data];
      const found = await embedded(engine, x, weights, constants);
      expect(largestError(found, wanted)).toBeLessThan(tolerance * Math.max(...wanted));
      await engine.close();
    },
  );

  it("counts an item with as many interactions as the threshold, and not one with fewer", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const counts = userCounts(histories);
    const few = counts.indexOf(12);
    const changed = fixture.weights.with(few * width, 9);
    const at = async (weights: number[], threshold: number) => [
      ...(await embedded(engine, histories, weights, { lambda: 5, alpha: 1, threshold })),
    ];
    expect(await at(changed, 13)).toEqual(await at(fixture.weights, 13));
    expect(await at(changed, 12)).not.toEqual(await at(fixture.weights, 12));
    await engine.close();
  });

  it("does not depend on the values of the histories", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const rated = { ...histories, values: Float32Array.from(histories.indices, (_, i) => 1 + (i % 5)) };
    const of = (x: CsrMatrix) => embedded(engine, x, fixture.weights, fixture.cases[1]);
    expect(await of(rated)).toEqual(await of(histories));
    await engine.close();
  });

  it("has the same embeddings with items in blocks, and no matrix as large as items x items", async () => {
    const engine = new ReferenceEngine({ precision: "float64" });
    const items = 60;
    const rows = Array.from({ length: 30 }, (_, user) =>
      Array.from({ length: 4 + (user % 5) }, (_, i) => (user * 7 + i * i) % items),
    );
    const x = fromRows(items, rows);
    const weights = Array.from({ length: items * 4 }, (_, i) => Math.sin(i));
    const constants = { lambda: 3, alpha: 1, threshold: 3 };
    const whole = await embedded(engine, x, weights, constants);
    for (const blocks of [1, 2, 5]) {
      const division = new Division(engine, items, blocks);
      const tensor = engine.tensor(items, 4, weights);
      await implicitSlim(tensor, x, constants, { engine, division, batchSize: 11 });
      expect(largestError(await engine.read(tensor), [...whole])).toBeLessThan(1e-10);
    }
    let largest = 0;
    const empty = engine.empty.bind(engine);
    Object.assign(engine, {
      empty(...size: Parameters<typeof empty>) {
        largest = Math.max(largest, size[0] * size[1]);
        return empty(...size);
      },
    });
    await embedded(engine, x, weights, constants);
    expect(largest).toBe(items * 4);
    await engine.close();
  });

  it.each(engineNames)("has the same bits for any number of threads on the %s engine", async (engine) => {
    const items = 700;
    const rows = Array.from({ length: 500 }, (_, user) =>
      Array.from({ length: 20 }, (_, i) => (user * 31 + i * i * 7) % items),
    );
    const weights = Float32Array.from({ length: items * 65 }, (_, i) => Math.sin(i * 0.7));
    const found = [];
    for (const threads of [1, 2, 3]) {
      const opened = await openEngine({ engine, threads });
      const constants = { lambda: 10, alpha: 1, threshold: 5 };
      found.push(await embedded(opened, fromRows(items, rows), weights, constants, { batchSize: 100 }));
      await opened.close();
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });

  it("leaves the embeddings alone when it is aborted, or alpha is out of proportion", async () => {
    const engine = new ReferenceEngine();
    const tensor = engine.tensor(fixture.items, width, fixture.weights);
    const before = await engine.read(tensor);
    const abort = new AbortController();
    const run = { engine, batchSize: 7, signal: abort.signal };
    // Only six items reach the threshold; more columns than these make S singular.
    const wide = engine.tensor(fixture.items, 9, Float32Array.from({ length: fixture.items * 9 }, Math.sin));
    await expect(
      implicitSlim(wide, histories, { lambda: 1, alpha: 1e30, threshold: 12 }, run),
    ).rejects.toThrow(expect.objectContaining({ name: "NotPositiveDefiniteError" }));
    abort.abort();
    await expect(implicitSlim(tensor, histories, fixture.cases[0], run)).rejects.toThrow(AbortedError);
    expect(await engine.read(tensor)).toEqual(before);
    await engine.close();
  });
});
