// What every engine's solvers must compute, in the manner of engines.ts: random shapes, inputs and views, and what a naive
// formula in float64 gives (dense products, Gauss-Jordan elimination with pivoting, the library's arc cosine).

import type { Solvers } from "../../src/compute/kernels.js";
import { invertAllPivots } from "../../src/compute/solvers/inverse.js";
import { RandomSequence } from "../../src/core/philox.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { densify, type HostMatrix, type KernelCase, type Workbench } from "./engines.js";

function solversOf({ engine }: Workbench): Solvers {
  if (!engine.solvers) throw new Error(`${engine.name} has no solvers`);
  return engine.solvers;
}

const at = ({ data, columns }: HostMatrix, r: number, c: number) => data[r * columns + c];

export function build(rows: number, columns: number, element: (r: number, c: number) => number): HostMatrix {
  const data = Float64Array.from({ length: rows * columns }, (_, k) =>
    element(Math.floor(k / columns), k % columns),
  );
  return { rows, columns, data };
}

export function product(a: HostMatrix, b: HostMatrix): HostMatrix {
  return build(a.rows, b.columns, (r, c) => {
    let sum = 0;
    for (let k = 0; k < a.columns; k++) sum += at(a, r, k) * at(b, k, c);
    return sum;
  });
}

export const transposed = (a: HostMatrix) => build(a.columns, a.rows, (r, c) => at(a, c, r));

/** Gauss-Jordan elimination with row exchanges. */
export function naiveInverse(a: HostMatrix): HostMatrix {
  const n = a.rows;
  const rows = Array.from({ length: n }, (_, r) =>
    Float64Array.from({ length: 2 * n }, (_, c) => (c < n ? at(a, r, c) : Number(c - n === r))),
  );
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let r = k; r < n; r++) if (Math.abs(rows[r][k]) > Math.abs(rows[best][k])) best = r;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    const pivot = rows[k][k];
    rows[k] = rows[k].map((x) => x / pivot);
    for (let r = 0; r < n; r++) {
      const factor = rows[r][k];
      if (r !== k && factor !== 0) for (let c = 0; c < 2 * n; c++) rows[r][c] -= factor * rows[k][c];
    }
  }
  return build(n, n, (r, c) => rows[r][n + c]);
}

/** X' X + n I for a random X, whose numbers are exact in float32. */
function positiveDefinite(bench: Workbench, n: number): HostMatrix {
  const x = bench.matrix(n, n);
  const gram = product(transposed(x), x);
  return build(n, n, (r, c) => Math.fround((at(gram, r, c) + (r === c ? n : 0)) / n));
}

const lower = (a: HostMatrix) => build(a.rows, a.columns, (r, c) => (c <= r ? at(a, r, c) : 0));

/** The matrix with rubbish above its diagonal, where nobody may look. */
const withRubbishAbove = (a: HostMatrix) =>
  build(a.rows, a.columns, (r, c) => (c <= r ? at(a, r, c) : Number.NaN));

/** Of `a` as it was read back. */
function lowerOf(rows: number, data: ArrayLike<number>): Float64Array {
  return lower({ rows, columns: rows, data: Float64Array.from(data) }).data;
}

/** Now and then large enough to be cut into blocks and tiles. */
const order = (bench: Workbench) => (bench.random.below(12) === 0 ? bench.size(100, 160) : bench.size());

