// An engine that computes nothing but records the kernel calls of a trained model as an ONNX graph. The graph follows from
// the code of the model, so a model that uses only the kernels below can be exported without additional code.
//
// Weights are constants. From `begin` on, one history represents a batch, and everything computed from it is a value
// [batch, columns] of the graph. A model that reads the numbers of the history outside the engine cannot be recorded: it
// would create new numbers (`tensor`, `write`), which is rejected, as is every kernel that is not defined here.

import type { Engine, SparseRowSumOptions, TopK } from "../../compute/engine.js";
import type { FloatArray, SparseTensor, Storage, Tensor } from "../../compute/tensor.js";
import type { UserError } from "../../core/errors.js";
import { type CsrMatrix, entryCount } from "../../sparse/csr.js";
import { attribute, type Graph, type StoredMatrix, tensor as tensorOf } from "./graph.js";
import { type RecordedHistories, summedOverHistory } from "./histories.js";
import { dataTypes } from "./schema.js";

const { int, float } = attribute;

/** A block of memory: numbers, the name of a value, or the names of adjacent groups of columns. */
interface Cell extends Storage {
  readonly rows: number;
  readonly columns: number;
  data?: FloatArray;
  value?: string;
  pieces?: Map<number, string>;
  stored?: StoredMatrix;
}

interface RecordedSparse extends SparseTensor {
  /** The weights; undefined for a history. */
  readonly matrix?: CsrMatrix;
}

export interface Recording {
  readonly engine: Engine;
  /** Starts the recording of histories. */
  begin(histories: RecordedHistories): void;
  /** The scores [batch, items] that were ranked. */
  readonly scores: string | undefined;
}

export interface RecordingOptions {
  readonly items: number;
  readonly refuse: (kernel: string) => UserError;
}

