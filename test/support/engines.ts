// What every engine must compute, as a list of cases: each draws random shapes and inputs (empty rows, single columns,
// views of wider tensors, sizes that are no multiple of anything), runs one kernel on the given engine, and says what a
// naive formula in float64 gives. The reference engine's test and the native parity test both walk this list.

import {
  type Engine,
  type Likelihood,
  NO_ITEM,
  type RandomKey,
  type TopK,
} from "../../src/compute/engine.js";
import type { Kernel } from "../../src/compute/kernel.js";
import { kernels, solverKernels } from "../../src/compute/kernels.js";
import {
  type Element,
  type FloatArray,
  type PieceOfBatch,
  type SparseTensor,
  type Tensor,
  viewColumns,
  viewRows,
} from "../../src/compute/tensor.js";
import { philoxBlock, RandomSequence } from "../../src/core/philox.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";

/** A dense host matrix in float64, row-major, whose numbers are exact in float32. */
export interface HostMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** What a kernel wrote and what it should have written. */
export interface Outcome {
  readonly what: string;
  readonly actual: ArrayLike<number>;
  readonly expected: ArrayLike<number>;
}

export interface KernelCase {
  /** The kernels that it tries, by their names in the table, in a sentence. */
  readonly kernel: string;
  run(workbench: Workbench): Promise<Outcome[]>;
}

/** Fills the elements around a view: a kernel that touches them is found out. Every element type can hold it. */
const PADDING = 123;

const drawing = new RandomSequence({ seed: 1, step: 0, stream: 1 });
const repeated = Float64Array.from({ length: 10_007 }, () => drawing.normal());

/** What a workbench takes instead of drawing it. */
export interface Given {
  /** The sizes that a case asks for, in its order. */
  readonly sizes?: readonly number[];
  /** Whether matrices are views inside wider tensors. Default: half of them. */
  readonly padded?: boolean;
}

/** An engine with a source of random inputs for it. */
export class Workbench {
  readonly engine: Engine;
  readonly random: RandomSequence;
  readonly #sizes: number[] | undefined;
  readonly #isPadded: boolean | undefined;
  readonly #padded: { whole: Tensor; view: Tensor; kept: Uint8Array }[] = [];
  readonly #owned: Tensor[] = [];
  readonly #sparse: SparseTensor[] = [];

  constructor(engine: Engine, seed: number, { sizes, padded }: Given = {}) {
    this.engine = engine;
    this.random = new RandomSequence({ seed, step: 0, stream: 0 });
    this.#sizes = sizes && [...sizes];
    this.#isPadded = padded;
  }

  /** The next given size, or one in [least, most]: small ones and the neighbours of powers of two come often. */
  size(least = 1, most = 70): number {
    if (this.#sizes) {
      const given = this.#sizes.shift();
      if (given === undefined) throw new Error("the case asks for more sizes than are given");
      return given;
    }
    const pick = this.random.below(4);
    const near = [1, 2, 4, 8, 16, 32, 64][this.random.below(7)] + this.random.below(3) - 1;
    const size = pick === 0 ? least : pick === 1 ? near : least + this.random.below(most - least + 1);
    return Math.min(most, Math.max(least, size));
  }

  /** Normal numbers with the given standard deviation, exact in float32. */
  matrix(rows: number, columns: number, deviation = 1): HostMatrix {
    const data = new Float64Array(rows * columns);
    if (this.#sizes) {
      // Given sizes are large and many: normals that repeat, at a distance that no block size divides, are drawn sooner.
      const first = this.random.below(repeated.length);
      for (let i = 0; i < data.length; i++)
        data[i] = Math.fround(deviation * repeated[(first + i) % repeated.length]);
    } else for (let i = 0; i < data.length; i++) data[i] = Math.fround(deviation * this.random.normal());
    return { rows, columns, data };
  }

  /** Rows of 0 to `columns` distinct columns in random order, many of them empty; values or all ones. */
  sparseMatrix(rows: number, columns: number, withValues = this.random.below(2) === 0): CsrMatrix {
    const offsets = new Uint32Array(rows + 1);
    const indices: number[] = [];
    const order = Uint32Array.from({ length: columns }, (_, c) => c);
    for (let r = 0; r < rows; r++) {
      const count = [0, 1, this.random.below(columns + 1), this.random.below(Math.min(columns, 8) + 1)][
        this.random.below(4)
      ];
      this.random.shuffle(order);
      indices.push(...order.subarray(0, Math.min(count, columns)));
      offsets[r + 1] = indices.length;
    }
    const values = withValues ? Float32Array.from(indices, () => 0.5 + this.random.below(8) / 2) : undefined;
    return { rows, columns, offsets, indices: Uint32Array.from(indices), values };
  }

  key(): RandomKey {
    return { seed: this.random.below(2 ** 32) * 5 + 1, step: this.random.word(), stream: this.random.word() };
  }

  /** The matrix in the engine: as a tensor of its own, or (half the time) as a view inside a wider one. */
  put({ rows, columns, data }: HostMatrix, element: Element = this.engine.precision): Tensor {
    if (!(this.#isPadded ?? this.random.below(2) === 1)) {
      const tensor = this.engine.tensor(rows, columns, data, element);
      this.#owned.push(tensor);
      return tensor;
    }
    const left = this.random.below(3);
    const top = this.random.below(3);
    const width = left + columns + this.random.below(3);
    const height = top + rows + this.random.below(2);
    const padded = new Float64Array(height * width).fill(PADDING);
    const kept = new Uint8Array(height * width).fill(1);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const at = (top + r) * width + left + c;
        padded[at] = data[r * columns + c];
        kept[at] = 0;
      }
    const whole = this.engine.tensor(height, width, padded, element);
    this.#owned.push(whole);
    const view = viewColumns(viewRows(whole, top, top + rows), left, left + columns);
    this.#padded.push({ whole, view, kept });
    return view;
  }

  /** A tensor to be written, holding rubbish (NaN: a kernel that reads it is found out). */
  rubbish(rows: number, columns: number, element?: Element): Tensor {
    const data = new Float64Array(rows * columns).fill(element === "int8" ? -77 : Number.NaN);
    return this.put({ rows, columns, data }, element);
  }

  sparse(matrix: CsrMatrix, piece?: PieceOfBatch): SparseTensor {
    const tensor = this.engine.sparse(matrix, piece);
    this.#sparse.push(tensor);
    return tensor;
  }

  async read(tensor: Tensor): Promise<FloatArray> {
    return this.engine.read(tensor);
  }

