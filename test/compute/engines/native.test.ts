import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { loadAddon, loadNativeEngine, type NativeEngine } from "../../../src/compute/engines/native.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { type Tensor, viewColumns } from "../../../src/compute/tensor.js";
import { RandomSequence, randomNormals } from "../../../src/core/philox.js";
import { type CsrMatrix, emptyMatrix, fromRows } from "../../../src/sparse/csr.js";
import {
  bestInBlocksCase,
  bestProductsCase,
  kernelCases,
  relativeDifference,
  runCase,
  tolerance,
  topKCase,
} from "../../support/engines.js";

const search = loadNativeEngine({ threads: 2 });
const missing = "reason" in search ? search.reason : undefined;
if (missing) console.log(`skipped: ${missing}`);
const opened: Engine[] = "engine" in search ? [search.engine] : [];

function open(threads: number): NativeEngine {
  const result = loadNativeEngine({ threads });
  if ("reason" in result) throw new Error(result.reason);
  opened.push(result.engine);
  return result.engine as NativeEngine;
}

afterAll(() => Promise.all(opened.map((engine) => engine.close())));

describe.skipIf(missing)("the native engine", () => {
  it("times kernels once its clock is started, with their operands", async () => {
    const engine = open(2);
    await expect(engine.clocked()).rejects.toThrow("the clock was not started");
    const [a, b] = [engine.zeros(300, 200), engine.zeros(200, 400)];
    const out = engine.empty(300, 400);
    engine.startClock();
    const started = performance.now();
    engine.matmul(out, a, b);
    engine.tanh(viewColumns(out, 0, 10), viewColumns(out, 0, 10));
    const timed = await engine.clocked();
    const elapsed = performance.now() - started;
    expect(timed.map(({ name, operands }) => [name, ...operands])).toEqual([
      [
        "matmul",
        { name: "out", rows: 300, columns: 400, element: "float32" },
        { name: "a", rows: 300, columns: 200, element: "float32" },
        { name: "b", rows: 200, columns: 400, element: "float32" },
      ],
      [
        "tanh",
        { name: "out", rows: 300, columns: 10, element: "float32" },
        { name: "a", rows: 300, columns: 10, element: "float32" },
      ],
    ]);
    for (const { milliseconds } of timed) expect(milliseconds).toBeGreaterThan(0);
    expect(timed[0].milliseconds + timed[1].milliseconds).toBeLessThan(elapsed);
    const x = engine.sparse(histories(5, 40, 4));
    engine.sparseRowSum(engine.empty(5, 8), x, engine.zeros(40, 8), { rowScale: "none" });
    const [, { name, operands }] = await engine.clocked();
    expect([name, operands[1]]).toEqual([
      "sparseRowSum",
      { name: "input", rows: 5, columns: 40, entries: x.entries },
    ]);
    expect(await engine.clocked()).toEqual([]);
  });

  it.each(kernelCases.map((kernelCase) => [kernelCase.kernel, kernelCase] as const))(
    "computes %s as the naive formula does",
    async (_, kernelCase) => {
      await runCase(kernelCase, open(3), 120, (outcome, seed) => {
        expect(relativeDifference(outcome), `${outcome.what}, seed ${seed}`).toBeLessThanOrEqual(
          tolerance(kernelCase),
        );
      });
    },
  );

  it.each([
    ["ranks as a full sort does, ties by ascending index, NaN as -Infinity", topKCase],
    ["finds the best products as if all were computed", bestProductsCase],
    ["finds the best products in blocks", bestInBlocksCase],
  ])("%s", async (_, kernelCase) => {
    await runCase(kernelCase, open(2), 300, (outcome, seed) => {
      expect([...(outcome.actual as number[])], `${outcome.what}, seed ${seed}`).toEqual(outcome.expected);
    });
  });
});

/** Numbers that no pattern of blocks favours. */
function normals(length: number, stream: number): Float32Array {
  const data = new Float32Array(length);
  randomNormals({ seed: 7, step: 0, stream }, data);
  return data;
}

