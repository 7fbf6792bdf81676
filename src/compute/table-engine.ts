// Shared code of all engines: a method for every kernel of the table, which checks its arguments and forwards them, and the
// creation of tensors.

import type { Kernel } from "./kernel.js";
import type { Solvers } from "./kernels.js";
import { type KernelMethods, kernels, solverKernels } from "./kernels.js";
import { outputColumns, outputColumnsBf16 } from "./output-scratch.js";
import { shapes } from "./shapes.js";
import type { Element, Precision, Tensor } from "./tensor.js";

abstract class Dispatching {
  abstract readonly precision: Precision;
  abstract readonly bf16: boolean;
  readonly solvers: Solvers | undefined;

  /** `pivots`: number of pivots per call of `invertPivots`; absent if the engine has no solvers. */
  constructor(pivots?: number) {
    this.#offer(this, kernels);
    this.solvers = pivots === undefined ? undefined : ({ pivots } as Solvers);
    if (this.solvers) this.#offer(this.solvers, solverKernels);
  }

  /** Runs a kernel with arguments that match its description. */
  protected abstract run(kernel: Kernel, values: readonly unknown[]): unknown;
  protected abstract allocate(rows: number, columns: number, element: Element): Tensor;
  protected abstract put(kernel: string, out: Tensor, data: ArrayLike<number>): void;

  empty(rows: number, columns: number, element: Element = this.precision): Tensor {
    shapes.dense("empty", rows, columns, element, this.precision);
    return this.allocate(rows, columns, element);
  }

  zeros(rows: number, columns: number, element: Element = this.precision): Tensor {
    shapes.dense("zeros", rows, columns, element, this.precision);
    const tensor = this.allocate(rows, columns, element);
    this.run(kernels.fill, [tensor, 0]);
    return tensor;
  }

  tensor(rows: number, columns: number, data: ArrayLike<number>, element: Element = this.precision): Tensor {
    shapes.dense("tensor", rows, columns, element, this.precision);
    shapes.data("tensor", { rows, columns }, data, element);
    const tensor = this.allocate(rows, columns, element);
    this.put("tensor", tensor, data);
    return tensor;
  }

  write(out: Tensor, data: ArrayLike<number>): void {
    shapes.data("write", out, data, out.storage.element);
    this.put("write", out, data);
  }

  outputColumns(rows: number, items: number): number {
    return this.bf16 ? outputColumnsBf16(rows, items) : outputColumns(rows, items);
  }

  #offer(target: object, offered: typeof kernels | typeof solverKernels): void {
    for (const kernel of Object.values<Kernel>(offered)) {
      const call = (...values: unknown[]) => {
        kernel.check(values);
        return this.run(kernel, values);
      };
      const value = kernel.answer ? async (...values: unknown[]) => call(...values) : call;
      Object.assign(target, { [kernel.name]: value });
    }
  }
}

/** The base class of engines: subclasses implement how a kernel runs. */
export const TableEngine = Dispatching as unknown as abstract new (
  pivots?: number,
) => Dispatching & KernelMethods;