  /** Throws where a kernel wrote outside a view, or a given size was not asked for; then gives everything back. */
  async close(): Promise<void> {
    if (this.#sizes?.length) throw new Error(`the case does not ask for the sizes ${this.#sizes}`);
    for (const { whole, kept } of this.#padded) {
      const data = await this.engine.read(whole);
      for (let i = 0; i < kept.length; i++)
        if (kept[i] && data[i] !== PADDING)
          throw new Error(`a kernel wrote outside its view: ${data[i]} at ${i}`);
    }
    for (const tensor of this.#owned) this.engine.release(tensor);
    for (const tensor of this.#sparse) this.engine.releaseSparse(tensor);
  }
}

const all: Readonly<Record<string, Kernel>> = { ...kernels, ...solverKernels };

/** The kernels of the table that a case tries. */
export function triedBy({ kernel }: KernelCase): string[] {
  return [...kernel.matchAll(/\w+/g)].map(([word]) => word).filter((word) => word in all);
}

/** The largest difference that the table allows the kernels of a case. */
export function tolerance(kernelCase: KernelCase): number {
  return Math.max(...triedBy(kernelCase).map((name) => all[name].tolerance));
}

/** Runs one case `times` times with different seeds and hands every outcome to `judge`. */
export async function runCase(
  kernelCase: KernelCase,
  engine: Engine,
  times: number,
  judge: (outcome: Outcome, seed: number) => void,
): Promise<void> {
  for (let seed = 1; seed <= times; seed++) {
    const workbench = new Workbench(engine, seed);
    const outcomes = await kernelCase.run(workbench);
    for (const outcome of outcomes) judge(outcome, seed);
    await workbench.close();
  }
}

/** Runs a case once with what is given. */
export async function runCaseWith(kernelCase: KernelCase, engine: Engine, given: Given): Promise<Outcome[]> {
  const workbench = new Workbench(engine, 1, given);
  const outcomes = await kernelCase.run(workbench);
  await workbench.close();
  return outcomes;
}

/** The largest |actual - expected| / (1 + |expected|); infinite where only one is NaN, or infinities differ. */
export function relativeDifference({ actual, expected }: Outcome): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const difference = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return worst;
}

// Naive formulas.

const at = ({ data, columns }: HostMatrix, r: number, c: number) => data[r * columns + c];

/** x to the nearest multiple of `unit`, of two equally near ones to the even multiple. */
function nearestMultiple(x: number, unit: number): number {
  const [below, rest] = [Math.floor(x / unit), x / unit - Math.floor(x / unit)];
  return unit * (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below);
}

/** The nearest bfloat16, 8 significant bits from 2^-126 to 2^128, by arithmetic rather than by bits. */
export function nearestBfloat16(x: number): number {
  if (!Number.isFinite(x)) return x;
  let exponent = 127;
  while (exponent > -126 && 2 ** exponent > Math.abs(x)) exponent--;
  const nearest = nearestMultiple(x, 2 ** (exponent - 7));
  return Math.abs(nearest) >= 2 ** 128 ? Math.sign(x) * Number.POSITIVE_INFINITY : nearest;
}

const roundedTo = (element: Element, { rows, columns, data }: HostMatrix): HostMatrix => ({
  ...{ rows, columns, data: element === "bfloat16" ? data.map(nearestBfloat16) : data },
});

function build(rows: number, columns: number, element: (r: number, c: number) => number): HostMatrix {
  const data = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) data[r * columns + c] = element(r, c);
  return { rows, columns, data };
}

/** The dense matrix of a sparse one; duplicates of an entry add up. */
export function densify(matrix: CsrMatrix): HostMatrix {
  const out = build(matrix.rows, matrix.columns, () => 0);
  for (let r = 0; r < matrix.rows; r++)
    for (let k = matrix.offsets[r]; k < matrix.offsets[r + 1]; k++)
      out.data[r * matrix.columns + matrix.indices[k]] += matrix.values ? matrix.values[k] : 1;
  return out;
}

/** The random word of one element, from the bare Philox block. */
export function wordOf(key: RandomKey, element: number): number {
  const words = new Uint32Array(4);
  const high = Math.floor(key.seed / 2 ** 32);
  philoxBlock(words, 0, Math.floor(element / 4), 0, key.step, key.stream, key.seed >>> 0, high);
  return words[element % 4];
}

/** The standard normal of one element (engine.ts, gaussianSample). */
function normalOf(key: RandomKey, element: number): number {
  const even = element - (element % 2);
  const uniform = (word: number) => (Math.floor(word / 512) + 0.5) / 2 ** 23;
  const radius = Math.sqrt(-2 * Math.log(uniform(wordOf(key, even))));
  const angle = 2 * Math.PI * uniform(wordOf(key, even + 1));
  return radius * (element % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
}

const keepFactor = (key: RandomKey, rate: number, element: number) =>
  wordOf(key, element) >= Math.floor(rate * 2 ** 32) ? 1 / (1 - rate) : 0;

/** -x log p - (1 - x) log(1 - p), p = sigmoid(l): both logarithms from the side where they are exact. */
function binaryLoss(l: number, x: number): number {
  const logP = l > 0 ? -Math.log1p(Math.exp(-l)) : l - Math.log1p(Math.exp(l));
  const logQ = l > 0 ? -l - Math.log1p(Math.exp(-l)) : -Math.log1p(Math.exp(l));
  return -(x * logP + (1 - x) * logQ);
}

/** Hidden activations, weights and a bias whose products are exact in float32, in whatever order they are summed. */
function exactLayer(bench: Workbench, rows: number, width: number, items: number) {
  // Now and then logits far beyond exp's range.
  const scale = bench.random.below(4) === 0 ? 8 : 1 / 8;
  const eighths = (height: number, breadth: number, factor: number) =>
    build(height, breadth, () => (factor * (bench.random.below(17) - 8)) / 8);
  return {
    hidden: eighths(rows, width, scale),
    weights: eighths(items, width, 1),
    bias: eighths(1, items, 1),
  };
}

/**
 * An output layer over all items, over a share of them, or over a sample; with a scratch for all of them, or for a few at a
 * time. Against sums over the whole, in float64.
 */
function outputCase(likelihood: Likelihood, bf16 = false): KernelCase {
  return {
    kernel: `${likelihood}${bf16 ? " in bfloat16" : ""}: outputStatistics, outputLoss and outputGradient`,
    async run(bench) {
      const { engine, random } = bench;
      // Every fifth row is wider than a block of the sum.
      const [rows, width, items] = [
        bench.size(0, 20),
        bench.size(1, 12),
        random.below(5) === 0 ? bench.size(500, 1100) : bench.size(1, 100),
      ];
      const columns = items + random.below(3) * random.below(20);
      const { hidden, weights, bias } = exactLayer(bench, rows, width, items);
      const target = bench.sparseMatrix(rows, columns);
      const kind = (["all", "share", "sample"] as const)[random.below(3)];
      const from = kind === "share" ? random.below(columns - items + 1) : 0;
      const places = Uint32Array.from({ length: columns }, (_, c) => c);
      random.shuffle(places);
      const sampled = kind === "sample" ? places.slice(0, items).sort() : undefined;
      const columnOf = (item: number) => (sampled ? sampled[item] : from + item);
      // Drawn never, once or twice; a multinomial target at least once.
      const counts =
        kind === "sample"
          ? build(1, items, () => (likelihood === "bernoulli" ? random.below(5) / 2 : random.below(3)))
          : undefined;
      if (counts && likelihood === "multinomial")
        for (let i = 0; i < items; i++) counts.data[i] = Math.max(1, counts.data[i]);
      const countOf = (item: number) => (counts ? counts.data[item] : 1);
      const g = bench.matrix(rows, 1, 0.1);
      const x = densify(target);

      const output = {
        ...{ hidden: bench.put(hidden), weights: bench.put(weights), bias: bench.put(bias) },
        ...{ target: bench.sparse(target), likelihood, from, items: sampled },
        ...{ counts: counts && bench.put(counts), bf16 },
      };
      // What bfloat16 needs to keep what it likes, or at least to work in.
      const [all, least] = bf16 ? [items + 4 * Math.ceil(items / 256), Math.min(items, 256)] : [items, 1];
      const some = random.below(2) === 0 ? all : least + random.below(items - least + 1);
      const [scratch, statistics] = [bench.rubbish(rows, some), bench.rubbish(rows, 4)];
      const loss = bench.rubbish(rows, 1);
      engine.outputStatistics(statistics, scratch, output);
      engine.outputLoss(loss, statistics, likelihood);
      const [addToHidden, addToWeights] = [random.below(2) === 0, random.below(2) === 0];
      const before = {
        hidden: bench.matrix(rows, width),
        weights: bench.matrix(items, width),
        bias: bench.matrix(1, items),
      };
      const to = {
        hiddenGradient: addToHidden ? bench.put(before.hidden) : bench.rubbish(rows, width),
        addToHidden,
        weightsGradient: addToWeights ? bench.put(before.weights) : bench.rubbish(items, width),
        addToWeights,
        biasGradient: bench.put(before.bias),
      };
      engine.outputGradient(scratch, output, statistics, statistics, bench.put(g), to);

      const gradients = build(rows, items, () => 0);
      const expectedLoss = build(rows, 1, (r) => {
        const logits = Array.from({ length: items }, (_, i) => {
          let sum = bias.data[i];
          for (let w = 0; w < width; w++) sum += at(hidden, r, w) * at(weights, i, w);
          return sum;
        });
        const isTarget = (i: number) => targetColumns(target, r).has(columnOf(i));
        let sum = 0;
        const add = (i: number, gradient: number) => {
          gradients.data[r * items + i] += g.data[r] * gradient;
        };
        for (let i = 0; i < items; i++) {
          const value = at(x, r, columnOf(i));
          if (likelihood === "bernoulli") {
            const times = isTarget(i) ? 1 : countOf(i);
            if (times === 0) continue;
            // With times 1, -log p; else only log(1 + e^l) is weighted, and no target is among them.
            sum += times === 1 ? binaryLoss(logits[i], value) : times * binaryLoss(logits[i], 0);
            add(i, times / (1 + Math.exp(-logits[i])) - value);
          } else if (isTarget(i)) {
            const terms = logits.map((l, j) => ({ l, times: countOf(j) }));
            const largest = Math.max(...terms.filter(({ times }) => times > 0).map(({ l }) => l));
            const total = terms.reduce(
              (all, { l, times }) => all + (times > 0 ? times * Math.exp(l - largest) : 0),
              0,
            );
            sum += value * (largest + Math.log(total) - logits[i]);
            add(i, -value);
            for (const [j, { l, times }] of terms.entries())
              if (times > 0) add(j, (value * times * Math.exp(l - largest)) / total);
          }
        }
        return sum;
      });
      const product = (
        height: number,
        breadth: number,
        length: number,
        of: (r: number, c: number, k: number) => number,
      ) =>
        build(height, breadth, (r, c) => {
          let sum = 0;
          for (let k = 0; k < length; k++) sum += of(r, c, k);
          return sum;
        });
      const G = (r: number, i: number) => at(gradients, r, i);
      const toHidden = product(rows, width, items, (r, w, i) => G(r, i) * at(weights, i, w));
      const toWeights = product(items, width, rows, (i, w, r) => G(r, i) * at(hidden, r, w));
      const toBias = product(1, items, rows, (_, i, r) => G(r, i));
      const sum = (a: HostMatrix, b: HostMatrix, added: boolean) =>
        a.data.map((v, i) => v + (added ? b.data[i] : 0));
      // Logits are exact. A term of the logits' gradient is rounded to bfloat16 where it is kept and where it enters a product,
      // by at most 2^-8 of it each time; the targets' part, which is not kept, may be larger than the difference.
      const size = (r: number, i: number) => Math.abs(G(r, i)) + Math.abs(g.data[r] * at(x, r, columnOf(i)));
      const rounding = (
        height: number,
        breadth: number,
        length: number,
        of: (r: number, c: number, k: number) => number,
      ) => (bf16 ? product(height, breadth, length, of).data.map((sum) => sum / 2 ** 7) : undefined);
      const outcome = (
        what: string,
        actual: ArrayLike<number>,
        expected: Float64Array,
        allowed?: Float64Array,
      ) => ({
        what: `${what}, ${kind}`,
        actual: allowed ? Array.from(actual, (value, i) => within(value, expected[i], allowed[i])) : actual,
        expected,
      });
      return [
        outcome("loss", await bench.read(loss), expectedLoss.data),
        outcome(
          "gradient of hidden",
          await bench.read(to.hiddenGradient),
          sum(toHidden, before.hidden, addToHidden),
          rounding(rows, width, items, (r, w, i) => size(r, i) * Math.abs(at(weights, i, w))),
        ),
        outcome(
          "gradient of weights",
          await bench.read(to.weightsGradient),
          sum(toWeights, before.weights, addToWeights),
          rounding(items, width, rows, (i, w, r) => size(r, i) * Math.abs(at(hidden, r, w))),
        ),
        outcome(
          "gradient of bias",
          await bench.read(to.biasGradient),
          sum(toBias, before.bias, true),
          rounding(1, items, rows, (_, i, r) => size(r, i)),
        ),
      ];
    },
  };
}

/** The expected value, for one that is no further from it than allowed; what is further stays as far beyond. */
const within = (value: number, expected: number, allowed: number) =>
  Math.abs(value - expected) <= allowed ? expected : value - Math.sign(value - expected) * allowed;

const targetColumns = ({ indices, offsets }: CsrMatrix, row: number) =>
  new Set(indices.subarray(offsets[row], offsets[row + 1]));

/** Statistics of two lists of logits and targets, merged, against those of both lists as one. */
function mergeCase(likelihood: Likelihood): KernelCase {
  return {
    kernel: `${likelihood}: mergeOutputStatistics`,
    async run(bench) {
      const rows = bench.size(0, 20);
      const lists = Array.from({ length: rows }, () =>
        [0, 1].map(() =>
          Array.from({ length: bench.random.below(6) }, () => ({
            l: bench.random.below(200) / 4 - 25,
            x: bench.random.below(3),
          })),
        ),
      );
      const of = (items: readonly { l: number; x: number }[]) => {
        const n = items.reduce((sum, { x }) => sum + x, 0);
        if (likelihood === "bernoulli")
          return [0, items.reduce((sum, { l, x }) => sum + binaryLoss(l, x), 0), 0, n];
        if (items.length === 0) return [-Infinity, 0, 0, 0];
        const largest = Math.max(...items.map(({ l }) => l));
        const sum = items.reduce((all, { l }) => all + Math.exp(l - largest), 0);
        return [largest, sum, items.reduce((all, { l, x }) => all + x * (l - largest), 0), n];
      };
      const matrix = (data: number[]) => ({ rows, columns: 4, data: Float64Array.from(data) });
      const [first, second] = [0, 1].map((part) => matrix(lists.flatMap((list) => of(list[part]))));
      const merged = bench.put(first);
      bench.engine.mergeOutputStatistics(merged, bench.put(second), likelihood);
      return [
        {
          what: "merged",
          actual: await bench.read(merged),
          expected: lists.flatMap(([a, b]) => of([...a, ...b])),
        },
      ];
    },
  };
}

function sparseRowSumCase(gradient: boolean): KernelCase {
  return {
    kernel: gradient ? "sparseRowSumGradient" : "sparseRowSum",
    async run(bench) {
      const [rows, columns, hidden] = [bench.size(0), bench.size(), bench.size()];
      const input = bench.sparseMatrix(rows, columns);
      const rowScale = bench.random.below(2) === 0 ? "l2" : "none";
      const dropout =
        bench.random.below(3) === 0
          ? undefined
          : { rate: [0, 0.3, 0.5][bench.random.below(3)], key: bench.key() };
      // A batch of its own, some rows of a larger one, or some columns.
      const piece = [
        {},
        { first: bench.random.below(2 ** 32) },
        {
          positions: Uint32Array.from(input.indices, () => bench.random.word()),
          squares: Float64Array.from({ length: rows }, () => 1 + 40 * bench.random.uniform()),
        },
      ][bench.random.below(3)];
      const { first = 0, positions, squares } = piece as PieceOfBatch;
      // The effective dense input: scaled and dropped out entry by entry.
      const norms = build(rows, 1, (r) => {
        if (squares) return Math.sqrt(squares[r]);
        let sum = 0;
        for (let k = input.offsets[r]; k < input.offsets[r + 1]; k++)
          sum += input.values ? input.values[k] ** 2 : 1;
        return Math.sqrt(sum);
      });
      const values = Float64Array.from(input.indices, (_, k) => {
        const row = input.offsets.findIndex((offset) => offset > k) - 1;
        const scale = rowScale === "l2" ? 1 / Math.max(norms.data[row], 1e-12) : 1;
        const element = positions ? positions[k] : first + k;
        const kept = dropout ? keepFactor(dropout.key, dropout.rate, element) : 1;
        return (input.values?.[k] ?? 1) * scale * kept;
      });
      const dense = build(rows, columns, () => 0);
      for (let r = 0; r < rows; r++)
        for (let k = input.offsets[r]; k < input.offsets[r + 1]; k++)
          dense.data[r * columns + input.indices[k]] += values[k];
      const sparse = bench.sparse(input, piece);
      const options = { rowScale, dropout } as const;
      if (!gradient) {
        const weights = bench.matrix(columns, hidden);
        const out = bench.rubbish(rows, hidden);
        bench.engine.sparseRowSum(out, sparse, bench.put(weights), options);
        const expected = build(rows, hidden, (r, h) => {
          let sum = 0;
          for (let c = 0; c < columns; c++) sum += at(dense, r, c) * at(weights, c, h);
          return sum;
        });
        return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
      }
      const g = bench.matrix(rows, hidden);
      const touched = [...new Set(input.indices)].sort((a, b) => a - b);
      const out = bench.rubbish(touched.length, hidden);
      bench.engine.sparseRowSumGradient(out, sparse, bench.put(g), options);
      const expected = build(touched.length, hidden, (t, h) => {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += at(dense, r, touched[t]) * at(g, r, h);
        return sum;
      });
      return [
        { what: "touched", actual: sparse.touched, expected: touched },
        { what: "out", actual: await bench.read(out), expected: expected.data },
      ];
    },
  };
}

const sumSparseRowsCase: KernelCase = {
  kernel: "sumSparseRows",
  async run(bench) {
    const [rows, inner, columns] = [bench.size(0), bench.size(), bench.size()];
    const [input, terms] = [bench.sparseMatrix(rows, inner), bench.sparseMatrix(inner, columns)];
    const out = bench.rubbish(rows, columns);
    bench.engine.sumSparseRows(out, bench.sparse(input), bench.sparse(terms));
    const [a, b] = [densify(input), densify(terms)];
    const expected = build(rows, columns, (r, c) => {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += at(a, r, k) * at(b, k, c);
      return sum;
    });
    return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
  },
};

type MatmulElements = "" | ", b in bfloat16" | ", both in bfloat16" | ", rounded to bfloat16";

function matmulCase(transposeA: boolean, transposeB: boolean, elements: MatmulElements = ""): KernelCase {
  return {
    kernel: `matmul ${transposeA ? "A^T" : "A"} ${transposeB ? "B^T" : "B"}${elements}`,
    async run(bench) {
      // Every fifteenth product is large enough to cross the block sizes of a blocked implementation.
      const kind = bench.random.below(15);
      const large = kind === 0;
      // As many are a few histories by a catalogue, which nothing is packed for.
      const few = kind === 1 ? [bench.size(1, 10), bench.size(1020, 1040)] : [bench.size(0), bench.size()];
      const [m, n] = large ? [bench.size(120, 150), bench.size(250, 300)] : few;
      const inner = large ? bench.size(500, 530) : bench.size(0);
      const accumulate = bench.random.below(2) === 0;
      const { precision } = bench.engine;
      const elementA = elements === ", both in bfloat16" ? "bfloat16" : precision;
      const elementB =
        elements === ", b in bfloat16" || elements === ", both in bfloat16" ? "bfloat16" : precision;
      const bf16 = elements === ", rounded to bfloat16";
      const entered = (of: HostMatrix) => (bf16 ? roundedTo("bfloat16", of) : of);
      const a = roundedTo(elementA, transposeA ? bench.matrix(inner, m) : bench.matrix(m, inner));
      const b = roundedTo(elementB, transposeB ? bench.matrix(n, inner) : bench.matrix(inner, n));
      const before = bench.matrix(m, n);
      const out = accumulate ? bench.put(before) : bench.rubbish(m, n);
      bench.engine.matmul(out, bench.put(a, elementA), bench.put(b, elementB), {
        ...{ transposeA, transposeB, accumulate, bf16 },
      });
      const [left, right] = [entered(a), entered(b)];
      const expected = build(m, n, (i, j) => {
        let sum = accumulate ? at(before, i, j) : 0;
        for (let p = 0; p < inner; p++)
          sum +=
            (transposeA ? at(left, p, i) : at(left, i, p)) * (transposeB ? at(right, j, p) : at(right, p, j));
        return sum;
      });
      return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
    },
  };
}

const sumChainedRowsCase: KernelCase = {
  kernel: "sumChainedRows",
  async run(bench) {
    const [rows, inner, middle, columns] = [bench.size(0), bench.size(), bench.size(), bench.size()];
    const input = bench.sparseMatrix(rows, inner);
    const [first, second] = [bench.sparseMatrix(inner, middle), bench.sparseMatrix(middle, columns)];
    const out = bench.rubbish(rows, columns);
    bench.engine.sumChainedRows(out, bench.sparse(input), bench.sparse(first), bench.sparse(second));
    const [a, b, c] = [input, first, second].map(densify);
    const between = build(rows, middle, (r, l) => {
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += at(a, r, i) * at(b, i, l);
      return sum;
    });
    const expected = build(rows, columns, (r, j) => {
      let sum = 0;
      for (let l = 0; l < middle; l++) sum += at(between, r, l) * at(c, l, j);
      return sum;
    });
    return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
  },
};

const convertCase: KernelCase = {
  kernel: "convert",
  async run(bench) {
    const [rows, columns] = [bench.size(0), bench.size()];
    const a = bench.matrix(rows, columns);
    const special = [Number.NaN, Infinity, -Infinity, -3.4e38, 1 + 2 ** -8, 1 + 3 * 2 ** -8];
    for (let i = 0; i < a.data.length; i++)
      if (bench.random.below(10) === 0) a.data[i] = special[bench.random.below(special.length)];
    const tensor = bench.put({ ...a, data: a.data.map(Math.fround) });
    const [rounded, again] = [
      bench.rubbish(rows, columns, "bfloat16"),
      bench.rubbish(rows, columns, "bfloat16"),
    ];
    const [widened, same] = [bench.rubbish(rows, columns), bench.rubbish(rows, columns)];
    bench.engine.convert(rounded, tensor);
    bench.engine.convert(again, rounded);
    bench.engine.convert(widened, again);
    bench.engine.convert(same, tensor);
    const expected = a.data.map((x) => nearestBfloat16(Math.fround(x)));
    return [
      { what: "to bfloat16", actual: await bench.read(rounded), expected },
      { what: "and back", actual: await bench.read(widened), expected },
      { what: "to float32 again", actual: await bench.read(same), expected: a.data.map(Math.fround) },
    ];
  },
};

const quantiseCase: KernelCase = {
  kernel: "quantise",
  async run(bench) {
    const [rows, width] = [bench.size(0), bench.size()];
    const weights = bench.matrix(rows, width, 10 ** (bench.random.below(7) - 3));
    if (rows > 1) weights.data.fill(0, 0, width);
    const [out, statistics] = [bench.rubbish(rows, width, "int8"), bench.rubbish(rows, 3)];
    bench.engine.quantise(out, statistics, bench.put(weights));
    const largest = (r: number) =>
      weights.data.subarray(r * width, (r + 1) * width).reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    const scales = build(rows, 1, (r) => Math.fround(largest(r) / 127));
    const integers = build(rows, width, (r, c) =>
      scales.data[r] === 0 ? 0 : nearestMultiple(at(weights, r, c) * Math.fround(1 / scales.data[r]), 1),
    );
    const found = await bench.read(statistics);
    const norm = (of: (c: number) => number) => Math.hypot(...Array.from({ length: width }, (_, c) => of(c)));
    /** 1 where the bound holds and is not much larger than what it bounds, beside the rounding of a product. */
    const holds = (bound: number, truth: number, rounding: number) =>
      Number(bound >= truth && bound <= 1.001 * truth + 1.1 * rounding);
    const approximate = (r: number, c: number) => scales.data[r] * at(integers, r, c);
    const bounds = Array.from({ length: rows }, (_, r) => {
      const size = norm((c) => approximate(r, c));
      const error = norm((c) => at(weights, r, c) - approximate(r, c));
      const rounding = (width + 16) * 2 ** -23 * (size + error);
      return [holds(found[3 * r + 1], error, rounding), holds(found[3 * r + 2], size, error)];
    });
    return [
      { what: "out", actual: await bench.read(out), expected: integers.data },
      // In units of the scale: scales may be small.
      {
        what: "scale",
        actual: scales.data.map((s, r) => (s === 0 ? 1 : found[3 * r] / s)),
        expected: scales.data.map(() => 1),
      },
      { what: "bounds hold", actual: bounds.flat(), expected: bounds.flat().map(() => 1) },
    ];
  },
};

function adamCase(kind: "dense" | "rows"): KernelCase {
  return {
    kernel: `adam, ${kind} gradient`,
    async run(bench) {
      const [rows, columns] = [bench.size(), bench.size()];
      const value = bench.matrix(rows, columns);
      const m = bench.matrix(rows, columns, 0.1);
      const v = build(rows, columns, () => Math.fround(bench.random.uniform()));
      const step = {
        learningRate: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        update: 1 + bench.random.below(2000),
        decay: bench.random.below(2) === 0 ? 0 : 0.05,
        weightDecay: [undefined, 0, 0.3][bench.random.below(3)],
      };
      const touched = Uint32Array.from(
        Array.from({ length: rows }, (_, r) => r).filter(
          () => kind === "dense" || bench.random.below(2) === 0,
        ),
      );
      const given = bench.matrix(touched.length, columns);
      const dense = build(rows, columns, () => 0);
      for (let t = 0; t < touched.length; t++)
        dense.data.set(given.data.subarray(t * columns, (t + 1) * columns), touched[t] * columns);
      const tensors = [bench.put(value), bench.put(m), bench.put(v)] as const;
      const tensor = bench.put(given);
      const gradient = kind === "dense" ? ({ kind, tensor } as const) : ({ kind, tensor, touched } as const);
      // Rounded as the engine will have it.
      const total = Math.fround(given.data.reduce((sum, x) => sum + x * x, 0));
      const normalises = bench.random.below(2) === 0;
      const squares = bench.put({ rows: 1, columns: 1, data: Float64Array.of(total) });
      bench.engine.adam(...tensors, gradient, step, normalises ? { squares, epsilon: 0.01 } : undefined);
      const scale = normalises ? 1 / (Math.sqrt(total) + 0.01) : 1;
      const g = build(rows, columns, (r, c) => scale * at(dense, r, c) + step.decay * at(value, r, c));
      const first = build(rows, columns, (r, c) => step.beta1 * at(m, r, c) + (1 - step.beta1) * at(g, r, c));
      const second = build(
        rows,
        columns,
        (r, c) => step.beta2 * at(v, r, c) + (1 - step.beta2) * at(g, r, c) ** 2,
      );
      const moved = build(rows, columns, (r, c) => {
        const mean = at(first, r, c) / (1 - step.beta1 ** step.update);
        const variance = at(second, r, c) / (1 - step.beta2 ** step.update);
        const kept = 1 - step.learningRate * (step.weightDecay ?? 0);
        return kept * at(value, r, c) - (step.learningRate * mean) / (Math.sqrt(variance) + step.epsilon);
      });
      return [
        { what: "value", actual: await bench.read(tensors[0]), expected: moved.data },
        { what: "m", actual: await bench.read(tensors[1]), expected: first.data },
        { what: "v", actual: await bench.read(tensors[2]), expected: second.data },
      ];
    },
  };
}

const sparseAdamCase: KernelCase = {
  kernel: "sparseAdam",
  async run(bench) {
    const [rows, columns] = [bench.size(), bench.size()];
    const [value, m] = [bench.matrix(rows, columns), bench.matrix(rows, columns, 0.1)];
    const v = build(rows, columns, () => Math.fround(bench.random.uniform()));
    const update = 1 + bench.random.below(2000);
    const step = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update };
    const touched = Uint32Array.from({ length: rows }, (_, r) => r).filter(() => bench.random.below(2) === 0);
    const gradient = bench.matrix(touched.length, columns);
    const tensors = [bench.put(value), bench.put(m), bench.put(v)] as const;
    bench.engine.sparseAdam(...tensors, bench.put(gradient), touched, step);
    const [first, second, moved] = [m, v, value].map(({ data }) => data.slice());
    touched.forEach((row, t) => {
      for (let c = 0; c < columns; c++) {
        const [i, g] = [row * columns + c, at(gradient, t, c)];
        first[i] = 0.9 * m.data[i] + 0.1 * g;
        second[i] = 0.999 * v.data[i] + 0.001 * g ** 2;
        const [mean, variance] = [first[i] / (1 - 0.9 ** update), second[i] / (1 - 0.999 ** update)];
        moved[i] -= (0.01 * mean) / (Math.sqrt(variance) + 1e-8);
      }
    });
    return [
      { what: "value", actual: await bench.read(tensors[0]), expected: moved },
      { what: "m", actual: await bench.read(tensors[1]), expected: first },
      { what: "v", actual: await bench.read(tensors[2]), expected: second },
    ];
  },
};

function nadamCase(kind: "dense" | "rows"): KernelCase {
  return {
    kernel: `nadam, ${kind} gradient`,
    async run(bench) {
      const [rows, columns] = [bench.size(), bench.size()];
      const [value, m] = [bench.matrix(rows, columns), bench.matrix(rows, columns, 0.1)];
      const v = build(rows, columns, () => Math.fround(bench.random.uniform()));
      const update = 1 + bench.random.below(2000);
      const rates = { gradientRate: 0.02, momentumRate: 0.05 };
      const step = { ...rates, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, update };
      const every = Uint32Array.from({ length: rows }, (_, r) => r);
      const touched = kind === "rows" ? every.filter(() => bench.random.below(2) === 0) : every;
      const gradient = bench.matrix(touched.length, columns);
      const tensors = [bench.put(value), bench.put(m), bench.put(v)] as const;
      bench.engine.nadam(
        ...tensors,
        { tensor: bench.put(gradient), ...(kind === "rows" && { touched }) },
        step,
      );
      const [first, second, moved] = [m, v, value].map(({ data }) => data.slice());
      touched.forEach((row, t) => {
        for (let c = 0; c < columns; c++) {
          const [i, g] = [row * columns + c, at(gradient, t, c)];
          first[i] = 0.9 * m.data[i] + 0.1 * g;
          second[i] = 0.999 * v.data[i] + 0.001 * g ** 2;
          const deviation = Math.sqrt(second[i] / (1 - 0.999 ** update)) + 1e-8;
          moved[i] -= (0.02 * g + 0.05 * first[i]) / deviation;
        }
      });
      return [
        { what: "value", actual: await bench.read(tensors[0]), expected: moved },
        { what: "m", actual: await bench.read(tensors[1]), expected: first },
        { what: "v", actual: await bench.read(tensors[2]), expected: second },
      ];
    },
  };
}

const linearCosineCase: KernelCase = {
  kernel: "linearCosine and linearCosineGradient",
  async run(bench) {
    const [rows, k] = [bench.size(0), bench.size(1, 100)];
    const [z, products, before] = Array.from({ length: 3 }, () => bench.matrix(rows, k));
    const inner = (x: HostMatrix, y: HostMatrix, r: number) => {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += at(x, r, c) * at(y, r, c);
      return sum;
    };
    // Products that a Gram matrix could have made: those along z are large enough for |y|^2 > 0.
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < k; c++)
        products.data[r * k + c] = Math.fround(at(products, r, c) * 0.1 + 3 * at(z, r, c));
    // The first row has no entries, and the prediction of the second is rounding error.
    const squares = build(rows, 1, (r) => (r === 0 ? 0 : Math.fround(1 + bench.random.uniform())));
    if (rows > 1)
      for (let c = 0; c < k; c++) {
        z.data[k + c] = c === 0 ? 1 : 0;
        products.data[k + c] = c === 0 ? 1 : 0;
        squares.data[1] = 1;
      }
    const g = bench.matrix(rows, 1);
    const [loss, slopes, weighted] = [bench.rubbish(rows, 1), bench.rubbish(rows, 2), bench.rubbish(rows, k)];
    const added = bench.put(before);
    const [zs, ps] = [bench.put(z), bench.put(products)];
    bench.engine.linearCosine(loss, slopes, zs, ps, bench.put(squares));
    bench.engine.linearCosineGradient(added, weighted, zs, ps, slopes, bench.put(g));
    const rowsOf = Array.from({ length: rows }, (_, r) => {
      const [a, s] = [inner(z, z, r), at(squares, r, 0)];
      const q = inner(z, products, r) - 2 * a + s;
      if (r === 0) return { loss: 0, byA: 0, byQ: 0 };
      if (r === 1) return { loss: 1, byA: 0, byQ: 0 };
      // loss = 2 - 2 (a - s) q^-1/2 s^-1/2, where dq/da = -2.
      const byQ = (a - s) * q ** -1.5 * s ** -0.5;
      return {
        loss: 2 - 2 * (a - s) * (q * s) ** -0.5,
        byA: 2 * (-2 * (q * s) ** -0.5 - 2 * byQ),
        byQ: 2 * byQ,
      };
    });
    return [
      { what: "loss", actual: await bench.read(loss), expected: rowsOf.map(({ loss }) => loss) },
      {
        what: "zGradient",
        actual: await bench.read(added),
        expected: build(rows, k, (r, c) => {
          const { byA, byQ } = rowsOf[r];
          return at(before, r, c) + at(g, r, 0) * (byA * at(z, r, c) + byQ * at(products, r, c));
        }).data,
      },
      {
        what: "weighted",
        actual: await bench.read(weighted),
        expected: build(rows, k, (r, c) => at(g, r, 0) * rowsOf[r].byQ * at(z, r, c)).data,
      },
    ];
  },
};