/** Numbers of all sizes whose exact sum is 0: what a float64 sum makes of them is rounding alone, and shows its order. */
function cancelling(length: number): Float32Array {
  const data = normals(length, 55);
  const half = length >> 1;
  for (let i = 0; i < half; i++) {
    data[i] *= 10 ** ((i % 25) - 12);
    data[length - 1 - i] = -data[i];
  }
  if (length & 1) data[half] = 0;
  return data;
}

/** Histories with a popular head, some of them empty. */
function histories(rows: number, columns: number, mean: number): CsrMatrix {
  const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
  const lists = Array.from({ length: rows }, (_, r) => {
    const count = r % 17 === 0 ? 0 : 1 + random.below(2 * mean);
    return [...new Set(Array.from({ length: count }, () => Math.floor(columns * random.uniform() ** 3)))];
  });
  return fromRows(columns, lists);
}

/** Every kernel at sizes that are cut into many pieces, on two sets of shapes: the contents of everything written. */
async function everything(engine: Engine): Promise<Float32Array[]> {
  const results: Tensor[] = [];
  const key = { seed: 2 ** 40 + 5, step: 3, stream: 9 };
  for (const [rows, items, hidden] of [
    [129, 5003, 131],
    [500, 611, 600],
  ]) {
    const batch = engine.sparse(histories(rows, items, 60));
    const tensor = (r: number, c: number) => engine.tensor(r, c, normals(r * c, results.length));
    const w = tensor(items, hidden);
    const h = tensor(rows, hidden);
    const logits = engine.empty(rows, items);
    engine.matmul(logits, h, w, { transposeB: true });
    const roundedLogits = engine.empty(rows, items);
    engine.matmul(roundedLogits, h, w, { transposeB: true, bf16: true });
    const roundedWeights = engine.empty(items, hidden);
    engine.matmul(roundedWeights, roundedLogits, h, { transposeA: true, bf16: true });
    results.push(roundedLogits, roundedWeights);
    const wide = tensor(rows, hidden + 5);
    const half = hidden >> 1;
    const [mean, logVariance] = [viewColumns(wide, 0, half), viewColumns(wide, half, 2 * half)];
    const sample = engine.empty(rows, half);
    engine.gaussianSample(sample, mean, logVariance, key);
    const kl = engine.empty(rows, 1);
    engine.gaussianKl(kl, mean, logVariance);
    const wideGradient = engine.zeros(rows, hidden + 5);
    const gradients = [
      viewColumns(wideGradient, 0, half),
      viewColumns(wideGradient, half, 2 * half),
    ] as const;
    engine.gaussianSampleGradient(...gradients, mean, sample, sample);
    engine.gaussianKlGradient(...gradients, mean, logVariance, kl);
    const mixture = { standard: 0.15, former: 0.75, broad: 0.1, broadLogVariance: 10 };
    const [former, formerSpread] = [tensor(rows, half), tensor(rows, half)];
    const inputs = [sample, mean, logVariance, former, formerSpread] as const;
    const compositeKl = engine.empty(rows, 1);
    engine.compositeKl(compositeKl, ...inputs, mixture);
    const zGradient = engine.zeros(rows, half);
    engine.compositeKlGradient(zGradient, ...gradients, ...inputs, mixture, kl);
    const [normed, rowStatistics] = [engine.empty(rows, hidden), engine.empty(rows, 2)];
    const [weight, shift] = [tensor(1, hidden), tensor(1, hidden)];
    engine.layerNorm(normed, h, weight, shift, rowStatistics, 0.1);
    const [normGradient, weightGradient] = [engine.zeros(rows, hidden), engine.zeros(1, hidden)];
    engine.layerNormGradient(normGradient, h, weight, rowStatistics, normed);
    engine.layerNormWeightGradient(weightGradient, h, rowStatistics, normed);
    engine.swish(normed, normed);
    engine.swishGradient(normGradient, h, normed);
    engine.addProduct(normGradient, h, normed);
    const scalar = engine.zeros(1, 3);
    engine.addSum(viewColumns(scalar, 0, 1), logits, 0.5);
    engine.addSumOfSquares(viewColumns(scalar, 1, 2), wide, 0.5);
    engine.addSum(viewColumns(scalar, 2, 3), engine.tensor(rows, items, cancelling(rows * items)), 1);
    const [loss, statistics, bias] = [engine.empty(rows, 1), engine.empty(rows, 4), tensor(1, items)];
    const biasGradient = engine.zeros(1, items);
    const hGradient = engine.empty(rows, hidden);
    const wGradient = engine.tensor(items, hidden, normals(items * hidden, 99));
    // Kept for the gradient, and in blocks that are computed again.
    for (const [likelihood, columns, bf16] of [
      ["multinomial", items, false],
      ["multinomial", 1000, false],
      ["bernoulli", items, false],
      ["bernoulli", 1000, false],
      ["multinomial", items, true],
      ["multinomial", 1, true],
      ["bernoulli", items, true],
    ] as const) {
      const scratch = engine.empty(rows, columns);
      const output = { hidden: h, weights: w, bias, target: batch, likelihood, bf16 };
      engine.outputStatistics(statistics, scratch, output);
      engine.outputLoss(loss, statistics, likelihood);
      engine.outputGradient(scratch, output, statistics, statistics, loss, {
        ...{ hiddenGradient: hGradient, addToHidden: false, biasGradient },
        ...{ weightsGradient: wGradient, addToWeights: true },
      });
    }
    const rowSum = engine.empty(rows, hidden);
    const options = { rowScale: "l2", dropout: { rate: 0.5, key } } as const;
    engine.sparseRowSum(rowSum, batch, w, options);
    engine.addRow(rowSum, tensor(1, hidden));
    const touched = engine.empty(batch.touched.length, hidden);
    engine.sparseRowSumGradient(touched, batch, rowSum, options);
    engine.tanh(rowSum, rowSum);
    engine.tanhGradient(rowSum, rowSum, h, { accumulate: true });
    const dropped = engine.empty(rows, hidden);
    engine.dropout(dropped, rowSum, { rate: 0.3, key });
    engine.addScaled(dropped, h, 0.01);
    const [m, v] = [engine.zeros(items, hidden), engine.zeros(items, hidden)];
    const step = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update: 1, decay: 0.01 };
    engine.adam(w, m, v, { kind: "dense", tensor: wGradient }, step);
    engine.adam(w, m, v, { kind: "rows", tensor: touched, touched: batch.touched }, { ...step, update: 2 });
    results.push(compositeKl, zGradient, normed, rowStatistics, normGradient, weightGradient);
    results.push(logits, sample, kl, wideGradient, scalar, loss, biasGradient);
    results.push(hGradient, wGradient, rowSum, touched, dropped, w, m, v);
  }
  return (await Promise.all(results.map((tensor) => engine.read(tensor)))) as Float32Array[];
}