export const solverCases: KernelCase[] = [
  {
    kernel: "gram",
    async run(bench) {
      const x = bench.sparseMatrix(bench.size(0), bench.size());
      const weights =
        bench.random.below(2) === 0
          ? undefined
          : build(1, x.rows, () => Math.fround(bench.random.uniform() * 4));
      const out = bench.rubbish(x.columns, x.columns);
      solversOf(bench).gram(out, bench.sparse(x), weights && bench.put(weights));
      const dense = densify(x);
      const weighted = build(
        x.rows,
        x.columns,
        (r, c) => at(dense, r, c) * (weights ? at(weights, 0, r) : 1),
      );
      const expected = product(transposed(weighted), dense);
      return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
    },
  },
  {
    kernel: "sparseProduct",
    async run(bench) {
      const columns = bench.size();
      const [a, b] = [bench.sparseMatrix(bench.size(0), columns), bench.sparseMatrix(bench.size(0), columns)];
      const out = bench.rubbish(a.rows, b.rows);
      solversOf(bench).sparseProduct(out, bench.sparse(a), bench.sparse(b));
      const expected = product(densify(a), transposed(densify(b)));
      return [{ what: "out", actual: await bench.read(out), expected: expected.data }];
    },
  },
  {
    kernel: "invertPivots, some pivots",
    async run(bench) {
      const n = order(bench);
      const a = positiveDefinite(bench, n);
      const first = bench.size(0, n - 1);
      const last = first + bench.size(1, n - first);
      const inverted = (r: number) => first <= r && r < last;
      const pivots = build(last - first, last - first, (r, c) => at(a, first + r, first + c));
      const inverse = naiveInverse(pivots);
      // A[R, K] D^-1
      const beside = product(
        build(n, last - first, (r, c) => at(a, r, first + c)),
        inverse,
      );
      const update = product(
        beside,
        build(last - first, n, (r, c) => at(a, first + r, c)),
      );
      const expected = build(n, n, (r, c) => {
        if (inverted(r)) return inverted(c) ? -at(inverse, r - first, c - first) : at(beside, c, r - first);
        return inverted(c) ? at(beside, r, c - first) : at(a, r, c) - at(update, r, c);
      });
      const tensor = bench.put(withRubbishAbove(a));
      const failed = await solversOf(bench).invertPivots(tensor, first, last - first);
      return [
        { what: "no failure", actual: [failed], expected: [-1] },
        { what: "a", actual: lowerOf(n, await bench.read(tensor)), expected: lower(expected).data },
      ];
    },
  },
  {
    kernel: "invertPivots, all pivots, then expandLower",
    async run(bench) {
      const n = order(bench);
      const a = positiveDefinite(bench, n);
      const tensor = bench.put(withRubbishAbove(a));
      await invertAllPivots({ ...solversOf(bench), pivots: 1 + bench.random.below(90) }, tensor);
      const [rows, columns] = [bench.matrix(1, n), bench.matrix(1, n)];
      solversOf(bench).expandLower(tensor, bench.put(rows), bench.put(columns));
      const inverse = naiveInverse(a);
      const expected = build(n, n, (r, c) => -at(rows, 0, r) * at(columns, 0, c) * at(inverse, r, c));
      return [{ what: "a", actual: await bench.read(tensor), expected: expected.data }];
    },
  },
  {
    kernel: "tangentKernel",
    async run(bench) {
      const [rows, columns, dimensions] = [bench.size(0), bench.size(), 1 + bench.random.below(9)];
      const x = build(rows, dimensions, () => bench.random.below(3));
      // A few of the others are one of ours, where the angle is 0.
      const y = build(columns, dimensions, (r, c) =>
        rows > 0 && r % 3 === 0 ? at(x, r % rows, c) : bench.random.below(3),
      );
      const products = product(x, transposed(y));
      const squares = (a: HostMatrix) =>
        build(1, a.rows, (_, r) =>
          a.data.slice(r * a.columns, (r + 1) * a.columns).reduce((s, v) => s + v * v, 0),
        );
      const [own, other] = [squares(x), squares(y)];
      const network = {
        scale: 2 / dimensions,
        bias: [0, 0.01, 0.5][bench.random.below(3)],
        depth: bench.random.below(4),
      };
      const tensor = bench.put(products);
      solversOf(bench).tangentKernel(tensor, bench.put(own), bench.put(other), network);
      const expected = build(rows, columns, (r, c) => {
        const s = (value: number) => network.scale * value + network.bias;
        return naiveTangent(s(at(products, r, c)), s(at(own, 0, r)), s(at(other, 0, c)), network);
      });
      return [{ what: "a", actual: await bench.read(tensor), expected: expected.data }];
    },
  },
];

/** By recursion over the layers: [covariance, kernel] of the two inputs. */
function naiveTangent(
  xy: number,
  xx: number,
  yy: number,
  { bias, depth }: { bias: number; depth: number },
): number {
  const covariance = (layer: number, first: number, a: number, b: number): number => {
    if (layer === 0) return first;
    const [s, root] = [
      covariance(layer - 1, first, a, b),
      Math.sqrt(diagonal(layer - 1, a) * diagonal(layer - 1, b)),
    ];
    const t = angle(s, root);
    return (root * (Math.sin(t) + (Math.PI - t) * Math.cos(t))) / Math.PI + bias;
  };
  const diagonal = (layer: number, a: number) => a + layer * bias;
  const angle = (s: number, root: number) => (root === 0 ? Math.PI / 2 : Math.acos(Math.min(1, s / root)));
  let kernel = xy;
  for (let layer = 1; layer <= depth; layer++) {
    const root = Math.sqrt(diagonal(layer - 1, xx) * diagonal(layer - 1, yy));
    const t = angle(covariance(layer - 1, xy, xx, yy), root);
    kernel = covariance(layer, xy, xx, yy) + (kernel * (Math.PI - t)) / Math.PI;
  }
  return kernel;
}

/** Histories with a popular head. */
export function popularHead(rows: number, columns: number): CsrMatrix {
  const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
  const lists = Array.from({ length: rows }, () => {
    const count = 1 + random.below(60);
    return [...new Set(Array.from({ length: count }, () => Math.floor(columns * random.uniform() ** 3)))];
  });
  return fromRows(columns, lists);
}