/** gamma = 2 has its own code. */
const focalCase = (gamma: number): KernelCase => ({
  kernel: `focalLoss and focalLossGradient with gamma ${gamma}`,
  async run(bench) {
    const [rows, columns] = [bench.size(0, 20), bench.size(1, 100)];
    const logits = [1, 4, 1].map((deviation) => bench.matrix(rows, columns, deviation));
    const before = logits.map(() => bench.matrix(rows, columns));
    const target = bench.sparseMatrix(rows, columns);
    const g = bench.matrix(rows, 1);
    const alpha = 0.3;
    const [a, b, c] = logits.map((host) => bench.put(host));
    const loss = bench.rubbish(rows, 1);
    const [toA, toB, toC] = before.map((host) => bench.put(host));
    const sparse = bench.sparse(target);
    bench.engine.focalLoss(loss, a, b, c, sparse, { alpha, gamma });
    bench.engine.focalLossGradient(toA, toB, toC, a, b, c, sparse, { alpha, gamma }, bench.put(g));
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const members = Array.from(
      { length: rows },
      (_, r) => new Set(target.indices.subarray(target.offsets[r], target.offsets[r + 1])),
    );
    const p = (r: number, i: number) => logits.reduce((all, host) => all * sigmoid(at(host, r, i)), 1);
    // d loss / d p, and dp / dx = p (1 - sigmoid(x)).
    const slope = (r: number, i: number) => {
      const q = 1 - p(r, i);
      return members[r].has(i)
        ? alpha * (gamma * q ** (gamma - 1) * Math.log(p(r, i)) - q ** gamma / p(r, i))
        : (1 - alpha) * (p(r, i) ** gamma / q - gamma * p(r, i) ** (gamma - 1) * Math.log(q));
    };
    return [
      {
        what: "loss",
        actual: await bench.read(loss),
        expected: build(rows, 1, (r) => {
          let sum = 0;
          for (let i = 0; i < columns; i++)
            sum -= members[r].has(i)
              ? alpha * (1 - p(r, i)) ** gamma * Math.log(p(r, i))
              : (1 - alpha) * p(r, i) ** gamma * Math.log(1 - p(r, i));
          return sum;
        }).data,
      },
      ...(await Promise.all(
        [toA, toB, toC].map(async (to, k) => ({
          what: `gradient ${k}`,
          actual: await bench.read(to),
          expected: build(
            rows,
            columns,
            (r, i) =>
              at(before[k], r, i) + at(g, r, 0) * slope(r, i) * p(r, i) * (1 - sigmoid(at(logits[k], r, i))),
          ).data,
        })),
      )),
    ];
  },
});