const bytes = (array: Float32Array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

describe.skipIf(missing)("threads", () => {
  it("change no bit of any kernel", async () => {
    const alone = await everything(open(1));
    for (const array of alone) expect(array.every(Number.isFinite)).toBe(true);
    for (const threads of [2, 3, 4, 8]) {
      const together = await everything(open(threads));
      for (const [i, array] of together.entries())
        expect(bytes(array).equals(bytes(alone[i])), `result ${i} on ${threads} threads`).toBe(true);
    }
  }, 120_000);

  it("change no bit of products of many shapes", async () => {
    const engines = [1, 2, 3, 4, 8].map(open);
    const random = new RandomSequence({ seed: 11, step: 0, stream: 0 });
    for (let trial = 0; trial < 60; trial++) {
      const [m, n, inner] = [1 + random.below(700), 1 + random.below(700), 1 + random.below(900)];
      const [transposeA, transposeB] = [random.below(2) === 0, random.below(2) === 0];
      const a = normals(m * inner, trial);
      const b = normals(inner * n, trial + 1000);
      const products = await Promise.all(
        engines.map(async (engine) => {
          const out = engine.empty(m, n);
          const left = transposeA ? engine.tensor(inner, m, a) : engine.tensor(m, inner, a);
          const right = transposeB ? engine.tensor(n, inner, b) : engine.tensor(inner, n, b);
          engine.matmul(out, left, right, { transposeA, transposeB });
          const product = (await engine.read(out)) as Float32Array;
          for (const tensor of [out, left, right]) engine.release(tensor);
          return product;
        }),
      );
      for (const product of products.slice(1))
        expect(bytes(product).equals(bytes(products[0])), `[${m}, ${inner}] [${inner}, ${n}]`).toBe(true);
    }
  }, 120_000);

  it("refuses a number of threads that is none, and float64", () => {
    expect(() => loadNativeEngine({ threads: 0 })).toThrow("threads: 0 is not a valid number of threads");
    expect(() => loadNativeEngine({ precision: "float64" })).toThrow("--engine reference");
  });
});

describe.skipIf(missing)("accuracy of the elementary functions", () => {
  /** Units in the last place of the float32 result. */
  const ulps = (actual: number, exact: number) => {
    const rounded = Math.fround(exact);
    const unit = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(rounded) || 2 ** -149)) - 23);
    return Math.abs(actual - exact) / unit;
  };
  const grid = (from: number, to: number) =>
    Float32Array.from({ length: 200_001 }, (_, i) => from + ((to - from) * i) / 200_000);

  it("tanh is within 2 ulp everywhere", async () => {
    const engine = open(2);
    for (const x of [grid(-1, 1), grid(-12, 12), grid(-1e-3, 1e-3), Float32Array.of(-1e30, 1e30, 0, 1e-30)]) {
      const tensor = engine.tensor(1, x.length, x);
      engine.tanh(tensor, tensor);
      const y = await engine.read(tensor);
      let worst = 0;
      for (let i = 0; i < x.length; i++) worst = Math.max(worst, ulps(y[i], Math.tanh(x[i])));
      expect(worst).toBeLessThan(2);
    }
  });

  it("exp is within 2 ulp, down to the subnormals and up to infinity", async () => {
    const engine = open(2);
    for (const x of [grid(-0.5, 0), grid(-87, 0), grid(-103, -87), Float32Array.of(-104, -200, -1e30)]) {
      // Logits (x, 0) with x <= 0 leave (exp(x), 1) for the gradient.
      const scratch = engine.empty(x.length, 2);
      engine.outputStatistics(engine.empty(x.length, 4), scratch, {
        ...{ hidden: engine.tensor(x.length, 1, x), weights: engine.tensor(2, 1, [1, 0]) },
        ...{ bias: engine.zeros(1, 2), target: engine.sparse(emptyMatrix(x.length, 2)) },
        likelihood: "multinomial",
      });
      const y = await engine.read(scratch);
      let worst = 0;
      for (let i = 0; i < x.length; i++) worst = Math.max(worst, ulps(y[2 * i], Math.exp(x[i])));
      expect(worst).toBeLessThan(2);
    }
    const [mean, large] = [engine.zeros(1, 3), engine.tensor(1, 3, [88.5, 100, Number.NaN])];
    const gradient = engine.zeros(1, 3);
    engine.gaussianKlGradient(engine.zeros(1, 3), gradient, mean, large, engine.tensor(1, 1, [2]));
    const [finite, infinite, nan] = await engine.read(gradient);
    expect(ulps(finite, Math.exp(88.5))).toBeLessThan(3);
    expect(infinite).toBe(Infinity);
    expect(nan).toBeNaN();
  });

  it("noise is the reference engine's to the last bit but one", async () => {
    const [rows, columns] = [37, 1001];
    const key = { seed: 123456789012, step: 4_000_000_000, stream: 17 };
    const sampleOf = async (engine: Engine) => {
      const out = engine.empty(rows, columns);
      engine.gaussianSample(out, engine.zeros(rows, columns), engine.zeros(rows, columns), key);
      return await engine.read(out);
    };
    const [native, reference] = [await sampleOf(open(2)), await sampleOf(new ReferenceEngine())];
    let worst = 0;
    for (let i = 0; i < native.length; i++) worst = Math.max(worst, ulps(native[i], reference[i]));
    expect(worst).toBeLessThanOrEqual(1);
  });
});

