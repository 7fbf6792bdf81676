// Random bits are named by positions in the whole: the pieces of a batch, or of a catalogue, draw what the whole would.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { type Tensor, viewColumns, viewRows } from "../../src/compute/tensor.js";
import { randomNormals, randomUniforms, randomWords } from "../../src/core/philox.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { Workbench, wordOf } from "../support/engines.js";
import { columnPiece, type Piece, rowPiece } from "../support/pieces.js";

const native = loadNativeEngine({ threads: 2 });
const engines: [string, Engine][] = [["reference", new ReferenceEngine()]];
if ("engine" in native) engines.push(["native", native.engine]);
else console.log(`skipped: ${native.reason}`);
afterAll(() => Promise.all(engines.map(([, engine]) => engine.close())));

const key = fc.record({
  seed: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  step: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  stream: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});

/** [0, ..., size] with cuts between, in ascending order; pieces may be empty. */
const cuts = (size: number, shares: readonly number[]) => [
  0,
  ...shares.map((share) => Math.round(share * size)).sort((a, b) => a - b),
  size,
];
const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });

/** Calls `body` with the bounds of each piece. */
function forEachPiece(bounds: readonly number[], body: (from: number, to: number) => void): void {
  for (let p = 1; p < bounds.length; p++) body(bounds[p - 1], bounds[p]);
}

const runs = { numRuns: 60, seed: 1 };
const bits = (numbers: ArrayLike<number>) => [...new Uint32Array(Float32Array.from(numbers).buffer)];

/** The dense matrix that a first layer sees of a batch: its product with the identity. */
async function seen(
  engine: Engine,
  { matrix, piece }: { matrix: CsrMatrix; piece?: Piece["piece"] },
  options: Parameters<Engine["sparseRowSum"]>[3],
): Promise<ArrayLike<number>> {
  const { rows, columns } = matrix;
  const identity = new Float32Array(columns * columns);
  for (let c = 0; c < columns; c++) identity[c * columns + c] = 1;
  const [weights, out] = [engine.tensor(columns, columns, identity), engine.empty(rows, columns)];
  const batch = engine.sparse(matrix, piece);
  engine.sparseRowSum(out, batch, weights, options);
  const numbers = await engine.read(out);
  for (const tensor of [weights, out]) engine.release(tensor);
  engine.releaseSparse(batch);
  return numbers;
}