/**
 * A row's targets with its drawn items, of which only the sum of exponentials is given: each target in a softmax of its own, or, with
 * hits, all of them in one.
 */
const sampledTargetsCase = (withHits: boolean): KernelCase => ({
  kernel: `targetLogits, sampledTargets, addSampledTargets and sampledTargetsToWeights${withHits ? " with hits" : ""}`,
  async run(bench) {
    const { engine, random } = bench;
    const [rows, width, items] = [bench.size(0, 20), bench.size(1, 80), bench.size(1, 100)];
    const [hidden, weights] = [bench.matrix(rows, width), bench.matrix(items, width, 1 / Math.sqrt(width))];
    const [g, before] = [bench.matrix(rows, 1), bench.matrix(rows, width)];
    const given = bench.sparseMatrix(rows, items);
    const target = bench.sparse(given);
    const bias = bench.matrix(1, target.touched.length);
    // The largest of some logits, and the sum of exponentials relative to it.
    const drawn = build(
      rows,
      4,
      (_, c) => [random.below(9) - 4, 1 + random.below(64) / 8, Number.NaN, Number.NaN][c],
    );
    const logitOf = (r: number, item: number) => {
      let logit = bias.data[target.touched.indexOf(item)];
      for (let c = 0; c < width; c++) logit += at(hidden, r, c) * at(weights, item, c);
      return logit;
    };
    const entriesOf = (r: number) =>
      Array.from(given.indices.subarray(given.offsets[r], given.offsets[r + 1]), (item, i) => ({
        ...{ item, slot: target.touched.indexOf(item), entry: given.offsets[r] + i },
        ...{ x: given.values?.[given.offsets[r] + i] ?? 1, exponential: Math.exp(logitOf(r, item)) },
      }));
    const hits = build(1, target.touched.length, () => Math.max(0, random.below(12) - 6) / 4);
    // The drawn items' sum contains the hits.
    if (withHits)
      for (let r = 0; r < rows; r++)
        for (const { slot, exponential } of entriesOf(r))
          drawn.data[4 * r + 1] += hits.data[slot] * exponential * Math.exp(-at(drawn, r, 0));
    // Rows of the gradient that no target has.
    const more = random.below(5);
    const places = target.touched.map((_, t) => t + (t + 1 > more ? more : t >> 1));
    for (let t = 1; t < places.length; t++) places[t] = Math.max(places[t], places[t - 1] + 1);
    const all = (places.at(-1) ?? -1) + 1 + random.below(3);
    const [h, w, into] = [bench.put(hidden), bench.put(weights), bench.put(before)];
    const [statistics, coefficients] = [bench.put(drawn), bench.rubbish(1, target.entries)];
    const [toWeights, toBias, upstream] = [bench.rubbish(all, width), bench.rubbish(1, all), bench.put(g)];
    engine.targetLogits(coefficients, h, w, bench.put(bias), target);
    if (withHits) engine.sampledTargets(statistics, coefficients, target, bench.put(hits));
    else engine.sampledTargets(statistics, coefficients, target);
    engine.addSampledTargets(into, w, target, coefficients, upstream);
    engine.sampledTargetsToWeights(toWeights, toBias, h, target, coefficients, upstream, places);

    const [ofHidden, ofWeights] = [before.data.slice(), new Float64Array(all * width)];
    const [ofBias, pulls] = [new Float64Array(all), new Float64Array(target.entries)];
    const losses = build(rows, 1, () => 0);
    const sums = build(rows, 1, () => 0);
    for (let r = 0; r < rows; r++) {
      const entries = entriesOf(r);
      const others = at(drawn, r, 1) * Math.exp(at(drawn, r, 0));
      const n = entries.reduce((all, { x }) => all + x, 0);
      const all = entries.reduce(
        (sum, { slot, exponential }) => sum + (1 - hits.data[slot]) * exponential,
        others,
      );
      for (const { item, slot, entry, x, exponential } of entries) {
        const share = exponential / (withHits ? all : exponential + others);
        losses.data[r] -= x * Math.log(share);
        pulls[entry] = withHits ? x - n * (1 - hits.data[slot]) * share : x * (1 - share);
        sums.data[r] += withHits ? x : pulls[entry];
        const pull = -g.data[r] * pulls[entry];
        ofBias[places[slot]] += pull;
        for (let c = 0; c < width; c++) {
          ofHidden[r * width + c] += pull * at(weights, item, c);
          ofWeights[places[slot] * width + c] += pull * at(hidden, r, c);
        }
      }
    }
    const loss = bench.rubbish(rows, 1);
    engine.outputLoss(loss, statistics, "multinomial");
    const after = await bench.read(statistics);
    return [
      { what: "loss", actual: await bench.read(loss), expected: losses.data },
      { what: "coefficients", actual: await bench.read(coefficients), expected: pulls },
      { what: "their sums", actual: after.filter((_, i) => i % 4 === 3), expected: sums.data },
      { what: "the hidden layer's gradient", actual: await bench.read(into), expected: ofHidden },
      { what: "the weights' gradient", actual: await bench.read(toWeights), expected: ofWeights },
      { what: "the bias's gradient", actual: await bench.read(toBias), expected: ofBias },
    ];
  },
});

