// Reverse-mode automatic differentiation. A tape lives for one step: operations (ops/) compute forward immediately and record their
// backward functions; `backward` runs these in reverse and leaves gradients in the parameters; `dispose` returns all memory of the
// step to the engine. Nothing here waits: values are read with `engine.read`.

import type { CsrMatrix } from "../sparse/csr.js";
import { type Division, histories, releaseHistories } from "./division.js";
import type { Engine } from "./engine.js";
import type { Objective } from "./objective.js";
import type { Differentiable } from "./parameter.js";
import type { PieceOfBatch, SparseTensor, Tensor } from "./tensor.js";

/** A value on a tape, and its gradient after the first contribution. */
export class Variable implements Differentiable {
  readonly value: Tensor;
  readonly needsGradient: boolean;
  readonly #tape: Tape;
  /** For a view: the position of its gradient within that of the original variable. */
  readonly #view: { readonly of: Variable; readonly cut: (tensor: Tensor) => Tensor } | undefined;
  #gradient: Tensor | undefined;

  constructor(
    tape: Tape,
    value: Tensor,
    needsGradient: boolean,
    view?: { of: Variable; cut: (tensor: Tensor) => Tensor },
  ) {
    this.#tape = tape;
    this.value = value;
    this.needsGradient = needsGradient;
    this.#view = view;
  }

  get hasGradient(): boolean {
    return this.#gradient !== undefined;
  }

  gradient(): Tensor {
    if (this.#view) this.#gradient ??= this.#view.cut(this.#view.of.gradient());
    else this.#gradient ??= this.#tape.zeros(this.value.rows, this.value.columns);
    return this.#gradient;
  }

  addGradient(write: (out: Tensor, accumulate: boolean) => void): void {
    if (this.#gradient || this.#view) {
      write(this.gradient(), true);
    } else {
      this.#gradient = this.#tape.empty(this.value.rows, this.value.columns);
      write(this.#gradient, false);
    }
  }
}

export class Tape {
  readonly engine: Engine;
  readonly #recording: boolean;
  readonly #tensors: Tensor[] = [];
  readonly #batches: SparseTensor[] = [];
  readonly #records: (() => void)[] = [];
  #state: "open" | "walked" | "disposed" = "open";

  /** `gradients: false` creates a tape that only owns memory, for scoring. */
  constructor(engine: Engine, options: { gradients?: boolean } = {}) {
    this.engine = engine;
    this.#recording = options.gradients ?? true;
  }

  /** A tensor [rows, columns] that lives as long as the tape, with undefined contents. */
  empty(rows: number, columns: number): Tensor {
    return this.#own(this.engine.empty(rows, columns));
  }

  /** Zeros [rows, columns] that live as long as the tape. */
  zeros(rows: number, columns: number): Tensor {
    return this.#own(this.engine.zeros(rows, columns));
  }

  /** A sparse batch, or a piece of one, that lives as long as the tape. */
  sparse(matrix: CsrMatrix, piece?: PieceOfBatch): SparseTensor {
    this.#checkOpen();
    const batch = this.engine.sparse(matrix, piece);
    this.#batches.push(batch);
    return batch;
  }

  /** A batch of histories that lives as long as the tape, divided if the run's items are. */
  histories(matrix: CsrMatrix, division?: Division): SparseTensor {
    this.#checkOpen();
    const batch = histories(this.engine, division, matrix);
    this.#batches.push(batch);
    return batch;
  }

  /** An external tensor, which gets no gradient and is still owned by the caller. */
  constant(value: Tensor): Variable {
    return new Variable(this, value, false);
  }

  /** An external tensor that gets a gradient, such as an input in a test; it is still owned by the caller. */
  input(value: Tensor): Variable {
    return new Variable(this, value, this.#recording);
  }

  /**
   * The result of an operation. `backward` is called with the gradient of the result, if it has one, and adds to the gradients of
   * the inputs that need one.
   */
  record(value: Tensor, inputs: readonly Differentiable[], backward: (gradient: Tensor) => void): Variable {
    const needsGradient = this.#recording && inputs.some((input) => input.needsGradient);
    const variable = new Variable(this, value, needsGradient);
    if (needsGradient)
      this.#records.push(() => {
        if (variable.hasGradient) backward(variable.gradient());
      });
    return variable;
  }

  /** A part of a variable that shares the memory of its value and gradient. */
  view(of: Variable, cut: (tensor: Tensor) => Tensor): Variable {
    return new Variable(this, cut(of.value), of.needsGradient, { of, cut });
  }

  /** The objective's value, [1, 1]; accumulated in float64 term by term. */
  value(objective: Objective): Tensor {
    const out = this.zeros(1, 1);
    for (const term of objective.terms)
      if (term.kind === "sum") this.engine.addSum(out, term.of.value, term.weight);
      else this.engine.addSumOfSquares(out, term.of.value, term.weight);
    return out;
  }

  /** Adds d objective / d parameter to every parameter's gradient (an L2 term to its `decay`). Once per tape. */
  backward(objective: Objective): void {
    this.#checkOpen();
    if (!this.#recording) throw new Error("tape: created without gradients");
    this.#state = "walked";
    for (const { kind, of, weight } of objective.terms)
      if (kind === "squares") of.decay += 2 * weight;
      else if (of.needsGradient) this.#seed(of, weight);
    for (let r = this.#records.length - 1; r >= 0; r--) this.#records[r]();
  }

  /** Returns everything that the step allocated to the engine. A second call does nothing. */
  dispose(): void {
    if (this.#state === "disposed") return;
    this.#state = "disposed";
    for (const tensor of this.#tensors) this.engine.release(tensor);
    for (const batch of this.#batches) releaseHistories(this.engine, batch);
    this.#records.length = 0;
  }

  #seed(variable: Differentiable, weight: number): void {
    variable.addGradient((out, accumulate) => {
      if (!accumulate) return this.engine.fill(out, weight);
      const ones = this.empty(out.rows, out.columns);
      this.engine.fill(ones, 1);
      this.engine.addScaled(out, ones, weight);
    });
  }

  #own(tensor: Tensor): Tensor {
    if (this.#state === "disposed") {
      this.engine.release(tensor);
      throw new Error("tape: already disposed");
    }
    this.#tensors.push(tensor);
    return tensor;
  }

  #checkOpen(): void {
    if (this.#state !== "open") throw new Error(`tape: already ${this.#state}`);
  }
}
