// Solvers for an engine that has none (a GPU engine): those of a CPU engine. The operands of a call are copied to it and the
// results are copied back, in the directions given by the roles in the kernel table.
//
// A call of a solver returns at once, like every kernel, but reading its operands takes time. Later calls wait here, in order,
// until its results are back; while no solver is running they go directly to the engine.

import type { CsrMatrix } from "../../sparse/csr.js";
import type { Engine } from "../engine.js";
import { type Kernel, type Role, replaceOperands } from "../kernel.js";
import { type KernelMethods, kernels, type Solvers, solverKernels } from "../kernels.js";
import type { SparseTensor, Tensor } from "../tensor.js";

/** The engine itself if it has solvers; otherwise the engine with the solvers of `openCpu`, which is opened on first use and closed with the engine. */
export function withSolvers(engine: Engine, openCpu: () => Engine): Engine {
  if (engine.solvers) return engine;
  const line = new Line();
  const cpu = new Loan(engine, openCpu);
  const solvers = Object.defineProperty({}, "pivots", { get: () => cpu.pivots });
  for (const kernel of Object.values<Kernel>(solverKernels))
    Object.assign(
      solvers,
      methodOf(kernel, (...values) => {
        kernel.check(values);
        const done = line.solve(() => cpu.run(kernel, values));
        return kernel.answer && done;
      }),
    );
  const inOrder = {} as KernelMethods;
  for (const kernel of Object.values<Kernel>(kernels)) {
    const run = engine[kernel.name as keyof KernelMethods].bind(engine) as Call;
    Object.assign(
      inOrder,
      methodOf(kernel, (...values) => {
        if (!line.isBusy) return run(...values);
        kernel.check(values);
        return kernel.answer ? line.ask(() => run(...values)) : line.queue(() => run(...values));
      }),
    );
  }
  const { name, precision, bf16, threads, description } = engine;
  return {
    ...inOrder,
    ...{ name, precision, bf16, threads, description, solvers: solvers as Solvers },
    // New memory is independent of a running solver.
    empty: engine.empty.bind(engine),
    zeros: engine.zeros.bind(engine),
    tensor: engine.tensor.bind(engine),
    outputColumns: engine.outputColumns.bind(engine),
    sparse: (matrix, piece) => cpu.remember(engine.sparse(matrix, piece), matrix),
    write(out, data) {
      const copy = line.isBusy ? Float64Array.from(data) : data;
      line.queue(() => engine.write(out, copy));
    },
    read: async (tensor) => line.ask(() => engine.read(tensor)),
    finished: async () => line.ask(() => engine.finished()),
    release: (tensor) => line.always(() => engine.release(tensor)),
    releaseSparse: (tensor) =>
      line.always(() => {
        cpu.forget(tensor);
        engine.releaseSparse(tensor);
      }),
    memory: () => engine.memory() + cpu.memory(),
    async close() {
      await line.end();
      await Promise.all([engine.close(), cpu.close()]);
    },
  } satisfies Engine;
}

type Call = (...values: unknown[]) => unknown;

/** A method with the name of a kernel; asynchronous kernels reject rather than throw. */
function methodOf({ name, answer }: Kernel, call: Call): { [name: string]: Call } {
  return { [name]: answer ? async (...values) => call(...values) : call };
}

/** Runs calls in order: those after a solver wait for it, and are skipped if it fails, as in a queue. */
class Line {
  /** Resolves when the results of the last solver are back; undefined afterwards, if nothing failed. */
  #last: Promise<unknown> | undefined;

  get isBusy(): boolean {
    return this.#last !== undefined;
  }

  solve(work: () => Promise<unknown>): Promise<unknown> {
    const done = this.#last ? this.#last.then(work) : work();
    this.#last = done;
    done.then(
      () => {
        // Calls that wait for this promise were registered after this function, so the order is preserved.
        if (this.#last === done) this.#last = undefined;
      },
      () => {},
    );
    return done;
  }

  async ask<T>(work: () => T): Promise<Awaited<T>> {
    return await (this.#last ? this.#last.then(work) : work());
  }

  queue(work: () => unknown): void {
    if (this.#last) this.#last.then(work).catch((error) => this.#fail(error));
    else work();
  }

  /** Runs the work even after a failure. */
  always(work: () => void): void {
    if (this.#last) this.#last.then(work, work).catch((error) => this.#fail(error));
    else work();
  }

  async end(): Promise<void> {
    await this.#last?.catch(() => {});
  }

  #fail(error: unknown): void {
    this.#last = Promise.reject(error);
    this.#last.catch(() => {});
  }
}

/** The CPU engine, and its state for the engine that borrows from it. */
class Loan {
  readonly #engine: Engine;
  readonly #open: () => Engine;
  #cpu: Engine | undefined;
  /** The matrices of the batches, which an engine cannot return. */
  readonly #matrices = new WeakMap<SparseTensor, CsrMatrix>();
  readonly #batches = new Map<SparseTensor, SparseTensor>();

  constructor(engine: Engine, open: () => Engine) {
    this.#engine = engine;
    this.#open = open;
  }

  get pivots(): number {
    return this.#solvers().pivots;
  }

  /** Runs a solver on copies of its operands; resolves to its value once the results are on the engine. */
  async run(kernel: Kernel, values: readonly unknown[]): Promise<unknown> {
    const solvers = this.#solvers();
    const [engine, cpu] = [this.#engine, this.#cpu as Engine];
    const copies: { tensor: Tensor; copy: Tensor; role: Role }[] = [];
    const copied = replaceOperands(kernel, values, (operand, { kind, role }) => {
      if (kind === "batch") return this.#batch(operand as SparseTensor);
      const tensor = operand as Tensor;
      const copy = cpu.empty(tensor.rows, tensor.columns, tensor.storage.element);
      copies.push({ tensor, copy, role });
      return copy;
    });
    try {
      for (const { tensor, copy, role } of copies)
        if (role !== "overwrite") cpu.write(copy, await engine.read(tensor));
      const method = solvers[kernel.name as keyof typeof solverKernels] as (...values: unknown[]) => unknown;
      const answer = await method(...copied);
      for (const { tensor, copy, role } of copies)
        if (role !== "read") engine.write(tensor, await cpu.read(copy));
      return answer;
    } finally {
      for (const { copy } of copies) cpu.release(copy);
    }
  }

  /** Keeps the matrix of a batch, which must not change. Solvers do not use pieces. */
  remember(batch: SparseTensor, matrix: CsrMatrix): SparseTensor {
    this.#matrices.set(batch, matrix);
    return batch;
  }

  forget(batch: SparseTensor): void {
    const copy = this.#batches.get(batch);
    if (copy) this.#cpu?.releaseSparse(copy);
    this.#batches.delete(batch);
  }

  memory(): number {
    return this.#cpu?.memory() ?? 0;
  }

  async close(): Promise<void> {
    await this.#cpu?.close();
  }

  #solvers(): Solvers {
    this.#cpu ??= this.#open();
    if (!this.#cpu.solvers) throw new Error(`the ${this.#cpu.name} engine has no solvers to lend`);
    return this.#cpu.solvers;
  }

  #batch(batch: SparseTensor): SparseTensor {
    let copy = this.#batches.get(batch);
    if (copy === undefined) {
      const matrix = this.#matrices.get(batch);
      if (matrix === undefined) throw new Error("the sparse batch belongs to another engine");
      copy = (this.#cpu as Engine).sparse(matrix);
      this.#batches.set(batch, copy);
    }
    return copy;
  }
}