/** Random numbers of a piece of a larger matrix are named by their elements there. */
const pieceCase: KernelCase = {
  kernel: "dropout, dropClamped and gaussianSample of a piece",
  async run(bench) {
    const [rows, columns] = [bench.size(0), bench.size()];
    const [a, mean, logVariance] = Array.from({ length: 3 }, () => bench.matrix(rows, columns));
    const key = bench.key();
    const position = {
      first: bench.random.below(2 ** 32),
      rowStride: bench.random.below(3) === 0 ? undefined : columns + bench.random.below(100),
    };
    const { first, rowStride = columns } = position;
    const outs = Array.from({ length: 3 }, () => bench.rubbish(rows, columns));
    const dropped = { rate: 0.3, key, ...position };
    bench.engine.dropout(outs[0], bench.put(a), dropped);
    bench.engine.dropClamped(outs[1], bench.put(a), dropped);
    bench.engine.gaussianSample(outs[2], bench.put(mean), bench.put(logVariance), key, position);
    const element = (r: number, c: number) => first + r * rowStride + c;
    const kept = (r: number, c: number) => keepFactor(key, 0.3, element(r, c));
    const expected = [
      build(rows, columns, (r, c) => at(a, r, c) * kept(r, c)),
      build(rows, columns, (r, c) => Math.min(1, Math.max(0, at(a, r, c))) * kept(r, c)),
      build(
        rows,
        columns,
        (r, c) => at(mean, r, c) + Math.exp(at(logVariance, r, c) / 2) * normalOf(key, element(r, c)),
      ),
    ];
    return Promise.all(
      outs.map(async (out, i) => ({
        what: ["dropout", "dropClamped", "gaussianSample"][i],
        actual: await bench.read(out),
        expected: expected[i].data,
      })),
    );
  },
};

const adadeltaCase: KernelCase = {
  kernel: "adadelta",
  async run(bench) {
    const [rows, columns] = [bench.size(), bench.size()];
    const [value, gradient] = [bench.matrix(rows, columns), bench.matrix(rows, columns)];
    const positive = () => build(rows, columns, () => Math.fround(bench.random.uniform()));
    const [squares, deltas] = [positive(), positive()];
    const step = { rho: 0.99, epsilon: 1e-2, decay: bench.random.below(2) === 0 ? 0 : 0.05 };
    const tensors = [bench.put(value), bench.put(squares), bench.put(deltas)] as const;
    bench.engine.adadelta(...tensors, bench.put(gradient), step);
    const g = build(rows, columns, (r, c) => at(gradient, r, c) + step.decay * at(value, r, c));
    const second = build(rows, columns, (r, c) => 0.99 * at(squares, r, c) + 0.01 * at(g, r, c) ** 2);
    // RMS[change before] / RMS[g] times g (Zeiler 2012, equation 14).
    const rms = (x: number) => Math.sqrt(x + step.epsilon);
    const change = build(
      rows,
      columns,
      (r, c) => (rms(at(deltas, r, c)) / rms(at(second, r, c))) * at(g, r, c),
    );
    const first = build(rows, columns, (r, c) => 0.99 * at(deltas, r, c) + 0.01 * at(change, r, c) ** 2);
    const moved = build(rows, columns, (r, c) => at(value, r, c) - at(change, r, c));
    return [
      { what: "value", actual: await bench.read(tensors[0]), expected: moved.data },
      { what: "squares", actual: await bench.read(tensors[1]), expected: second.data },
      { what: "deltas", actual: await bench.read(tensors[2]), expected: first.data },
    ];
  },
};

/** A case for a kernel that writes one tensor: inputs [rows, columns] named by the formula. */
function elementwiseCase(
  kernel: string,
  inputs: number,
  call: (bench: Workbench, out: Tensor, inputs: Tensor[], key: RandomKey) => void,
  formula: (out: number, inputs: number[], element: number, key: RandomKey) => number,
  accumulates: boolean,
): KernelCase {
  return {
    kernel,
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const key = bench.key();
      const hosts = Array.from({ length: inputs }, () => bench.matrix(rows, columns));
      const before = bench.matrix(rows, columns);
      const out = accumulates ? bench.put(before) : bench.rubbish(rows, columns);
      call(
        bench,
        out,
        hosts.map((host) => bench.put(host)),
        key,
      );
      const expected = before.data.map((value, i) =>
        formula(
          value,
          hosts.map((host) => host.data[i]),
          i,
          key,
        ),
      );
      return [{ what: "out", actual: await bench.read(out), expected }];
    },
  };
}

