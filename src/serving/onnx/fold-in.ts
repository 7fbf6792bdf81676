// A ridge fold-in (recommender/fold-in.ts) as part of an ONNX graph: unrolled conjugate gradients, because ONNX has no solvers.

import type { Engine } from "../../compute/engine.js";
import { symmetricEigen } from "../../core/eigen.js";
import { Turns } from "../../core/turns.js";
import type { RidgeByEntries, RidgeFoldIn, SolvingRecommender } from "../../recommender/fold-in.js";
import { attribute, type Graph } from "./graph.js";
import { type RecordedHistories, summedOverHistory } from "./histories.js";

const { int, ints } = attribute;

export interface WrittenFoldIn {
  readonly histories: RecordedHistories;
  /** Number of conjugate gradient steps. */
  readonly steps: number;
  /** The error to throw for an unsupported fold-in. */
  readonly refuse: (what: string) => Error;
}

/**
 * Writes the scores [batch, items] of a model that folds in by ridge regression, and returns their name. The model's tensors
 * are read from `engine` before histories are recorded. The system (w G + lambda I + o sum y y') x = t sum y over a history's
 * y is solved in the basis of G's eigenvectors: there w G + lambda I is diagonal and, together with the diagonal of the sum, a
 * good preconditioner. Y and S are rotated to that basis; the scores x's do not change.
 */
export async function writeSolvedScores(
  graph: Graph,
  engine: Engine,
  { foldIn, scored }: SolvingRecommender,
  { histories, steps, refuse }: WrittenFoldIn,
): Promise<string> {
  if (foldIn.kind !== "ridge") throw refuse(`a ${foldIn.kind} fold-in`);
  if (foldIn.covariances) throw refuse("a fold-in with covariances");
  const k = foldIn.items.columns;
  const { values, vectors } = await symmetricEigen(await engine.read(foldIn.gram), k, new Turns());
  const turned = async (tensor: typeof scored) =>
    graph.matrix(product(await engine.read(tensor), vectors, k), tensor.rows, k);
  const Y = await turned(foldIn.items);
  const S = scored === foldIn.items ? Y : await turned(scored);
  const x = solved(graph, foldIn, { values, rows: graph.rows(Y, histories.index) }, histories, steps);
  return graph.node("Gemm", [x, graph.whole(S)], int("transB", 1));
}

/** x [batch, k]; `rows` [batch, length, k] are the histories' rows of Y in the basis of the eigenvectors; `values` are the eigenvalues. */
function solved(
  graph: Graph,
  { gramWeight, outer, target, ridge }: RidgeFoldIn,
  { values, rows }: { values: Float64Array; rows: string },
  histories: RecordedHistories,
  steps: number,
): string {
  const columns = graph.node("Transpose", [rows], ints("perm", [0, 2, 1]));
  const o = graph.float(outer.constant + outer.slope);
  const diagonal = graph.constant(
    "float32",
    Float32Array.from(values, (value) => gramWeight * Math.max(0, value)),
    [1, values.length],
  );
  const d = graph.node("Add", [diagonal, written(graph, ridge, histories.count)]);
  const sum = (of: string) => summedOverHistory(graph, histories, of);
  const squares = sum(graph.node("Mul", [rows, rows]));
  const preconditioner = graph.node("Add", [d, graph.node("Mul", [squares, o])]);
  const tiny = graph.float(1e-30);
  const b = graph.node("Mul", [sum(rows), graph.float(target.constant + target.slope)]);
  const weights3 = graph.node("Unsqueeze", [histories.weight, graph.ints(2)]);
  /** A p */
  const times = (p: string) => {
    const products = graph.node("MatMul", [rows, graph.node("Unsqueeze", [p, graph.ints(2)])]);
    const kept = graph.node("Mul", [products, weights3]);
    const back = graph.node("Squeeze", [graph.node("MatMul", [columns, kept]), graph.ints(2)]);
    return graph.node("Add", [graph.node("Mul", [d, p]), graph.node("Mul", [back, o])]);
  };
  const dot = (x: string, y: string) =>
    graph.node("ReduceSum", [graph.node("Mul", [x, y]), graph.ints(1)], int("keepdims", 1));
  const over = (x: string, y: string) => graph.node("Div", [x, graph.node("Max", [y, tiny])]);

  let x = graph.node("Mul", [b, graph.float(0)]);
  let r = b;
  let z = graph.node("Div", [r, preconditioner]);
  let p = z;
  let rz = dot(r, z);
  for (let step = 0; step < steps; step++) {
    const Ap = times(p);
    const alpha = over(rz, dot(p, Ap));
    x = graph.node("Add", [x, graph.node("Mul", [alpha, p])]);
    if (step === steps - 1) break;
    r = graph.node("Sub", [r, graph.node("Mul", [alpha, Ap])]);
    z = graph.node("Div", [r, preconditioner]);
    const next = dot(r, z);
    p = graph.node("Add", [z, graph.node("Mul", [over(next, rz), p])]);
    rz = next;
  }
  return x;
}

/** The ridge penalty of each history with `count` items. */
function written(graph: Graph, ridge: number | RidgeByEntries, count: string): string {
  if (typeof ridge === "number") return graph.float(ridge);
  const { scale, offset, exponent } = ridge;
  if (exponent === 0) return graph.float(scale);
  const sum = graph.node("Add", [count, graph.float(offset)]);
  return graph.node("Mul", [graph.node("Pow", [sum, graph.float(exponent)]), graph.float(scale)]);
}

/** Rows [n, k] times a matrix [k, k], in float64. */
function product(rows: ArrayLike<number>, matrix: Float64Array, k: number): Float32Array {
  const out = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += k)
    for (let j = 0; j < k; j++) {
      let sum = 0;
      for (let m = 0; m < k; m++) sum += rows[start + m] * matrix[m * k + j];
      out[start + j] = sum;
    }
  return out;
}