export function recordingEngine(graph: Graph, { items, refuse }: RecordingOptions): Recording {
  let histories: RecordedHistories | undefined;
  let scores: string | undefined;

  const cell = (rows: number, columns: number): Cell => ({
    ...{ length: rows * columns, element: "float32", rows, columns },
  });
  const whole = (storage: Cell, rows: number, columns: number): Tensor => ({
    ...{ storage, offset: 0, rows, columns, rowStride: columns },
  });
  const cellOf = ({ storage }: Tensor) => storage as Cell;
  const isWhole = (t: Tensor) =>
    t.offset === 0 && t.rows === cellOf(t).rows && t.columns === cellOf(t).columns;
  const isConstant = (t: Tensor) => cellOf(t).data !== undefined;

  /** The numbers of a constant or of a part of it. */
  function numbers(t: Tensor): FloatArray {
    const { data } = cellOf(t);
    if (!data) throw refuse("reading values that depend on the history");
    if (isWhole(t)) return data;
    const part = new Float32Array(t.rows * t.columns);
    for (let r = 0; r < t.rows; r++)
      part.set(
        data.subarray(t.offset + r * t.rowStride, t.offset + r * t.rowStride + t.columns),
        r * t.columns,
      );
    return part;
  }

  /** Stores a constant as a matrix in the file. */
  function stored(t: Tensor): StoredMatrix {
    const matrix = () => graph.matrix(singles(numbers(t)), t.rows, t.columns);
    if (!isWhole(t)) return matrix();
    const known = cellOf(t);
    known.stored ??= matrix();
    return known.stored;
  }

  /** The name of a value or of a constant. */
  function ref(t: Tensor): string {
    const known = cellOf(t);
    if (known.data) return graph.whole(stored(t));
    const { pieces } = known;
    if (pieces) {
      const sorted = [...pieces].sort(([a], [b]) => a - b).map(([, name]) => name);
      known.value = graph.node("Concat", sorted, int("axis", 1));
      known.pieces = undefined;
    }
    if (known.value === undefined) throw refuse("a value that was not computed");
    if (t.columns === known.columns) return known.value;
    return graph.node("Slice", [
      known.value,
      graph.ints(t.offset),
      graph.ints(t.offset + t.columns),
      graph.ints(1),
    ]);
  }

  function set(out: Tensor, name: string): void {
    const known = cellOf(out);
    if (known.data && histories === undefined) throw refuse("changing a weight");
    known.data = undefined;
    if (isWhole(out)) {
      known.value = name;
      return;
    }
    known.pieces ??= new Map();
    known.pieces.set(out.offset, name);
  }

  /** Writes numbers from outside the engine: only weights, before `begin`. */
  function writeNumbers(out: Tensor, data: ArrayLike<number>): void {
    if (histories) throw refuse("numbers computed outside the engine");
    const known = cellOf(out);
    if (isWhole(out)) {
      known.data = singles(data);
      return;
    }
    known.data ??= new Float32Array(known.length);
    for (let r = 0; r < out.rows; r++)
      for (let c = 0; c < out.columns; c++)
        known.data[out.offset + r * out.rowStride + c] = data[r * out.columns + c];
  }

  const unary = (opType: string) => (out: Tensor, a: Tensor) => set(out, graph.node(opType, [ref(a)]));
  const now = () => {
    if (!histories) throw refuse("a history before the recording starts");
    return histories;
  };
  /** x W with sparse W: gathers the rows of the history, padded to the longest, and adds their entries by column. */
  function sparseProduct(out: Tensor, { offsets, indices, values, rows }: CsrMatrix): void {
    const { first, index, marksShape } = now();
    const zero = graph.int32(0);
    const count = Math.max(1, indices.length);
    const short = items < 2 ** 15;
    const column = short ? new Int16Array(count) : new Int32Array(count);
    column.set(indices);
    const numbers = new Float32Array(count);
    numbers.set(values ?? new Float32Array(indices.length).fill(1));
    const gather = (name: string, at: string) => graph.node("Gather", [name, at], int("axis", 0));
    const starts = graph.constant("int32", Int32Array.from(offsets.subarray(0, rows)), [rows]);
    const lengths = graph.constant(
      "int32",
      Int32Array.from({ length: rows }, (_, r) => offsets[r + 1] - offsets[r]),
      [rows],
    );
    const columnsOf = graph.constant(short ? "int16" : "int32", column, [count]);
    const table = graph.entries(numbers, offsets);
    const length = graph.node("Where", [first, gather(lengths, index), zero]);
    const longest = graph.node("Max", [
      graph.node("ReduceMax", [length], int("keepdims", 0)),
      graph.int32(1),
    ]);
    const range = graph.node("Range", [zero, longest, graph.int32(1)]);
    const third = (name: string) => graph.node("Unsqueeze", [name, graph.ints(2)]);
    const inside = graph.node("Less", [range, third(length)]);
    const at = graph.node("Where", [inside, graph.node("Add", [third(gather(starts, index)), range]), zero]);
    const flat = (name: string) => graph.node("Reshape", [name, graph.ints(0, -1)]);
    const columnsAt = graph.node("Cast", [gather(columnsOf, at)], int("to", dataTypes.int32));
    const where = graph.node("Where", [inside, columnsAt, graph.int32(items)]);
    const entries = graph.entriesAt(table, at, index);
    const what = graph.node("Where", [inside, entries, graph.float(0)]);
    const blank = graph.node(
      "ConstantOfShape",
      [marksShape],
      attribute.tensor("value", tensorOf("float32", Float32Array.of(0), [1])),
    );
    const sums = graph.node(
      "ScatterElements",
      [blank, flat(where), flat(what)],
      int("axis", 1),
      attribute.text("reduction", "add"),
    );
    set(out, graph.node("Slice", [sums, graph.ints(0), graph.ints(items), graph.ints(1)]));
  }

  /** Records the ranked scores and returns a dummy ranking. */
  function record(ranked: string): TopK {
    scores = ranked;
    return { rows: 1, k: 1, items: new Uint32Array(1), scores: new Float32Array(1) };
  }

  const kernels: Partial<Engine> = {
    name: "recording",
    precision: "float32",
    bf16: false,
    threads: 1,
    description: "writes ONNX",
    zeros(rows, columns) {
      const made = cell(rows, columns);
      made.data = new Float32Array(made.length);
      return whole(made, rows, columns);
    },
    empty: (rows, columns) => whole(cell(rows, columns), rows, columns),
    tensor(rows, columns, data) {
      const made = whole(cell(rows, columns), rows, columns);
      writeNumbers(made, data);
      return made;
    },
    write: writeNumbers,
    read: async (t) => numbers(t),
    release() {},
    sparse(matrix): RecordedSparse {
      const { rows, columns } = matrix;
      const shape = { rows, columns, entries: entryCount(matrix), touched: new Uint32Array() };
      if (!histories) return { ...shape, matrix };
      if (columns !== items || rows !== 1) throw refuse("sparse numbers computed outside the engine");
      return shape;
    },
    releaseSparse() {},
    finished: async () => {},
    memory: () => 0,
    close: async () => {},

    copy: (out, a) => set(out, ref(a)),
    addRow: (out, row) => set(out, graph.node("Add", [ref(out), ref(row)])),
    addScaled(out, a, factor) {
      const scaled = factor === 1 ? ref(a) : graph.node("Mul", [ref(a), graph.float(factor)]);
      set(out, graph.node("Add", [ref(out), scaled]));
    },
    tanh: unary("Tanh"),
    relu: unary("Relu"),
    sigmoid: unary("Sigmoid"),
    swish(out, a) {
      const x = ref(a);
      set(out, graph.node("Mul", [x, graph.node("Sigmoid", [x])]));
    },
    gate: (out, a, b) => set(out, graph.node("Mul", [ref(a), graph.node("Sigmoid", [ref(b)])])),
    clamp: (out, a, low, high) => set(out, graph.node("Clip", [ref(a), graph.float(low), graph.float(high)])),
    layerNorm(out, a, weight, bias, _statistics, epsilon) {
      const [scale, shift] = [weight, bias].map((t) =>
        graph.constant("float32", singles(numbers(t)), [t.columns]),
      );
      const attributes = [int("axis", -1), float("epsilon", epsilon)];
      set(out, graph.node("LayerNormalization", [ref(a), scale, shift], ...attributes));
    },
    matmul(out, a, b, { transposeA = false, transposeB = false, accumulate = false } = {}) {
      if (isConstant(a) && isConstant(b)) {
        // The only supported product of weights is y'y.
        if (
          !transposeA ||
          transposeB ||
          accumulate ||
          cellOf(a) !== cellOf(b) ||
          !isWhole(a) ||
          !isWhole(out)
        )
          throw refuse("matmul of weights");
        cellOf(out).data = gramOf(numbers(a), a.rows, a.columns);
        return;
      }
      if (isConstant(a) || transposeA) throw refuse("matmul of weights by values that depend on the history");
      const inputs = [ref(a), ref(b), ...(accumulate ? [ref(out)] : [])];
      set(out, graph.node("Gemm", inputs, int("transB", transposeB ? 1 : 0)));
    },
    sparseRowSum(out, _input, weights, { rowScale = "none", dropout }: SparseRowSumOptions) {
      if (dropout) throw refuse("dropout");
      const sum = summedOverHistory(graph, now(), graph.rows(stored(weights), now().index));
      if (rowScale === "none") return set(out, sum);
      // The Euclidean norm of a history with n items is sqrt(n).
      const norm = graph.node("Sqrt", [graph.node("Max", [now().count, graph.float(1)])]);
      set(out, graph.node("Div", [sum, norm]));
    },
    sumSparseRows(out, _input, rows: RecordedSparse) {
      if (!rows.matrix) throw refuse("a product of histories");
      sparseProduct(out, rows.matrix);
    },
    topK: async (ranked) => record(ref(ranked)),
    // The engine ranks products with bounds; the graph computes all products from the weights.
    quantise() {},
    bestProducts: async (a, { weights, bias }) =>
      record(graph.node("Gemm", [ref(a), ref(weights), ref(bias)], int("transB", 1))),
  };
  return {
    engine: refusing(kernels, refuse) as Engine,
    begin(recorded) {
      histories = recorded;
    },
    get scores() {
      return scores;
    },
  };
}

const singles = (data: ArrayLike<number>) => (data instanceof Float32Array ? data : Float32Array.from(data));

/** A partial implementation of an interface; access to a missing member throws, naming it. */
function refusing<T extends object>(known: T, refuse: (kernel: string) => UserError): T {
  return new Proxy(known, {
    get(target, name) {
      if (name in target || typeof name === "symbol" || name === "then") return Reflect.get(target, name);
      throw refuse(name);
    },
  });
}

/** y'y in float64. */
function gramOf(y: FloatArray, rows: number, k: number): Float64Array {
  const gram = new Float64Array(k * k);
  for (let i = 0; i < rows; i++)
    for (let a = 0; a < k; a++) {
      const x = y[i * k + a];
      for (let b = a; b < k; b++) gram[a * k + b] += x * y[i * k + b];
    }
  for (let a = 0; a < k; a++) for (let b = 0; b < a; b++) gram[a * k + b] = gram[b * k + a];
  return gram;
}