/** Every kernel of the contract but topK, which compares exactly and has a list of its own below. */
export const kernelCases: readonly KernelCase[] = [
  elementwiseCase(
    "fill",
    0,
    ({ engine }, out) => engine.fill(out, -2.5),
    () => -2.5,
    false,
  ),
  elementwiseCase(
    "copy",
    1,
    ({ engine }, out, [a]) => engine.copy(out, a),
    (_, [a]) => a,
    false,
  ),
  elementwiseCase(
    "addScaled",
    1,
    ({ engine }, out, [a]) => engine.addScaled(out, a, -1.5),
    (out, [a]) => out - 1.5 * a,
    true,
  ),
  elementwiseCase(
    "tanh",
    1,
    ({ engine }, out, [a]) => engine.tanh(out, a),
    (_, [a]) => Math.tanh(a),
    false,
  ),
  elementwiseCase(
    "tanh in place",
    0,
    ({ engine }, out) => engine.tanh(out, out),
    (out) => Math.tanh(out),
    true,
  ),
  elementwiseCase(
    "tanhGradient",
    2,
    ({ engine }, out, [y, g]) => engine.tanhGradient(out, y, g, { accumulate: true }),
    (out, [y, g]) => out + g * (1 - y * y),
    true,
  ),
  elementwiseCase(
    "tanhGradient of the first contribution",
    2,
    ({ engine }, out, [y, g]) => engine.tanhGradient(out, y, g),
    (_, [y, g]) => g * (1 - y * y),
    false,
  ),
  elementwiseCase(
    "relu",
    1,
    ({ engine }, out, [a]) => engine.relu(out, a),
    (_, [a]) => Math.max(a, 0),
    false,
  ),
  elementwiseCase(
    "relu in place",
    0,
    ({ engine }, out) => engine.relu(out, out),
    (out) => Math.max(out, 0),
    true,
  ),
  elementwiseCase(
    "reluGradient",
    2,
    ({ engine }, out, [y, g]) => engine.reluGradient(out, y, g),
    (out, [y, g]) => out + (y > 0 ? g : 0),
    true,
  ),
  elementwiseCase(
    "sigmoid",
    1,
    ({ engine }, out, [a]) => engine.sigmoid(out, a),
    (_, [a]) => Math.exp(a) / (1 + Math.exp(a)),
    false,
  ),
  elementwiseCase(
    "sigmoid in place",
    0,
    ({ engine }, out) => engine.sigmoid(out, out),
    (out) => Math.exp(out) / (1 + Math.exp(out)),
    true,
  ),
  elementwiseCase(
    "sigmoidGradient",
    2,
    ({ engine }, out, [y, g]) => engine.sigmoidGradient(out, y, g),
    (out, [y, g]) => out + g * (y - y * y),
    true,
  ),
  elementwiseCase(
    "swish",
    1,
    ({ engine }, out, [a]) => engine.swish(out, a),
    (_, [a]) => a / (1 + Math.exp(-a)),
    false,
  ),
  elementwiseCase(
    "swish in place",
    0,
    ({ engine }, out) => engine.swish(out, out),
    (out) => out / (1 + Math.exp(-out)),
    true,
  ),
  elementwiseCase(
    "swishGradient",
    2,
    ({ engine }, out, [a, g]) => engine.swishGradient(out, a, g),
    // The quotient rule on a / (1 + e^-a).
    (out, [a, g]) => out + (g * (1 + Math.exp(-a) + a * Math.exp(-a))) / (1 + Math.exp(-a)) ** 2,
    true,
  ),
  elementwiseCase(
    "addProduct",
    2,
    ({ engine }, out, [a, b]) => engine.addProduct(out, a, b),
    (out, [a, b]) => out + a * b,
    true,
  ),
  {
    kernel: "layerNorm, layerNormGradient and layerNormWeightGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size(1, 600)];
      const [a, g] = [bench.matrix(rows, columns), bench.matrix(rows, columns)];
      const [weight, bias] = [bench.matrix(1, columns), bench.matrix(1, columns)];
      const before = [bench.matrix(rows, columns), bench.matrix(1, columns)];
      const epsilon = 0.1;
      const [input, upstream, scale] = [bench.put(a), bench.put(g), bench.put(weight)];
      const [out, statistics] = [bench.rubbish(rows, columns), bench.rubbish(rows, 2)];
      const [inputGradient, weightGradient] = before.map((host) => bench.put(host));
      bench.engine.layerNorm(out, input, scale, bench.put(bias), statistics, epsilon);
      bench.engine.layerNormGradient(inputGradient, input, scale, statistics, upstream);
      bench.engine.layerNormWeightGradient(weightGradient, input, statistics, upstream);
      const mean = (of: (c: number) => number) => {
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += of(c);
        return sum / columns;
      };
      const means = Array.from({ length: rows }, (_, r) => mean((c) => at(a, r, c)));
      const deviations = means.map((m, r) => Math.sqrt(mean((c) => (at(a, r, c) - m) ** 2) + epsilon));
      const h = build(rows, columns, (r, c) => (at(a, r, c) - means[r]) / deviations[r]);
      const d = build(rows, columns, (r, c) => at(g, r, c) * at(weight, 0, c));
      const meanOfD = means.map((_, r) => mean((c) => at(d, r, c)));
      const meanOfProduct = means.map((_, r) => mean((c) => at(d, r, c) * at(h, r, c)));
      return [
        {
          what: "out",
          actual: await bench.read(out),
          expected: build(rows, columns, (r, c) => at(weight, 0, c) * at(h, r, c) + at(bias, 0, c)).data,
        },
        {
          what: "input's gradient",
          actual: await bench.read(inputGradient),
          expected: build(
            rows,
            columns,
            (r, c) =>
              at(before[0], r, c) +
              (at(d, r, c) - meanOfD[r] - at(h, r, c) * meanOfProduct[r]) / deviations[r],
          ).data,
        },
        {
          what: "weight's gradient",
          actual: await bench.read(weightGradient),
          expected: build(1, columns, (_, c) => {
            let sum = at(before[1], 0, c);
            for (let r = 0; r < rows; r++) sum += at(g, r, c) * at(h, r, c);
            return sum;
          }).data,
        },
      ];
    },
  },
  {
    kernel: "compositeKl and compositeKlGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const [z, mean, spread, formerMean, formerSpread] = [1, 0.5, 0.5, 0.5, 0.5].map((deviation) =>
        bench.matrix(rows, columns, deviation),
      );
      const g = bench.matrix(rows, 1);
      const before = [0, 1, 2].map(() => bench.matrix(rows, columns));
      const mixture = [
        { standard: 0.15, former: 0.75, broad: 0.1, broadLogVariance: 10 },
        { standard: 0.5, former: 0, broad: 0.5, broadLogVariance: 2 },
        { standard: 0, former: 1, broad: 0, broadLogVariance: 1 },
      ][bench.random.below(3)];
      const inputs = [z, mean, spread, formerMean, formerSpread].map((host) => bench.put(host));
      const [at0, m, s, fm, fs] = inputs;
      const out = bench.rubbish(rows, 1);
      const gradients = before.map((host) => bench.put(host));
      bench.engine.compositeKl(out, at0, m, s, fm, fs, mixture);
      bench.engine.compositeKlGradient(
        gradients[0],
        gradients[1],
        gradients[2],
        at0,
        m,
        s,
        fm,
        fs,
        mixture,
        bench.put(g),
      );
      // Densities themselves, with their constant, and their derivative.
      const density = (x: number, mu: number, variance: number) =>
        Math.exp(-((x - mu) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);
      const slope = (x: number, mu: number, variance: number) =>
        (-(x - mu) / variance) * density(x, mu, variance);
      const prior = (f: typeof density, r: number, c: number) =>
        mixture.standard * f(at(z, r, c), 0, 1) +
        mixture.former * f(at(z, r, c), at(formerMean, r, c), Math.exp(at(formerSpread, r, c))) +
        mixture.broad * f(at(z, r, c), 0, Math.exp(mixture.broadLogVariance));
      const pull = (r: number, c: number) => (at(z, r, c) - at(mean, r, c)) / Math.exp(at(spread, r, c));
      return [
        {
          what: "kl",
          actual: await bench.read(out),
          expected: build(rows, 1, (r) => {
            let sum = 0;
            for (let c = 0; c < columns; c++)
              sum +=
                Math.log(density(at(z, r, c), at(mean, r, c), Math.exp(at(spread, r, c)))) -
                Math.log(prior(density, r, c));
            return sum;
          }).data,
        },
        {
          what: "z's gradient",
          actual: await bench.read(gradients[0]),
          expected: build(
            rows,
            columns,
            (r, c) =>
              at(before[0], r, c) - at(g, r, 0) * (pull(r, c) + prior(slope, r, c) / prior(density, r, c)),
          ).data,
        },
        {
          what: "mean's gradient",
          actual: await bench.read(gradients[1]),
          expected: build(rows, columns, (r, c) => at(before[1], r, c) + at(g, r, 0) * pull(r, c)).data,
        },
        {
          what: "log-variance's gradient",
          actual: await bench.read(gradients[2]),
          expected: build(
            rows,
            columns,
            (r, c) =>
              at(before[2], r, c) + 0.5 * at(g, r, 0) * (pull(r, c) ** 2 * Math.exp(at(spread, r, c)) - 1),
          ).data,
        },
      ];
    },
  },
  elementwiseCase(
    "dropout",
    1,
    ({ engine }, out, [a], key) => engine.dropout(out, a, { rate: 0.3, key }),
    (_, [a], element, key) => a * keepFactor(key, 0.3, element),
    false,
  ),
  elementwiseCase(
    "dropout in place",
    0,
    ({ engine }, out, _, key) => engine.dropout(out, out, { rate: 0.5, key }),
    (out, _, element, key) => out * keepFactor(key, 0.5, element),
    true,
  ),
  elementwiseCase(
    "gaussianSample",
    2,
    ({ engine }, out, [mean, logVariance], key) => engine.gaussianSample(out, mean, logVariance, key),
    (_, [mean, logVariance], element, key) => mean + Math.exp(logVariance / 2) * normalOf(key, element),
    false,
  ),
  {
    kernel: "gaussianSampleGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const [mean, sample, g] = Array.from({ length: 3 }, () => bench.matrix(rows, columns));
      const before = [bench.matrix(rows, columns), bench.matrix(rows, columns)];
      const [toMean, toSpread] = before.map((host) => bench.put(host));
      bench.engine.gaussianSampleGradient(toMean, toSpread, bench.put(mean), bench.put(sample), bench.put(g));
      return [
        {
          what: "mean",
          actual: await bench.read(toMean),
          expected: before[0].data.map((value, i) => value + g.data[i]),
        },
        {
          what: "logVariance",
          actual: await bench.read(toSpread),
          expected: before[1].data.map(
            (value, i) => value + 0.5 * g.data[i] * (sample.data[i] - mean.data[i]),
          ),
        },
      ];
    },
  },
  elementwiseCase(
    "gate",
    2,
    ({ engine }, out, [a, b]) => engine.gate(out, a, b),
    (_, [a, b]) => a / (1 + Math.exp(-b)),
    false,
  ),
  {
    kernel: "gateGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const [a, b, g, ...before] = Array.from({ length: 5 }, () => bench.matrix(rows, columns, 3));
      const [toA, toB] = before.map((host) => bench.put(host));
      bench.engine.gateGradient(toA, toB, bench.put(a), bench.put(b), bench.put(g));
      const open = b.data.map((x) => 1 / (1 + Math.exp(-x)));
      return [
        {
          what: "a",
          actual: await bench.read(toA),
          expected: before[0].data.map((value, i) => value + g.data[i] * open[i]),
        },
        {
          what: "b",
          actual: await bench.read(toB),
          expected: before[1].data.map((value, i) => value + g.data[i] * a.data[i] * open[i] * (1 - open[i])),
        },
      ];
    },
  },
  elementwiseCase(
    "clamp",
    1,
    ({ engine }, out, [a]) => engine.clamp(out, a, -0.5, 0.75),
    (_, [a]) => Math.min(0.75, Math.max(-0.5, a)),
    false,
  ),
  elementwiseCase(
    "clamp in place",
    0,
    ({ engine }, out) => engine.clamp(out, out, 0, 1),
    (out) => Math.min(1, Math.max(0, out)),
    true,
  ),
  elementwiseCase(
    "clampGradient",
    2,
    ({ engine }, out, [a, g]) => engine.clampGradient(out, a, g, -0.5, 0.75),
    (out, [a, g]) => (a > -0.5 && a < 0.75 ? out + g : out),
    true,
  ),
  {
    kernel: "dropClamped and dropClampedGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const key = bench.key();
      const [a, g, before] = Array.from({ length: 3 }, () => bench.matrix(rows, columns));
      // The ends of the interval too.
      for (let i = 0; i < a.data.length; i += 3) a.data[i] = Math.min(1, Math.max(0, a.data[i]));
      const [of, from] = [bench.put(a), bench.put(g)];
      const [out, set, added] = [
        bench.rubbish(rows, columns),
        bench.rubbish(rows, columns),
        bench.put(before),
      ];
      bench.engine.dropClamped(out, of, { rate: 0.3, key });
      bench.engine.dropClampedGradient(set, of, out, from, { rate: 0.3, accumulate: false });
      bench.engine.dropClampedGradient(added, of, out, from, { rate: 0.3, accumulate: true });
      const gradient = a.data.map((x, i) => (x > 0 && x < 1 ? g.data[i] * keepFactor(key, 0.3, i) : 0));
      return [
        {
          what: "value",
          actual: await bench.read(out),
          expected: a.data.map((x, i) => Math.min(1, Math.max(0, x)) * keepFactor(key, 0.3, i)),
        },
        { what: "gradient", actual: await bench.read(set), expected: gradient },
        {
          what: "gradient, added",
          actual: await bench.read(added),
          expected: before.data.map((x, i) => x + gradient[i]),
        },
      ];
    },
  },
  {
    kernel: "unitRows and unitRowsGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size(1, 700)];
      const [a, g, before] = Array.from({ length: 3 }, () => bench.matrix(rows, columns));
      // No short rows: 1 / norm would enlarge float32's rounding of a difference.
      for (let r = 0; r < rows; r++) a.data[r * columns] = Math.fround(1 + Math.abs(a.data[r * columns]));
      // An empty row, whose gradient is too large to compare.
      if (rows > 1) for (const { data } of [a, g]) data.fill(0, 0, columns);
      const [out, added] = [bench.rubbish(rows, columns), bench.put(before)];
      bench.engine.unitRows(out, bench.put(a));
      bench.engine.unitRowsGradient(added, bench.put(a), bench.put(g));
      const inner = (x: HostMatrix, y: HostMatrix, r: number) =>
        x.data
          .subarray(r * columns, (r + 1) * columns)
          .reduce((sum, value, c) => sum + value * at(y, r, c), 0);
      const norms = Array.from({ length: rows }, (_, r) => Math.max(1e-12, Math.sqrt(inner(a, a, r))));
      return [
        {
          what: "value",
          actual: await bench.read(out),
          expected: build(rows, columns, (r, c) => at(a, r, c) / norms[r]).data,
        },
        {
          what: "gradient",
          actual: await bench.read(added),
          expected: build(
            rows,
            columns,
            (r, c) =>
              at(before, r, c) + (at(g, r, c) - (at(a, r, c) * inner(a, g, r)) / norms[r] ** 2) / norms[r],
          ).data,
        },
      ];
    },
  },
  {
    kernel: "addRows and scaleRows",
    async run(bench) {
      const [rows, columns] = [bench.size(), bench.size()];
      const before = bench.matrix(rows, columns);
      const chosen = Uint32Array.from({ length: rows }, (_, r) => r).filter(
        () => bench.random.below(2) === 0,
      );
      const a = bench.matrix(chosen.length, columns);
      const factor = bench.matrix(rows, 1);
      const [added, scaled] = [bench.put(before), bench.rubbish(rows, columns)];
      bench.engine.addRows(added, bench.put(a), chosen);
      bench.engine.scaleRows(scaled, bench.put(before), bench.put(factor));
      const inPlace = bench.put(before);
      bench.engine.scaleRows(inPlace, inPlace, bench.put(factor));
      const product = build(rows, columns, (r, c) => factor.data[r] * at(before, r, c));
      const expected = build(rows, columns, (r, c) => {
        const from = chosen.indexOf(r);
        return at(before, r, c) + (from < 0 ? 0 : at(a, from, c));
      });
      return [
        { what: "added", actual: await bench.read(added), expected: expected.data },
        { what: "scaled", actual: await bench.read(scaled), expected: product.data },
        { what: "scaled in place", actual: await bench.read(inPlace), expected: product.data },
      ];
    },
  },
  {
    kernel: "gaussianLogDensity and gaussianLogDensityGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const [x, m, l, ...before] = Array.from({ length: 6 }, () => bench.matrix(rows, columns));
      const g = bench.matrix(rows, 1);
      const [tx, tm, tl] = [x, m, l].map((host) => bench.put(host));
      const [dx, dm, dl] = before.map((host) => bench.put(host));
      const out = bench.rubbish(rows, 1);
      bench.engine.gaussianLogDensity(out, tx, tm, tl);
      bench.engine.gaussianLogDensityGradient(dx, dm, dl, tx, tm, tl, bench.put(g));
      const density = build(rows, 1, (r) => {
        let sum = 0;
        for (let c = 0; c < columns; c++)
          sum -= 0.5 * (at(l, r, c) + (at(x, r, c) - at(m, r, c)) ** 2 / Math.exp(at(l, r, c)));
        return sum;
      });
      const ratio = (r: number, c: number) => (at(x, r, c) - at(m, r, c)) / Math.exp(at(l, r, c));
      const slopes = [
        (r: number, c: number) => -ratio(r, c),
        ratio,
        (r: number, c: number) => 0.5 * (ratio(r, c) * (at(x, r, c) - at(m, r, c)) - 1),
      ];
      const expected = slopes.map((slope, i) =>
        build(rows, columns, (r, c) => at(before[i], r, c) + g.data[r] * slope(r, c)),
      );
      return [
        { what: "log density", actual: await bench.read(out), expected: density.data },
        { what: "x", actual: await bench.read(dx), expected: expected[0].data },
        { what: "mean", actual: await bench.read(dm), expected: expected[1].data },
        { what: "logVariance", actual: await bench.read(dl), expected: expected[2].data },
      ];
    },
  },
  {
    kernel: "densityPowers and densityFactors, whose product is the log density",
    async run(bench) {
      const [points, components, columns] = [bench.size(0, 20), bench.size(0, 20), bench.size()];
      const x = bench.matrix(points, columns);
      const [m, l] = [bench.matrix(components, columns), bench.matrix(components, columns, 0.5)];
      const powers = bench.rubbish(points, 2 * columns + 1);
      const factors = bench.rubbish(components, 2 * columns + 1);
      const out = bench.rubbish(points, components);
      bench.engine.densityPowers(powers, bench.put(x));
      bench.engine.densityFactors(factors, bench.put(m), bench.put(l));
      bench.engine.matmul(out, powers, factors, { transposeB: true });
      const expected = build(points, components, (r, k) => {
        let sum = 0;
        for (let c = 0; c < columns; c++)
          sum -= 0.5 * (at(l, k, c) + (at(x, r, c) - at(m, k, c)) ** 2 / Math.exp(at(l, k, c)));
        return sum;
      });
      return [{ what: "log density", actual: await bench.read(out), expected: expected.data }];
    },
  },
  {
    kernel: "densityPowersGradient and densityFactorsGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const [x, m, l, ...before] = Array.from({ length: 6 }, () => bench.matrix(rows, columns));
      const g = bench.matrix(rows, 2 * columns + 1);
      const [dx, dm, dl] = before.map((host) => bench.put(host));
      bench.engine.densityPowersGradient(dx, bench.put(x), bench.put(g));
      bench.engine.densityFactorsGradient(dm, dl, bench.put(m), bench.put(l), bench.put(g));
      const slopes = [
        (r: number, c: number) => 2 * at(x, r, c) * at(g, r, c) + at(g, r, columns + c),
        (r: number, c: number) =>
          Math.exp(-at(l, r, c)) * at(g, r, columns + c) -
          Math.exp(-at(l, r, c)) * at(m, r, c) * at(g, r, 2 * columns),
        (r: number, c: number) => {
          const w = Math.exp(-at(l, r, c));
          const constant = at(g, r, 2 * columns);
          return (
            0.5 * w * at(g, r, c) -
            at(m, r, c) * w * at(g, r, columns + c) -
            0.5 * constant * (1 - at(m, r, c) ** 2 * w)
          );
        },
      ];
      const expected = slopes.map((slope, i) =>
        build(rows, columns, (r, c) => at(before[i], r, c) + slope(r, c)),
      );
      return [
        { what: "x", actual: await bench.read(dx), expected: expected[0].data },
        { what: "mean", actual: await bench.read(dm), expected: expected[1].data },
        { what: "logVariance", actual: await bench.read(dl), expected: expected[2].data },
      ];
    },
  },
  {
    kernel: "logMeanExp",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size(1, 700)];
      const a = bench.matrix(rows, columns, 20);
      const tensor = bench.put(a);
      const out = bench.rubbish(rows, 1);
      bench.engine.logMeanExp(out, tensor);
      const values = Array.from({ length: rows }, (_, r) => {
        const row = [...a.data.subarray(r * columns, (r + 1) * columns)];
        const largest = Math.max(...row);
        return largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0) / columns);
      });
      const shares = build(rows, columns, (r, c) => Math.exp(at(a, r, c) - values[r]) / columns);
      const found = await bench.read(tensor);
      return [
        { what: "value", actual: await bench.read(out), expected: values },
        { what: "softmax", actual: found, expected: shares.data },
        {
          what: "shares too small to count",
          // In float64 they are what they are.
          actual: [
            found.filter((share) => share !== 0 && share < 2 ** -40).length *
              (found instanceof Float32Array ? 1 : 0),
          ],
          expected: [0],
        },
      ];
    },
  },
  {
    kernel: "gaussianKl and gaussianKlGradient, on views of one tensor",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const posterior = bench.matrix(rows, 2 * columns);
      const gradientBefore = bench.matrix(rows, 2 * columns);
      const g = bench.matrix(rows, 1);
      const both = bench.put(posterior);
      const gradient = bench.put(gradientBefore);
      const mean = viewColumns(both, 0, columns);
      const logVariance = viewColumns(both, columns, 2 * columns);
      const out = bench.rubbish(rows, 1);
      bench.engine.gaussianKl(out, mean, logVariance);
      bench.engine.gaussianKlGradient(
        viewColumns(gradient, 0, columns),
        viewColumns(gradient, columns, 2 * columns),
        mean,
        logVariance,
        bench.put(g),
      );
      const kl = build(rows, 1, (r) => {
        let sum = 0;
        for (let c = 0; c < columns; c++) {
          const [m, l] = [at(posterior, r, c), at(posterior, r, columns + c)];
          sum += 0.5 * (Math.exp(l) + m * m - 1 - l);
        }
        return sum;
      });
      const expected = build(rows, 2 * columns, (r, c) => {
        const value = at(posterior, r, c);
        const slope = c < columns ? value : (Math.exp(value) - 1) / 2;
        return at(gradientBefore, r, c) + g.data[r] * slope;
      });
      return [
        { what: "kl", actual: await bench.read(out), expected: kl.data },
        { what: "gradient", actual: await bench.read(gradient), expected: expected.data },
      ];
    },
  },
  {
    kernel: "addRow",
    async run(bench) {
      const [rows, columns] = [bench.size(0), bench.size()];
      const before = bench.matrix(rows, columns);
      const row = bench.matrix(1, columns);
      const out = bench.put(before);
      bench.engine.addRow(out, bench.put(row));
      const expected = build(rows, columns, (r, c) => at(before, r, c) + row.data[c]);
      return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
    },
  },
  {
    kernel: "addSumOfRows",
    async run(bench) {
      const [rows, columns] = [bench.size(0, 300), bench.size()];
      const a = bench.matrix(rows, columns);
      const before = bench.matrix(1, columns);
      const out = bench.put(before);
      bench.engine.addSumOfRows(out, bench.put(a));
      const expected = before.data.slice();
      for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) expected[c] += at(a, r, c);
      return [{ what: "out", actual: await bench.read(out), expected }];
    },
  },
  {
    kernel: "addSum and addSumOfSquares",
    async run(bench) {
      const a = bench.matrix(bench.size(0, 300), bench.size());
      const tensor = bench.put(a);
      const sum = bench.put({ rows: 1, columns: 1, data: Float64Array.of(3) });
      const squares = bench.put({ rows: 1, columns: 1, data: Float64Array.of(-1) });
      bench.engine.addSum(sum, tensor, 0.5);
      bench.engine.addSumOfSquares(squares, tensor, 2);
      return [
        {
          what: "sum",
          actual: await bench.read(sum),
          expected: [a.data.reduce((total, value) => total + 0.5 * value, 3)],
        },
        {
          what: "sum of squares",
          actual: await bench.read(squares),
          expected: [a.data.reduce((total, value) => total + 2 * value * value, -1)],
        },
      ];
    },
  },
  {
    kernel: "takeRows and takeColumns",
    async run(bench) {
      const a = bench.matrix(bench.size(), bench.size());
      const draw = (bound: number) =>
        Uint32Array.from({ length: bench.size(0) }, () => bench.random.below(bound));
      const rows = draw(a.rows);
      const columns = draw(a.columns);
      const tensor = bench.put(a);
      const taken = bench.rubbish(rows.length, a.columns);
      const across = bench.rubbish(a.rows, columns.length);
      bench.engine.takeRows(taken, tensor, rows);
      bench.engine.takeColumns(across, tensor, columns);
      return [
        {
          what: "rows",
          actual: await bench.read(taken),
          expected: build(rows.length, a.columns, (r, c) => at(a, rows[r], c)).data,
        },
        {
          what: "columns",
          actual: await bench.read(across),
          expected: build(a.rows, columns.length, (r, c) => at(a, r, columns[c])).data,
        },
      ];
    },
  },
  matmulCase(false, false),
  matmulCase(false, true),
  matmulCase(true, false),
  matmulCase(true, true),
  sparseRowSumCase(false),
  sparseRowSumCase(true),
  sumSparseRowsCase,
  sumChainedRowsCase,
  outputCase("multinomial"),
  outputCase("bernoulli"),
  outputCase("multinomial", true),
  outputCase("bernoulli", true),
  sampledTargetsCase(false),
  sampledTargetsCase(true),
  mergeCase("multinomial"),
  mergeCase("bernoulli"),
  {
    kernel: "denseBernoulliLoss and denseBernoulliLossGradient",
    async run(bench) {
      const [rows, columns] = [bench.size(0, 20), bench.size(1, 100)];
      const logits = bench.matrix(rows, columns, [1, 30][bench.random.below(2)]);
      const [target, before, g] = [
        bench.matrix(rows, columns),
        bench.matrix(rows, columns),
        bench.matrix(rows, 1),
      ];
      const [loss, out] = [bench.rubbish(rows, 1), bench.put(before)];
      const given = [bench.put(logits), bench.put(target)] as const;
      bench.engine.denseBernoulliLoss(loss, ...given);
      bench.engine.denseBernoulliLossGradient(out, ...given, bench.put(g));
      return [
        {
          what: "loss",
          actual: await bench.read(loss),
          expected: build(rows, 1, (r) => {
            let sum = 0;
            for (let c = 0; c < columns; c++) sum += binaryLoss(at(logits, r, c), at(target, r, c));
            return sum;
          }).data,
        },
        {
          what: "gradient",
          actual: await bench.read(out),
          expected: build(
            rows,
            columns,
            (r, c) =>
              at(before, r, c) + g.data[r] * (1 / (1 + Math.exp(-at(logits, r, c))) - at(target, r, c)),
          ).data,
        },
      ];
    },
  },
  convertCase,
  quantiseCase,
  matmulCase(false, true, ", b in bfloat16"),
  matmulCase(false, false, ", b in bfloat16"),
  matmulCase(true, false, ", both in bfloat16"),
  matmulCase(false, true, ", both in bfloat16"),
  matmulCase(false, true, ", rounded to bfloat16"),
  matmulCase(true, false, ", rounded to bfloat16"),
  adadeltaCase,
  adamCase("dense"),
  adamCase("rows"),
  sparseAdamCase,
  nadamCase("dense"),
  nadamCase("rows"),
  linearCosineCase,
  focalCase(2),
  focalCase(1.5),
  pieceCase,
];