describe.skipIf(missing)("the queue", () => {
  it("returns at once: a timer keeps ticking during a long product", async () => {
    const engine = open(2);
    const [a, b, out] = [engine.zeros(3000, 3000), engine.zeros(3000, 3000), engine.empty(3000, 3000)];
    await engine.finished();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const started = performance.now();
    for (let i = 0; i < 5; i++) engine.matmul(out, a, b);
    const queued = performance.now() - started;
    await engine.finished();
    const took = performance.now() - started;
    clearInterval(timer);
    // A blocked loop would not tick at all; a machine under load ticks late.
    expect(queued).toBeLessThan(took / 4);
    expect(ticks).toBeGreaterThan(took / 5 / 10);
  });

  it("keeps memory flat over 10,000 steps of changing shapes", async () => {
    const engine = open(2);
    const random = new RandomSequence({ seed: 5, step: 0, stream: 0 });
    const weights = engine.tensor(300, 16, normals(4800, 1));
    const step = async (i: number) => {
      const batch = engine.sparse(histories(1 + random.below(12), 300, 10));
      const h = engine.empty(batch.rows, 16);
      engine.sparseRowSum(h, batch, weights, {});
      const gradient = engine.empty(batch.touched.length, 16);
      engine.sparseRowSumGradient(gradient, batch, h, {});
      engine.release(gradient);
      engine.release(h);
      engine.releaseSparse(batch);
      if (i % 100 === 0) await engine.finished();
    };
    for (let i = 0; i < 2000; i++) await step(i);
    const settled = engine.memory();
    const resident = process.memoryUsage().rss;
    for (let i = 0; i < 10_000; i++) await step(i);
    await engine.finished();
    expect(engine.memory()).toBe(settled);
    // A leak of one batch's arrays per step would be 60 MB.
    expect(process.memoryUsage().rss - resident).toBeLessThan(40 * 2 ** 20);
  }, 120_000);

  it("frees large released blocks beyond what it keeps, after what is queued", async () => {
    const engine = open(2);
    const tensors = Array.from({ length: 8 }, () => engine.zeros(1024, 4096));
    expect(engine.memory()).toBe(8 * 16 * 2 ** 20);
    const sum = engine.zeros(1, 1);
    for (const tensor of tensors) {
      engine.fill(tensor, 1);
      engine.addSum(sum, tensor, 1);
      engine.release(tensor);
    }
    expect((await engine.read(sum))[0]).toBe(8 * 1024 * 4096);
    expect(engine.memory()).toBeLessThanOrEqual(64 * 2 ** 20 + 64);
  });

  it("answers with the first failure from then on, and closes all the same", async () => {
    const engine = open(2);
    const tensor = engine.zeros(2, 2);
    engine.fill(tensor, 1);
    const before = engine.read(tensor);
    engine.fail("a kernel broke");
    engine.fill(tensor, 2);
    expect([...(await before)]).toEqual([1, 1, 1, 1]);
    const message = "fail failed in the native engine: a kernel broke";
    await expect(engine.read(tensor)).rejects.toThrow(message);
    await expect(engine.finished()).rejects.toThrow(message);
    await expect(engine.topK(tensor, 1)).rejects.toThrow(message);
    await engine.close();
  });

  it("refuses shapes as the reference engine does, and use after release or close", async () => {
    const engine = open(1);
    const tensor = engine.zeros(3, 4);
    expect(() => engine.matmul(tensor, tensor, tensor)).toThrow(RangeError);
    expect(() => engine.release(viewColumns(tensor, 1, 3))).toThrow("view");
    expect(() => engine.fill(open(1).zeros(1, 1), 1)).toThrow("another engine");
    expect(() => engine.fill({ ...tensor, offset: 1 }, 1)).toThrow("leaves its tensor");
    engine.release(tensor);
    expect(() => engine.release(tensor)).toThrow("released");
    expect(() => engine.fill(tensor, 1)).toThrow("released");
    await expect(engine.read(tensor)).rejects.toThrow("released");
    const batch = engine.sparse(fromRows(3, [[1], []]));
    expect(engine.memory()).toBeGreaterThan(64);
    engine.releaseSparse(batch);
    expect(() => engine.releaseSparse(batch)).toThrow("released");
    await engine.close();
    await engine.close();
    expect(engine.memory()).toBe(0);
    expect(() => engine.zeros(1, 1)).toThrow("closed");
    await expect(engine.finished()).rejects.toThrow("closed");
  });

  it("says so where memory is not to be had", () => {
    expect(() => open(1).empty(2 ** 31, 2 ** 30)).toThrow(/out of memory|too large/);
  });

  it("takes no size for another: neither of 32 bits nor of fractions", async () => {
    const engine = open(1);
    // No numbers, so that the largest allowed shape can be had.
    expect(engine.empty(2 ** 32 - 1, 0)).toMatchObject({ rows: 2 ** 32 - 1, columns: 0 });
    for (const [rows, columns] of [
      [2 ** 32, 0],
      [2 ** 32 + 3, 1],
      [1, 2 ** 32],
      [-1, 1],
      [0.5, 2],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
    ])
      for (const make of ["empty", "zeros"] as const)
        expect(() => engine[make](rows, columns)).toThrow(/is not a valid shape/);
    await engine.close();
  });
});