describe.each(engines)("on the %s engine", (_, engine) => {
  const histories = (seed: number) =>
    new Workbench(engine, seed).sparseMatrix(1 + (seed % 9), 1 + (seed % 23));

  it("rows of a batch are dropped as they are in the whole batch, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), shares, key, async (seed, shares, key) => {
        const matrix = histories(seed);
        const options = { rowScale: "l2", dropout: { rate: 0.4, key } } as const;
        const pieces: number[] = [];
        const bounds = cuts(matrix.rows, shares);
        for (let p = 1; p < bounds.length; p++)
          pieces.push(...Array.from(await seen(engine, rowPiece(matrix, bounds[p - 1], bounds[p]), options)));
        expect(bits(pieces)).toEqual(bits(await seen(engine, { matrix }, options)));
      }),
      runs,
    );
  });

  it("columns of a catalogue are scaled and dropped as they are in the whole catalogue, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), shares, key, async (seed, shares, key) => {
        const matrix = histories(seed);
        const options = { rowScale: "l2", dropout: { rate: 0.4, key } } as const;
        const whole = await seen(engine, { matrix }, options);
        const together = new Float32Array(matrix.rows * matrix.columns);
        const bounds = cuts(matrix.columns, shares);
        for (let p = 1; p < bounds.length; p++) {
          const [from, to] = [bounds[p - 1], bounds[p]];
          const part = await seen(engine, columnPiece(matrix, from, to), options);
          for (let i = 0; i < part.length; i++)
            together[Math.floor(i / (to - from)) * matrix.columns + from + (i % (to - from))] = part[i];
        }
        expect(bits(together)).toEqual(bits(whole));
      }),
      runs,
    );
  });

  it("columns of a catalogue give the touched rows of its weights the gradient that the whole catalogue does, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), shares, key, async (seed, shares, key) => {
        const matrix = histories(seed);
        const options = { rowScale: "l2", dropout: { rate: 0.4, key } } as const;
        const bench = new Workbench(engine, seed);
        const g = bench.put(bench.matrix(matrix.rows, 5));
        const gradient = async ({ matrix, piece }: { matrix: CsrMatrix; piece?: Piece["piece"] }) => {
          const batch = bench.sparse(matrix, piece);
          const out = bench.rubbish(batch.touched.length, 5);
          engine.sparseRowSumGradient(out, batch, g, options);
          return { touched: [...batch.touched], numbers: bits(await engine.read(out)) };
        };
        const whole = await gradient({ matrix });
        const together: typeof whole = { touched: [], numbers: [] };
        const bounds = cuts(matrix.columns, shares);
        for (let p = 1; p < bounds.length; p++) {
          const { touched, numbers } = await gradient(columnPiece(matrix, bounds[p - 1], bounds[p]));
          together.touched.push(...touched.map((column) => column + bounds[p - 1]));
          together.numbers.push(...numbers);
        }
        expect(together).toEqual(whole);
        await bench.close();
      }),
      runs,
    );
  });

  type Draw = (out: Tensor, a: Tensor, position: { first?: number; rowStride?: number }) => void;
  it.each<[string, (key: { seed: number; step: number; stream: number }) => Draw]>([
    ["dropout", (key) => (out, a, at) => engine.dropout(out, a, { rate: 0.4, key, ...at })],
    ["dropClamped", (key) => (out, a, at) => engine.dropClamped(out, a, { rate: 0.4, key, ...at })],
    ["gaussianSample", (key) => (out, a, at) => engine.gaussianSample(out, a, a, key, at)],
  ])("%s gives pieces of a dense matrix what it gives the whole, bit for bit", async (_, drawWith) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        // Beyond the 512 elements whose noise is made at a time, too.
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 500, max: 1100 })),
        shares,
        shares,
        key,
        async (rows, columns, rowShares, columnShares, key) => {
          const bench = new Workbench(engine, rows * 100 + columns);
          const draw = drawWith(key);
          const a = bench.put(bench.matrix(rows, columns));
          const [whole, together] = [bench.rubbish(rows, columns), bench.rubbish(rows, columns)];
          draw(whole, a, {});
          forEachPiece(cuts(rows, rowShares), (top, bottom) => {
            forEachPiece(cuts(columns, columnShares), (left, right) => {
              const [out, of] = [together, a].map((tensor) =>
                viewColumns(viewRows(tensor, top, bottom), left, right),
              );
              draw(out, of, { first: top * columns + left, rowStride: columns });
            });
          });
          expect(bits(await engine.read(together))).toEqual(bits(await engine.read(whole)));
          await bench.close();
        },
      ),
      runs,
    );
  });

  it.each<[string, () => void]>([
    [
      "first -1 is not a non-negative integer",
      () => engine.dropout(a(), a(), { rate: 0.5, key: zero, first: -1 }),
    ],
    ["first 0.5 is not", () => engine.gaussianSample(a(), a(), a(), zero, { first: 0.5 })],
    [
      "rowStride 2 is not an integer of at least 3",
      () => engine.dropClamped(a(), a(), { rate: 0.5, key: zero, rowStride: 2 }),
    ],
    ["1 positions for 2 entries", () => engine.sparse(two(), { positions: Uint32Array.of(0) })],
    ["3 sums of squares for 1 rows", () => engine.sparse(two(), { squares: new Float64Array(3) })],
    ["first -4 is not", () => engine.sparse(two(), { first: -4 })],
  ])("refuses a position that cannot be: %s", (message, call) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
  const zero = { seed: 0, step: 0, stream: 0 };
  const a = () => engine.zeros(2, 3);
  const two = () => fromRows(4, [[1, 3]]);
});

describe("random numbers from any element on", () => {
  it.each([0, 1, 2, 3, 4, 5, 4097, 2 ** 32 + 3])(
    "are those of the elements, also where a block is cut: from %i",
    (first) => {
      const key = { seed: 2 ** 40 + 1, step: 7, stream: 11 };
      for (const length of [0, 1, 2, 3, 4, 9, 4100]) {
        const words = new Uint32Array(length);
        randomWords(key, first, words);
        for (const i of [0, 1, 2, 3, 4, 8, 4095, 4096, 4099])
          if (i < length) expect(words[i], `word ${i} of ${length}`).toBe(wordOf(key, first + i));
        const [normals, uniforms] = [new Float64Array(length), new Float32Array(length)];
        const start = first - (first % 4);
        const [allNormals, allUniforms] = [new Float64Array(length + 4), new Float32Array(length + 4)];
        randomNormals(key, normals, first);
        randomNormals(key, allNormals, start);
        expect(normals).toEqual(allNormals.slice(first - start, first - start + length));
        randomUniforms(key, uniforms, first);
        randomUniforms(key, allUniforms, start);
        expect(uniforms).toEqual(allUniforms.slice(first - start, first - start + length));
      }
    },
  );
});