/** topK against a full sort: scores with many ties, infinities and NaN, with and without exclusions. Compare exactly. */
/** No sets of allowed columns, one, or one per row, from nearly empty to nearly full; and whether a row may choose a column. */
function allowedSets({ random }: Workbench, rows: number, columns: number) {
  const length = Math.ceil(columns / 32);
  const kind = random.below(4);
  if (kind === 0) return { allowed: undefined, may: () => true };
  const sets = kind === 1 ? 1 : rows;
  const flags = Array.from({ length: sets }, () => {
    const density = [2, 50, 98][random.below(3)];
    return Array.from({ length: columns }, () => random.below(100) < density);
  });
  const allowed = new Uint32Array(sets * length);
  for (const [set, chosen] of flags.entries())
    for (const [c, isIn] of chosen.entries())
      if (isIn) allowed[set * length + Math.floor(c / 32)] += 2 ** (c % 32);
  return { allowed, may: (row: number, c: number) => flags[sets === 1 ? 0 : row][c] };
}

export const topKCase: KernelCase = {
  kernel: "topK",
  async run(bench) {
    const [rows, columns] = [bench.size(0, 20), bench.size(1, 300)];
    const kinds = bench.random.below(3);
    const data = Float64Array.from({ length: rows * columns }, () => {
      const special = bench.random.below(20);
      if (kinds === 2 && special < 3) return [Number.NaN, -Infinity, Infinity][special];
      return kinds === 0 ? Math.fround(bench.random.normal()) : bench.random.below(5);
    });
    const k = bench.size(0, columns + 5);
    const without = bench.random.below(3) === 0 ? undefined : bench.sparseMatrix(rows, columns);
    const { allowed, may } = allowedSets(bench, rows, columns);
    const result = await bench.engine.topK(
      bench.put({ rows, columns, data }),
      k,
      without && bench.sparse(without),
      allowed,
    );
    const items: number[] = [];
    const scores: number[] = [];
    for (let r = 0; r < rows; r++) {
      const excluded = new Set(without?.indices.subarray(without.offsets[r], without.offsets[r + 1]));
      const score = (c: number) => (Number.isNaN(data[r * columns + c]) ? -Infinity : data[r * columns + c]);
      const order = Array.from({ length: columns }, (_, c) => c)
        .filter((c) => !excluded.has(c) && may(r, c))
        .sort((a, b) => (score(a) === score(b) ? a - b : score(a) < score(b) ? 1 : -1));
      for (let rank = 0; rank < Math.min(k, columns); rank++) {
        items.push(order[rank] ?? NO_ITEM);
        scores.push(rank < order.length ? score(order[rank]) : -Infinity);
      }
    }
    return [
      { what: "shape", actual: [result.rows, result.k], expected: [rows, Math.min(k, columns)] },
      { what: "items", actual: result.items, expected: items },
      { what: "scores", actual: result.scores, expected: scores },
    ];
  },
};