describe.skipIf(missing)("the process", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-native-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] };
  const addon = sharedObjects.find((file) => /foldin.*\.node$/.test(file));

  /** Runs a script against the addon itself, which Node can load without a build of our TypeScript. */
  function run(body: string, ...flags: string[]) {
    const script = join(folder, "script.mjs");
    const load = `import { createRequire } from "node:module";
      const { NativeEngine, contracts } = createRequire(import.meta.url)(${JSON.stringify(addon)});
      const numberOf = (name) => contracts().findIndex((contract) => contract.startsWith(name + "("));
      const view = (engine, rows, columns) => [engine.allocate(rows * columns, 0), 0, rows, columns, columns];
      const fill = (engine, out, value) => engine.run(numberOf("fill"), Float64Array.of(...out, value));
      const matmul = (engine, out, a, b) =>
        engine.run(numberOf("matmul"), Float64Array.of(...out, ...a, ...b, NaN, NaN, NaN, NaN));
      const read = (engine, out) => engine.read(Float64Array.from(out));`;
    writeFileSync(script, `${load}\n${body}`);
    const started = performance.now();
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, script], {
      encoding: "utf8",
    });
    return { status, signal, stdout: stdout.trim(), stderr, took: performance.now() - started };
  }

  it("refuses sizes that are not sizes, and tensors of another element type", () => {
    const result = run(`const engine = new NativeEngine(1);
      const at = (rows, columns, offset = 0, rowStride = columns) =>
        engine.run(numberOf("fill"), Float64Array.of(block, offset, rows, columns, rowStride, 1));
      const block = engine.allocate(12, 0);
      at(3, 4);
      const words = [];
      const refused = (call) => { try { call(); words.push("taken"); } catch { words.push("refused"); } };
      const none = [-1, 0.5, NaN, Infinity, 2 ** 53, 2 ** 64];
      for (const length of none) refused(() => engine.allocate(length, 0));
      refused(() => engine.allocate(4, 3));
      const bfloat16 = engine.allocate(12, 1);
      refused(() => engine.run(numberOf("addRow"), Float64Array.of(bfloat16, 0, 3, 4, 4, block, 0, 1, 4, 4)));
      // As integers of 32 bits these would be 3 rows of 4, which the block has.
      for (const rows of [2 ** 32 + 3, -(2 ** 32) + 3, 3.5]) refused(() => at(rows, 4));
      refused(() => at(3, 2 ** 32 + 4, 0, 4));
      for (const offset of [-1, 0.5, NaN, 2 ** 64]) refused(() => at(1, 1, offset));
      refused(() => at(3, 4, 0, 2 ** 64 + 4));
      const [offsets, indices] = [Uint32Array.of(0, 0, 0, 0), new Uint32Array(0)];
      engine.sparse(3, 5, offsets, indices, undefined, 0);
      refused(() => engine.sparse(2 ** 32 + 3, 5, offsets, indices, undefined, 0));
      refused(() => engine.sparse(3, 2 ** 32 + 5, offsets, indices, undefined, 0));
      for (const first of [-1, 0.5, 2 ** 64]) refused(() => engine.sparse(3, 5, offsets, indices, undefined, first));
      console.log(words.filter((word) => word === "refused").length, words.length);`);
    expect([result.status, result.stdout]).toEqual([0, "22 22"]);
  });

  it("ends though an engine is idle or still has work queued that nobody waits for", () => {
    const result = run(`const engine = new NativeEngine(2);
      const big = view(engine, 4000, 4000);
      fill(engine, big, 1);
      for (let i = 0; i < 200; i++) matmul(engine, view(engine, 4000, 4000), big, big);
      console.log("queued");`);
    expect([result.status, result.signal, result.stdout]).toEqual([0, null, "queued"]);
  });

  it("waits for an answer that somebody waits for, though nobody holds the engine", () => {
    const result = run(
      `function ask() {
        const engine = new NativeEngine(2);
        const big = view(engine, 1500, 1500);
        fill(engine, big, 1);
        const out = view(engine, 1500, 1500);
        for (let i = 0; i < 5; i++) matmul(engine, out, big, big);
        return read(engine, out);
      }
      const answer = ask();
      setTimeout(() => globalThis.gc(), 5);
      console.log((await answer)[0]);`,
      "--expose-gc",
    );
    expect([result.status, result.stdout]).toEqual([0, "1500"]);
  });

  it("survives process.exit and a worker's end in the middle of work", () => {
    const result = run(`import { Worker, isMainThread } from "node:worker_threads";
      const engine = new NativeEngine(2);
      const [big, out] = [view(engine, 3000, 3000), view(engine, 3000, 3000)];
      fill(engine, big, 1);
      for (let i = 0; i < 20; i++) matmul(engine, out, big, big);
      read(engine, out);
      if (isMainThread) {
        const worker = new Worker(new URL(import.meta.url));
        setTimeout(() => worker.terminate().then(() => setTimeout(() => process.exit(7), 50)), 150);
      }`);
    expect([result.status, result.signal]).toEqual([7, null]);
  });

  it("gives the threads and the memory of forgotten engines back", () => {
    const result = run(
      `import { readdirSync } from "node:fs";
      const threads = () => readdirSync("/proc/self/task").length;
      const before = threads();
      for (let i = 0; i < 20; i++) {
        const engine = new NativeEngine(4);
        fill(engine, view(engine, 1000, 4000), 1);
        await engine.finished();
      }
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 300));
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log(threads() - before, Math.round(process.memoryUsage().rss / 2 ** 20));`,
      "--expose-gc",
    );
    const [threads, megabytes] = result.stdout.split(" ").map(Number);
    // Twenty engines had 80 threads and 320 MB; the last one may still be held by its scope.
    expect(threads).toBeLessThanOrEqual(8);
    expect(megabytes).toBeLessThan(150);
  });
});