/** A layer to rank by, and its exact answer: the k best of all products, computed row by row. */
interface RankedLayer {
  readonly weights: HostMatrix;
  readonly biases: HostMatrix;
  /** On the engine: the rows to rank, the weights, the biases. */
  readonly given: Tensor;
  readonly of: Tensor;
  readonly bias: Tensor;
  readonly without: SparseTensor | undefined;
  readonly allowed: Uint32Array | undefined;
  readonly k: number;
  readonly expected: TopK;
}

/** Draws a layer: `plain` = weights of equal size, ties ("ties"), infinities and NaN ("odd"), or of all sizes ("scales"). */
async function rankedLayer(
  bench: Workbench,
  kind: "plain" | "ties" | "odd" | "scales",
  { noBias = kind === "ties", change }: { noBias?: boolean; change?: (weights: HostMatrix) => void } = {},
): Promise<RankedLayer> {
  const { engine, random } = bench;
  const [rows, width, items] = [bench.size(0, 4), bench.size(1, 150), bench.size(1, 400)];
  const value = (row: number) => {
    if (kind === "ties") return random.below(3) - 1;
    if (kind === "odd" && random.below(60 * width) === 0)
      return [Number.NaN, -Infinity, Infinity][random.below(3)];
    return random.normal() * (kind === "scales" ? 10 ** ((row % 60) - 40) : 0.1);
  };
  const rounded = (count: number, columns: number, value: (row: number) => number) =>
    build(count, columns, (row) => Math.fround(value(row)));
  const weights = rounded(items, width, value);
  change?.(weights);
  const rowsToRank = rounded(rows, width, () => (kind === "ties" ? random.below(4) : random.normal()));
  const biases = rounded(1, items, () => (noBias ? 0 : random.normal()));
  const [given, of, bias] = [bench.put(rowsToRank), bench.put(weights), bench.put(biases)];
  const k = bench.size(0, 30);
  const excluded = random.below(3) === 0 ? undefined : bench.sparseMatrix(rows, items);
  const without = excluded && bench.sparse(excluded);
  const scores = engine.empty(rows, items);
  for (let r = 0; r < rows; r++)
    engine.matmul(viewRows(scores, r, r + 1), viewRows(given, r, r + 1), of, { transposeB: true });
  engine.addRow(scores, bias);
  const { allowed } = allowedSets(bench, rows, items);
  const expected = await engine.topK(scores, k, without, allowed);
  engine.release(scores);
  return { weights, biases, given, of, bias, without, allowed, k, expected };
}

/** The ranking of a kernel against the exact answer. */
const rankingOf = (actual: TopK, { expected }: RankedLayer) => [
  { what: "shape", actual: [actual.rows, actual.k], expected: [expected.rows, expected.k] },
  { what: "items", actual: actual.items, expected: [...expected.items] },
  { what: "scores", actual: actual.scores, expected: [...expected.scores] },
];

/**
 * bestProducts against topK of all products, row by row: weights of all sizes, rows that are alike, ties, infinities and NaN,
 * with and without exclusions. Compare exactly.
 */
export const bestProductsCase: KernelCase = {
  kernel: "bestProducts",
  async run(bench) {
    const { engine, random } = bench;
    const kind = (["ties", "odd", "scales", "alike", "plain"] as const)[random.below(5)];
    // Rows that differ by less than their quantised weights can show.
    const alike = ({ rows, columns, data }: HostMatrix) => {
      for (let i = 1; i < rows; i++)
        for (let c = 0; c < columns; c++)
          data[i * columns + c] = Math.fround(data[c] * (1 + 1e-6 * random.below(5)));
    };
    const layer = await rankedLayer(bench, kind === "alike" ? "plain" : kind, {
      change: kind === "alike" ? alike : undefined,
    });
    const { weights, given, of, bias, k, without, allowed } = layer;
    const quantised = bench.rubbish(weights.rows, weights.columns, "int8");
    const statistics = bench.rubbish(weights.rows, 3);
    engine.quantise(quantised, statistics, of);
    const actual = await engine.bestProducts(
      given,
      { weights: of, quantised, statistics, bias },
      k,
      without,
      allowed,
    );
    return rankingOf(actual, layer);
  },
};

/**
 * arrangeBlocks and bestInBlocks against topK of all products, row by row, as `bestProductsCase`: random blocks, or blocks of rows of
 * similar sizes, of which most can be skipped. Compare exactly.
 */
export const bestInBlocksCase: KernelCase = {
  kernel: "arrangeBlocks bestInBlocks",
  async run(bench) {
    const { engine, random } = bench;
    const kind = random.below(5);
    const ranked = await rankedLayer(bench, (["ties", "odd", "plain", "scales", "scales"] as const)[kind], {
      noBias: kind === 0 || kind === 4,
    });
    const { weights, biases, given, of, bias, k, without, allowed } = ranked;
    const { rows: items, columns: width } = weights;
    const order = Array.from({ length: items }, (_, item) => item);
    const place = order.map((item) => (random.below(2) === 0 || kind >= 3 ? item % 60 : random.below(60)));
    order.sort((a, b) => place[a] - place[b] || a - b);
    const lists: number[][] = [];
    for (let at = 0; at < items; ) {
      const size = random.below(12);
      lists.push(order.slice(at, at + size).sort((a, b) => a - b));
      at += size;
    }
    const members = engine.sparse(fromRows(items, lists));
    const [quantised, statistics] = [bench.rubbish(items, width, "int8"), bench.rubbish(items, 4)];
    const [centres, reach] = [bench.rubbish(lists.length, width), bench.rubbish(lists.length, 3)];
    engine.arrangeBlocks(quantised, statistics, centres, reach, of, bias, members);
    const layer = { weights: of, bias, quantised, statistics, centres, reach, items: members };
    const actual = await engine.bestInBlocks(given, layer, k, lists.length, without, allowed);

    // What `quantise` computes, and whether no row is farther from its centre or longer than its block says.
    const [flat, ofRows] = [bench.rubbish(items, width, "int8"), bench.rubbish(items, 3)];
    engine.quantise(flat, ofRows, of);
    const [integers, sameIntegers] = [await engine.read(quantised), await engine.read(flat)];
    const [numbers, sameNumbers] = [await engine.read(statistics), await engine.read(ofRows)];
    const [middles, reaches] = [await engine.read(centres), await engine.read(reach)];
    const part = (data: ArrayLike<number>, row: number, columns: number) =>
      Array.from({ length: columns }, (_, c) => data[row * columns + c]);
    const norm = (row: readonly number[]) => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    const inOrder = lists.flat();
    const finite = (item: number) => Number.isFinite(sameNumbers[3 * item + 1]);
    const copied = inOrder.flatMap((item, at) =>
      finite(item) ? [...part(integers, at, width), ...part(numbers, at, 4)] : [],
    );
    const original = inOrder.flatMap((item) =>
      finite(item)
        ? [...part(sameIntegers, item, width), ...part(sameNumbers, item, 3), biases.data[item]]
        : [],
    );
    const covered = lists.flatMap((list, block) =>
      list.map((item) => {
        const row = part(weights.data, item, width);
        const [radius, size, highest] = part(reaches, block, 3);
        const centre = part(middles, block, width);
        const isBelow = (x: number, most: number) => !(x > most);
        return Number(
          isBelow(norm(row.map((x, c) => x - centre[c])), radius) &&
            isBelow(norm(row), size) &&
            isBelow(biases.data[item], highest),
        );
      }),
    );
    return [
      ...rankingOf(actual, ranked),
      { what: "copy", actual: copied, expected: original },
      { what: "bounds", actual: covered, expected: covered.map(() => 1) },
    ];
  },
};