describe("where the addon is missing or wrong", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-addon-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("says in one line what was looked for", () => {
    const result = loadAddon(join(folder, "none.node"), "@foldin/native-none");
    expect(result).toEqual({
      reason: `the native engine is not built (no ${join(folder, "none.node")}) and @foldin/native-none is not installed`,
    });
  });

  it("says in one line that it does not load", () => {
    const file = join(folder, "broken.node");
    writeFileSync(file, "not a shared library");
    const result = loadAddon(file, "@foldin/native-none");
    expect("reason" in result && result.reason).toMatch(
      /^the native engine in .*broken\.node cannot be loaded: .+$/,
    );
  });

  it("refuses one of another version", () => {
    const file = join(folder, "old.cjs");
    writeFileSync(file, 'module.exports = { contracts: () => ["fill(out:matrix)"] }');
    const result = loadAddon(file, "@foldin/native-none");
    expect("reason" in result && result.reason).toMatch(
      /another version of foldin \(it has no kernel fill\(out:float32_or_bfloat16_or_int8 value:number\)\)/,
    );
  });

  it("opens the reference engine instead, with a note only where the native one was to be had", async () => {
    const notes: string[] = [];
    const engine = await openEngine({ precision: "float64", onNote: (note) => notes.push(note) });
    expect(engine.name).toBe("reference");
    expect(notes).toEqual([]);
    await expect(openEngine({ engine: "native", precision: "float64" })).rejects.toThrow("float32");
  });
});
